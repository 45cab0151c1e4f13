/* What is asked at the end of each story: the oracle, the windows that the processors hold, and the bus
 * itself. */
#include "chaos/chaos_world.h"

#include "buffer/buffer.h"
#include "bus/bus.h"
#include "chaos/ledger.h"
#include "clock/clock.h"
#include "event/event.h"
#include "support/net.h"
#include "support/oracle.h"
#include "support/process.h"

#include "cmocka_all.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOWS_MS 60000
#define VERIFY_MS  120000

struct copies {
    struct ledger *ledger;
    uint8_t *on_topic;
    uint64_t foreign;
};

static void count_copy(void *context, const struct bus_record *record, const struct event *event)
{
    struct copies *copies = context;
    (void)record;
    if (event == NULL) {
        return;
    }
    char id[16];
    (void)snprintf(id, sizeof id, "%.*s", (int)event->id.size, event->id.data);
    unsigned long number = strtoul(id + 2, NULL, 16);
    if (event->id.size == 10 && number < LEDGER_RECORDS) {
        copies->on_topic[number]++;
    } else {
        copies->foreign++;
    }
}

/* The bus itself: what was acknowledged is there, and nothing is there more often than it was sent. */
static void check_copies(const struct copies *copies, uint64_t *lost, uint64_t *more)
{
    for (size_t n = 0; n < LEDGER_RECORDS; n++) {
        uint8_t sent = atomic_load(&copies->ledger->sent[n]);
        uint8_t acks = atomic_load(&copies->ledger->acks[n]);
        *lost += copies->on_topic[n] < acks;
        *more += copies->on_topic[n] > sent;
    }
}

static void print_to_file(const struct chaos_world *world, const char *name, const char *text)
{
    char path[TEST_PATH_BYTES];
    path_join(path, world->directory, name);
    file_write_text(path, text);
}

/* An object of the array /series, found again by its first bytes: service, region, route. */
static bool has_same_series(const char *page, const char *object, size_t size)
{
    return memmem(page, strlen(page), object, size) != NULL;
}

static size_t object_size(const char *object)
{
    int depth = 0;
    size_t at = 0;
    do {
        depth += object[at] == '{';
        depth -= object[at] == '}';
        at++;
    } while (depth > 0 && object[at] != '\0');
    return at;
}

/* The windows that the processors hold now, against those that the log gives: no event is missing in them and
 * none is in them twice. */
static size_t count_wrong_windows(struct chaos_world *world, const char *series, size_t *total)
{
    struct buffer page;
    size_t wrong = 0;
    *total = 0;
    buffer_init(&page, 0);
    for (unsigned i = 0; i < CHAOS_MEMBERS; i++) {
        char url[64];
        (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/series", (unsigned)world->members[i].port);
        if (chaos_member_is_running(world, i)) {
            (void)net_get(url, &page);
        }
    }
    for (const char *object = strchr(series, '{'); object != NULL;) {
        size_t size = object_size(object);
        (*total)++;
        wrong += !has_same_series(buffer_text(&page), object, size);
        object = strchr(object + size, '{');
    }
    if (wrong > 0) {
        print_to_file(world, "series-held", buffer_text(&page));
        print_to_file(world, "series-expected", series);
    }
    buffer_free(&page);
    return wrong;
}

/* What was committed may have been committed by yesterday's owner: today's then still fills its windows. */
static size_t compare_windows(struct chaos_world *world, struct buffer *series, size_t *total)
{
    int64_t deadline_ms = clock_steady_ms(clock_system()) + WINDOWS_MS;
    size_t wrong = count_wrong_windows(world, buffer_text(series), total);
    while (wrong > 0 && clock_steady_ms(clock_system()) < deadline_ms) {
        process_sleep_ms(200);
        chaos_mend(world);
        wrong = count_wrong_windows(world, buffer_text(series), total);
    }
    return wrong;
}

struct oracle_settings chaos_oracle_settings(const struct chaos_world *world)
{
    return (struct oracle_settings){.bus_url = world->url,
                                    .rules_path = CHAOS_RULES,
                                    .runbook_base = "http://127.0.0.1:3000/",
                                    .max_series = 1000,
                                    .lateness_ms = 15000,
                                    .idle_after_ms = 15000};
}

/* The processor's own opinion, by its own reading of the log: --verify. */
static int run_verify(const struct chaos_world *world)
{
    struct buffer output;
    const char *const argv[] = {process_program("stream-processor"), "--verify", "--bus-url", world->url,
                                NULL};
    buffer_init(&output, 0);
    int code = process_run(argv, VERIFY_MS, &output);
    if (code != 0) {
        (void)printf("--verify ended with %d:\n%s\n", code, buffer_text(&output));
    }
    buffer_free(&output);
    return code;
}

void chaos_check(struct chaos_world *world, const char *after_what)
{
    struct copies copies = {.ledger = world->ledger, .on_topic = calloc(LEDGER_RECORDS, 1)};
    struct oracle_report report;
    struct buffer text;
    struct buffer series;
    uint64_t lost = 0;
    uint64_t more = 0;
    size_t windows = 0;
    assert_non_null(copies.on_topic);
    buffer_init(&text, 0);
    buffer_init(&series, 0);
    chaos_traffic_stop(world);
    chaos_wait_for_the_end(world, after_what);
    if (world->ticks) { /* time goes on for who lives */
        for (unsigned i = 0; i < CHAOS_MEMBERS; i++) {
            chaos_member_leave(world, i);
        }
    }
    struct oracle_settings settings = chaos_oracle_settings(world);
    settings.watch = count_copy;
    settings.context = &copies;
    size_t differences = oracle_check(&settings, &report, &text, &series);
    check_copies(&copies, &lost, &more);
    size_t wrong_windows = world->ticks ? 0 : compare_windows(world, &series, &windows);
    (void)printf(
        "%" PRId64 " s in, after %s: %" PRIu64 " records (%" PRIu64 " counted, %" PRIu64
        " duplicate, %" PRIu64 " late, %" PRIu64 " malformed), %zu ticks\n"
        "  transitions: %zu expected, %zu seen: %zu lost, %zu extra, %zu twice, %zu different; active "
        "%zu, %zu wrong; dead letters %zu lost, %zu extra\n"
        "  windows: of %zu series, %zu wrong; bus: %" PRIu64 " acknowledged records lost, %" PRIu64
        " too many\n  so far %u kills, %u stops, %u errors, %u ends by itself\n",
        (clock_steady_ms(clock_system()) - world->began_ms) / 1000, after_what, report.records,
        report.counted, report.duplicate, report.late, report.malformed, report.ticks, report.expected,
        report.seen, report.lost, report.extra, report.twice, report.different, report.firing,
        report.active_wrong, report.letters_lost, report.letters_extra, windows, wrong_windows, lost, more,
        world->kills, world->freezes, world->errors, world->restarts_by_itself);
    (void)fflush(stdout);
    if (differences > 0) {
        (void)printf("%s", buffer_text(&text));
    }
    buffer_free(&text);
    buffer_free(&series);
    free(copies.on_topic);
    assert_int_equal(report.counted + report.duplicate + report.late + report.refused + report.malformed,
                     report.records);
    assert_int_equal(differences, 0);
    assert_int_equal(run_verify(world), 0);
    assert_int_equal(wrong_windows, 0);
    assert_int_equal(lost, 0);
    assert_int_equal(more, 0);
    assert_int_equal(copies.foreign, 0);
}
