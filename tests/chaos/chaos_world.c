#include "chaos/chaos_world.h"

#include "buffer/buffer.h"
#include "bus/bus.h"
#include "chaos/ledger.h"
#include "clock/clock.h"
#include "support/net.h"
#include "support/process.h"
#include "topics/topics.h"

#include "cmocka_all.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PATIENCE_MS 60000
#define EVENTS_AGO  (8 * INT64_C(3600000)) /* event time begins so far back, and so never meets the clock */

/* --- the whole ---- */

static struct ledger *make_ledger(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(ftruncate(file, sizeof(struct ledger)), 0);
    void *at = mmap(NULL, sizeof(struct ledger), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    (void)close(file);
    assert_true(at != MAP_FAILED);
    return at;
}

/* In a cluster a topic just made isn't known to every broker at once. */
static void make_topics(struct chaos_world *world)
{
    struct error error;
    int64_t deadline_ms = clock_steady_ms(clock_system()) + PATIENCE_MS;
    while (bus_create_topics(world->bus, topics_all(), TOPIC_COUNT, &error) != BUS_OK) {
        if (clock_steady_ms(clock_system()) > deadline_ms) {
            fail_msg("%s", error.message);
        }
        process_sleep_ms(500);
    }
}

void chaos_world_begin(struct chaos_world *world, const char *url, uint64_t seed)
{
    struct error error;
    world->url = url;
    world->seed = seed;
    world->began_ms = clock_steady_ms(clock_system());
    world->lease_ms = world->kafka ? 10000 : 5000;
    if (world->member_url[0] == '\0') {
        (void)snprintf(world->member_url, sizeof world->member_url, "%s", url);
    }
    random_init(&world->random, seed);
    temp_directory_create(world->directory, "chaos");
    path_join(world->ledger_path, world->directory, "ledger");
    world->ledger = make_ledger(world->ledger_path);
    atomic_store(&world->ledger->event_ms, (clock_wall_ms(clock_system()) - EVENTS_AGO) / 1000 * 1000);
    const struct bus_settings settings = {.url = url, .client_id = "chaos", .clock = clock_system()};
    if (bus_open(&world->bus, &settings, &error) != BUS_OK) {
        fail_msg("%s", error.message);
    }
    make_topics(world);
    for (unsigned i = 0; i < CHAOS_MEMBERS; i++) {
        (void)snprintf(world->members[i].name, sizeof world->members[i].name, "member-%u", i);
        world->members[i].port = net_free_port();
    }
}

void chaos_world_end(struct chaos_world *world)
{
    process_free(world->traffic);
    for (unsigned i = 0; i < CHAOS_MEMBERS; i++) {
        process_free(world->members[i].process);
    }
    bus_close(world->bus);
    if (world->ledger != NULL) {
        (void)munmap(world->ledger, sizeof(struct ledger));
    }
    temp_directory_remove(world->directory);
}

int chaos_pause(struct chaos_world *world, int longest_ms)
{
    int ms = (int)random_below(&world->random, (uint64_t)longest_ms + 1);
    process_sleep_ms(ms);
    return ms;
}

/* --- traffic ---- */

static bool hears_its_end(void *context)
{
    const struct chaos_world *world = context;
    return atomic_load(&world->ledger->listening) == world->traffic_starts;
}

void chaos_traffic_start(struct chaos_world *world)
{
    char seed[24];
    char rate[24];
    char speed[24];
    char log_path[TEST_PATH_BYTES];
    if (world->traffic != NULL && process_is_running(world->traffic)) {
        return;
    }
    (void)snprintf(seed, sizeof seed, "%" PRIu64, world->seed + world->traffic_starts++);
    (void)snprintf(rate, sizeof rate, "%g", world->records_per_second);
    (void)snprintf(speed, sizeof speed, "%g", world->speed);
    const char *const argv[] = {
        OBS_TEST_DIR "/chaos-traffic", world->url, world->ledger_path, seed, rate, speed, NULL};
    path_join(log_path, world->directory, "traffic.log");
    const struct process_options options = {.log_path = log_path};
    process_free(world->traffic);
    world->traffic = process_start(argv, &options);
    assert_true(process_wait_until(hears_its_end, world, PATIENCE_MS)); /* earlier, SIGTERM would kill it */
}

void chaos_traffic_stop(struct chaos_world *world)
{
    if (world->traffic == NULL) {
        return;
    }
    if (process_is_running(world->traffic)) {
        process_signal(world->traffic, SIGTERM);
    }
    assert_int_equal(process_wait(world->traffic, PATIENCE_MS), 0);
    process_free(world->traffic);
    world->traffic = NULL;
}

void chaos_traffic_kill(struct chaos_world *world)
{
    if (world->traffic != NULL && process_is_running(world->traffic)) {
        process_kill(world->traffic);
        world->kills++;
    }
}

void chaos_traffic_freeze(struct chaos_world *world, int ms)
{
    if (world->traffic != NULL && process_is_running(world->traffic)) {
        process_signal(world->traffic, SIGSTOP);
        process_sleep_ms(ms);
        process_signal(world->traffic, SIGCONT);
        world->freezes++;
    }
}

/* --- members ---- */

bool chaos_member_is_running(struct chaos_world *world, unsigned index)
{
    struct member *member = &world->members[index];
    return member->process != NULL && process_is_running(member->process);
}

void chaos_member_kill(struct chaos_world *world, unsigned index)
{
    if (chaos_member_is_running(world, index)) {
        process_kill(world->members[index].process);
        world->kills++;
    }
    world->members[index].wanted = false;
}

void chaos_member_start(struct chaos_world *world, unsigned index, const char *failpoints)
{
    struct member *member = &world->members[index];
    char listen[64];
    char name[64];
    char variable[512];
    chaos_member_kill(world, index);
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)member->port);
    (void)snprintf(name, sizeof name, "%s.%u.log", member->name, member->starts++);
    (void)snprintf(variable, sizeof variable, "OBS_FAILPOINTS=%s", failpoints == NULL ? "" : failpoints);
    path_join(member->log_path, world->directory, name);
    const char *const environment[] = {variable, NULL};
    const char *const argv[] = {OBS_TEST_DIR "/stream-processor-chaos",
                                "--bus-url",
                                world->member_url,
                                "--listen",
                                listen,
                                "--member-id",
                                member->name,
                                "--rules=" CHAOS_RULES,
                                "--commit-interval=100ms",
                                "--announce-history",
                                world->ticks ? "--ticks=on" : "--ticks=off",
                                "--log-format=text",
                                NULL};
    const struct process_options options = {.log_path = member->log_path, .environment = environment};
    process_free(member->process);
    member->process = process_start(argv, &options);
    member->wanted = true;
}

