#include "backtest.h"

#include "fired_list.h"
#include "incident.h"
#include "rerun.h"

#include "buffer/buffer.h"
#include "clock/clock.h"
#include "clock/rfc3339.h"
#include "program/program.h"
#include "rule/rule.h"
#include "json/json_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SLACK_MS 60000 /* an end and a begin so near are one incident seen by two rule files */

struct backtest {
    const struct backtest_settings *settings;
    struct rules_file rules;
    struct rerun *rerun;
    struct incident_list would, fired;
    int64_t since_ms; /* wall clock */
    uint64_t records;
    int64_t exact_from_ms; /* before that windows were not full; INT64_MIN: all is exact */
};

/* --- what happened ---- */

static int collect_would(struct backtest *b, struct error *error)
{
    for (size_t i = 0; i < rerun_decision_count(b->rerun); i++) {
        if (incident_list_add(&b->would, &rerun_decision_at(b->rerun, i)->transition, error) != 0) {
            return -1;
        }
    }
    b->exact_from_ms = INT64_MIN;
    for (int32_t p = 0; p < rerun_partition_count(b->rerun); p++) {
        struct rerun_partition_info info;
        rerun_read_partition(b->rerun, p, &info);
        b->records += info.records;
        if (info.records > 0 && info.exact_from_ms > b->exact_from_ms) {
            b->exact_from_ms = info.exact_from_ms;
        }
    }
    return 0;
}

static int collect_fired(struct backtest *b, struct program *program, struct bus *bus, struct error *error)
{
    struct fired_list list;
    int result = fired_list_read(&list, program, bus, error);
    for (size_t i = 0; result == 0 && i < list.count; i++) {
        result = incident_list_add(&b->fired, &list.items[i], error);
    }
    if (result == 0) {
        fired_list_free(&list);
    }
    return result;
}

static int collect(struct backtest *b, struct program *program, struct bus *bus, struct error *error)
{
    const struct rerun_settings settings = {
        .program = program, .bus = bus, .rules = &b->rules, .limits = b->settings->limits};
    if (rerun_run(&b->rerun, &settings, error) != 0 || collect_would(b, error) != 0 ||
        collect_fired(b, program, bus, error) != 0) {
        return -1;
    }
    b->since_ms = clock_wall_ms(program_clock(program)) - b->settings->since_ms;
    incident_list_finish(&b->would, b->since_ms);
    incident_list_finish(&b->fired, b->since_ms);
    incident_lists_pair(&b->would, &b->fired, SLACK_MS);
    return 0;
}

/* --- as a table ---- */

struct totals {
    size_t incidents, alone;
    int64_t ms;
    bool goes_on;
};

/* The next series of both lists: how many incidents each has of it. */
static const struct incident *next_series(const struct backtest *b, size_t *would, size_t *fired,
                                          size_t *would_count, size_t *fired_count)
{
    const struct incident *w = *would < b->would.count ? &b->would.items[*would] : NULL;
    const struct incident *f = *fired < b->fired.count ? &b->fired.items[*fired] : NULL;
    const struct incident *first = w == NULL ? f : f == NULL ? w : incident_compare_series(w, f) <= 0 ? w : f;
    *would_count = 0;
    *fired_count = 0;
    while (first != NULL && *would + *would_count < b->would.count &&
           incident_compare_series(&b->would.items[*would + *would_count], first) == 0) {
        ++*would_count;
    }
    while (first != NULL && *fired + *fired_count < b->fired.count &&
           incident_compare_series(&b->fired.items[*fired + *fired_count], first) == 0) {
        ++*fired_count;
    }
    return first;
}

static struct totals sum(const struct incident *items, size_t count)
{
    struct totals totals = {.incidents = count};
    for (size_t i = 0; i < count; i++) {
        totals.alone += !items[i].is_paired;
        totals.goes_on |= items[i].ends_ms == INT64_MAX;
        totals.ms += items[i].ends_ms == INT64_MAX ? 0 : items[i].ends_ms - items[i].starts_ms;
    }
    return totals;
}

static void format_duration(char out[32], int64_t ms)
{
    int64_t s = ms / 1000;
    if (s >= 3600) {
        (void)snprintf(out, 32, "%" PRId64 "h%02" PRId64 "m", s / 3600, s % 3600 / 60);
    } else if (s >= 60) {
        (void)snprintf(out, 32, "%" PRId64 "m%02" PRId64 "s", s / 60, s % 60);
    } else {
        (void)snprintf(out, 32, "%" PRId64 "s", s);
    }
}

static void format_totals(char out[128], const struct totals *totals)
{
    char duration[32];
    format_duration(duration, totals->ms);
    if (totals->incidents == 0) {
        (void)snprintf(out, 128, "-");
    } else {
        (void)snprintf(out, 128, "%zu, %s%s", totals->incidents, duration,
                       totals->goes_on ? ", still firing" : "");
    }
}

static void print_row(const struct incident *of, const struct totals *would, const struct totals *fired)
{
    char series[3 * RULE_LABEL_BYTES];
    char left[128];
    char right[128];
    const struct alert_labels *labels = &of->transition.labels;
    (void)snprintf(series, sizeof series, "%s %s%s%s", labels->service, labels->region,
                   labels->route[0] == '\0' ? "" : " ", labels->route);
    format_totals(left, would);
    format_totals(right, fired);
    (void)printf("%-20s %-36s %-28s %-28s %9zu %9zu\n", of->transition.rule, series, left, right,
                 would->alone, fired->alone);
}

