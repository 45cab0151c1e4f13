#include "report.h"

#include <inttypes.h>
#include <math.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

const struct rate_class report_rates[] = {
    {"< 0.2", 0, 0.2}, {"0.2-0.5", 0.2, 0.5}, {"0.5-2", 0.5, 2},
    {"2-5", 2, 5},     {"5-20", 5, 20},       {"> 20", 20, 0},
};
const size_t report_rate_count = COUNT(report_rates);

const struct size_class report_sizes[] = {
    {"spike 1.5 x", INCIDENT_SPIKE, 1.5}, {"spike 2 x", INCIDENT_SPIKE, 2},
    {"spike 3 x", INCIDENT_SPIKE, 3},     {"spike 5 x", INCIDENT_SPIKE, 5},
    {"spike 10 x", INCIDENT_SPIKE, 10},   {"burst 6 %", INCIDENT_BURST, 0.06},
    {"burst 10 %", INCIDENT_BURST, 0.10}, {"burst 20 %", INCIDENT_BURST, 0.20},
    {"burst 50 %", INCIDENT_BURST, 0.50}, {"burst 100 %", INCIDENT_BURST, 1},
    {"drop 90 %", INCIDENT_DROP, 0.9},    {"drop 100 %", INCIDENT_DROP, 1},
};
const size_t report_size_count = COUNT(report_sizes);

const char *const report_sides[SIDE_COUNT] = {"ours", "plain", "Prometheus-style"};

static const char *const watch_names[WATCH_COUNT] = {"latency", "errors", "traffic"};

struct selection report_select_size(const struct size_class *size)
{
    struct selection s = SELECT_ALL;
    s.kind = (int)size->kind;
    s.min_size = size->size - 0.001;
    s.max_size = size->size + 0.001;
    return s;
}

static void print_share(FILE *out, double share)
{
    (void)(isnan(share) ? fprintf(out, " – |") : fprintf(out, " %.3f |", share));
}

static void print_seconds(FILE *out, double seconds)
{
    (void)(isnan(seconds) ? fprintf(out, " – |") : fprintf(out, " %.1f |", seconds));
}

/* --- the whole, and each rule and scenario ---- */

static void print_row(FILE *out, const char *name, const struct result *results, size_t count,
                      const struct selection *selection)
{
    for (int side = 0; side < SIDE_COUNT; side++) {
        struct tally t;
        matcher_sum(&t, results, count, side, selection);
        (void)fprintf(out, "| %s | %s |", side == 0 ? name : "", report_sides[side]);
        print_share(out, tally_f1(&t));
        print_share(out, tally_precision(&t));
        print_share(out, tally_recall(&t));
        (void)fprintf(out, " %u | %u | %u | %u | %u |", t.faults, t.found, t.faults - t.found, t.wrong,
                      t.repeats);
        print_seconds(out, t.median_s);
        print_seconds(out, t.worst_s);
        (void)fputc('\n', out);
    }
}

static void print_head(FILE *out, const char *first)
{
    (void)fprintf(out,
                  "| %s | | F1 | precision | recall | faults | found | missed | false | repeats | median s | "
                  "worst s |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
                  first);
}

static void print_whole(FILE *out, const struct result *results, size_t count)
{
    struct selection all = SELECT_ALL;
    (void)fprintf(out, "\n### All scenarios, and each rule\n\n");
    print_head(out, "");
    print_row(out, "**all**", results, count, &all);
    for (int watch = 0; watch < WATCH_COUNT; watch++) {
        all.watch = watch;
        print_row(out, watch_names[watch], results, count, &all);
    }
    (void)fprintf(out, "\n### Each scenario\n\n");
    print_head(out, "scenario");
    for (size_t i = 0; i < count; i++) {
        struct selection one = SELECT_ALL;
        one.scenario = results[i].scenario;
        print_row(out, results[i].scenario->name, results, count, &one);
    }
}

/* --- where there is enough to see ---- */

