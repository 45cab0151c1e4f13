/* What does the embedded bus cost? Records of 400 bytes committed 1 000 at a time while two readers follow;
 * then 1 000 records a second one by one: from bus_produce to the acknowledgement, and to a sleeping reader
 * that gets it. Beside it SQLite (WAL, synchronous=FULL: acknowledged means the same), measured in turn in
 * the same process on the same disk, so that the ratios hold on a busy machine. Each throughput is the best
 * of several rounds.
 *
 *   bench_bus [DIRECTORY [ROUNDS]]      the directory must not exist; it is left behind
 */
#include "bus/bus.h"
#include "clock/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef BENCH_SQLITE
#include <sqlite3.h>
#endif

#define RECORD_BYTES 400
#define BATCH        1000
#define ROUND_NS     INT64_C(1000000000)
#define PACED        2000 /* records, one a millisecond */
#define READERS      2

static char payload[RECORD_BYTES];
static char directory[256];
static struct error error;

static int64_t now_ns(void)
{
    return clock_steady_ns(clock_system());
}

static void must(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "bench_bus: %s: %s\n", what, error.message);
        exit(1);
    }
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print_latency(const char *what, int64_t *ns, size_t count)
{
    qsort(ns, count, sizeof *ns, compare);
    printf("%-46s p50 %7.0f us   p99 %7.0f us\n", what, (double)ns[count / 2] / 1e3,
           (double)ns[count * 99 / 100] / 1e3);
}