static void print_incidents(char mark, const struct incident *items, size_t count, bool only_alone)
{
    for (size_t i = 0; i < count; i++) {
        char time[RFC3339_BYTES];
        char duration[32] = "still firing";
        char shift[64] = "";
        int64_t ms = items[i].paired_starts_ms - items[i].starts_ms;
        if (items[i].is_paired && only_alone) {
            continue;
        }
        rfc3339_format(time, items[i].starts_ms);
        if (items[i].ends_ms != INT64_MAX) {
            format_duration(duration, items[i].ends_ms - items[i].starts_ms);
        }
        if (items[i].is_paired && ms != 0) {
            (void)snprintf(shift, sizeof shift, "%" PRId64 " s %s than it did", (ms < 0 ? -ms : ms) / 1000,
                           ms > 0 ? "earlier" : "later");
        }
        (void)printf("  %c %s  %-12s  %s\n", items[i].is_paired ? '=' : mark, time, duration, shift);
    }
}

static void print_head(const struct backtest *b)
{
    char time[RFC3339_BYTES];
    rfc3339_format(time, b->since_ms);
    (void)printf("%s: %zu rules on %" PRIu64 " records; incidents since %s\n", b->settings->rules_path,
                 b->rules.rules->count, b->records, time);
    if (b->exact_from_ms > b->since_ms) {
        rfc3339_format(time, b->exact_from_ms);
        (void)printf("The log begins later than that: windows are full only from %s on.\n", time);
    }
    (void)printf("\n%-20s %-36s %-28s %-28s %9s %9s\n", "RULE", "SERIES", "WOULD FIRE", "FIRED", "ONLY NEW",
                 "ONLY OLD");
}

static void print_table(const struct backtest *b)
{
    size_t would = 0;
    size_t fired = 0;
    size_t would_count;
    size_t fired_count;
    const struct incident *series;
    print_head(b);
    while ((series = next_series(b, &would, &fired, &would_count, &fired_count)) != NULL) {
        struct totals new_totals = sum(&b->would.items[would], would_count);
        struct totals old_totals = sum(&b->fired.items[fired], fired_count);
        print_row(series, &new_totals, &old_totals);
        print_incidents('+', &b->would.items[would], would_count, false);
        print_incidents('-', &b->fired.items[fired], fired_count, true);
        would += would_count;
        fired += fired_count;
    }
    struct totals new_totals = sum(b->would.items, b->would.count);
    struct totals old_totals = sum(b->fired.items, b->fired.count);
    (void)printf(
        "\n%zu incidents would fire, %zu fired; + %zu only with these rules, - %zu only before, = the rest\n",
        new_totals.incidents, old_totals.incidents, new_totals.alone, old_totals.alone);
}

/* --- as JSON ---- */

static void write_time(struct json_writer *w, const char *key, int64_t ms)
{
    char time[RFC3339_BYTES];
    rfc3339_format(time, ms);
    json_key(w, key);
    json_string(w, time);
}

static void write_incidents(struct json_writer *w, const char *key, const struct incident_list *list)
{
    json_key(w, key);
    json_array_begin(w);
    for (size_t i = 0; i < list->count; i++) {
        const struct incident *incident = &list->items[i];
        const struct alert_labels *labels = &incident->transition.labels;
        json_object_begin(w);
        json_key(w, "rule");
        json_string(w, incident->transition.rule);
        json_key(w, "severity");
        json_string(w, rule_severity_name(incident->transition.severity));
        json_key(w, "service.name");
        json_string(w, labels->service);
        json_key(w, "cloud.region");
        json_string(w, labels->region);
        if (labels->route[0] != '\0') {
            json_key(w, "http.route");
            json_string(w, labels->route);
        }
        write_time(w, "starts_at", incident->starts_ms);
        if (incident->ends_ms != INT64_MAX) {
            write_time(w, "ends_at", incident->ends_ms);
        }
        json_key(w, "in_both");
        json_boolean(w, incident->is_paired);
        json_object_end(w);
    }
    json_array_end(w);
}

static void print_json(const struct backtest *b)
{
    struct buffer text;
    struct json_writer w;
    buffer_init(&text, 0);
    json_writer_init(&w, &text);
    json_object_begin(&w);
    json_key(&w, "rules");
    json_string(&w, b->settings->rules_path);
    json_key(&w, "records");
    json_unsigned(&w, b->records);
    write_time(&w, "since", b->since_ms);
    if (b->exact_from_ms != INT64_MIN) {
        write_time(&w, "exact_from", b->exact_from_ms);
    }
    write_incidents(&w, "would_fire", &b->would);
    write_incidents(&w, "fired", &b->fired);
    json_object_end(&w);
    (void)puts(buffer_text(&text));
    buffer_free(&text);
}

int backtest_run(struct program *program, struct bus *bus, const struct backtest_settings *settings)
{
    struct backtest b = {.settings = settings};
    struct error error;
    error_clear(&error);
    int code = PROGRAM_DONE;
    if (rules_file_load(&b.rules, settings->rules_path, &error) != 0) {
        return program_refuse(program, "the rules cannot be used (--backtest)", &error);
    }
    if (collect(&b, program, bus, &error) != 0) {
        code = program_fail(program, "cannot read the log again", &error);
    } else if (program_is_stopping(program)) {
        code = PROGRAM_FAILED;
    } else if (settings->as_json) {
        print_json(&b);
    } else {
        print_table(&b);
    }
    rerun_destroy(b.rerun);
    incident_list_free(&b.would);
    incident_list_free(&b.fired);
    rules_file_free(&b.rules);
    return code;
}