static void print_targets(FILE *out, const struct result *results, size_t count)
{
    static const struct {
        const char *name, *target;
        enum incident_kind kind;
        double min_size, max_size;
    } rows[] = {
        {"bursts >= 20 %", "<= 6 s", INCIDENT_BURST, 0.2, 0},
        {"spikes >= 5 x", "<= 4 s", INCIDENT_SPIKE, 5, 0},
        {"spikes >= 2 x", "<= 5 s", INCIDENT_SPIKE, 2, 0},
        {"spikes of 2 x", "", INCIDENT_SPIKE, 1.99, 2.01},
        {"bursts of 6 %", "", INCIDENT_BURST, 0.059, 0.061},
        {"all bursts", "", INCIDENT_BURST, 0, 0},
        {"all spikes", "", INCIDENT_SPIKE, 0, 0},
    };
    (void)fprintf(out, "\n### Faults with at least 20 violating records in their first minute\n\n"
                       "| | target | | faults | recall | median s | worst s | earliest s |\n"
                       "|---|---|---|--:|--:|--:|--:|--:|\n");
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int side = 0; side < SIDE_COUNT; side++) {
            struct selection s = SELECT_ALL;
            struct tally t;
            s.kind = (int)rows[i].kind;
            s.min_size = rows[i].min_size;
            s.max_size = rows[i].max_size;
            s.min_first_bad = MATCHER_MANY;
            matcher_sum(&t, results, count, side, &s);
            (void)fprintf(out, "| %s | %s | %s | %u |", side == 0 ? rows[i].name : "",
                          side == 0 ? rows[i].target : "", report_sides[side], t.faults);
            print_share(out, tally_recall(&t));
            print_seconds(out, t.median_s);
            print_seconds(out, t.worst_s);
            print_seconds(out, side == SIDE_OURS ? t.earliest_s : NAN);
            (void)fputc('\n', out);
        }
    }
}

static void print_calm(FILE *out, const struct result *results, size_t count)
{
    (void)fprintf(out, "\n### False firings a day over the twelve series, healthy and quiet traffic\n\n"
                       "| scenario | days | | latency | errors | traffic |\n|---|--:|---|--:|--:|--:|\n");
    for (size_t i = 0; i < count; i++) {
        const struct scenario *scenario = results[i].scenario;
        if (!scenario->is_calm) {
            continue;
        }
        for (int side = 0; side < SIDE_COUNT; side++) {
            (void)fprintf(out, "| %s | %.1f | %s |", side == 0 ? scenario->name : "", scenario->hours / 24,
                          report_sides[side]);
            for (int watch = 0; watch < WATCH_COUNT; watch++) {
                struct selection s = SELECT_ALL;
                struct tally t;
                s.scenario = scenario;
                s.watch = watch;
                matcher_sum(&t, results, count, side, &s);
                (void)fprintf(out, " %.2f |", t.wrong * 24 / scenario->hours);
            }
            (void)fputc('\n', out);
        }
    }
}

/* --- blips ---- */

static void print_blips(FILE *out, const struct result *results, size_t count)
{
    static const int64_t lengths_ms[] = {0, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000};
    (void)fprintf(out, "\n### Blips: how many of them fired\n\n| length | blips |");
    for (int side = 0; side < SIDE_COUNT; side++) {
        (void)fprintf(out, " %s |", report_sides[side]);
    }
    (void)fprintf(out, "\n|---|--:|--:|--:|--:|\n");
    for (size_t i = 1; i < COUNT(lengths_ms); i++) {
        uint32_t blips = 0;
        uint32_t fired[SIDE_COUNT] = {0};
        for (size_t r = 0; r < count; r++) {
            for (size_t k = 0; k < results[r].plan.incident_count; k++) {
                const struct incident *incident = &results[r].plan.incidents[k];
                int64_t length_ms = incident->end_ms - incident->begin_ms;
                if (incident->kind != INCIDENT_BLIP || length_ms <= lengths_ms[i - 1] ||
                    length_ms > lengths_ms[i]) {
                    continue;
                }
                blips++;
                for (int side = 0; side < SIDE_COUNT; side++) {
                    fired[side] += incident->firings[side] > 0;
                }
            }
        }
        (void)fprintf(out, "| %s%" PRId64 " s | %u | %u | %u | %u |\n", i > 3 ? "up to " : "",
                      lengths_ms[i] / 1000, blips, fired[0], fired[1], fired[2]);
    }
}

/* --- size and rate ---- */

