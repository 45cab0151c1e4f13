#include "reader.h"

#include "clock/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *copy_text(struct bus_bytes bytes)
{
    if (bytes.data == NULL) {
        return NULL;
    }
    char *text = malloc(bytes.size_bytes + 1);
    assert_non_null(text);
    if (bytes.size_bytes > 0) {
        memcpy(text, bytes.data, bytes.size_bytes);
    }
    text[bytes.size_bytes] = '\0';
    return text;
}

static void see(struct seen_list *list, const struct bus_record *record)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity * 2 + 64;
        list->records = realloc(list->records, list->capacity * sizeof *list->records);
        assert_non_null(list->records);
    }
    struct seen_record *seen = &list->records[list->count++];
    *seen = (struct seen_record){.partition = record->partition,
                                 .offset = record->offset,
                                 .appended_ms = record->appended_ms,
                                 .replayed = record->replayed,
                                 .key = copy_text(record->key),
                                 .value = copy_text(record->value),
                                 .value_bytes = record->value.size_bytes,
                                 .header_count = record->header_count};
    (void)snprintf(seen->topic, sizeof seen->topic, "%s", record->topic);
    for (size_t i = 0; i < record->header_count && i < 4; i++) {
        const struct bus_header *header = &record->headers[i];
        (void)snprintf(seen->headers[i].name, NAME_BYTES, "%s", header->name);
        (void)snprintf(seen->headers[i].value, NAME_BYTES, "%.*s", (int)header->value.size_bytes,
                       header->value.data == NULL ? "" : (const char *)header->value.data);
        seen->headers[i].value_absent = header->value.data == NULL;
    }
}

static void free_list(struct seen_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->records[i].key);
        free(list->records[i].value);
    }
    free(list->records);
    *list = (struct seen_list){0};
}

void reader_join(struct reader *reader, struct bus *bus, const char *group, const char *member_id,
                 const char *topic, const char *topic2, const char *state_topic)
{
    struct error error;
    error_clear(&error);
    *reader = (struct reader){.from = BUS_FROM_COMMITTED};
    const char *const topics[] = {topic, topic2, NULL};
    const struct bus_member_settings settings = {
        .group = group, .member_id = member_id, .topics = topics, .state_topic = state_topic};
    check(bus_join(bus, &settings, &reader->member, &error), &error);
}

void reader_leave(struct reader *reader)
{
    struct error error;
    error_clear(&error);
    check(bus_leave(reader->member, &error), &error);
    free_list(&reader->records);
    free_list(&reader->state);
    *reader = (struct reader){0};
}

struct holding *reader_holding(struct reader *reader, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < reader->holding_count; i++) {
        if (reader->holdings[i].partition == partition && strcmp(reader->holdings[i].topic, topic) == 0) {
            return &reader->holdings[i];
        }
    }
    return NULL;
}

static void take(struct reader *reader, const struct bus_turn *turn)
{
    for (size_t i = 0; i < turn->partition_count; i++) {
        const struct bus_partition *partition = &turn->partitions[i];
        assert_null(reader_holding(reader, partition->topic, partition->partition));
        assert_true(reader->holding_count < 64);
        struct holding *holding = &reader->holdings[reader->holding_count++];
        *holding = (struct holding){.partition = partition->partition,
                                    .committed = partition->committed,
                                    .next = partition->committed};
        (void)snprintf(holding->topic, sizeof holding->topic, "%s", partition->topic);
        (void)snprintf(holding->note, sizeof holding->note, "%s", partition->note);
        reader->assigned++;
    }
}

static void drop(struct reader *reader, const struct bus_turn *turn)
{
    for (size_t i = 0; i < turn->partition_count; i++) {
        struct holding *holding =
            reader_holding(reader, turn->partitions[i].topic, turn->partitions[i].partition);
        assert_non_null(holding);
        *holding = reader->holdings[--reader->holding_count];
    }
}

static int restored(struct reader *reader, const struct bus_partition *partition, struct error *error)
{
    struct holding *holding = reader_holding(reader, partition->topic, partition->partition);
    assert_non_null(holding);
    assert_int_equal(holding->phase, HOLDING_NEW);
    holding->phase = HOLDING_RESTORED;
    if (reader->start_by_hand) {
        return BUS_OK;
    }
    holding->phase = HOLDING_STARTED;
    return bus_start(reader->member, partition->topic, partition->partition, reader->from, error);
}

static void note_records(struct reader *reader, const struct bus_turn *turn)
{
    for (size_t i = 0; i < turn->record_count; i++) {
        const struct bus_record *record = &turn->records[i];
        struct holding *holding = reader_holding(reader, record->topic, record->partition);
        assert_non_null(holding);
        assert_int_equal(holding->phase, HOLDING_STARTED);
        holding->next = record->offset + 1;
        see(&reader->records, record);
    }
}

