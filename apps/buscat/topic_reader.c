#include "topic_reader.h"

#include "command.h"

#include "worker/topic_scan.h"

#include <stdlib.h>

static int take_records(void *context, const struct bus_record *records, size_t count, struct error *error)
{
    (void)error;
    const struct topic_reading *reading = context;
    for (size_t i = 0; i < count; i++) {
        if (!reading->take(reading->context, &records[i])) {
            return TOPIC_SCAN_ENOUGH;
        }
    }
    return 0;
}

static int end_turn(void *context)
{
    const struct topic_reading *reading = context;
    return reading->end_turn == NULL || reading->end_turn(reading->context) ? 0 : TOPIC_SCAN_ENOUGH;
}

/* from and until: of each partition. */
static int choose_stretches(struct bus *bus, const struct topic_reading *reading, int32_t partitions,
                            int64_t *from, int64_t *until, struct error *error)
{
    for (int32_t p = 0; p < partitions; p++) {
        if (reading->partition >= 0 && reading->partition != p) {
            from[p] = TOPIC_SCAN_NOTHING;
            continue;
        }
        int64_t begin = 0;
        int result = bus_read_offsets(bus, reading->topic, p, &begin, &until[p], error);
        if (result != BUS_OK) {
            return result;
        }
        from[p] = reading->from_beginning && begin < until[p] ? BUS_FROM_BEGINNING : until[p];
    }
    return BUS_OK;
}

static int scan(struct program *program, struct bus *bus, const struct topic_reading *reading,
                int32_t partitions, int64_t *bounds, struct error *error)
{
    const struct topic_scan scan = {.topic = reading->topic,
                                    .partition_count = partitions,
                                    .from = bounds,
                                    .until = bounds + partitions,
                                    .follow = reading->follow,
                                    .take = take_records,
                                    .end_turn = end_turn,
                                    .context = (void *)(uintptr_t)reading};
    if (choose_stretches(bus, reading, partitions, bounds, bounds + partitions, error) != BUS_OK) {
        return -1;
    }
    return topic_scan_run(program, bus, &scan, error);
}

enum topic_read_result topic_read(struct program *program, struct bus *bus,
                                  const struct topic_reading *reading, struct error *error)
{
    int32_t partitions = 0;
    if (command_find_topic(program, bus, reading->topic, &partitions, error) != BUS_OK) {
        return TOPIC_READ_FAILED;
    }
    if (reading->partition >= partitions) {
        (void)error_set(error, BUS_REFUSED, "topic %s has no partition %d, only 0 to %d", reading->topic,
                        (int)reading->partition, (int)partitions - 1);
        return TOPIC_READ_FAILED;
    }
    int64_t *bounds = calloc((size_t)partitions * 2, sizeof *bounds);
    if (bounds == NULL) {
        (void)error_set(error, BUS_FATAL, "no memory for %d partitions", (int)partitions);
        return TOPIC_READ_FAILED;
    }
    int result = scan(program, bus, reading, partitions, bounds, error);
    free(bounds);
    return result == 0 ? TOPIC_READ_DONE : TOPIC_READ_FAILED;
}