/* SIGTERM may come while the program is being loaded and hears no signal yet; then it has said nothing. */
static bool has_not_begun(const struct member *member)
{
    struct buffer log;
    buffer_init(&log, 0);
    file_read(member->log_path, &log);
    bool is_empty = log.size == 0;
    buffer_free(&log);
    return is_empty;
}

static void leave(struct chaos_world *world, unsigned index, int worst_code)
{
    struct member *member = &world->members[index];
    member->wanted = false;
    if (!chaos_member_is_running(world, index)) {
        return;
    }
    process_signal(member->process, SIGTERM);
    int code = process_wait(member->process, 10000);
    if (code > worst_code && !(code == 128 + SIGTERM && has_not_begun(member))) {
        fail_msg("%s ended with %d at SIGTERM; see %s (OBS_KEEP_TEMP)", member->name, code, member->log_path);
    }
}

void chaos_member_leave(struct chaos_world *world, unsigned index)
{
    leave(world, index, 0);
}

void chaos_member_leave_without_bus(struct chaos_world *world, unsigned index)
{
    leave(world, index, 1);
}

void chaos_member_freeze(struct chaos_world *world, unsigned index, int ms)
{
    if (chaos_member_is_running(world, index)) {
        process_signal(world->members[index].process, SIGSTOP);
        process_sleep_ms(ms);
        process_signal(world->members[index].process, SIGCONT);
        world->freezes++;
    }
}

static void show_end_of_log(const char *path)
{
    struct buffer log;
    buffer_init(&log, 0);
    file_read(path, &log);
    size_t from = log.size > 1500 ? log.size - 1500 : 0;
    (void)printf("%s:\n%s\n", path, buffer_text(&log) + from);
    buffer_free(&log);
}

void chaos_mend(struct chaos_world *world)
{
    for (unsigned i = 0; i < CHAOS_MEMBERS; i++) {
        struct member *member = &world->members[i];
        if (!member->wanted || process_is_running(member->process)) {
            continue;
        }
        int code = process_wait(member->process, 0);
        if (code != 128 + SIGKILL) { /* nobody killed it: it gave up */
            world->restarts_by_itself++;
            print_message("%s ended by itself with %d\n", member->name, code);
            show_end_of_log(member->log_path);
        }
        chaos_member_start(world, i, NULL);
    }
}

/* --- how far they are ---- */

static bool read_positions(struct chaos_world *world, int64_t *committed, int64_t *lag)
{
    static const char *const groups[] = {"stream-processor"};
    static const char *const topics[] = {TOPIC_METRICS_RAW};
    struct bus_lag rows[64];
    size_t count = 0;
    struct error error;
    *committed = 0;
    *lag = 0;
    if (bus_read_lag(world->bus, groups, 1, topics, 1, rows, 64, &count, &error) != BUS_OK || count == 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        *committed += rows[i].committed > 0 ? rows[i].committed : 0;
        *lag += rows[i].lag;
    }
    return true;
}

int64_t chaos_progress(struct chaos_world *world)
{
    int64_t sum = 0;
    for (int32_t p = 0; p < topics_find(TOPIC_STREAM_PROCESSOR_STATE)->partitions; p++) {
        int64_t begin = 0;
        int64_t end = 0;
        if (bus_read_offsets(world->bus, TOPIC_STREAM_PROCESSOR_STATE, p, &begin, &end, NULL) != BUS_OK) {
            return -1;
        }
        sum += end;
    }
    return sum;
}

void chaos_wait_for_progress(struct chaos_world *world, int64_t before, const char *after_what)
{
    int64_t deadline_ms = clock_steady_ms(clock_system()) + PATIENCE_MS;
    while (chaos_progress(world) <= before) {
        if (clock_steady_ms(clock_system()) > deadline_ms) {
            for (unsigned i = 0; i < CHAOS_MEMBERS; i++) {
                if (chaos_member_is_running(world, i)) {
                    show_end_of_log(world->members[i].log_path);
                }
            }
            fail_msg("after %s nothing was committed for %d s", after_what, PATIENCE_MS / 1000);
        }
        chaos_mend(world);
        process_sleep_ms(20);
    }
}

void chaos_wait_for_the_end(struct chaos_world *world, const char *after_what)
{
    int64_t committed = 0;
    int64_t lag = 1;
    int64_t deadline_ms = clock_steady_ms(clock_system()) + 3 * PATIENCE_MS;
    while (!read_positions(world, &committed, &lag) || lag > 0) {
        if (clock_steady_ms(clock_system()) > deadline_ms) {
            fail_msg("after %s the processors are %lld records behind", after_what, (long long)lag);
        }
        chaos_mend(world);
        process_sleep_ms(50);
    }
}
