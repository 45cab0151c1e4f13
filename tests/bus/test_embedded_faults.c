/* What a log on this machine can suffer: kill -9, long stops, flipped bytes, full disks, limits, rubbish. */
#include "bus_reader.h"

#include "buffer/buffer.h"
#include "clock/clock.h"
#include "log/log.h"
#include "random/random.h"
#include "support/files.h"
#include "support/process.h"
#include "support/topic_reader.h"

#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS      32
#define ROUND_SPACE 100000 /* numbers a round may use */
#define COMMITS_TAG 0x40000000U

struct place {
    char directory[TEST_PATH_BYTES];
    char store[TEST_PATH_BYTES];
    char url[TEST_PATH_BYTES + 128];
    struct error error;
};

static int make_place(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    assert_non_null(p);
    temp_directory_create(p->directory, "faults");
    path_join(p->store, p->directory, "bus");
    (void)snprintf(p->url, sizeof p->url, "embedded:%s", p->store);
    *state = p;
    return 0;
}

static int free_place(void **state)
{
    struct place *p = *state;
    (void)umount2(p->store, MNT_DETACH); /* where a test has mounted something there */
    temp_directory_remove(p->directory);
    free(p);
    return 0;
}

static void set_options(struct place *p, const char *options)
{
    (void)snprintf(p->url, sizeof p->url, "embedded:%s?%s", p->store, options);
}

static struct bus *open_with(const char *url, size_t queue_limit_bytes, const struct clock *clock,
                             struct log *log)
{
    struct bus *bus = NULL;
    struct error error;
    const struct bus_settings settings = {.url = url,
                                          .client_id = "faults",
                                          .queue_limit_bytes = queue_limit_bytes,
                                          .clock = clock,
                                          .log = log};
    if (bus_open(&bus, &settings, &error) != BUS_OK) {
        fail_msg("bus_open: %s", error.message);
    }
    return bus;
}

static struct bus *open_bus(const struct place *p)
{
    return open_with(p->url, 0, clock_system(), NULL);
}

static void make_topic(struct bus *bus, const struct bus_topic *topic)
{
    struct error error;
    if (bus_create_topics(bus, topic, 1, &error) != BUS_OK) {
        fail_msg("bus_create_topics: %s", error.message);
    }
}

static void make_topics(const struct place *p)
{
    struct bus *bus = open_bus(p);
    make_topic(bus, &(struct bus_topic){.name = "in", .partitions = 1});
    make_topic(bus, &(struct bus_topic){.name = "out", .partitions = 3});
    bus_close(bus);
}

static struct bus_bytes bytes_of(const char *text)
{
    return (struct bus_bytes){text, strlen(text)};
}

static struct bus_producer *make_producer(struct bus *bus)
{
    struct bus_producer *producer = NULL;
    struct error error;
    if (bus_producer_create(bus, &producer, &error) != BUS_OK) {
        fail_msg("bus_producer_create: %s", error.message);
    }
    return producer;
}

static int produce_number(struct bus_producer *producer, unsigned number, size_t size)
{
    char value[1200];
    struct error error;
    (void)snprintf(value, sizeof value, "%u %*s", number, (int)size, "");
    const struct bus_record record = {.topic = "in", .value = bytes_of(value)};
    return bus_produce(producer, &record, number, &error);
}

/* How many acknowledgements come until none comes for quiet_ms; all must be good. */
static size_t take_acks(struct bus_producer *producer, int quiet_ms)
{
    struct bus_ack acks[256];
    size_t all = 0;
    size_t count = 0;
    while (bus_producer_pending(producer) > 0 &&
           (count = bus_producer_poll(producer, quiet_ms, acks, 256)) > 0) {
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(acks[i].status, BUS_OK);
        }
        all += count;
    }
    return all;
}

/* Each acknowledged before the next: a batch of the log a record. */
static void produce_one_by_one(struct bus_producer *producer, unsigned first, unsigned count, size_t size)
{
    for (unsigned i = first; i < first + count; i++) {
        assert_int_equal(produce_number(producer, i, size), BUS_OK);
        assert_int_equal(take_acks(producer, PATIENCE_MS), 1);
    }
}

