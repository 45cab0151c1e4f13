/* What the forwarder knows and tells, with a clock that is turned by hand. */
#include "alert_table.h"
#include "alert_table_private.h"
#include "notification.h"

#include "buffer/buffer.h"
#include "clock/clock.h"
#include "cmocka_all.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_MS     INT64_C(1795579897000)
#define MOST       8
#define RESEND_MS  30000
#define ENDS_MS    300000
#define PAGE_MS    40000
#define NOWHERE_MS 0 /* wait_ms: only what is due now */

static const struct notification_links links = {.runbook_base = "http://base/",
                                                .console_url = "http://console",
                                                .dashboard_url = "http://grafana/d/x?a=b"};

struct bench {
    struct clock_manual clock;
    struct alert_table *table;
    struct buffer body;
    struct alert_table_item items[MOST];
    size_t count;
};

static int begin(void **state, unsigned targets)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    clock_manual_init(&b->clock, NOW_MS);
    const struct alert_table_settings settings = {.targets = targets,
                                                  .most_alerts = MOST,
                                                  .resend_ms = RESEND_MS,
                                                  .ends_after_ms = ENDS_MS,
                                                  .resolved_for_ms = 300000,
                                                  .page_after_ms = PAGE_MS,
                                                  .links = &links,
                                                  .clock = &b->clock.clock};
    assert_int_equal(alert_table_create(&b->table, &settings, NULL), 0);
    buffer_init(&b->body, 0);
    alert_table_open(b->table, 0);
    *state = b;
    return 0;
}

static int begin_one(void **state)
{
    return begin(state, 1);
}

static int begin_two(void **state)
{
    return begin(state, 2);
}

static int end(void **state)
{
    struct bench *b = *state;
    alert_table_destroy(b->table);
    buffer_free(&b->body);
    free(b);
    return 0;
}

/* Odd sequences fire, even ones resolve; detected now. */
static struct alert_transition transition(const struct bench *b, uint64_t fingerprint, uint32_t sequence)
{
    const bool fires = sequence % 2 == 1;
    return (struct alert_transition){.fingerprint = fingerprint,
                                     .sequence = sequence,
                                     .state = fires ? ALERT_FIRING : ALERT_RESOLVED,
                                     .reason = fires ? ALERT_REASON_NONE : ALERT_REASON_CLEAR,
                                     .rule = "HighErrorRate",
                                     .severity = RULE_CRITICAL,
                                     .signal = RULE_ERROR_RATE,
                                     .labels = {.service = "a b&c", .region = "x"},
                                     .value = 0.3,
                                     .threshold = 0.05,
                                     .starts_ms = b->clock.wall_ms - 5000,
                                     .ends_ms = b->clock.wall_ms - 3000,
                                     .detected_ms = b->clock.wall_ms,
                                     .runbook = "runbooks/r.md"};
}

static bool take(struct bench *b, uint64_t fingerprint, uint32_t sequence, int64_t offset)
{
    const struct alert_transition t = transition(b, fingerprint, sequence);
    return alert_table_take(b->table, 0, offset, &t);
}

static bool restore(struct bench *b, uint64_t fingerprint, uint32_t sequence)
{
    const struct alert_transition t = transition(b, fingerprint, sequence);
    return alert_table_restore(b->table, 0, &t);
}

/* What is due for the target, as text; "" when nothing is. */
static const char *due(struct bench *b, unsigned target)
{
    buffer_clear(&b->body);
    b->count = alert_table_collect(b->table, target, NOWHERE_MS, b->items, MOST);
    if (b->count > 0) {
        assert_int_equal(alert_table_encode(b->table, b->items, b->count, &b->body), b->count);
    }
    return buffer_text(&b->body);
}

static size_t accept(struct bench *b, unsigned target)
{
    int64_t delays[MOST];
    return alert_table_note_accepted(b->table, target, b->items, b->count, delays);
}

static size_t tell(struct bench *b, unsigned target)
{
    (void)due(b, target);
    (void)accept(b, target);
    return b->count;
}

