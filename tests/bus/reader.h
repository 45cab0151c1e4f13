/* tests/bus/reader: a member that answers what must be answered (start, release) and writes everything down.
 */
#ifndef OBS_TESTS_BUS_READER_H
#define OBS_TESTS_BUS_READER_H

#include "world.h"

struct seen_header {
    char name[NAME_BYTES], value[NAME_BYTES];
    bool value_absent;
};

struct seen_record {
    char topic[BUS_TOPIC_BYTES];
    int32_t partition;
    int64_t offset, appended_ms;
    bool replayed;
    char *key, *value; /* NUL-ended copies; NULL: absent */
    size_t value_bytes;
    struct seen_header headers[4];
    size_t header_count;
};

struct seen_list {
    struct seen_record *records;
    size_t count, capacity;
};

enum holding_phase { HOLDING_NEW, HOLDING_RESTORED, HOLDING_STARTED };

struct holding {
    char topic[BUS_TOPIC_BYTES], note[1100];
    int32_t partition;
    int64_t committed, next, end_position;
    enum holding_phase phase;
    int ends; /* how often its end was said */
};

struct reader {
    struct bus_member *member;
    int64_t from;       /* for bus_start; by default BUS_FROM_COMMITTED */
    bool start_by_hand; /* leave it to the test */
    bool release_by_hand;
    bool commit_on_revoke; /* positions of all that was read */
    struct seen_list records, state;
    struct holding holdings[64];
    size_t holding_count;
    int assigned, revoked, lost; /* partitions, in total */
    enum bus_turn_kind last_kind;
};

/* topic2, state_topic, group, member_id: NULL: none. */
void reader_join(struct reader *reader, struct bus *bus, const char *group, const char *member_id,
                 const char *topic, const char *topic2, const char *state_topic);
void reader_leave(struct reader *reader); /* and frees what was seen */

/* One poll; returns its result. */
int reader_poll(struct reader *reader, int timeout_ms, struct error *error);
/* Polls until holds(reader, context) or WORLD_PATIENCE_MS are over (the test fails then). */
typedef bool reader_holds(const struct reader *reader, int64_t number);
void reader_run_until(struct reader *reader, reader_holds *holds, int64_t number);
bool has_records(const struct reader *reader, int64_t number);    /* at least so many */
bool has_partitions(const struct reader *reader, int64_t number); /* holds exactly so many, all started */
bool has_ended(const struct reader *reader, int64_t number);      /* the end of so many partitions was said */
bool has_lost(const struct reader *reader, int64_t number);       /* at least so many */
bool has_revoked(const struct reader *reader, int64_t number);
bool has_restored(const struct reader *reader, int64_t number); /* so many wait to be started */
void reader_run_for(struct reader *reader, int ms);

struct holding *reader_holding(struct reader *reader, const char *topic, int32_t partition);
/* bus_advance for all that was read, and bus_commit. */
int reader_commit(struct reader *reader, const char *note, struct error *error);
const struct seen_record *find_record(const struct seen_list *list, const char *key);

#endif