static void sleep_until(int64_t until_ns)
{
    const struct timespec until = {until_ns / 1000000000, until_ns % 1000000000};
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* --- the bus ---- */

struct follower {
    struct bus *bus;
    const char *topic;
    _Atomic uint64_t read;
    atomic_bool stop;
    int64_t *latencies; /* from the time in the value; NULL: not measured */
    pthread_t thread;
};

static struct bus_member *join(struct bus *bus, const char *group, const char *topic)
{
    struct bus_member *member = NULL;
    const char *const topics[] = {topic, NULL};
    const struct bus_member_settings settings = {.group = group, .topics = topics};
    must(bus_join(bus, &settings, &member, &error) == BUS_OK, "joining");
    return member;
}

static void take_turn(struct follower *follower, struct bus_member *member, const struct bus_turn *turn)
{
    struct error why;
    if (turn->kind == BUS_RESTORED) {
        (void)bus_start(member, follower->topic, 0, BUS_FROM_END, &why);
    }
    const uint64_t before = atomic_load(&follower->read);
    for (size_t i = 0; i < turn->record_count && follower->latencies != NULL && before + i < PACED; i++) {
        int64_t sent_ns = 0;
        memcpy(&sent_ns, turn->records[i].value.data, sizeof sent_ns);
        follower->latencies[before + i] = now_ns() - sent_ns;
    }
    atomic_store(&follower->read, before + turn->record_count);
}

static void *run_follower(void *context)
{
    struct follower *follower = context;
    struct bus_member *member = join(follower->bus, NULL, follower->topic);
    struct error why;
    struct bus_turn turn;
    while (!atomic_load(&follower->stop) && bus_poll(member, 100, &turn, &why) == BUS_OK) {
        take_turn(follower, member, &turn);
    }
    (void)bus_leave(member, &why);
    return NULL;
}

static void start_follower(struct follower *follower, struct bus *bus, const char *topic, int64_t *latencies)
{
    *follower = (struct follower){.bus = bus, .topic = topic, .latencies = latencies};
    must(pthread_create(&follower->thread, NULL, run_follower, follower) == 0, "starting a reader");
}

static uint64_t stop_follower(struct follower *follower)
{
    atomic_store(&follower->stop, true);
    (void)pthread_join(follower->thread, NULL);
    return atomic_load(&follower->read);
}

static double bus_round(struct bus *bus, struct bus_member *writer, double *read)
{
    struct follower followers[READERS];
    for (int i = 0; i < READERS; i++) {
        start_follower(&followers[i], bus, "log", NULL);
    }
    (void)usleep(50000);
    uint64_t written = 0;
    const int64_t begin_ns = now_ns();
    while (now_ns() - begin_ns < ROUND_NS) {
        const struct bus_record record = {.topic = "log", .value = {payload, sizeof payload}};
        for (int i = 0; i < BATCH; i++) {
            must(bus_put(writer, &record, &error) == BUS_OK, "putting");
        }
        must(bus_commit(writer, &error) == BUS_OK, "committing");
        written += BATCH;
    }
    const double seconds = (double)(now_ns() - begin_ns) / 1e9;
    uint64_t sum = 0;
    for (int i = 0; i < READERS; i++) {
        sum += stop_follower(&followers[i]);
    }
    *read = (double)sum / READERS / (double)written;
    return (double)written / seconds;
}

static void bus_paced(struct bus *bus)
{
    static int64_t acks_ns[PACED];
    static int64_t reads_ns[PACED];
    struct follower follower;
    struct bus_producer *producer = NULL;
    struct bus_ack ack;
    start_follower(&follower, bus, "paced", reads_ns);
    (void)usleep(50000);
    must(bus_producer_create(bus, &producer, &error) == BUS_OK, "making a producer");
    int64_t next_ns = now_ns();
    for (size_t i = 0; i < PACED; i++) {
        sleep_until(next_ns);
        next_ns += 1000000;
        const int64_t sent_ns = now_ns();
        memcpy(payload, &sent_ns, sizeof sent_ns);
        const struct bus_record record = {.topic = "paced", .value = {payload, sizeof payload}};
        must(bus_produce(producer, &record, i, &error) == BUS_OK, "producing");
        must(bus_producer_poll(producer, 10000, &ack, 1) == 1 && ack.status == BUS_OK, "acknowledging");
        acks_ns[i] = now_ns() - sent_ns;
    }
    bus_producer_destroy(producer);
    (void)usleep(50000);
    const uint64_t read = stop_follower(&follower);
    print_latency("bus, one record a commit, to the acknowledgement", acks_ns, PACED);
    print_latency("bus, the same, to a sleeping reader", reads_ns, read < PACED ? read : PACED);
}

/* --- SQLite ---- */

#ifdef BENCH_SQLITE
struct sqlite_reader {
    const char *path;
    atomic_bool stop;
    int64_t from;
    uint64_t read;
    pthread_t thread;
};

static sqlite3 *open_sqlite(const char *path)
{
    sqlite3 *db = NULL;
    must(sqlite3_open(path, &db) == SQLITE_OK &&
             sqlite3_exec(db,
                          "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE IF NOT EXISTS log"
                          "(number INTEGER PRIMARY KEY, value BLOB)",
                          NULL, NULL, NULL) == SQLITE_OK,
         "opening SQLite");
    (void)sqlite3_busy_timeout(db, 10000);
    return db;
}

/* SQLite wakes nobody up: its reader asks again each half millisecond. */
static void *run_sqlite_reader(void *context)
{
    struct sqlite_reader *reader = context;
    sqlite3 *db = open_sqlite(reader->path);
    sqlite3_stmt *select = NULL;
    must(sqlite3_prepare_v2(db, "SELECT number, value FROM log WHERE number > ? LIMIT 1000", -1, &select,
                            NULL) == SQLITE_OK,
         "preparing");
    while (!atomic_load(&reader->stop)) {
        const uint64_t before = reader->read;
        (void)sqlite3_bind_int64(select, 1, reader->from);
        while (sqlite3_step(select) == SQLITE_ROW) {
            char copy[RECORD_BYTES];
            memcpy(copy, sqlite3_column_blob(select, 1), sizeof copy);
            reader->from = sqlite3_column_int64(select, 0);
            reader->read++;
        }
        (void)sqlite3_reset(select);
        if (reader->read == before) {
            (void)usleep(500);
        }
    }
    (void)sqlite3_finalize(select);
    (void)sqlite3_close(db);
    return NULL;
}

static void sqlite_insert(sqlite3_stmt *insert)
{
    (void)sqlite3_bind_blob(insert, 1, payload, sizeof payload, SQLITE_STATIC);
    must(sqlite3_step(insert) == SQLITE_DONE && sqlite3_reset(insert) == SQLITE_OK, "inserting");
}

static double sqlite_round(const char *path, sqlite3 *db, sqlite3_stmt *insert, double *read)
{
    struct sqlite_reader readers[READERS];
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct sqlite_reader){.path = path, .from = sqlite3_last_insert_rowid(db)};
        must(pthread_create(&readers[i].thread, NULL, run_sqlite_reader, &readers[i]) == 0,
             "starting a reader");
    }
    (void)usleep(50000);
    uint64_t written = 0;
    const int64_t begin_ns = now_ns();
    while (now_ns() - begin_ns < ROUND_NS) {
        must(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK, "beginning");
        for (int i = 0; i < BATCH; i++) {
            sqlite_insert(insert);
        }
        must(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK, "committing");
        written += BATCH;
    }
    const double seconds = (double)(now_ns() - begin_ns) / 1e9;
    uint64_t sum = 0;
    for (int i = 0; i < READERS; i++) {
        atomic_store(&readers[i].stop, true);
        (void)pthread_join(readers[i].thread, NULL);
        sum += readers[i].read;
    }
    *read = (double)sum / READERS / (double)written;
    return (double)written / seconds;
}

