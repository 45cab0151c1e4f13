/* What only the store under the embedded bus can be asked: whose directory it is, what damage it notices, who
 * holds it up, and how patient a group is. */
#include "buffer/buffer.h"
#include "bus/embedded/store.h"
#include "clock/clock.h"
#include "reader.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct place {
    char directory[TEST_PATH_BYTES], store[TEST_PATH_BYTES], url[TEST_PATH_BYTES + 64];
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    temp_directory_create(place->directory, "store");
    path_join(place->store, place->directory, "bus");
    (void)snprintf(place->url, sizeof place->url, "embedded:%s?lease_ms=300", place->store);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    temp_directory_remove(place->directory);
    free(place);
    return 0;
}

static struct bus *open_at(const char *url, const struct clock *clock)
{
    struct error error;
    struct bus *bus = NULL;
    const struct bus_settings settings = {.url = url, .clock = clock};
    check(bus_open(&bus, &settings, &error), &error);
    return bus;
}

static void assert_not_opened(const char *url, int result, const char *says)
{
    struct error error;
    struct bus *bus = NULL;
    const struct bus_settings settings = {.url = url, .clock = clock_system()};
    assert_int_equal(bus_open(&bus, &settings, &error), result);
    assert_null(bus);
    if (strstr(error.message, says) == NULL) {
        fail_msg("\"%s\" doesn't say \"%s\"", error.message, says);
    }
}

static void make_topic(struct bus *bus, const char *name, int32_t partitions, bool compacted)
{
    struct error error;
    const struct bus_topic topic = {.name = name, .partitions = partitions, .compacted = compacted};
    check(bus_create_topics(bus, &topic, 1, &error), &error);
}

/* --- whose directory ---- */

static void a_directory_of_somebody_else_is_left_alone(void **state)
{
    struct place *place = *state;
    char path[TEST_PATH_BYTES];
    assert_int_equal(mkdir(place->store, 0700), 0);
    path_join(path, place->store, "letters.txt");
    file_write_text(path, "dear");
    assert_not_opened(place->url, BUS_REFUSED, "letters.txt");
    path_join(path, place->store, "data.mdb");
    assert_false(file_exists(path));
}

