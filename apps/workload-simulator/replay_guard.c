#include "replay_guard.h"

#include "bus/bus.h"
#include "clock/clock.h"
#include "clock/rfc3339.h"
#include "event/decode.h"
#include "program/program.h"
#include "topics/topics.h"

#include <stdbool.h>
#include <string.h>

#define NEWEST_RECORDS 16 /* of a partition: order of time is that of the log but for a few */
#define PATIENCE_MS    10000
#define POLL_MS        200
#define PARTITIONS     1024

struct guard {
    struct program *program;
    struct bus *bus;
    struct bus_member *member;
    struct event_decoder *decoder;
    int64_t ends[PARTITIONS]; /* 0: nothing (more) to be read */
    int32_t partitions;
    int32_t open; /* partitions with records that haven't been read to their end */
    int64_t newest_unix_ms;
};

static int read_ends(struct guard *g, int64_t *begins, struct error *error)
{
    int32_t count = 0;
    if (bus_partition_count(g->bus, TOPIC_METRICS_RAW, &count, error) != BUS_OK) {
        return -1;
    }
    g->partitions = count < PARTITIONS ? count : PARTITIONS;
    for (int32_t i = 0; i < g->partitions; i++) {
        if (bus_read_offsets(g->bus, TOPIC_METRICS_RAW, i, &begins[i], &g->ends[i], error) != BUS_OK) {
            return -1;
        }
        g->ends[i] = g->ends[i] > begins[i] ? g->ends[i] : 0;
        g->open += g->ends[i] > 0 ? 1 : 0;
    }
    return 0;
}

static void close_partition(struct guard *g, int32_t partition)
{
    if (partition < g->partitions && g->ends[partition] > 0) {
        g->ends[partition] = 0;
        g->open--;
    }
}

static void look_at(struct guard *g, const struct bus_record *record)
{
    struct event event;
    struct event_fault fault;
    if (event_decode(g->decoder, record->value.data, record->value.size_bytes, &event, &fault) == EVENT_OK &&
        event.time_unix_ms > g->newest_unix_ms) {
        g->newest_unix_ms = event.time_unix_ms;
    }
    if (record->partition < g->partitions && record->offset + 1 >= g->ends[record->partition]) {
        close_partition(g, record->partition);
    }
}

static int take_turn(struct guard *g, const int64_t *begins, const struct bus_turn *turn, struct error *error)
{
    if (turn->kind == BUS_RESTORED) {
        int32_t partition = turn->partitions[0].partition;
        int64_t end = partition < g->partitions ? g->ends[partition] : 0;
        int64_t from = BUS_FROM_END;
        if (end > 0) {
            from = end - NEWEST_RECORDS > begins[partition] ? end - NEWEST_RECORDS : begins[partition];
        }
        return bus_start(g->member, turn->partitions[0].topic, partition, from, error);
    }
    for (size_t i = 0; turn->kind == BUS_RECORDS && i < turn->record_count; i++) {
        look_at(g, &turn->records[i]);
    }
    for (size_t i = 0; turn->kind == BUS_END && i < turn->partition_count; i++) {
        close_partition(g, turn->partitions[i].partition);
    }
    return 0;
}

static enum replay_guard_result read_newest(struct guard *g, const int64_t *begins, struct error *error)
{
    int64_t deadline_ms = clock_steady_ms(program_clock(g->program)) + PATIENCE_MS;
    while (g->open > 0) {
        struct bus_turn turn;
        if (bus_poll(g->member, POLL_MS, &turn, error) != BUS_OK || take_turn(g, begins, &turn, error) != 0) {
            return REPLAY_GUARD_REFUSED;
        }
        if (program_is_stopping(g->program)) {
            return REPLAY_GUARD_STOPPED;
        }
        if (clock_steady_ms(program_clock(g->program)) > deadline_ms) {
            (void)error_set(error, -1,
                            "the newest events of %s can't be read in %d s; --force replays anyway",
                            TOPIC_METRICS_RAW, PATIENCE_MS / 1000);
            return REPLAY_GUARD_REFUSED;
        }
    }
    return REPLAY_GUARD_FREE;
}

static enum replay_guard_result judge(const struct guard *g, int64_t first_unix_ms, struct error *error)
{
    if (g->newest_unix_ms <= first_unix_ms) {
        return REPLAY_GUARD_FREE;
    }
    char newest[RFC3339_BYTES], first[RFC3339_BYTES];
    rfc3339_format(newest, g->newest_unix_ms);
    rfc3339_format(first, first_unix_ms);
    (void)error_set(
        error, -1,
        "%s already holds events up to %s and the replay begins at %s: with their original times its "
        "events would be late. Use --replay-time now, another bus, or --force",
        TOPIC_METRICS_RAW, newest, first);
    return REPLAY_GUARD_REFUSED;
}

enum replay_guard_result replay_guard_check(struct program *program, struct bus *bus, int64_t first_unix_ms,
                                            struct error *error)
{
    static const char *const topics[] = {TOPIC_METRICS_RAW, NULL};
    const struct bus_member_settings settings = {.topics = topics, .batch_records = 1000};
    struct guard guard = {.program = program, .bus = bus, .newest_unix_ms = INT64_MIN};
    int64_t begins[PARTITIONS];
    enum replay_guard_result result = REPLAY_GUARD_REFUSED;
    if (read_ends(&guard, begins, error) != 0) {
        return REPLAY_GUARD_REFUSED;
    }
    if (guard.open == 0) {
        return REPLAY_GUARD_FREE;
    }
    if (event_decoder_create(&guard.decoder, error) == 0 &&
        bus_join(bus, &settings, &guard.member, error) == BUS_OK) {
        result = read_newest(&guard, begins, error);
        (void)bus_leave(guard.member, NULL);
    }
    event_decoder_destroy(guard.decoder);
    return result == REPLAY_GUARD_FREE ? judge(&guard, first_unix_ms, error) : result;
}
