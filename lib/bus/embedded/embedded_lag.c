/* Lag, read from the store in one view: positions, ends and times belong together. */
#include "bus/embedded/embedded_bus.h"
#include "bus/embedded/group_rows.h"
#include "bus/embedded/partition_log.h"
#include "clock/clock.h"

#include <stdio.h>

static int fill_row(const struct store_txn *txn, const struct topic *topic, int64_t now_ms,
                    struct bus_lag *row, struct error *error)
{
    struct partition_bounds bounds;
    struct offset_row offset;
    bool found;
    int result = partition_log_bounds(txn, topic, row->partition, &bounds, error);
    if (result == BUS_OK) {
        result = group_rows_get_offset(txn, row->group, topic, row->partition, &offset, &found, error);
    }
    if (result != BUS_OK) {
        return result;
    }
    int64_t from = offset.committed > bounds.begin ? offset.committed : bounds.begin;
    row->committed = offset.committed;
    row->end = bounds.end;
    row->lag = bounds.end > from ? bounds.end - from : 0;
    row->last_commit_ms = offset.commit_ms;
    if (row->lag > 0) {
        int64_t appended_ms;
        result = partition_log_time(txn, topic, row->partition, from, &appended_ms, &found, error);
        row->lag_ms = result == BUS_OK && found && now_ms > appended_ms ? now_ms - appended_ms : 0;
    }
    return result;
}

struct lag_table {
    struct bus_lag *rows;
    size_t limit, count;
};

static int add_rows(const struct store_txn *txn, const char *group, const struct topic *topic, int64_t now_ms,
                    struct lag_table *table, struct error *error)
{
    for (int32_t p = 0; p < topic->partitions; p++) {
        if (table->count++ >= table->limit) {
            continue;
        }
        struct bus_lag *row = &table->rows[table->count - 1];
        *row = (struct bus_lag){.partition = p};
        (void)snprintf(row->group, sizeof row->group, "%s", group);
        (void)snprintf(row->topic, sizeof row->topic, "%s", topic->name);
        int result = fill_row(txn, topic, now_ms, row, error);
        if (result != BUS_OK) {
            return result;
        }
    }
    return BUS_OK;
}

int embedded_read_lag(struct bus *base, const char *const *groups, size_t group_count,
                      const char *const *topics, size_t topic_count, struct bus_lag *rows, size_t limit,
                      size_t *count, struct error *error)
{
    struct embedded_bus *bus = embedded_bus_of(base);
    struct lag_table table = {.rows = rows, .limit = limit};
    int64_t now_ms = clock_wall_ms(bus->clock);
    for (size_t t = 0; t < topic_count; t++) {
        const struct topic *topic;
        struct store_txn txn;
        int result = topic_table_find(bus->store, topics[t], &topic, error);
        if (result == BUS_REFUSED) {
            continue; /* not made yet: it has no rows */
        }
        if (result == BUS_OK) {
            result = store_begin_read(bus->store, &txn, error);
        }
        if (result != BUS_OK) {
            return result;
        }
        for (size_t g = 0; g < group_count && result == BUS_OK; g++) {
            result = add_rows(&txn, groups[g], topic, now_ms, &table, error);
        }
        store_end_read(&txn);
        if (result != BUS_OK) {
            return result;
        }
    }
    *count = table.count;
    return BUS_OK;
}
