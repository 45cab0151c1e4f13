#include "cmocka_all.h"

#include "bus/bus.h"
#include "program/program.h"
#include "support/files.h"
#include "worker/group_worker.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEVER_MS 3600000

/* Two partitions with a record each; the one that comes second hurries. */
struct story {
    struct program *program;
    bool first_puts, waits; /* waits: for the regular commit */
    int processed;
    int32_t numbers[2]; /* the partitions' own, by number */
    int32_t second;     /* which hurried */
    int commits_of[2], commits_at_hurry[2];
};

static int open_partition(void *context, const struct bus_partition *partition, void **state,
                          struct error *error)
{
    (void)error;
    struct story *story = context;
    story->numbers[partition->partition] = partition->partition;
    *state = &story->numbers[partition->partition];
    return 0;
}

static int process(void *context, struct group_worker *worker, void *state, const struct bus_record *records,
                   size_t count, struct error *error)
{
    struct story *story = context;
    assert_int_equal(count, 1);
    bool is_second = ++story->processed == 2;
    if (is_second) {
        story->second = *(int32_t *)state;
        if (!story->waits) {
            group_worker_hurry(worker);
        }
    }
    const struct bus_record output = {
        .topic = "out", .partition = BUS_PARTITION_BY_KEY, .value = records[0].value};
    return (is_second && !story->waits) || story->first_puts ? group_worker_put(worker, &output, error) : 0;
}

static void note_commit(void *context, void *state)
{
    struct story *story = context;
    story->commits_of[*(int32_t *)state]++;
}

/* Also when nothing comes: this runs after the commit that was hurried to. */
static int between_turns(void *context, struct group_worker *worker, struct error *error)
{
    struct story *story = context;
    (void)worker;
    (void)error;
    if (story->commits_of[0] + story->commits_of[1] > 0) {
        memcpy(story->commits_at_hurry, story->commits_of, sizeof story->commits_of);
        program_stop(story->program);
    }
    return 0;
}

static void close_partition(void *context, void *state)
{
    (void)context;
    (void)state;
}

static void produce_one_each(struct bus *bus)
{
    struct bus_producer *producer = NULL;
    struct bus_ack ack;
    assert_int_equal(bus_producer_create(bus, &producer, NULL), BUS_OK);
    for (int32_t p = 0; p < 2; p++) {
        const struct bus_record record = {.topic = "in", .partition = p, .value = {"x", 1}};
        assert_int_equal(bus_produce(producer, &record, 1, NULL), BUS_OK);
    }
    while (bus_producer_pending(producer) > 0) {
        (void)bus_producer_poll(producer, 1000, &ack, 1);
    }
    bus_producer_destroy(producer);
}

static void run_here(struct story *story)
{
    static const struct group_worker_calls calls = {.open = open_partition,
                                                    .process = process,
                                                    .between_turns = between_turns,
                                                    .committed = note_commit,
                                                    .close = close_partition};
    static const struct bus_topic topics[] = {{.name = "in", .partitions = 2},
                                              {.name = "out", .partitions = 1}};
    static const char *const inputs[] = {"in", NULL};
    const struct program_spec spec = {.name = "testling", .summary = "a program under test"};
    char directory[TEST_PATH_BYTES];
    char url[TEST_PATH_BYTES + 16];
    temp_directory_create(directory, "worker");
    (void)snprintf(url, sizeof url, "embedded:%s", directory);
    char name[] = "testling";
    char option[] = "--bus-url";
    char *argv[] = {name, option, url, NULL};
    assert_int_equal(program_start(&story->program, &spec, 3, argv), PROGRAM_DONE);
    struct bus *bus = program_bus(story->program, NULL);
    assert_non_null(bus);
    assert_int_equal(bus_create_topics(bus, topics, 2, NULL), BUS_OK);
    produce_one_each(bus);
    const struct group_worker_spec worker = {.program = story->program,
                                             .bus = bus,
                                             .group = "testers",
                                             .member_id = "one",
                                             .topics = inputs,
                                             .commit_interval_ms = story->waits ? 1000 : NEVER_MS,
                                             .calls = &calls,
                                             .context = story};
    assert_int_equal(group_worker_run(&worker), PROGRAM_DONE);
    program_end(story->program);
    temp_directory_remove(directory);
}

/* In a process of its own, because a program is stopped once. */
static void run(struct story *story)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        run_here(story);
        _exit(write(ends[1], story, sizeof *story) == sizeof *story ? 0 : 1);
    }
    (void)close(ends[1]);
    ssize_t got = read(ends[0], story, sizeof *story);
    (void)close(ends[0]);
    (void)waitpid(child, NULL, 0);
    assert_int_equal(got, sizeof *story);
}

static void a_hurried_commit_is_of_the_partition_that_hurries(void **state)
{
    (void)state;
    struct story story = {0};
    run(&story);
    assert_int_equal(story.processed, 2);
    assert_int_equal(story.commits_at_hurry[story.second], 1);
    assert_int_equal(story.commits_at_hurry[1 - story.second], 0);
    assert_int_equal(story.commits_of[1 - story.second], 1); /* with the last commit, before it left */
}

static void what_a_partition_has_put_never_goes_without_its_position(void **state)
{
    (void)state;
    struct story story = {.first_puts = true};
    run(&story);
    assert_int_equal(story.processed, 2);
    assert_int_equal(story.commits_at_hurry[0], 1);
    assert_int_equal(story.commits_at_hurry[1], 1);
}

static void a_regular_commit_is_of_a_share_of_the_partitions(void **state)
{
    (void)state;
    struct story story = {.waits = true};
    run(&story);
    assert_int_equal(story.processed, 2);
    assert_int_equal(story.commits_at_hurry[0] + story.commits_at_hurry[1], 1);
    assert_int_equal(story.commits_of[story.commits_at_hurry[0]],
                     1); /* the other one: with the last commit */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hurried_commit_is_of_the_partition_that_hurries),
        cmocka_unit_test(what_a_partition_has_put_never_goes_without_its_position),
        cmocka_unit_test(a_regular_commit_is_of_a_share_of_the_partitions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
