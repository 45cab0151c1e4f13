#include "bus/driver.h"

static int embedded_open(struct bus **out, const struct bus_url *url, const struct bus_settings *settings,
                         struct error *error)
{
    (void)settings;
    *out = NULL;
    return error_set(error, BUS_REFUSED, "embedded:%s: not built yet", url->location);
}

const struct bus_driver bus_driver_embedded = {.open = embedded_open};
