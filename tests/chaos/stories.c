/* Stories about processes: on both buses. */
#include "chaos/stories.h"

#include "chaos/chaos_world.h"
#include "support/process.h"

#include "cmocka_all.h"

#include <signal.h>
#include <stdio.h>

void story_random_kills(struct chaos_world *world)
{
    unsigned rounds = world->is_long ? (world->kafka ? 100 : 200) : world->kafka ? 3 : 20;
    chaos_traffic_start(world);
    chaos_member_start(world, 0, NULL);
    chaos_member_start(world, 1, NULL);
    for (unsigned i = 0; i < rounds; i++) {
        int64_t before = chaos_progress(world);
        (void)chaos_pause(world, world->kafka ? 2500 : world->is_long ? 1000 : 500);
        unsigned index = (unsigned)random_below(&world->random, 2);
        chaos_member_start(world, index, NULL); /* kills it first */
        if (i % 10 == 9) {
            chaos_wait_for_progress(world, before, "a kill");
        }
    }
    chaos_check(world, "kills at random moments");
}

static unsigned count_running(struct chaos_world *world)
{
    unsigned count = 0;
    for (unsigned i = 0; i < CHAOS_MEMBERS; i++) {
        count += chaos_member_is_running(world, i);
    }
    return count;
}

/* One thing happens to one member: it comes, goes, dies, or stands still for a while. */
static void change_something(struct chaos_world *world)
{
    unsigned index = (unsigned)random_below(&world->random, CHAOS_MEMBERS);
    unsigned what = (unsigned)random_below(&world->random, 4);
    int freeze_ms =
        (int)random_below(&world->random, world->is_long ? (uint64_t)world->lease_ms * 5 / 4 : 1000);
    if (!chaos_member_is_running(world, index)) {
        chaos_member_start(world, index, NULL);
    } else if (what == 0 && count_running(world) > 1) {
        chaos_member_leave(world, index);
    } else if (what == 1 && count_running(world) > 1) {
        chaos_member_kill(world, index);
    } else if (what == 2) {
        chaos_member_freeze(world, index, freeze_ms);
    } else {
        chaos_member_start(world, index, NULL);
    }
}

void story_members_join_and_leave(struct chaos_world *world)
{
    unsigned rounds = world->is_long ? 16 : world->kafka ? 2 : 10;
    chaos_traffic_start(world);
    chaos_member_start(world, 0, NULL);
    for (unsigned i = 0; i < rounds; i++) {
        change_something(world);
        (void)chaos_pause(world, world->kafka ? 4000 : 800);
        chaos_mend(world);
    }
    chaos_check(world, "members joining and leaving");
    for (unsigned i = 1; i < CHAOS_MEMBERS; i++) {
        chaos_member_leave(world, i);
    }
}

/* The one that stands still loses its partitions; when it goes on, in the middle of a commit too, it must not
 * get anything through. */
static void stop_past_lease(struct chaos_world *world, const char *failpoint)
{
    chaos_member_start(world, 0, failpoint);
    chaos_member_start(world, 1, NULL);
    chaos_wait_for_progress(world, chaos_progress(world), "a start");
    process_sleep_ms(world->kafka ? 4000 : 500);
    int64_t before = chaos_progress(world);
    process_signal(world->members[0].process, SIGSTOP);
    process_sleep_ms((int)world->lease_ms + 2000);
    /* The other one has gone on meanwhile, but for one that stands still with the writer's lock in its hand.
     */
    if (failpoint == NULL) {
        chaos_wait_for_progress(world, before, "a stop longer than the lease");
    }
    process_signal(world->members[0].process, SIGCONT);
    world->freezes++;
    before = chaos_progress(world);
    chaos_wait_for_progress(world, before, "a stop longer than the lease and its end");
}

