/* One bus, its traffic, up to four processors, and what was done to them. Functions fail the running test
 * themselves. All choices come from `random`, so a seed replays them. */
#ifndef TESTS_CHAOS_CHAOS_WORLD_H
#define TESTS_CHAOS_CHAOS_WORLD_H

#include "random/random.h"
#include "support/files.h"
#include "support/oracle.h"

#include <stdbool.h>
#include <stdint.h>

#define CHAOS_MEMBERS 4
#define CHAOS_RULES   OBS_SOURCE_DIR "/tests/chaos/rules.yaml"

struct bus;
struct kafka_broker;
struct ledger;
struct process;
struct tcp_proxy;

struct member {
    struct process *process; /* NULL: never started */
    bool wanted, frozen;
    unsigned starts;
    char name[16], log_path[TEST_PATH_BYTES]; /* the log of its last start */
    uint16_t port;
};

struct chaos_world {
    bool kafka, is_long;
    bool ticks;                  /* processors let time pass on silent partitions */
    struct kafka_broker *broker; /* NULL: none of its own */
    struct tcp_proxy *proxy;     /* between the broker and all but the test; NULL: none */
    const char *url;             /* as the test and the oracle see the bus */
    char member_url[TEST_PATH_BYTES + 64];
    char directory[TEST_PATH_BYTES], ledger_path[TEST_PATH_BYTES];
    struct bus *bus;
    struct ledger *ledger;
    struct process *traffic;
    unsigned traffic_starts;
    struct member members[CHAOS_MEMBERS];
    struct random random;
    uint64_t seed;
    double records_per_second, speed;
    int64_t lease_ms, began_ms;
    unsigned kills, freezes, errors, restarts_by_itself;
};

void chaos_world_begin(struct chaos_world *world, const char *url, uint64_t seed);
void chaos_world_end(struct chaos_world *world);

/* Also again, after a kill or a stop. */
void chaos_traffic_start(struct chaos_world *world);
void chaos_traffic_stop(struct chaos_world *world); /* SIGTERM, and all is acknowledged */
void chaos_traffic_kill(struct chaos_world *world);
void chaos_traffic_freeze(struct chaos_world *world, int ms); /* SIGSTOP, later SIGCONT */

/* failpoints: OBS_FAILPOINTS of this start; NULL: none. One that runs is killed first. */
void chaos_member_start(struct chaos_world *world, unsigned index, const char *failpoints);
void chaos_member_kill(struct chaos_world *world, unsigned index);
void chaos_member_leave(struct chaos_world *world, unsigned index); /* SIGTERM; it must end in 10 s, with 0 */
void chaos_member_leave_without_bus(struct chaos_world *world, unsigned index); /* … or with 1 */
void chaos_member_freeze(struct chaos_world *world, unsigned index, int ms);    /* SIGSTOP, later SIGCONT */
bool chaos_member_is_running(struct chaos_world *world, unsigned index);
/* Starts again what is wanted and has ended, as a supervisor does. */
void chaos_mend(struct chaos_world *world);

/* Grows with every commit: the ends of the processors' state, summed. -1: can't be told now. */
int64_t chaos_progress(struct chaos_world *world);
/* Until something was committed that wasn't when `before` was. */
void chaos_wait_for_progress(struct chaos_world *world, int64_t before, const char *after_what);
int chaos_pause(struct chaos_world *world, int longest_ms); /* a random while; how long it was */

void chaos_wait_for_the_end(struct chaos_world *world, const char *after_what); /* no lag */
struct oracle_settings chaos_oracle_settings(const struct chaos_world *world);
/* Stops the traffic, lets the processors come to the end, and asks the oracle. */
void chaos_check(struct chaos_world *world, const char *after_what);

#endif