static void join(struct bus_reader *reader, struct bus *bus, const char *group, const char *member_id)
{
    const char *const topics[] = {"in", NULL};
    const struct bus_member_settings settings = {.group = group, .member_id = member_id, .topics = topics};
    bus_reader_join(reader, bus, &settings, group == NULL ? BUS_FROM_BEGINNING : BUS_FROM_COMMITTED);
}

static void commit_to(struct bus *bus, int64_t next)
{
    struct bus_reader reader;
    join(&reader, bus, "g", NULL);
    reader.start_by_hand = true; /* the committed records may be gone */
    bus_reader_wait_kind(&reader, BUS_RESTORED);
    assert_int_equal(bus_advance(reader.member, "in", 0, next, NULL, &reader.error), BUS_OK);
    assert_int_equal(bus_commit(reader.member, &reader.error), BUS_OK);
    bus_reader_leave(&reader);
}

/* --- kill -9 ---- */

static void tell(int fd, uint32_t number)
{
    if (write(fd, &number, sizeof number) != (ssize_t)sizeof number) {
        _exit(3);
    }
}

static void write_acked(struct bus_producer *producer, int fd)
{
    struct bus_ack acks[256];
    const size_t count = bus_producer_poll(producer, 1, acks, 256);
    for (size_t i = 0; i < count; i++) {
        if (acks[i].status != BUS_OK) {
            _exit(4);
        }
        tell(fd, (uint32_t)acks[i].tag);
    }
}

static void commit_three(struct bus_member *member, unsigned number, int fd)
{
    struct error error;
    char value[16];
    (void)snprintf(value, sizeof value, "%u", number);
    for (int32_t partition = 0; partition < 3; partition++) {
        const struct bus_record record = {.topic = "out", .partition = partition, .value = bytes_of(value)};
        if (bus_put(member, &record, &error) != BUS_OK) {
            _exit(5);
        }
    }
    if (bus_commit(member, &error) != BUS_OK) {
        _exit(6);
    }
    tell(fd, number | COMMITS_TAG);
}

/* Writes until it is killed; what is acknowledged goes into the pipe. */
static void run_writer(const struct place *p, unsigned first, int fd)
{
    struct bus *bus = open_bus(p);
    struct bus_producer *producer = make_producer(bus);
    struct bus_member *member = NULL;
    struct error error;
    const char *const topics[] = {"in", NULL};
    const struct bus_member_settings settings = {.group = "writers", .member_id = "writer", .topics = topics};
    struct bus_turn turn;
    if (bus_join(bus, &settings, &member, &error) != BUS_OK ||
        bus_poll(member, 1000, &turn, &error) != BUS_OK) {
        _exit(7);
    }
    for (unsigned i = 0; i < ROUND_SPACE; i++) {
        while (produce_number(producer, first + i, 100) != BUS_OK) {
            write_acked(producer, fd);
        }
        if (i % 20 == 19) {
            write_acked(producer, fd);
            commit_three(member, first + i, fd);
        }
    }
    _exit(8); /* was to be killed long before */
}

struct outcome {
    unsigned char *acked; /* 1: acknowledged; 2: seen; a number each */
    long long last[3];
    size_t seen[3], unacknowledged;
};

static unsigned number_of(const struct bus_record *record)
{
    char text[16] = "";
    memcpy(text, record->value.data, record->value.size_bytes < 15 ? record->value.size_bytes : 15);
    return (unsigned)strtoul(text, NULL, 10);
}

static void check_record(void *context, const struct bus_record *record)
{
    struct outcome *outcome = context;
    const unsigned number = number_of(record);
    assert_true((long long)number > outcome->last[record->partition]); /* in order, and none twice */
    assert_true(number < ROUNDS * ROUND_SPACE);
    outcome->last[record->partition] = number;
    outcome->seen[record->partition]++;
    outcome->unacknowledged += outcome->acked[number] == 0;
    outcome->acked[number] = 0;
}

static void start_outcome(struct outcome *outcome)
{
    for (int i = 0; i < 3; i++) {
        outcome->last[i] = -1;
    }
}

