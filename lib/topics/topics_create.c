#include "topics/topics.h"

#include "clock/clock.h"
#include "log/log.h"
#include "program/program.h"

#define FIRST_RETRY_MS 200
#define LAST_RETRY_MS  5000
#define SAY_EVERY_MS   60000

enum topics_result topics_create(struct program *program, struct bus *bus, const char *const *names,
                                 struct error *error)
{
    struct bus_topic wanted[TOPIC_COUNT];
    size_t count = 0;
    for (const char *const *name = names; *name != NULL; name++) {
        const struct bus_topic *topic = topics_find(*name);
        if (topic == NULL || count == TOPIC_COUNT) {
            return error_set(error, TOPICS_REFUSED, "%s is not a topic of the platform", *name);
        }
        wanted[count++] = *topic;
    }
    struct log_throttle throttle = {0};
    int64_t retry_ms = FIRST_RETRY_MS;
    program_set_ready(program, false,
                      "waiting for the bus"); /* the first answer may take as long as it likes */
    int result = bus_create_topics(bus, wanted, count, error);
    while (result == BUS_AWAY || result == BUS_FULL) {
        uint64_t suppressed = 0;
        if (log_throttle_allows(&throttle, clock_steady_ms(program_clock(program)), SAY_EVERY_MS,
                                &suppressed)) {
            log_warn_with(program_log(program), "the bus is away, trying again",
                          log_text("bus_url", program_bus_url(program)), log_text("why", error->message));
        }
        if (program_sleep(program, retry_ms)) {
            return TOPICS_STOPPED;
        }
        retry_ms = retry_ms * 2 < LAST_RETRY_MS ? retry_ms * 2 : LAST_RETRY_MS;
        result = bus_create_topics(bus, wanted, count, error);
    }
    return result == BUS_OK ? TOPICS_READY : TOPICS_REFUSED;
}

bool topics_serve(struct program *program, struct bus *bus, const char *const *names, int *code,
                  struct error *error)
{
    if (program_serve(program, error) != 0) {
        *code = program_fail(program, "cannot serve HTTP", error);
        return false;
    }
    enum topics_result result = topics_create(program, bus, names, error);
    *code = result == TOPICS_REFUSED ? program_fail(program, "topics cannot be used", error) : PROGRAM_DONE;
    return result == TOPICS_READY;
}