void story_stops_longer_than_the_lease(struct chaos_world *world)
{
    static const char *const embedded[] = {NULL, "embedded.begin_write.after=stop@20",
                                           "embedded.commit.before=stop@20", "bus.put.before=stop@5"};
    static const char *const kafka[] = {NULL, "kafka.send_offsets.after=stop@10",
                                        "kafka.commit_transaction.before=stop@10",
                                        "kafka.send_offsets.before=stop@10"};
    const char *const *failpoints = world->kafka ? kafka : embedded;
    size_t first = world->is_long ? 0 : (size_t)random_below(&world->random, 4);
    size_t count = world->is_long ? 4 : 1;
    chaos_traffic_start(world);
    for (size_t i = first; i < first + count; i++) {
        stop_past_lease(world, failpoints[i]);
    }
    chaos_check(world, "stops longer than the lease");
    chaos_member_leave(world, 1);
}

void story_producer_stopped_and_killed(struct chaos_world *world)
{
    unsigned rounds = world->is_long ? 8 : world->kafka ? 1 : 6;
    chaos_member_start(world, 0, NULL);
    for (unsigned i = 0; i < rounds; i++) {
        chaos_traffic_start(world);
        (void)chaos_pause(world, 1000);
        chaos_traffic_freeze(world,
                             (int)random_below(&world->random, i == 0 && world->is_long ? 8000 : 1000));
        (void)chaos_pause(world, 500);
        chaos_traffic_kill(world);
    }
    chaos_traffic_start(world);
    chaos_wait_for_progress(world, chaos_progress(world), "the producer's kills");
    chaos_check(world, "a producer stopped and killed in mid-append");
}

/* A second process under the same name. The newer one has the partitions; the older one waits until the name
 * is free (embedded), or ends and says why (Kafka, when it is put out the second time): they must not take
 * them from each other for ever. */
void story_two_of_one_name(struct chaos_world *world)
{
    struct member *older = &world->members[0];
    struct member *newer = &world->members[1];
    size_t given = 0; /* how often partitions have been assigned before they stop fighting */
    chaos_traffic_start(world);
    chaos_member_start(world, 0, NULL);
    chaos_wait_for_progress(world, chaos_progress(world), "a start");
    (void)snprintf(newer->name, sizeof newer->name, "%s", older->name);
    newer->starts = older->starts; /* a log of its own */
    chaos_member_start(world, 1, NULL);
    if (world->kafka) {
        assert_int_equal(process_wait(older->process, 30000), 1);
        older->wanted = false;
        assert_int_equal(file_count_lines(older->log_path, "another process has joined"), 1);
        given = file_count_lines(newer->log_path, "partitions assigned");
    }
    process_sleep_ms(world->kafka ? 5000 : 2000); /* two heartbeats, or two leases of the name */
    chaos_wait_for_progress(world, chaos_progress(world), "a second process under one name");
    assert_true(chaos_member_is_running(world, 1));
    assert_true(file_count_lines(newer->log_path, "partitions assigned") <= given + 2);
    if (!world->kafka) {
        assert_true(chaos_member_is_running(world, 0));
        chaos_member_kill(world, 1);
        chaos_wait_for_progress(world, chaos_progress(world), "the end of the newer one");
    }
    chaos_check(world, "two processes under one name");
    chaos_member_leave(world, 1);
    (void)snprintf(newer->name, sizeof newer->name, "member-1");
}

/* Ticks are the one thing that isn't on the input: what time alone decided must be decided once too. */
void story_silences(struct chaos_world *world)
{
    unsigned rounds = world->is_long ? 2 : 1;
    world->ticks = true;
    chaos_member_start(world, 0, NULL);
    chaos_member_start(world, 1, NULL);
    for (unsigned i = 0; i < rounds; i++) {
        chaos_traffic_start(world);
        (void)chaos_pause(world, 3000);
        chaos_traffic_stop(world);
        process_sleep_ms(6000);
        for (unsigned k = 0; k < 3; k++) { /* into the ticks */
            (void)chaos_pause(world, world->kafka ? 6000 : 2500);
            chaos_member_start(world, (unsigned)random_below(&world->random, 2), NULL);
        }
    }
    process_sleep_ms(world->kafka ? 10000 : 7000);
    chaos_check(world, "silences");
    world->ticks = false;
}