static void sqlite_paced(sqlite3_stmt *insert)
{
    static int64_t acks_ns[PACED];
    int64_t next_ns = now_ns();
    for (size_t i = 0; i < PACED; i++) {
        sleep_until(next_ns);
        next_ns += 1000000;
        const int64_t sent_ns = now_ns();
        sqlite_insert(insert);
        acks_ns[i] = now_ns() - sent_ns;
    }
    print_latency("SQLite WAL FULL, one record a commit", acks_ns, PACED);
}
#endif

static struct bus *open_bus(void)
{
    char url[300];
    struct bus *bus = NULL;
    (void)snprintf(url, sizeof url, "embedded:%s", directory);
    const struct bus_settings settings = {.url = url, .client_id = "bench", .clock = clock_system()};
    const struct bus_topic topics[] = {{.name = "log", .partitions = 1},
                                       {.name = "paced", .partitions = 1},
                                       {.name = "none", .partitions = 1}};
    must(bus_open(&bus, &settings, &error) == BUS_OK, "opening");
    must(bus_create_topics(bus, topics, 3, &error) == BUS_OK, "creating topics");
    return bus;
}

int main(int argc, char **argv)
{
    const int rounds = argc > 2 ? atoi(argv[2]) : 3;
    (void)snprintf(directory, sizeof directory, "%s", argc > 1 ? argv[1] : "bench-bus.tmp");
    memset(payload, 'x', sizeof payload);
    struct bus *bus = open_bus();
    struct bus_member *writer = join(bus, "writers", "none");
    struct bus_turn turn;
    must(bus_poll(writer, 1000, &turn, &error) == BUS_OK, "joining");
    double ours = 0;
    double read = 0;
#ifdef BENCH_SQLITE
    char path[300];
    sqlite3_stmt *insert = NULL;
    (void)snprintf(path, sizeof path, "%s/sqlite.db", directory);
    sqlite3 *db = open_sqlite(path);
    must(sqlite3_prepare_v2(db, "INSERT INTO log(value) VALUES(?)", -1, &insert, NULL) == SQLITE_OK,
         "preparing");
    double theirs = 0;
    double their_read = 0;
#endif
    for (int i = 0; i < rounds; i++) {
        const double rate = bus_round(bus, writer, &read);
        ours = rate > ours ? rate : ours;
        (void)bus_poll(writer, 0, &turn, &error); /* still a member */
#ifdef BENCH_SQLITE
        const double their_rate = sqlite_round(path, db, insert, &their_read);
        theirs = their_rate > theirs ? their_rate : theirs;
        (void)bus_poll(writer, 0, &turn, &error);
#endif
    }
    printf("bus, 1000 x 400 bytes a commit, two readers      %9.0f records/s; a reader got %3.0f %%\n", ours,
           read * 100);
#ifdef BENCH_SQLITE
    printf("SQLite WAL FULL, the same                        %9.0f records/s; a reader got %3.0f %%\n",
           theirs, their_read * 100);
    printf("ratio                                            %9.2f\n", ours / theirs);
#endif
    bus_paced(bus);
#ifdef BENCH_SQLITE
    sqlite_paced(insert);
    (void)sqlite3_finalize(insert);
    (void)sqlite3_close(db);
#endif
    (void)bus_leave(writer, &error);
    bus_close(bus);
    return 0;
}