static void assert_nothing_missing(const struct outcome *outcome)
{
    for (size_t i = 0; i < (size_t)ROUNDS * ROUND_SPACE; i++) {
        if (outcome->acked[i] != 0) {
            fail_msg("number %zu was acknowledged and is not there", i);
        }
    }
}

/* Kills the writer a random while after its first acknowledgement, and reads which there were. */
static void kill_a_writer(const struct place *p, unsigned round, struct random *random,
                          struct outcome *records, struct outcome *commits)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        run_writer(p, round * ROUND_SPACE, ends[1]);
    }
    assert_true(child > 0);
    (void)close(ends[1]);
    uint32_t number = 0;
    const int64_t pause_us = (int64_t)random_below(random, 80000);
    int64_t until_ms = 0;
    while (read(ends[0], &number, sizeof number) == (ssize_t)sizeof number) {
        struct outcome *outcome = (number & COMMITS_TAG) != 0 ? commits : records;
        assert_true((number & ~COMMITS_TAG) < ROUNDS * ROUND_SPACE);
        outcome->acked[number & ~COMMITS_TAG] = 1;
        if (until_ms == 0) {
            until_ms = test_now_ms() + pause_us / 1000;
        }
        if (until_ms > 0 && test_now_ms() >= until_ms) {
            const struct timespec rest = {.tv_nsec = pause_us % 1000 * 1000};
            (void)nanosleep(&rest, NULL);
            assert_int_equal(kill(child, SIGKILL), 0);
            until_ms = -1;
        }
    }
    (void)close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status)) {
        fail_msg("the writer ended by itself: %d", WEXITSTATUS(status));
    }
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
    struct place *p = *state;
    const uint64_t seed = random_seed_from_system();
    struct random random;
    struct outcome records = {.acked = calloc(ROUNDS, ROUND_SPACE)};
    struct outcome commits = {.acked = calloc(ROUNDS, ROUND_SPACE)};
    print_message("seed %llu\n", (unsigned long long)seed);
    random_init(&random, seed);
    assert_non_null(records.acked);
    assert_non_null(commits.acked);
    make_topics(p);
    for (unsigned round = 0; round < ROUNDS; round++) {
        kill_a_writer(p, round, &random, &records, &commits);
    }
    start_outcome(&records);
    start_outcome(&commits);
    (void)topic_read(p->url, "in", check_record, &records);
    assert_nothing_missing(&records);
    assert_true(records.seen[0] >= ROUNDS);
    (void)topic_read(p->url, "out", check_record,
                     &commits); /* in partition 0 first: the others then add none */
    assert_nothing_missing(&commits);
    assert_int_equal(commits.seen[0], commits.seen[1]); /* no commit by half */
    assert_int_equal(commits.seen[0], commits.seen[2]);
    print_message("%zu records, %zu commits in %d writers\n", records.seen[0], commits.seen[0], ROUNDS);
    free(records.acked);
    free(commits.acked);
}

/* --- a long stop ---- */

static void run_sleeper(const struct place *p, int tell_fd, int go_fd)
{
    struct bus *bus = open_bus(p);
    struct bus_reader reader;
    struct error error;
    char byte = 'r';
    join(&reader, bus, "g", "sleeper");
    bus_reader_wait_records(&reader, 5);
    for (size_t i = 0; i < 5; i++) {
        const struct bus_record output = {.topic = "out", .value = bytes_of("from the sleeper")};
        (void)bus_put(reader.member, &output, &error);
    }
    (void)bus_advance(reader.member, "in", 0, 5, NULL, &error);
    if (write(tell_fd, &byte, 1) != 1 || read(go_fd, &byte, 1) != 1) {
        _exit(3);
    }
    _exit(bus_commit(reader.member, &error) == BUS_RESET ? 10 : 11);
}