static int give_back(struct reader *reader, const struct bus_turn *turn, struct error *error)
{
    int result = reader->commit_on_revoke ? reader_commit(reader, NULL, error) : BUS_OK;
    drop(reader, turn);
    reader->revoked += (int)turn->partition_count;
    return result == BUS_OK ? bus_release(reader->member, error) : result;
}

static int handle(struct reader *reader, const struct bus_turn *turn, struct error *error)
{
    switch (turn->kind) {
    case BUS_ASSIGNED:
        take(reader, turn);
        return BUS_OK;
    case BUS_STATE:
        assert_int_equal(turn->partition_count, 1);
        assert_true(turn->record_count > 0);
        for (size_t i = 0; i < turn->record_count; i++) {
            see(&reader->state, &turn->records[i]);
        }
        return BUS_OK;
    case BUS_RESTORED:
        assert_int_equal(turn->partition_count, 1);
        return restored(reader, &turn->partitions[0], error);
    case BUS_RECORDS:
        assert_true(turn->record_count > 0);
        note_records(reader, turn);
        return BUS_OK;
    case BUS_END:
        for (size_t i = 0; i < turn->partition_count; i++) {
            struct holding *holding =
                reader_holding(reader, turn->partitions[i].topic, turn->partitions[i].partition);
            assert_non_null(holding);
            holding->ends++;
            holding->end_position = turn->partitions[i].position;
        }
        return BUS_OK;
    case BUS_REVOKING:
        return reader->release_by_hand ? BUS_OK : give_back(reader, turn, error);
    case BUS_LOST:
        drop(reader, turn);
        reader->lost += (int)turn->partition_count;
        return BUS_OK;
    case BUS_IDLE:
        return BUS_OK;
    }
    return BUS_OK;
}

int reader_poll(struct reader *reader, int timeout_ms, struct error *error)
{
    struct bus_turn turn;
    int result = bus_poll(reader->member, timeout_ms, &turn, error);
    if (result == BUS_OK) {
        reader->last_kind = turn.kind;
        result = handle(reader, &turn, error);
    }
    return result == BUS_RESET ? BUS_OK : result;
}

void reader_run_until(struct reader *reader, reader_holds *holds, int64_t number)
{
    struct error error;
    error_clear(&error);
    int64_t deadline_ms = clock_steady_ms(clock_system()) + WORLD_PATIENCE_MS;
    while (!holds(reader, number)) {
        check(reader_poll(reader, 100, &error), &error);
        if (clock_steady_ms(clock_system()) > deadline_ms) {
            fail_msg(
                "waited in vain: %zu records, %zu state, %zu partitions, %d assigned, %d revoked, %d lost",
                reader->records.count, reader->state.count, reader->holding_count, reader->assigned,
                reader->revoked, reader->lost);
        }
    }
}

void reader_run_for(struct reader *reader, int ms)
{
    struct error error;
    error_clear(&error);
    int64_t deadline_ms = clock_steady_ms(clock_system()) + ms;
    while (clock_steady_ms(clock_system()) < deadline_ms) {
        check(reader_poll(reader, 20, &error), &error);
    }
}

bool has_records(const struct reader *reader, int64_t number)
{
    return (int64_t)reader->records.count >= number;
}

static int64_t count_phase(const struct reader *reader, enum holding_phase phase)
{
    int64_t count = 0;
    for (size_t i = 0; i < reader->holding_count; i++) {
        count += reader->holdings[i].phase == phase;
    }
    return count;
}

bool has_partitions(const struct reader *reader, int64_t number)
{
    return (int64_t)reader->holding_count == number && count_phase(reader, HOLDING_STARTED) == number;
}

bool has_restored(const struct reader *reader, int64_t number)
{
    return count_phase(reader, HOLDING_RESTORED) == number;
}

bool has_ended(const struct reader *reader, int64_t number)
{
    int64_t count = 0;
    for (size_t i = 0; i < reader->holding_count; i++) {
        count += reader->holdings[i].ends > 0;
    }
    return count >= number;
}

bool has_lost(const struct reader *reader, int64_t number)
{
    return reader->lost >= number;
}

bool has_revoked(const struct reader *reader, int64_t number)
{
    return reader->revoked >= number;
}

int reader_commit(struct reader *reader, const char *note, struct error *error)
{
    for (size_t i = 0; i < reader->holding_count; i++) {
        const struct holding *holding = &reader->holdings[i];
        if (holding->next < 0) {
            continue;
        }
        int result =
            bus_advance(reader->member, holding->topic, holding->partition, holding->next, note, error);
        if (result != BUS_OK) {
            return result;
        }
    }
    return bus_commit(reader->member, error);
}

const struct seen_record *find_record(const struct seen_list *list, const char *key)
{
    const struct seen_record *found = NULL;
    for (size_t i = 0; i < list->count; i++) {
        if (list->records[i].key != NULL && strcmp(list->records[i].key, key) == 0) {
            found = &list->records[i]; /* the last one */
        }
    }
    return found;
}
