#include "saved_log.h"

#include "topics/topics.h"
#include "worker/topic_scan.h"

#include <stdlib.h>
#include <string.h>

/* --- rules ---- */

static void remove_rules(struct saved_partition *partition, const struct rules_record *rules)
{
    size_t kept = 0;
    for (size_t i = 0; i < partition->rules_count; i++) {
        if (rules_record_compare(&partition->rules[i], rules) == 0) {
            free((void *)(uintptr_t)partition->rules[i].text);
        } else {
            partition->rules[kept++] = partition->rules[i];
        }
    }
    partition->rules_count = kept;
}

static int keep_rules(struct saved_partition *partition, const struct bus_record *record, struct error *error)
{
    struct rules_record rules;
    if (rules_record_read(&rules, record->key, record->value, error) != 0) {
        return -1;
    }
    remove_rules(partition, &rules);
    struct rules_record *grown =
        realloc(partition->rules, (partition->rules_count + 1) * sizeof partition->rules[0]);
    if (grown != NULL) {
        partition->rules = grown;
    }
    void *text = malloc(rules.text_bytes + 1);
    if (grown == NULL || text == NULL) {
        free(text);
        return error_set(error, -1, "no memory for the rules of the past");
    }
    memcpy(text, rules.text, rules.text_bytes);
    rules.text = text;
    size_t at = partition->rules_count++;
    for (; at > 0 && rules_record_compare(&grown[at - 1], &rules) > 0; at--) {
        grown[at] = grown[at - 1];
    }
    grown[at] = rules;
    return 0;
}

/* --- the topic ---- */

/* The topic is read as it lies there: an older value of a key may come before the newest. */
static int keep_record(struct saved_partition *partition, const struct bus_record *record,
                       struct error *error)
{
    bool is_gone = record->value.data == NULL;
    struct bus_bytes key = record->key;
    if (key.size_bytes == strlen(PARTITION_CLOCK_KEY) &&
        memcmp(key.data, PARTITION_CLOCK_KEY, key.size_bytes) == 0) {
        return is_gone ? 0 : partition_clock_read(&partition->clock, record->value, error);
    }
    if (tick_is_key(key)) {
        return is_gone ? 0 : tick_log_restore(&partition->ticks, key, record->value, error);
    }
    if (rules_is_key(key)) {
        return is_gone ? 0 : keep_rules(partition, record, error);
    }
    return 0;
}

static int keep_records(void *context, const struct bus_record *records, size_t count, struct error *error)
{
    struct saved_partition *partitions = context;
    for (size_t i = 0; i < count; i++) {
        if (keep_record(&partitions[records[i].partition], &records[i], error) != 0) {
            error_add_context(error, TOPIC_STREAM_PROCESSOR_STATE " partition %d offset %lld",
                              records[i].partition, (long long)records[i].offset);
            return -1;
        }
    }
    return 0;
}

static int scan_state(struct saved_partition *partitions, int64_t *bounds, int32_t partition_count,
                      struct program *program, struct bus *bus, struct error *error)
{
    const struct topic_scan scan = {.topic = TOPIC_STREAM_PROCESSOR_STATE,
                                    .partition_count = partition_count,
                                    .from = bounds,
                                    .until = bounds + partition_count,
                                    .take = keep_records,
                                    .context = partitions};
    if (topic_read_bounds(bus, scan.topic, partition_count, bounds, bounds + partition_count, error) != 0) {
        return -1;
    }
    return topic_scan_run(program, bus, &scan, error);
}

int saved_log_read(struct saved_partition **out, int32_t partition_count, struct program *program,
                   struct bus *bus, struct error *error)
{
    struct saved_partition *partitions = calloc((size_t)partition_count, sizeof *partitions);
    int64_t *bounds = calloc((size_t)partition_count * 2, sizeof *bounds);
    *out = NULL;
    if (partitions == NULL || bounds == NULL) {
        free(partitions);
        free(bounds);
        return error_set(error, -1, "no memory for %d partitions", (int)partition_count);
    }
    for (int32_t p = 0; p < partition_count; p++) {
        partition_clock_init(&partitions[p].clock);
    }
    int result = scan_state(partitions, bounds, partition_count, program, bus, error);
    free(bounds);
    if (result != 0) {
        saved_log_free(partitions, partition_count);
        return -1;
    }
    *out = partitions;
    return 0;
}

void saved_log_free(struct saved_partition *partitions, int32_t partition_count)
{
    for (int32_t p = 0; partitions != NULL && p < partition_count; p++) {
        tick_log_free(&partitions[p].ticks);
        for (size_t i = 0; i < partitions[p].rules_count; i++) {
            free((void *)(uintptr_t)partitions[p].rules[i].text);
        }
        free(partitions[p].rules);
    }
    free(partitions);
}