static void who_was_stopped_past_its_lease_commits_nothing(void **state)
{
    struct place *p = *state;
    int tells[2];
    int goes[2];
    char byte = 'g';
    set_options(p, "lease_ms=500");
    make_topics(p);
    struct bus *bus = open_bus(p);
    struct bus_producer *producer = make_producer(bus);
    produce_one_by_one(producer, 0, 5, 10);
    bus_producer_destroy(producer);
    bus_close(bus);
    assert_int_equal(pipe(tells), 0);
    assert_int_equal(pipe(goes), 0);
    const pid_t child = fork();
    if (child == 0) {
        run_sleeper(p, tells[1], goes[0]);
    }
    assert_true(child > 0);
    assert_int_equal(read(tells[0], &byte, 1), 1);
    assert_int_equal(kill(child, SIGSTOP), 0);
    bus = open_bus(p);
    struct bus_reader other;
    join(&other, bus, "g", "other");
    other.echo_to = "out";
    bus_reader_wait_records(&other, 5);
    assert_int_equal(kill(child, SIGCONT), 0);
    assert_int_equal(write(goes[1], &byte, 1), 1);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 10);
    bus_reader_leave(&other);
    bus_close(bus);
    struct buffer lines;
    buffer_init(&lines, 0);
    assert_int_equal(topic_read_lines(p->url, "out", &lines), 5);
    assert_null(strstr(buffer_text(&lines), "sleeper"));
    buffer_free(&lines);
    for (int i = 0; i < 2; i++) {
        (void)close(tells[i]);
        (void)close(goes[i]);
    }
}

/* --- damage ---- */

static size_t flip_all(const char *path, const char *needle)
{
    struct buffer file;
    size_t flipped = 0;
    buffer_init(&file, 0);
    file_read(path, &file);
    const size_t length = strlen(needle);
    for (size_t i = 0; i + length <= file.size; i++) {
        if (memcmp(file.data + i, needle, length) == 0) {
            file.data[i] = (char)(file.data[i] ^ 1);
            flipped++;
        }
    }
    file_write(path, file.data, file.size);
    buffer_free(&file);
    return flipped;
}

static void a_flipped_byte_is_refused_and_its_place_named(void **state)
{
    struct place *p = *state;
    char path[TEST_PATH_BYTES];
    make_topics(p);
    struct bus *bus = open_bus(p);
    struct bus_producer *producer = make_producer(bus);
    produce_one_by_one(producer, 770000, 10, 10);
    bus_producer_destroy(producer);
    bus_close(bus);
    path_join(path, p->store, "data.mdb");
    assert_true(flip_all(path, "770007 ") > 0);
    bus = open_bus(p);
    struct bus_reader reader;
    join(&reader, bus, NULL, NULL);
    reader.start_by_hand = true;
    bus_reader_wait_kind(&reader, BUS_RESTORED);
    assert_int_equal(bus_start(reader.member, "in", 0, BUS_FROM_BEGINNING, &p->error), BUS_OK);
    struct bus_turn turn;
    int result = BUS_OK;
    const int64_t deadline_ms = test_now_ms() + PATIENCE_MS;
    while (result == BUS_OK && test_now_ms() < deadline_ms) {
        result = bus_poll(reader.member, 100, &turn, &p->error);
        for (size_t i = 0; result == BUS_OK && turn.kind == BUS_RECORDS && i < turn.record_count; i++) {
            assert_true(turn.records[i].offset < 7);
        }
    }
    assert_int_equal(result, BUS_FATAL);
    assert_non_null(strstr(p->error.message, "topic in partition 0"));
    assert_non_null(strstr(p->error.message, "offset 7"));
    bus_reader_leave(&reader);
    bus_close(bus);
}

static void a_file_that_is_no_store_is_refused(void **state)
{
    struct place *p = *state;
    char path[TEST_PATH_BYTES];
    char rubbish[65536];
    struct random random;
    struct bus *bus = NULL;
    random_init(&random, 7);
    for (size_t i = 0; i < sizeof rubbish; i++) {
        rubbish[i] = (char)random_below(&random, 256);
    }
    make_topics(p);
    path_join(path, p->store, "data.mdb");
    file_write(path, rubbish, sizeof rubbish);
    const struct bus_settings settings = {.url = p->url, .client_id = "faults", .clock = clock_system()};
    assert_int_equal(bus_open(&bus, &settings, &p->error), BUS_REFUSED);
    assert_non_null(strstr(p->error.message, p->store));
    file_write(path, rubbish, 100);
    assert_true(bus_open(&bus, &settings, &p->error) != BUS_OK);
}

