/* kafka:// until its driver is there: every bus_open is refused, so nothing else can be called. */
#include "bus/driver.h"

static int kafka_open(struct bus **out, const struct bus_url *url, const struct bus_settings *settings,
                      struct error *error)
{
    (void)settings;
    *out = NULL;
    return error_set(error, BUS_REFUSED, "kafka://%s: this build has no Kafka driver yet; use embedded:DIR",
                     url->location);
}

const struct bus_driver bus_driver_kafka = {.open = kafka_open};
