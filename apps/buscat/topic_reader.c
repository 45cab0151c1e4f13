#include "topic_reader.h"

#include "command.h"

#include <stdlib.h>

#define POLL_MS 500

struct place {
    int64_t next; /* -1: not begun */
    int64_t end;  /* of the topic when reading began */
    bool is_wanted, is_done;
};

struct session {
    struct program *program;
    const struct topic_reading *reading;
    struct bus_member *member;
    struct place *places;
    int32_t partitions;
    bool enough;
};

static int start(struct session *session, const struct bus_turn *turn, struct error *error)
{
    for (size_t i = 0; i < turn->partition_count; i++) {
        int32_t partition = turn->partitions[i].partition;
        const struct place *place = &session->places[partition];
        int64_t from = BUS_FROM_BEGINNING;
        if (place->next >= 0) {
            from = place->next; /* also when it is assigned again after a loss */
        } else if (!place->is_wanted) {
            from = BUS_FROM_END; /* started all the same: Kafka's client begins to read when all are */
        }
        int result = bus_start(session->member, session->reading->topic, partition, from, error);
        if (result != BUS_OK) {
            return result;
        }
    }
    return BUS_OK;
}

static void take_records(struct session *session, const struct bus_turn *turn)
{
    const struct topic_reading *reading = session->reading;
    for (size_t i = 0; i < turn->record_count && !session->enough; i++) {
        const struct bus_record *record = &turn->records[i];
        struct place *place = &session->places[record->partition];
        if (!place->is_wanted) {
            continue;
        }
        if (!reading->follow && record->offset >= place->end) {
            place->is_done = true;
            continue;
        }
        session->enough = !reading->take(reading->context, record);
        place->next = record->offset + 1;
        place->is_done = place->next >= place->end;
    }
}

static bool is_finished(const struct session *session)
{
    if (session->enough || program_is_stopping(session->program)) {
        return true;
    }
    for (int32_t i = 0; i < session->partitions; i++) {
        if (session->reading->follow || (session->places[i].is_wanted && !session->places[i].is_done)) {
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
        take_records(session, turn);
        break;
    case BUS_END:
        for (size_t i = 0; i < turn->partition_count; i++) {
            session->places[turn->partitions[i].partition].is_done = true;
        }
        break;
    case BUS_REVOKING:
        return bus_release(session->member, error);
    default:
        break;
    }
    if (session->reading->end_turn != NULL && !session->reading->end_turn(session->reading->context)) {
        session->enough = true;
    }
    return BUS_OK;
}

static int run(struct session *session, struct error *error)
{
    int result = BUS_OK;
    while (result == BUS_OK && !is_finished(session)) {
        struct bus_turn turn;
        result = bus_poll(session->member, POLL_MS, &turn, error);
        if (result == BUS_OK) {
            result = take_turn(session, &turn, error);
        }
    }
    return result;
}

static int look_at_partitions(struct session *session, struct bus *bus, struct error *error)
{
    const struct topic_reading *reading = session->reading;
    if (reading->partition >= session->partitions) {
        return error_set(error, BUS_REFUSED, "topic %s has no partition %d, only 0 to %d", reading->topic,
                         (int)reading->partition, (int)session->partitions - 1);
    }
    session->places = calloc((size_t)session->partitions, sizeof *session->places);
    if (session->places == NULL) {
        return error_set(error, BUS_FATAL, "no memory for %d partitions", (int)session->partitions);
    }
    for (int32_t i = 0; i < session->partitions; i++) {
        struct place *place = &session->places[i];
        *place = (struct place){.next = -1, .is_wanted = reading->partition < 0 || reading->partition == i};
        int64_t begin = 0;
        int result = BUS_OK;
        if (place->is_wanted) {
            result = bus_read_offsets(bus, reading->topic, i, &begin, &place->end, error);
        }
        if (result != BUS_OK) {
            return result;
        }
        if (!reading->from_beginning) {
            place->next = place->end;
        }
        place->is_done = begin == place->end || !reading->from_beginning;
    }
    return BUS_OK;
}

enum topic_read_result topic_read(struct program *program, struct bus *bus,
                                  const struct topic_reading *reading, struct error *error)
{
    struct session session = {.program = program, .reading = reading};
    const char *const topics[] = {reading->topic, NULL};
    const struct bus_member_settings settings = {.topics = topics};
    int result = command_find_topic(program, bus, reading->topic, &session.partitions, error);
    if (result == BUS_OK) {
        result = look_at_partitions(&session, bus, error);
    }
    if (result == BUS_OK && !is_finished(&session)) {
        result = bus_join(bus, &settings, &session.member, error);
        if (result == BUS_OK) {
            program_wake_on_stop(program, session.member);
            result = run(&session, error);
            program_wake_on_stop(program, NULL);
            (void)bus_leave(session.member, NULL);
        }
    }
    free(session.places);
    return result == BUS_OK ? TOPIC_READ_DONE : TOPIC_READ_FAILED;
}