/* --- no room ---- */

/* Produces until the queue stays full; returns how many were taken. *acked: how many of them are safe. */
static unsigned produce_until_full(struct bus_producer *producer, size_t *acked)
{
    unsigned number = 0;
    *acked = 0;
    for (;;) {
        const int result = produce_number(producer, number, 1000);
        if (result == BUS_OK) {
            number++;
            continue;
        }
        assert_int_equal(result, BUS_FULL);
        const size_t count = take_acks(producer, 1500);
        *acked += count;
        if (count == 0) {
            return number;
        }
        assert_true(number < 200000);
    }
}

static void assert_all_there(const struct place *p, unsigned count)
{
    struct outcome outcome = {.acked = calloc(ROUNDS, ROUND_SPACE)};
    assert_non_null(outcome.acked);
    memset(outcome.acked, 1, count);
    start_outcome(&outcome);
    assert_int_equal(topic_read(p->url, "in", check_record, &outcome), count);
    assert_nothing_missing(&outcome);
    free(outcome.acked);
}

static void a_full_disk_holds_producers_up_and_loses_nothing(void **state)
{
    struct place *p = *state;
    char filler[TEST_PATH_BYTES];
    char *zeros = calloc(1, 4 << 20);
    assert_non_null(zeros);
    assert_int_equal(mkdir(p->store, 0700), 0);
    if (mount("tmpfs", p->store, "tmpfs", 0, "size=12m") != 0) {
        print_message("no tmpfs can be mounted here (%s): run as root to test a full disk\n",
                      strerror(errno));
        free(zeros);
        skip();
    }
    make_topics(p);
    path_join(filler, p->store, "filler");
    file_write(filler, zeros, 4 << 20);
    free(zeros);
    struct bus *bus = open_with(p->url, 65536, clock_system(), NULL);
    struct bus_producer *producer = make_producer(bus);
    size_t acked = 0;
    const unsigned taken = produce_until_full(producer, &acked);
    assert_true(acked < taken);
    assert_true(acked > 100);
    assert_all_there(p, (unsigned)acked); /* what waits isn't there by half */
    assert_int_equal(unlink(filler), 0);
    acked += take_acks(producer, PATIENCE_MS);
    assert_int_equal(acked, taken);
    bus_producer_destroy(producer);
    bus_close(bus);
    assert_all_there(p, taken);
    assert_int_equal(umount(p->store), 0);
}

static void a_store_at_its_limit_pushes_back_and_goes_on_by_retention(void **state)
{
    struct place *p = *state;
    set_options(p, "store_limit_bytes=8MiB&durability=process");
    struct bus *bus = open_with(p->url, 65536, clock_system(), NULL);
    make_topic(bus, &(struct bus_topic){.name = "in", .partitions = 1, .retention_ms = 1800000});
    struct bus_producer *producer = make_producer(bus);
    size_t acked = 0;
    const unsigned taken = produce_until_full(producer, &acked);
    assert_true(acked > 1000);
    assert_true(acked < taken);
    commit_to(bus, (int64_t)acked); /* a reader can still say how far it is */
    bus_producer_destroy(producer);
    bus_close(bus);
    struct clock_manual later;
    clock_manual_init(&later, clock_wall_ms(clock_system()) + 3600000);
    bus = open_with(p->url, 65536, &later.clock, NULL); /* sweeps when it is used */
    producer = make_producer(bus);
    assert_int_equal(produce_number(producer, (unsigned)acked, 1000), BUS_OK);
    assert_int_equal(take_acks(producer, PATIENCE_MS), 1);
    bus_producer_destroy(producer);
    bus_close(bus);
}

/* --- retention ---- */

static int64_t begin_of(struct bus *bus)
{
    struct error error;
    int64_t begin = -1;
    int64_t end = -1;
    assert_int_equal(bus_read_offsets(bus, "in", 0, &begin, &end, &error), BUS_OK);
    return begin;
}

/* Opens the store alone, an hour later, and lets an idle reader sweep; returns the first offset that is left.
 */