static void print_sizes(FILE *out, const struct result *results, size_t count)
{
    (void)fprintf(out, "\n### Each size: recall · median · worst seconds to detect\n\n| | faults |");
    for (int side = 0; side < SIDE_COUNT; side++) {
        (void)fprintf(out, " %s |", report_sides[side]);
    }
    (void)fprintf(out, "\n|---|--:|--:|--:|--:|\n");
    for (size_t i = 0; i < report_size_count; i++) {
        struct selection s = report_select_size(&report_sizes[i]);
        for (int side = 0; side < SIDE_COUNT; side++) {
            struct tally t;
            matcher_sum(&t, results, count, side, &s);
            if (side == 0) {
                (void)fprintf(out, "| %s | %u |", report_sizes[i].name, t.faults);
            }
            (void)(t.faults == 0
                       ? fprintf(out, " – |")
                       : fprintf(out, " %.2f · %.1f · %.0f |", tally_recall(&t), t.median_s, t.worst_s));
        }
        (void)fputc('\n', out);
    }
}

static void print_curve(FILE *out, const struct result *results, size_t count, int side)
{
    (void)fprintf(out, "\n### Size and rate, %s: recall · median seconds (faults)\n\n| requests/s |",
                  report_sides[side]);
    for (size_t r = 0; r < report_rate_count; r++) {
        (void)fprintf(out, " %s |", report_rates[r].name);
    }
    (void)fprintf(out, "\n|---|");
    for (size_t r = 0; r < report_rate_count; r++) {
        (void)fprintf(out, "--:|");
    }
    (void)fputc('\n', out);
    for (size_t i = 0; i < report_size_count; i++) {
        (void)fprintf(out, "| %s |", report_sizes[i].name);
        for (size_t r = 0; r < report_rate_count; r++) {
            struct selection s = report_select_size(&report_sizes[i]);
            struct tally t;
            s.min_rate = report_rates[r].min;
            s.max_rate = report_rates[r].max;
            matcher_sum(&t, results, count, side, &s);
            (void)(t.faults == 0 ? fprintf(out, " |")
                   : t.found == 0
                       ? fprintf(out, " 0 (%u) |", t.faults)
                       : fprintf(out, " %.2f · %.0f (%u) |", tally_recall(&t), t.median_s, t.faults));
        }
        (void)fputc('\n', out);
    }
}

/* Bad records a second decide how soon anybody can know. */
static void print_speed(FILE *out, const struct result *results, size_t count)
{
    static const uint32_t per_minute[] = {MATCHER_MANY, 30, 60, 120, 300, 600, UINT32_MAX};
    (void)fprintf(out,
                  "\n### Bad records in the first minute, bursts >= 20 %% and spikes >= 2 x: median s\n\n"
                  "| bad records | faults | ours | earliest |\n|---|--:|--:|--:|\n");
    for (size_t i = 0; i + 1 < COUNT(per_minute); i++) {
        for (int kind = INCIDENT_SPIKE; kind <= INCIDENT_BURST; kind++) {
            struct selection s = SELECT_ALL;
            struct tally t;
            s.kind = kind;
            s.min_size = kind == INCIDENT_BURST ? 0.2 : 2;
            s.min_first_bad = per_minute[i];
            s.max_first_bad = per_minute[i + 1];
            matcher_sum(&t, results, count, SIDE_OURS, &s);
            (void)fprintf(out, "| %s, %u and more | %u |", kind == INCIDENT_BURST ? "bursts" : "spikes",
                          per_minute[i], t.faults);
            print_seconds(out, t.median_s);
            print_seconds(out, t.earliest_s);
            (void)fputc('\n', out);
        }
    }
}

void report_print(FILE *out, const struct result *results, size_t count, uint64_t seed)
{
    int64_t fed = 0;
    double hours = 0;
    for (size_t i = 0; i < count; i++) {
        fed += results[i].fed;
        hours += results[i].scenario->hours;
    }
    (void)fprintf(out,
                  "Seed %" PRIu64 ": %zu scenarios, %.0f hours of twelve series, %.1f million records.\n",
                  seed, count, hours, (double)fed / 1e6);
    print_whole(out, results, count);
    print_targets(out, results, count);
    print_speed(out, results, count);
    print_calm(out, results, count);
    print_blips(out, results, count);
    print_sizes(out, results, count);
    for (int side = 0; side < SIDE_COUNT; side++) {
        print_curve(out, results, count, side);
    }
}
