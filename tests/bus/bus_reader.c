#include "bus_reader.h"

#include "clock/clock.h"

#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 32768

int64_t test_now_ms(void)
{
    return clock_steady_ms(clock_system());
}

void bus_reader_join(struct bus_reader *reader, struct bus *bus, const struct bus_member_settings *settings,
                     int64_t from)
{
    memset(reader, 0, sizeof *reader);
    reader->start_from = from;
    reader->topic = settings->topics[0];
    reader->records = calloc(ROOM, sizeof *reader->records);
    reader->states = calloc(ROOM, sizeof *reader->states);
    assert_non_null(reader->records);
    assert_non_null(reader->states);
    const int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    int result = BUS_AWAY;
    while (result == BUS_AWAY && test_now_ms() < deadline_ms) {
        result = bus_join(bus, settings, &reader->member, &reader->error);
    }
    if (result != BUS_OK) {
        fail_msg("bus_join: %d %s", result, reader->error.message);
    }
}

void bus_reader_leave(struct bus_reader *reader)
{
    if (reader->member != NULL && bus_leave(reader->member, &reader->error) != BUS_OK) {
        fail_msg("bus_leave: %s", reader->error.message);
    }
    free(reader->records);
    free(reader->states);
    memset(reader, 0, sizeof *reader);
}

/* Cut to fit: tests that count only need the beginning. */
static void copy_text(char *out, size_t room, const struct bus_bytes *bytes)
{
    const size_t size = bytes->size_bytes < room ? bytes->size_bytes : room - 1;
    if (size > 0) {
        memcpy(out, bytes->data, size);
    }
    out[size] = '\0';
}

static void keep(struct seen_record *seen, const struct bus_record *record)
{
    *seen = (struct seen_record){.partition = record->partition,
                                 .offset = record->offset,
                                 .appended_ms = record->appended_ms,
                                 .has_key = record->key.data != NULL,
                                 .has_value = record->value.data != NULL,
                                 .replayed = record->replayed};
    copy_text(seen->key, sizeof seen->key, &record->key);
    copy_text(seen->value, sizeof seen->value, &record->value);
    size_t used = 0;
    for (size_t i = 0; i < record->header_count; i++) {
        const struct bus_header *header = &record->headers[i];
        used += (size_t)snprintf(seen->headers + used, sizeof seen->headers - used, "%s=%.*s;", header->name,
                                 (int)header->value.size_bytes,
                                 header->value.data == NULL ? "" : (const char *)header->value.data);
        assert_true(used < sizeof seen->headers);
    }
}

/* A reset is no failure of the test: the next polls say LOST, and the work comes again. */
static void commit(struct bus_reader *reader)
{
    const int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    int result = BUS_AWAY;
    while ((result == BUS_AWAY || result == BUS_FULL) && test_now_ms() < deadline_ms) {
        result = bus_commit(reader->member, &reader->error);
    }
    if (result != BUS_OK && result != BUS_RESET) {
        fail_msg("bus_commit: %d %s", result, reader->error.message);
    }
}

static void take_records(struct bus_reader *reader, const struct bus_turn *turn)
{
    reader->largest_turn =
        turn->record_count > reader->largest_turn ? turn->record_count : reader->largest_turn;
    for (size_t i = 0; i < turn->record_count; i++) {
        const struct bus_record *record = &turn->records[i];
        struct seen_partition *partition = &reader->partitions[record->partition];
        assert_true(partition->owned);
        assert_true(partition->restored);
        assert_true(reader->record_count < ROOM);
        partition->ended = false;
        keep(&reader->records[reader->record_count++], record);
        int result = BUS_OK;
        if (reader->echo_to != NULL) {
            const struct bus_record output = {.topic = reader->echo_to,
                                              .partition = record->partition,
                                              .key = record->key,
                                              .value = record->value};
            result = bus_put(reader->member, &output, &reader->error);
        }
        if (result == BUS_OK && (reader->echo_to != NULL || reader->advance)) {
            result = bus_advance(reader->member, record->topic, record->partition, record->offset + 1, "on",
                                 &reader->error);
        }
        if (result != BUS_OK && result != BUS_RESET) {
            fail_msg("collecting: %d %s", result, reader->error.message);
        }
    }
    if (reader->echo_to != NULL || reader->advance) {
        commit(reader);
    }
}

