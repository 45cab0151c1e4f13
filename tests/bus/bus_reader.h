/* tests/bus/bus_reader: a member of a group as a test needs one: it answers every turn as bus.h asks, and
 * keeps what it was told. Functions fail the running test themselves. */
#ifndef OBS_TESTS_BUS_BUS_READER_H
#define OBS_TESTS_BUS_BUS_READER_H

#include "bus/bus.h"

#include <stdbool.h>

#define PATIENCE_MS       30000
#define READER_PARTITIONS 16

struct seen_record {
    int32_t partition;
    int64_t offset, appended_ms;
    char key[64], value[256], headers[128]; /* headers: "name=value;" each */
    bool has_key, has_value, replayed;
};

struct seen_partition {
    bool owned, restored, ended; /* ended: no record came since */
    int64_t committed, position;
    char note[64];
};

struct bus_reader {
    struct bus_member *member;
    int64_t start_from;
    bool start_by_hand;   /* RESTORED is not answered */
    const char *echo_to;  /* each record is put there and committed with its position */
    bool advance;         /* each record's position is committed */
    bool release_by_hand; /* REVOKING is not answered */
    struct seen_partition partitions[READER_PARTITIONS];
    struct seen_record *records, *states;
    size_t record_count, state_count, largest_turn;
    size_t lost, revoked, assigned;
    const char *topic;
    enum bus_turn_kind last;
    struct error error;
};

/* What settings ask for; from: where every partition starts. */
void bus_reader_join(struct bus_reader *reader, struct bus *bus, const struct bus_member_settings *settings,
                     int64_t from);
/* Leaves, in order, and frees. */
void bus_reader_leave(struct bus_reader *reader);
/* One poll and its answer. */
enum bus_turn_kind bus_reader_pump(struct bus_reader *reader, int timeout_ms);
void bus_reader_wait_records(struct bus_reader *reader, size_t count);
void bus_reader_wait_owned(struct bus_reader *reader, size_t count);
/* Until count partitions are owned and read to their end. */
void bus_reader_wait_ends(struct bus_reader *reader, size_t count);
void bus_reader_wait_kind(struct bus_reader *reader, enum bus_turn_kind kind);
size_t bus_reader_owned(const struct bus_reader *reader);
const struct seen_record *bus_reader_last_of_key(const struct seen_record *records, size_t count,
                                                 const char *key);

int64_t test_now_ms(void);

#endif