static int64_t sweep_later(const struct place *p)
{
    struct clock_manual later;
    clock_manual_init(&later, clock_wall_ms(clock_system()) + 3600000);
    struct bus *bus = open_with(p->url, 0, &later.clock, NULL);
    struct bus_reader reader;
    join(&reader, bus, NULL, NULL);
    bus_reader_wait_ends(&reader, 1);
    (void)bus_reader_pump(&reader, 50);
    const int64_t begin = begin_of(bus);
    bus_reader_leave(&reader);
    bus_close(bus);
    return begin;
}

static void check_retention(struct place *p, const struct bus_topic *topic)
{
    struct bus *bus = open_bus(p);
    make_topic(bus, topic);
    struct bus_producer *producer = make_producer(bus);
    commit_to(bus, 0); /* from now on the group is known */
    produce_one_by_one(producer, 0, 20, 1000);
    commit_to(bus, 5);
    bus_producer_destroy(producer);
    bus_close(bus);
    assert_int_equal(sweep_later(p), 5); /* what nobody needs goes, what the group needs stays */
    bus = open_bus(p);
    commit_to(bus, 20);
    bus_close(bus);
    assert_true(sweep_later(p) > 5);
    bus = open_bus(p);
    struct bus_reader reader;
    join(&reader, bus, NULL, NULL);
    reader.start_by_hand = true;
    bus_reader_wait_kind(&reader, BUS_RESTORED);
    assert_int_equal(bus_start(reader.member, "in", 0, 2, &p->error), BUS_REFUSED);
    assert_non_null(strstr(p->error.message, "not 2"));
    bus_reader_leave(&reader);
    bus_close(bus);
}

static void retention_by_age_keeps_what_a_group_needs(void **state)
{
    check_retention(*state, &(struct bus_topic){.name = "in", .partitions = 1, .retention_ms = 60000});
}

static void retention_by_size_keeps_what_a_group_needs(void **state)
{
    check_retention(*state, &(struct bus_topic){.name = "in", .partitions = 1, .retention_bytes = 4096});
}

static void at_the_hard_limit_a_group_that_moves_on_makes_room(void **state)
{
    struct place *p = *state;
    set_options(p, "retention_hard_bytes=64KiB");
    struct bus *bus = open_with(p->url, 16384, clock_system(), NULL);
    make_topic(bus, &(struct bus_topic){.name = "in", .partitions = 1});
    struct bus_producer *producer = make_producer(bus);
    produce_one_by_one(producer, 0, 10, 1000);
    commit_to(bus, 1);
    for (unsigned i = 10; i < 60; i++) {
        assert_int_equal(produce_number(producer, i, 1000), BUS_OK);
        (void)take_acks(producer, 1000);
    }
    assert_int_equal(produce_number(producer, 60, 1000), BUS_OK);
    (void)take_acks(producer, 1000);
    unsigned number = 61;
    while (produce_number(producer, number, 1000) == BUS_OK && number < 200) {
        number++;
        (void)take_acks(producer, 300);
    }
    assert_true(number < 100); /* held up */
    assert_true(bus_producer_pending(producer) > 0);
    assert_true(begin_of(bus) <= 1); /* nothing that the group needs was taken */
    commit_to(bus, 50);
    (void)take_acks(producer, PATIENCE_MS);
    assert_int_equal(bus_producer_pending(producer), 0);
    assert_in_range(begin_of(bus), 2, 50);
    bus_producer_destroy(producer);
    bus_close(bus);
}