static void start_partition(struct bus_reader *reader, const struct bus_partition *partition)
{
    int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    int result = BUS_AWAY;
    while (result == BUS_AWAY && test_now_ms() < deadline_ms) {
        result = bus_start(reader->member, partition->topic, partition->partition, reader->start_from,
                           &reader->error);
    }
    if (result != BUS_OK && result != BUS_RESET) {
        fail_msg("bus_start: %d %s", result, reader->error.message);
    }
}

static void take_partition(struct bus_reader *reader, enum bus_turn_kind kind,
                           const struct bus_partition *told)
{
    assert_in_range(told->partition, 0, READER_PARTITIONS - 1);
    struct seen_partition *partition = &reader->partitions[told->partition];
    if (kind == BUS_ASSIGNED) {
        assert_false(partition->owned);
        *partition = (struct seen_partition){.owned = true, .committed = told->committed};
        (void)snprintf(partition->note, sizeof partition->note, "%s", told->note);
        reader->assigned++;
        return;
    }
    assert_true(partition->owned);
    if (kind == BUS_RESTORED) {
        assert_false(partition->restored);
        partition->restored = true;
        if (!reader->start_by_hand) {
            start_partition(reader, told);
        }
    } else if (kind == BUS_END) {
        partition->ended = true;
        partition->position = told->position;
    } else if (kind == BUS_LOST) {
        partition->owned = false;
        reader->lost++;
    } else if (kind == BUS_REVOKING && !reader->release_by_hand) {
        partition->owned = false;
        reader->revoked++;
    }
}

enum bus_turn_kind bus_reader_pump(struct bus_reader *reader, int timeout_ms)
{
    struct bus_turn turn;
    if (bus_poll(reader->member, timeout_ms, &turn, &reader->error) != BUS_OK) {
        fail_msg("bus_poll: %s", reader->error.message);
    }
    reader->last = turn.kind;
    for (size_t i = 0; i < turn.partition_count; i++) {
        take_partition(reader, turn.kind, &turn.partitions[i]);
    }
    if (turn.kind == BUS_RECORDS) {
        take_records(reader, &turn);
    }
    for (size_t i = 0; turn.kind == BUS_STATE && i < turn.record_count; i++) {
        assert_true(reader->state_count < ROOM);
        keep(&reader->states[reader->state_count++], &turn.records[i]);
    }
    if (turn.kind == BUS_REVOKING && !reader->release_by_hand) {
        int result = bus_release(reader->member, &reader->error);
        if (result != BUS_OK && result != BUS_RESET) {
            fail_msg("bus_release: %s", reader->error.message);
        }
    }
    return turn.kind;
}

size_t bus_reader_owned(const struct bus_reader *reader)
{
    size_t count = 0;
    for (size_t i = 0; i < READER_PARTITIONS; i++) {
        count += reader->partitions[i].owned;
    }
    return count;
}

void bus_reader_wait_records(struct bus_reader *reader, size_t count)
{
    const int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    while (reader->record_count < count && test_now_ms() < deadline_ms) {
        (void)bus_reader_pump(reader, 100);
    }
    assert_int_equal(reader->record_count, count);
}

void bus_reader_wait_owned(struct bus_reader *reader, size_t count)
{
    const int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    while (bus_reader_owned(reader) != count && test_now_ms() < deadline_ms) {
        (void)bus_reader_pump(reader, 100);
    }
    assert_int_equal(bus_reader_owned(reader), count);
}

static size_t count_ends(const struct bus_reader *reader)
{
    size_t count = 0;
    for (size_t i = 0; i < READER_PARTITIONS; i++) {
        count += reader->partitions[i].owned && reader->partitions[i].ended;
    }
    return count;
}

void bus_reader_wait_ends(struct bus_reader *reader, size_t count)
{
    const int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    while (count_ends(reader) < count && test_now_ms() < deadline_ms) {
        (void)bus_reader_pump(reader, 100);
    }
    assert_int_equal(count_ends(reader), count);
}

void bus_reader_wait_kind(struct bus_reader *reader, enum bus_turn_kind kind)
{
    const int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    while (bus_reader_pump(reader, 100) != kind && test_now_ms() < deadline_ms) {
    }
    assert_int_equal(reader->last, kind);
}

const struct seen_record *bus_reader_last_of_key(const struct seen_record *records, size_t count,
                                                 const char *key)
{
    const struct seen_record *last = NULL;
    for (size_t i = 0; i < count; i++) {
        last = strcmp(records[i].key, key) == 0 ? &records[i] : last;
    }
    return last;
}