static void a_directory_that_cannot_be_written_is_refused(void **state)
{
    struct place *place = *state;
    assert_int_equal(mkdir(place->store, 0555), 0);
    assert_int_equal(chmod(place->directory, 0755), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) { /* root may write everywhere */
        struct error error;
        struct bus *bus = NULL;
        const struct bus_settings settings = {.url = place->url, .clock = clock_system()};
        bool other = geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0);
        _exit(other && bus_open(&bus, &settings, &error) == BUS_REFUSED &&
                      strstr(error.message, place->store) != NULL
                  ? 0
                  : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_file_cut_short_is_refused(void **state)
{
    struct place *place = *state;
    char path[TEST_PATH_BYTES];
    struct bus *bus = open_at(place->url, clock_system());
    make_topic(bus, "in", 12, false);
    bus_close(bus);
    path_join(path, place->store, "data.mdb");
    assert_int_equal(truncate(path, 3 * 4096), 0);
    assert_not_opened(place->url, BUS_FATAL, "damaged");
}

static void two_buses_of_a_process_and_a_child_share_one_store(void **state)
{
    struct place *place = *state;
    struct bus *first = open_at(place->url, clock_system());
    struct bus *second = open_at(place->url, clock_system());
    make_topic(first, "in", 3, false);
    bus_close(first);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) { /* what fork copied is the parent's */
        struct error error;
        struct bus *own = NULL;
        const struct bus_settings settings = {.url = place->url, .clock = clock_system()};
        const struct bus_topic topic = {.name = "child", .partitions = 1};
        bool fine = bus_open(&own, &settings, &error) == BUS_OK &&
                    bus_create_topics(own, &topic, 1, &error) == BUS_OK;
        bus_close(own);
        _exit(fine ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    struct error error;
    int32_t count;
    check(bus_partition_count(second, "child", &count, &error), &error);
    assert_int_equal(count, 1);
    bus_close(second);
}

/* --- damage ---- */

static void flip_in_file(const char *path, const char *text)
{
    struct buffer bytes;
    buffer_init(&bytes, 0);
    file_read(path, &bytes);
    int flipped = 0;
    for (size_t i = 0; i + strlen(text) <= bytes.size; i++) {
        if (memcmp(bytes.data + i, text, strlen(text)) == 0) {
            bytes.data[i] = (char)(bytes.data[i] ^ 1);
            flipped++;
        }
    }
    assert_true(flipped > 0);
    file_write(path, bytes.data, bytes.size);
    buffer_free(&bytes);
}

/* Positions decide what is done twice or never: they are under a checksum as records are. */
static void a_flipped_bit_in_a_committed_position_is_noticed(void **state)
{
    struct place *place = *state;
    char path[TEST_PATH_BYTES];
    struct error error;
    struct reader reader;
    struct bus *bus = open_at(place->url, clock_system());
    make_topic(bus, "in", 1, false);
    reader_join(&reader, bus, "group", "m", "in", NULL, NULL);
    reader_run_until(&reader, has_partitions, 1);
    check(bus_advance(reader.member, "in", 0, 0, "a note to be found", &error), &error);
    check(bus_commit(reader.member, &error), &error);
    reader_leave(&reader);
    bus_close(bus);
    path_join(path, place->store, "data.mdb");
    flip_in_file(path, "a note to be found");
    bus = open_at(place->url, clock_system());
    reader_join(&reader, bus, "group", "m", "in", NULL, NULL);
    int result = BUS_OK;
    for (int i = 0; i < 100 && result == BUS_OK; i++) {
        result = reader_poll(&reader, 50, &error);
    }
    assert_int_equal(result, BUS_FATAL);
    assert_non_null(strstr(error.message, "damaged"));
    (void)bus_leave(reader.member, &error);
    bus_close(bus);
}

/* --- who holds it up ---- */

static void a_process_stopped_inside_a_write_is_named_and_its_death_sets_the_others_free(void **state)
{
    struct place *place = *state;
    struct bus *bus = open_at(place->url, clock_system());
    make_topic(bus, "in", 1, false);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct bus_url url;
        struct store *store = NULL;
        struct store_txn txn;
        if (bus_url_parse(&url, place->url, NULL) != 0 || store_open(&store, &url, NULL) != BUS_OK ||
            store_begin_write(store, true, &txn, NULL) != BUS_OK) {
            _exit(1);
        }
        (void)raise(SIGSTOP);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    assert_true(WIFSTOPPED(status));
    struct error error;
    char pid[32];
    (void)snprintf(pid, sizeof pid, "process %d ", (int)child);
    const struct bus_topic topic = {.name = "later", .partitions = 1};
    assert_int_equal(bus_create_topics(bus, &topic, 1, &error), BUS_AWAY);
    assert_non_null(strstr(error.message, pid));
    assert_false(bus_is_connected(bus));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    check(bus_create_topics(bus, &topic, 1, &error), &error);
    assert_true(bus_is_connected(bus));
    bus_close(bus);
}

/* --- patience ---- */

static void who_never_releases_is_fenced_after_two_leases(void **state)
{
    struct place *place = *state;
    struct error error;
    struct reader stubborn, other;
    struct bus *bus = open_at(place->url, clock_system());
    make_topic(bus, "in", 2, false);
    reader_join(&stubborn, bus, "group", "a", "in", NULL, NULL);
    stubborn.release_by_hand = true;
    reader_run_until(&stubborn, has_partitions, 2);
    reader_join(&other, bus, "group", "b", "in", NULL, NULL);
    int64_t deadline_ms = clock_steady_ms(clock_system()) + WORLD_PATIENCE_MS;
    bool revoked = false;
    while ((stubborn.lost == 0 || !has_partitions(&other, 1) || !has_partitions(&stubborn, 1)) &&
           clock_steady_ms(clock_system()) < deadline_ms) {
        stubborn.release_by_hand = stubborn.lost == 0;
        check(reader_poll(&stubborn, 10, &error), &error);
        check(reader_poll(&other, 10, &error), &error);
        revoked |= stubborn.last_kind == BUS_REVOKING;
    }
    assert_true(revoked);
    assert_int_equal(stubborn.lost, 2);
    assert_true(has_partitions(&other, 1));
    assert_true(has_partitions(&stubborn, 1)); /* it begins anew with its share */
    reader_leave(&other);
    reader_leave(&stubborn);
    bus_close(bus);
}

/* --- tombstones ---- */

static void put_key(struct bus *bus, const char *key, const char *value)
{
    struct error error;
    struct bus_producer *producer = NULL;
    const struct bus_record record = {
        .topic = "last", .partition = 0, .key = bytes_of(key), .value = bytes_of(value)};
    check(bus_producer_create(bus, &producer, &error), &error);
    check(bus_produce(producer, &record, 0, &error), &error);
    drain(producer);
    bus_producer_destroy(producer);
}

static size_t count_records(struct bus *bus)
{
    struct reader reader;
    reader_join(&reader, bus, NULL, NULL, "last", NULL, NULL);
    reader_run_until(&reader, has_ended, 1);
    reader_run_for(&reader, 50);
    size_t count = reader.records.count;
    reader_leave(&reader);
    return count;
}

static void a_tombstone_is_seen_for_a_day_and_then_goes(void **state)
{
    struct place *place = *state;
    struct clock_manual later;
    struct bus *bus = open_at(place->url, clock_system());
    make_topic(bus, "last", 1, true);
    put_key(bus, "a", "1");
    put_key(bus, "b", "1");
    put_key(bus, "b", "2");
    put_key(bus, "a", NULL);
    assert_int_equal(count_records(bus), 2);
    bus_close(bus);
    clock_manual_init(&later, clock_wall_ms(clock_system()) + 23 * 3600000);
    bus = open_at(place->url, &later.clock);
    assert_int_equal(count_records(bus), 2);
    bus_close(bus);
    clock_manual_init(&later, clock_wall_ms(clock_system()) + 25 * 3600000);
    bus = open_at(place->url, &later.clock);
    (void)count_records(bus); /* its polls sweep */
    assert_int_equal(count_records(bus), 1);
    put_key(bus, "a", "3");
    assert_int_equal(count_records(bus), 2);
    bus_close(bus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_directory_of_somebody_else_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_directory_that_cannot_be_written_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_cut_short_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_buses_of_a_process_and_a_child_share_one_store, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_flipped_bit_in_a_committed_position_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_process_stopped_inside_a_write_is_named_and_its_death_sets_the_others_free, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_never_releases_is_fenced_after_two_leases, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_tombstone_is_seen_for_a_day_and_then_goes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
