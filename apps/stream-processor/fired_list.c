#include "fired_list.h"

#include "alert/decode.h"
#include "topics/topics.h"
#include "worker/topic_scan.h"

#include <stdlib.h>

struct reading {
    struct fired_list *list;
    struct alert_decoder *decoder;
};

static int compare(const void *a, const void *b)
{
    return alert_transition_compare(a, b);
}

static int keep(struct fired_list *list, const struct alert_transition *transition, struct error *error)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
        struct alert_transition *items = realloc(list->items, capacity * sizeof *items);
        if (items == NULL) {
            return error_set(error, -1, "no memory for %zu transitions", capacity);
        }
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = *transition;
    return 0;
}

static int take_records(void *context, const struct bus_record *records, size_t count, struct error *error)
{
    struct reading *reading = context;
    for (size_t i = 0; i < count; i++) {
        struct alert_transition transition;
        if (alert_decode(reading->decoder, records[i].value.data, records[i].value.size_bytes, &transition,
                         NULL) != 0) {
            reading->list->unreadable++;
        } else if (keep(reading->list, &transition, error) != 0) {
            return -1;
        }
    }
    return 0;
}

int fired_list_read(struct fired_list *list, struct program *program, struct bus *bus, struct error *error)
{
    struct reading reading = {.list = list};
    int32_t partitions = 0;
    int64_t *bounds = NULL;
    int result = bus_partition_count(bus, TOPIC_ALERTS_FIRED, &partitions, error) == BUS_OK ? 0 : -1;
    *list = (struct fired_list){0};
    if (result == 0) {
        bounds = calloc((size_t)partitions * 2, sizeof *bounds);
        result = bounds == NULL ? error_set(error, -1, "no memory for %d partitions", (int)partitions)
                                : alert_decoder_create(&reading.decoder, error);
    }
    if (result == 0) {
        result = topic_read_bounds(bus, TOPIC_ALERTS_FIRED, partitions, bounds, bounds + partitions, error);
    }
    if (result == 0) {
        const struct topic_scan scan = {.topic = TOPIC_ALERTS_FIRED,
                                        .partition_count = partitions,
                                        .from = bounds,
                                        .until = bounds + partitions,
                                        .take = take_records,
                                        .context = &reading};
        result = topic_scan_run(program, bus, &scan, error);
    }
    alert_decoder_destroy(reading.decoder);
    free(bounds);
    if (result == 0 && list->count > 0) {
        qsort(list->items, list->count, sizeof list->items[0], compare);
    } else if (result != 0) {
        fired_list_free(list);
    }
    return result;
}

void fired_list_free(struct fired_list *list)
{
    free(list->items);
    *list = (struct fired_list){0};
}