static void drop_oldest_goes_on_and_says_what_it_dropped(void **state)
{
    struct place *p = *state;
    char path[TEST_PATH_BYTES];
    path_join(path, p->directory, "log");
    const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    struct log *log = NULL;
    const struct log_settings log_settings = {.app = "faults", .fd = fd, .clock = clock_system()};
    assert_int_equal(log_open(&log, &log_settings, &p->error), 0);
    set_options(p, "retention_hard_bytes=64KiB&retention_policy=drop_oldest");
    struct bus *bus = open_with(p->url, 0, clock_system(), log);
    make_topic(bus, &(struct bus_topic){.name = "in", .partitions = 1});
    struct bus_producer *producer = make_producer(bus);
    produce_one_by_one(producer, 0, 10, 1000);
    commit_to(bus, 1);
    produce_one_by_one(producer, 10, 190, 1000); /* all are acknowledged */
    const int64_t begin = begin_of(bus);
    assert_true(begin > 100);
    struct bus_reader reader;
    join(&reader, bus, "g", NULL);
    reader.start_by_hand = true;
    bus_reader_wait_kind(&reader, BUS_RESTORED);
    assert_int_equal(bus_start(reader.member, "in", 0, BUS_FROM_COMMITTED, &p->error), BUS_REFUSED);
    bus_reader_leave(&reader);
    bus_producer_destroy(producer);
    bus_close(bus);
    log_close(log);
    (void)close(fd);
    char counted[64];
    (void)snprintf(counted, sizeof counted, "dropped_in_all=%lld", (long long)begin - 1);
    assert_int_equal(file_count_lines(path, counted), 1); /* the one that the group had done isn't counted */
}

/* --- several processes ---- */

static void run_second_process(const struct place *p, int go_fd)
{
    char byte = 0;
    struct bus *bus = open_bus(p);
    struct bus_producer *producer = make_producer(bus);
    if (read(go_fd, &byte, 1) != 1) {
        _exit(3);
    }
    produce_one_by_one(producer, 1000, 200, 10);
    bus_producer_destroy(producer);
    bus_close(bus);
    _exit(0);
}

static void two_processes_write_and_read_one_directory(void **state)
{
    struct place *p = *state;
    int goes[2];
    make_topics(p);
    assert_int_equal(pipe(goes), 0);
    const pid_t child = fork();
    if (child == 0) {
        run_second_process(p, goes[0]);
    }
    assert_true(child > 0);
    struct bus *bus = open_bus(p);
    struct bus_reader reader;
    join(&reader, bus, "g", NULL);
    struct bus_producer *producer = make_producer(bus);
    assert_int_equal(write(goes[1], "g", 1), 1);
    produce_one_by_one(producer, 0, 200, 10);
    bus_reader_wait_records(&reader, 400);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    int next[2] = {0, 1000};
    for (size_t i = 0; i < 400; i++) {
        const int number = atoi(reader.records[i].value);
        assert_int_equal(number, next[number >= 1000]++);
        assert_int_equal(reader.records[i].offset, i);
    }
    bus_reader_leave(&reader);
    bus_producer_destroy(producer);
    bus_close(bus);
    (void)close(goes[0]);
    (void)close(goes[1]);
}

static int64_t cpu_us(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void an_idle_member_sleeps(void **state)
{
    struct place *p = *state;
    make_topics(p);
    struct bus *bus = open_bus(p);
    struct bus_reader reader;
    join(&reader, bus, "g", NULL);
    bus_reader_wait_ends(&reader, 1);
    const int64_t begin_us = cpu_us();
    const int64_t until_ms = test_now_ms() + 2000;
    while (test_now_ms() < until_ms) {
        assert_int_equal(bus_reader_pump(&reader, 200), BUS_IDLE);
    }
    const int64_t used_us = cpu_us() - begin_us;
    print_message("%lld us of processor time in 2 s\n", (long long)used_us);
    assert_in_range(used_us, 0, 20000);
    bus_reader_leave(&reader);
    bus_close(bus);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make_place, free_place)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASE(what_was_acknowledged_survives_kill_9),
        CASE(who_was_stopped_past_its_lease_commits_nothing),
        CASE(a_flipped_byte_is_refused_and_its_place_named),
        CASE(a_file_that_is_no_store_is_refused),
        CASE(a_full_disk_holds_producers_up_and_loses_nothing),
        CASE(a_store_at_its_limit_pushes_back_and_goes_on_by_retention),
        CASE(retention_by_age_keeps_what_a_group_needs),
        CASE(retention_by_size_keeps_what_a_group_needs),
        CASE(at_the_hard_limit_a_group_that_moves_on_makes_room),
        CASE(drop_oldest_goes_on_and_says_what_it_dropped),
        CASE(two_processes_write_and_read_one_directory),
        CASE(an_idle_member_sleeps),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]); /* one case: its name, or with * */
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
