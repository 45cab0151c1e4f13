#include "worker/topic_scan.h"

#include "program/program.h"

#include <stdlib.h>

#define POLL_MS 500

struct place {
    int64_t next; /* where it goes on, also when it is assigned again after a loss */
    bool is_done;
};

struct session {
    const struct topic_scan *scan;
    struct bus_member *member;
    struct place *places;
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
        bool is_wanted = p < scan->partition_count && !session->places[p].is_done;
        int64_t from = is_wanted ? session->places[p].next : BUS_FROM_END;
        if (bus_start(session->member, scan->topic, p, from, error) != BUS_OK) {
            return -1;
        }
    }
    return 0;
}

/* Records of one partition. */
static int take_stretch(struct session *session, const struct bus_record *records, size_t count,
                        struct error *error)
{
    const struct topic_scan *scan = session->scan;
    int32_t p = records[0].partition;
    if (p >= scan->partition_count || session->places[p].is_done) {
        return 0;
    }
    struct place *place = &session->places[p];
    size_t wanted = 0;
    while (wanted < count && (scan->follow || records[wanted].offset < scan->until[p])) {
        wanted++;
    }
    if (wanted > 0) {
        place->next = records[wanted - 1].offset + 1;
    }
    place->is_done = !scan->follow && (wanted < count || place->next >= scan->until[p]);
    return wanted == 0 ? 0 : scan->take(scan->context, records, wanted, error);
}

static int take_records(struct session *session, const struct bus_turn *turn, struct error *error)
{
    size_t first = 0;
    int result = 0;
    while (first < turn->record_count && result == 0) {
        const struct bus_record *records = &turn->records[first];
        size_t count = 1;
        while (first + count < turn->record_count && records[count].partition == records[0].partition) {
            count++;
        }
        first += count;
        result = take_stretch(session, records, count, error);
    }
    return result;
}

static bool is_finished(const struct session *session)
{
    for (int32_t p = 0; p < session->scan->partition_count; p++) {
        if (!session->places[p].is_done) {
            return false;
        }
    }
    return true;
}

static int take_turn(struct session *session, const struct bus_turn *turn, struct error *error)
{
    const struct topic_scan *scan = session->scan;
    int result = 0;
    switch (turn->kind) {
    case BUS_RESTORED: /* at once, there is no state */
        return start(session, turn, error);
    case BUS_RECORDS:
        result = take_records(session, turn, error);
        break;
    case BUS_END:
        for (size_t i = 0; i < turn->partition_count && !scan->follow; i++) {
            if (turn->partitions[i].partition < scan->partition_count) {
                session->places[turn->partitions[i].partition].is_done = true;
            }
        }
        break;
    case BUS_REVOKING:
        return bus_release(session->member, error);
    default:
        break;
    }
    return result == 0 && scan->end_turn != NULL ? scan->end_turn(scan->context) : result;
}

static int run(struct session *session, struct program *program, struct error *error)
{
    int result = 0;
    while (result == 0 && !is_finished(session) && !program_is_stopping(program)) {
        struct bus_turn turn;
        result = bus_poll(session->member, POLL_MS, &turn, error) == BUS_OK ? 0 : -1;
        if (result == 0) {
            result = take_turn(session, &turn, error);
        }
    }
    return result == TOPIC_SCAN_ENOUGH ? 0 : result;
}

int topic_scan_run(struct program *program, struct bus *bus, const struct topic_scan *scan,
                   struct error *error)
{
    const char *const topics[] = {scan->topic, NULL};
    const struct bus_member_settings settings = {.topics = topics};
    struct session session = {.scan = scan,
                              .places = calloc((size_t)scan->partition_count, sizeof *session.places)};
    if (session.places == NULL) {
        return error_set(error, -1, "no memory for %d partitions", (int)scan->partition_count);
    }
    for (int32_t p = 0; p < scan->partition_count; p++) {
        bool is_empty = !scan->follow && scan->from[p] >= scan->until[p];
        session.places[p] =
            (struct place){.next = scan->from[p], .is_done = is_empty || scan->from[p] == TOPIC_SCAN_NOTHING};
    }
    int result = 0;
    if (!is_finished(&session)) {
        result = bus_join(bus, &settings, &session.member, error) == BUS_OK ? 0 : -1;
    }
    if (session.member != NULL) {
        program_wake_on_stop(program, session.member);
        result = run(&session, program, error);
        program_wake_on_stop(program, NULL);
        (void)bus_leave(session.member, NULL);
    }
    free(session.places);
    return result;
}
