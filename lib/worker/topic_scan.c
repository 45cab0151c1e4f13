#include "worker/topic_scan.h"

#include "program/program.h"

#include <stdbool.h>
#include <stdlib.h>

#define POLL_MS 500

struct session {
    const struct topic_scan *scan;
    struct bus_member *member;
    bool *done;
};

int topic_read_bounds(struct bus *bus, const char *topic, int32_t partition_count, int64_t *begin,
                      int64_t *end, struct error *error)
{
    for (int32_t p = 0; p < partition_count; p++) {
        if (bus_read_offsets(bus, topic, p, &begin[p], &end[p], error) != BUS_OK) {
            return -1;
        }
    }
    return 0;
}

/* All are started, also those without a wanted record: Kafka's client begins to read when all are. */
static int start(struct session *session, const struct bus_turn *turn, struct error *error)
{
    const struct topic_scan *scan = session->scan;
    for (size_t i = 0; i < turn->partition_count; i++) {
        int32_t p = turn->partitions[i].partition;
        bool is_known = p < scan->partition_count;
        int64_t from = !is_known || session->done[p] ? BUS_FROM_END : scan->from[p];
        if (bus_start(session->member, scan->topic, p, from, error) != BUS_OK) {
            return -1;
        }
    }
    return 0;
}

static int take_records(struct session *session, const struct bus_turn *turn, struct error *error)
{
    const struct topic_scan *scan = session->scan;
    size_t first = 0;
    int result = 0;
    while (first < turn->record_count && result == 0) {
        const struct bus_record *records = &turn->records[first];
        int32_t p = records[0].partition;
        size_t same = 1;
        while (first + same < turn->record_count && records[same].partition == p) {
            same++;
        }
        first += same;
        size_t count = 0;
        bool is_wanted = p < scan->partition_count && !session->done[p];
        while (is_wanted && count < same && records[count].offset < scan->until[p]) {
            count++;
        }
        if (count > 0) {
            result = scan->take(scan->context, records, count, error);
        }
        if (is_wanted && (count < same || records[count - 1].offset + 1 >= scan->until[p])) {
            session->done[p] = true;
        }
    }
    return result;
}

static bool is_finished(const struct session *session)
{
    for (int32_t p = 0; p < session->scan->partition_count; p++) {
        if (!session->done[p]) {
            return false;
        }
    }
    return true;
}

static int take_turn(struct session *session, const struct bus_turn *turn, struct error *error)
{
    switch (turn->kind) {
    case BUS_RESTORED: /* at once, there is no state */
        return start(session, turn, error);
    case BUS_RECORDS:
        return take_records(session, turn, error);
    case BUS_END:
        for (size_t i = 0; i < turn->partition_count; i++) {
            if (turn->partitions[i].partition < session->scan->partition_count) {
                session->done[turn->partitions[i].partition] = true;
            }
        }
        return 0;
    case BUS_REVOKING:
        return bus_release(session->member, error);
    default:
        return 0;
    }
}

int topic_scan_run(struct program *program, struct bus *bus, const struct topic_scan *scan,
                   struct error *error)
{
    const char *const topics[] = {scan->topic, NULL};
    const struct bus_member_settings settings = {.topics = topics};
    struct session session = {.scan = scan, .done = calloc((size_t)scan->partition_count, sizeof(bool))};
    if (session.done == NULL) {
        return error_set(error, -1, "no memory for %d partitions", (int)scan->partition_count);
    }
    for (int32_t p = 0; p < scan->partition_count; p++) {
        session.done[p] = scan->from[p] >= scan->until[p];
    }
    int result = 0;
    if (!is_finished(&session)) {
        result = bus_join(bus, &settings, &session.member, error) == BUS_OK ? 0 : -1;
    }
    if (session.member != NULL) {
        program_wake_on_stop(program, session.member);
        while (result == 0 && !is_finished(&session) && !program_is_stopping(program)) {
            struct bus_turn turn;
            result = bus_poll(session.member, POLL_MS, &turn, error) == BUS_OK ? 0 : -1;
            if (result == 0) {
                result = take_turn(&session, &turn, error);
            }
        }
        program_wake_on_stop(program, NULL);
        (void)bus_leave(session.member, NULL);
    }
    free(session.done);
    return result;
}