static size_t count_text(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

static void what_only_the_log_knows_is_held_back_until_its_end_is_reached(void **state)
{
    struct bench *b = *state;
    restore(b, 1, 3); /* alerts.active has it */
    take(b, 2, 1, 10);
    assert_int_equal(tell(b, 0), 1);
    assert_int_equal(b->items[0].fingerprint, 1);
    take(b, 2, 2, 11); /* over while nobody watched: its end is told, its beginning never was */
    assert_non_null(strstr(due(b, 0), "\"reason\":\"clear\""));
    (void)accept(b, 0);
    take(b, 3, 1, 12);
    assert_int_equal(tell(b, 0), 0);
    alert_table_caught_up(b->table, 0);
    assert_int_equal(tell(b, 0), 1);
    assert_int_equal(b->items[0].fingerprint, 3);
    take(b, 4, 1, 13);
    assert_int_equal(tell(b, 0), 1);
}

static void reading_a_stretch_of_the_log_twice_changes_nothing(void **state)
{
    struct bench *b = *state;
    restore(b, 1, 3);
    for (uint32_t sequence = 1; sequence <= 3; sequence++) {
        take(b, 1, sequence, sequence);
    }
    alert_table_caught_up(b->table, 0);
    assert_int_equal(tell(b, 0), 1);
    for (uint32_t sequence = 1; sequence <= 3; sequence++) {
        take(b, 1, sequence, sequence);
    }
    assert_int_equal(tell(b, 0), 0);
    struct alert_table_counts counts;
    alert_table_count(b->table, &counts);
    assert_int_equal(counts.firing, 1);
    assert_int_equal(counts.resolved, 0);
}

static void sequences_that_begin_anew_are_heard(void **state)
{
    struct bench *b = *state;
    restore(b, 1, 7);
    take(b, 1, 7, 10);
    restore(b, 2, 7); /* whose record is older than what is read again */
    alert_table_caught_up(b->table, 0);
    assert_int_equal(tell(b, 0), 2);
    take(b, 1, 1, 11); /* the processor's state was thrown away */
    take(b, 1, 2, 12);
    take(b, 2, 2, 13);
    assert_int_equal(count_text(due(b, 0), "\"reason\":\"clear\""), 2);
}

static void the_position_waits_for_every_target_and_for_nothing_else(void **state)
{
    struct bench *b = *state;
    alert_table_caught_up(b->table, 0);
    take(b, 1, 1, 10);
    take(b, 2, 1, 11);
    assert_int_equal(alert_table_position(b->table, 0, 12), 10);
    (void)tell(b, 0);
    assert_int_equal(alert_table_position(b->table, 0, 12), 10);
    (void)tell(b, 1);
    assert_int_equal(alert_table_position(b->table, 0, 12), 12);
    assert_int_equal(alert_table_position(b->table, 1, 7), 7);
    clock_manual_advance_ms(&b->clock, PAGE_MS); /* a page is due: no record waits for it */
    (void)due(b, 0);
    assert_int_equal(alert_table_position(b->table, 0, 12), 12);
    take(b, 1, 2, 12);
    take(b, 1, 3, 13); /* what was superseded is waited for by nobody */
    (void)tell(b, 0);
    assert_int_equal(alert_table_position(b->table, 0, 14), 13);
}

static void a_change_that_came_during_the_answer_is_still_owed(void **state)
{
    struct bench *b = *state;
    alert_table_caught_up(b->table, 0);
    take(b, 1, 1, 10);
    (void)due(b, 0);
    take(b, 1, 2, 11);
    (void)accept(b, 0); /* of the firing */
    assert_int_equal(alert_table_position(b->table, 0, 12), 11);
    assert_non_null(strstr(due(b, 0), "\"reason\":\"clear\""));
}

static void a_firing_alert_is_repeated_and_a_resolved_one_for_five_minutes(void **state)
{
    struct bench *b = *state;
    alert_table_caught_up(b->table, 0);
    take(b, 1, 1, 10);
    assert_int_equal(tell(b, 0), 1);
    assert_int_equal(tell(b, 0), 0);
    clock_manual_advance_ms(&b->clock, RESEND_MS);
    assert_int_equal(tell(b, 0), 1);
    take(b, 1, 2, 11);
    size_t times = 0;
    for (int i = 0; i < 40; i++) {
        times += tell(b, 0);
        clock_manual_advance_ms(&b->clock, RESEND_MS / 2);
        alert_table_forget(b->table);
    }
    assert_int_equal(times, 10);
    struct alert_table_counts counts;
    alert_table_count(b->table, &counts);
    assert_int_equal(counts.resolved, 0);
}

static void a_resolution_that_nobody_accepted_is_kept_however_old(void **state)
{
    struct bench *b = *state;
    alert_table_caught_up(b->table, 0);
    take(b, 1, 2, 10);
    clock_manual_advance_ms(&b->clock, 3600000);
    alert_table_forget(b->table);
    assert_int_equal(tell(b, 0), 1);
    alert_table_forget(b->table);
    clock_manual_advance_ms(&b->clock, RESEND_MS);
    assert_int_equal(tell(b, 0), 0);
}

static void a_critical_gets_a_second_form_after_forty_seconds_and_ends_in_both(void **state)
{
    struct bench *b = *state;
    alert_table_caught_up(b->table, 0);
    take(b, 1, 1, 10);
    assert_int_equal(count_text(due(b, 0), "\"page\":\"true\""), 0);
    (void)accept(b, 0);
    clock_manual_advance_ms(&b->clock, PAGE_MS - 1);
    (void)tell(b, 0);
    assert_int_equal(tell(b, 0), 0);
    clock_manual_advance_ms(&b->clock, 1);
    assert_int_equal(count_text(due(b, 0), "\"alertname\""), 2);
    assert_int_equal(count_text(buffer_text(&b->body), "\"page\":\"true\""), 1);
    (void)accept(b, 0);
    take(b, 1, 2, 11);
    assert_int_equal(count_text(due(b, 0), "\"reason\":\"clear\""), 2);
    take(b, 1, 3, 12); /* the next incident begins without one */
    assert_int_equal(count_text(due(b, 0), "\"alertname\""), 1);
}

static void an_end_whose_beginning_nobody_remembers_is_told_in_both_forms_without_a_start(void **state)
{
    struct bench *b = *state;
    take(b, 1, 2, 10);
    assert_int_equal(count_text(due(b, 0), "\"alertname\""), 2);
    assert_int_equal(count_text(buffer_text(&b->body), "\"startsAt\""), 0);
}

static void it_ends_with_the_severity_it_began_with(void **state)
{
    struct bench *b = *state;
    alert_table_caught_up(b->table, 0);
    take(b, 1, 1, 10);
    struct alert_transition t = transition(b, 1, 2);
    t.severity = RULE_WARNING;
    assert_true(alert_table_take(b->table, 0, 11, &t));
    assert_non_null(strstr(due(b, 0), "\"severity\":\"critical\""));
    assert_null(strstr(buffer_text(&b->body), "\"severity\":\"warning\""));
}

static void a_refused_alert_is_told_again_only_when_it_changes(void **state)
{
    struct bench *b = *state;
    struct alert_transition refused;
    alert_table_caught_up(b->table, 0);
    take(b, 1, 1, 10);
    (void)due(b, 0);
    assert_true(alert_table_note_refused(b->table, 0, &b->items[0], &refused));
    assert_string_equal(refused.rule, "HighErrorRate");
    clock_manual_advance_ms(&b->clock, RESEND_MS);
    assert_int_equal(tell(b, 0), 0);
    assert_int_equal(tell(b, 1), 1); /* the other one's opinion is its own */
    assert_int_equal(alert_table_position(b->table, 0, 11), 11);
    alert_table_tell_again(b->table, 0);
    assert_int_equal(tell(b, 0), 0);
    take(b, 1, 2, 11);
    assert_int_equal(tell(b, 0), 1);
}

static void a_target_that_was_away_is_told_everything_again(void **state)
{
    struct bench *b = *state;
    alert_table_caught_up(b->table, 0);
    take(b, 1, 1, 10);
    take(b, 2, 1, 11);
    assert_int_equal(tell(b, 0), 2);
    alert_table_tell_again(b->table, 0);
    assert_int_equal(tell(b, 0), 2);
}

static void changes_come_before_repetitions(void **state)
{
    struct bench *b = *state;
    alert_table_caught_up(b->table, 0);
    for (uint64_t fingerprint = 0; fingerprint < MOST - 1; fingerprint++) {
        take(b, fingerprint, 1, 10);
    }
    assert_int_equal(tell(b, 0), MOST - 1);
    clock_manual_advance_ms(&b->clock, RESEND_MS);
    take(b, 70, 1, 20);
    assert_int_equal(alert_table_collect(b->table, 0, NOWHERE_MS, b->items, 1), 1);
    assert_int_equal(b->items[0].fingerprint, 70);
}

static void past_the_limit_new_alerts_are_refused_and_known_ones_go_on(void **state)
{
    struct bench *b = *state;
    alert_table_caught_up(b->table, 0);
    for (uint64_t fingerprint = 0; fingerprint < MOST; fingerprint++) {
        assert_true(take(b, fingerprint, 1, 10));
    }
    assert_false(take(b, 99, 1, 11));
    assert_true(take(b, 3, 2, 12));
    assert_true(sizeof(struct tracked) <= 1536); /* what --max-alerts says of each */
}

static void a_partition_that_is_opened_anew_begins_from_what_is_active(void **state)
{
    struct bench *b = *state;
    alert_table_caught_up(b->table, 0);
    take(b, 1, 1, 10);
    take(b, 2, 1, 11);
    (void)due(b, 0); /* a request is under way while the partition is lost and comes back */
    alert_table_close(b->table, 0);
    alert_table_open(b->table, 0);
    restore(b, 2, 1);
    (void)accept(b, 0);
    assert_int_equal(tell(b, 0), 1);
    assert_int_equal(b->items[0].fingerprint, 2);
}

static void the_alert_carries_links_times_and_evidence_and_ends_not_before_it_starts(void **state)
{
    struct bench *b = *state;
    alert_table_caught_up(b->table, 0);
    struct alert_transition t = transition(b, 255, 1);
    t.value = NAN;
    t.detected_ms = b->clock.wall_ms + 90000; /* the processor's clock is ahead */
    assert_true(alert_table_take(b->table, 0, 10, &t));
    const char *text = due(b, 0);
    assert_non_null(strstr(text, "\"runbook_url\":\"http://base/runbooks/r.md\""));
    assert_non_null(
        strstr(text, "\"dashboard_url\":\"http://grafana/d/x?a=b&var-service=a%20b%26c&var-region=x\""));
    assert_non_null(strstr(text, "\"console_url\":\"http://console/alerts/00000000000000ff/1\""));
    assert_non_null(strstr(text, "\"value\":\"unknown\""));
    assert_non_null(
        strstr(text, "\"startsAt\":\"2026-11-25T04:11:37.000Z\",\"endsAt\":\"2026-11-25T04:16:37.000Z\""));
    assert_null(strstr(text, "http_route"));
    (void)accept(b, 0);
    t = transition(b, 255, 2);
    t.detected_ms = b->clock.wall_ms - 60000; /* and now behind */
    assert_true(alert_table_take(b->table, 0, 11, &t));
    assert_non_null(strstr(due(b, 0), "\"endsAt\":\"2026-11-25T04:11:37.000Z\""));
}

static void delays_are_told_of_live_changes_once(void **state)
{
    struct bench *b = *state;
    int64_t delays[MOST];
    restore(b, 1, 1);
    take(b, 2, 1, 9);
    alert_table_caught_up(b->table, 0);
    (void)due(b, 0);
    assert_int_equal(accept(b, 0), 0);
    take(b, 3, 1, 10);
    clock_manual_advance_ms(&b->clock, 1000);
    (void)due(b, 0);
    assert_int_equal(alert_table_note_accepted(b->table, 0, b->items, b->count, delays), 1);
    assert_int_equal(delays[0], 6000);
    clock_manual_advance_ms(&b->clock, RESEND_MS);
    (void)due(b, 0);
    assert_int_equal(accept(b, 0), 0);
}

#define CASE(function, begin) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_only_the_log_knows_is_held_back_until_its_end_is_reached, begin_one),
        CASE(reading_a_stretch_of_the_log_twice_changes_nothing, begin_one),
        CASE(sequences_that_begin_anew_are_heard, begin_one),
        CASE(the_position_waits_for_every_target_and_for_nothing_else, begin_two),
        CASE(a_change_that_came_during_the_answer_is_still_owed, begin_one),
        CASE(a_firing_alert_is_repeated_and_a_resolved_one_for_five_minutes, begin_one),
        CASE(a_resolution_that_nobody_accepted_is_kept_however_old, begin_one),
        CASE(a_critical_gets_a_second_form_after_forty_seconds_and_ends_in_both, begin_one),
        CASE(an_end_whose_beginning_nobody_remembers_is_told_in_both_forms_without_a_start, begin_one),
        CASE(it_ends_with_the_severity_it_began_with, begin_one),
        CASE(a_refused_alert_is_told_again_only_when_it_changes, begin_two),
        CASE(a_target_that_was_away_is_told_everything_again, begin_one),
        CASE(changes_come_before_repetitions, begin_one),
        CASE(past_the_limit_new_alerts_are_refused_and_known_ones_go_on, begin_one),
        CASE(a_partition_that_is_opened_anew_begins_from_what_is_active, begin_one),
        CASE(the_alert_carries_links_times_and_evidence_and_ends_not_before_it_starts, begin_one),
        CASE(delays_are_told_of_live_changes_once, begin_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
