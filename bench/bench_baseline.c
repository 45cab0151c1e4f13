/* Which expectation finds lost traffic, and which cries wolf? Weeks of seeded traffic, a second at a time,
 * with incidents in which a share of it is lost, judged by one rule (the last 60 s under a multiple of what
 * is expected, three times in a row; over twice that for 20 s to resolve) with four expectations, and by the
 * rule as shipped:
 *
 *   level       exponential smoothing over half an hour
 *   seasonal    Holt-Winters: level and an hour-of-week season, multiplicative, everything learned
 *   robust      lib/rule/baseline, but everything learned
 *   refusing    lib/rule/baseline, nothing learned while violated or firing
 *   shipped     the same as a rule of type baseline, with on_no_data: fire
 *   deviating   that rule with below: 1 and deviations: 6
 *
 *   bench_baseline [SEEDS]
 */
#include "random/random.h"
#include "rule/baseline.h"
#include "rule/rule_load.h"
#include "rule/rule_state.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR        INT64_C(3600)
#define DAY         (24 * HOUR)
#define WEEK        (7 * DAY)
#define WEEKS       4
#define MINUTE      60
#define METHODS     6
#define PATTERNS    5
#define LOSSES      4
#define INCIDENTS   64
#define AFTER_S     900 /* a firing so long after an incident still belongs to it */
#define MULTIPLE    0.2
#define LEAST       1.0
#define FOR_VIOLATE 3
#define FOR_CLEAR   20

enum method { LEVEL, SEASONAL, ROBUST, REFUSING, SHIPPED, DEVIATING };
static const char *const method_names[METHODS] = {"level",    "seasonal", "robust",
                                                  "refusing", "shipped",  "deviating"};
static const char *const pattern_names[PATTERNS] = {"day and night 4:1", "day and night 40:1, week-end 0.5",
                                                    "stops 20:00-8:00", "nights of 0.3/s", "small, 0.5/s"};
static const double losses[LOSSES] = {0.5, 0.8, 0.9, 1.0};

struct incident {
    int64_t begin, end;
    int loss; /* index */
};

/* --- traffic ---- */

static double usual_rate(int pattern, int64_t second)
{
    double hour = (double)(second % DAY) / HOUR;
    double wave = sin((hour - 9) * 3.14159265358979 / 12);
    bool is_weekend = second / DAY % 7 == 2 || second / DAY % 7 == 3;
    switch (pattern) {
    case 0:
        return 50 * (1 + 0.6 * wave);
    case 1:
        return 50 * (1 + 0.95 * wave) * (is_weekend ? 0.5 : 1);
    case 2:
        return hour >= 8 && hour < 20 ? 40 : 0;
    case 3:
        return 0.3 + 10 * fmax(0, wave);
    default:
        return 0.5;
    }
}

static uint32_t draw(struct random *random, double rate)
{
    if (rate > 50) {
        return (uint32_t)fmax(0, rate + sqrt(rate) * random_normal(random) + 0.5);
    }
    uint32_t count = 0;
    double left = exp(-rate);
    double product = random_unit(random);
    while (product > left) {
        product *= random_unit(random);
        count++;
    }
    return count;
}

/* One every few hours from the second week on, where there is something to lose for as long as it lasts. */
static size_t make_incidents(struct incident *incidents, int pattern, struct random *random)
{
    size_t count = 0;
    for (int64_t at = WEEK; at < WEEKS * WEEK - DAY && count < INCIDENTS;) {
        at += (int64_t)(3 * HOUR + random_exponential(random) * 8 * HOUR);
        int64_t length = (int64_t)(600 * exp(random_unit(random) * log(24)));
        bool is_worth = true;
        for (int64_t second = at - HOUR; second < at + length + HOUR; second += MINUTE) {
            is_worth &= usual_rate(pattern, second) >= 2;
        }
        if (is_worth) {
            incidents[count++] = (struct incident){at, at + length, (int)random_below(random, LOSSES)};
            at += length;
        }
    }
    return count;
}

/* --- expectations ---- */

struct judge {
    enum method method;
    double level, season[168], hour_sum;
    int minutes, hour_minutes;
    struct baseline baseline;
    int violations, clears;
    bool firing;
    /* the shipped rule */
    struct rule_state state;
    /* what came of it */
    int false_first_week, false_later, firings_in_incident;
    int64_t fired_at;
};

static double expected(struct judge *judge, int64_t second)
{
    if (judge->method == LEVEL) {
        return judge->minutes < 60 ? 0 : judge->level;
    }
    if (judge->method == SEASONAL) {
        double season = judge->season[second / HOUR % 168];
        return judge->minutes < 60 ? 0 : judge->level * (season == 0 ? 1 : season);
    }
    struct baseline_forecast forecast;
    return baseline_expect(&judge->baseline, second, &forecast) ? forecast.expected : 0;
}

static void learn_seasonal(struct judge *judge, int64_t second, double value)
{
    double *season = &judge->season[second / HOUR % 168];
    double divisor = *season == 0 ? 1 : *season;
    judge->level += fmax(1.0 / (judge->minutes + 1), 1.0 / 30) * (value / fmax(divisor, 0.01) - judge->level);
    judge->hour_sum += value;
    if (++judge->hour_minutes == 60) {
        double now = judge->hour_sum / 60 / fmax(judge->level, 0.01);
        *season = *season == 0 ? now : *season + 0.5 * (now - *season);
        judge->hour_sum = 0;
        judge->hour_minutes = 0;
    }
}

static void learn(struct judge *judge, int64_t second, double value, bool is_violated)
{
    if (judge->method == LEVEL) {
        judge->level += fmax(1.0 / (judge->minutes + 1), 1.0 / 30) * (value - judge->level);
    } else if (judge->method == SEASONAL) {
        learn_seasonal(judge, second, value);
    } else if (judge->method == REFUSING && (is_violated || judge->firing)) {
        (void)baseline_refuse(&judge->baseline, second, value);
    } else {
        (void)baseline_learn(&judge->baseline, second, value, 0);
    }
    judge->minutes++;
}

static void note_firing(struct judge *judge, int64_t second, bool in_incident)
{
    judge->firings_in_incident += in_incident;
    judge->false_first_week += !in_incident && second < WEEK;
    judge->false_later += !in_incident && second >= WEEK;
    judge->fired_at = second;
}

static void judge_second(struct judge *judge, int64_t second, double value, bool in_incident)
{
    double usual = expected(judge, second);
    bool is_violated = usual >= LEAST && value < MULTIPLE * usual;
    if (!judge->firing) {
        judge->violations = is_violated ? judge->violations + 1 : 0;
        if (judge->violations == FOR_VIOLATE) {
            judge->firing = true;
            judge->clears = 0;
            note_firing(judge, second, in_incident);
        }
    } else {
        judge->clears = value > 2 * MULTIPLE * usual ? judge->clears + 1 : 0;
        judge->firing = judge->clears < FOR_CLEAR;
        judge->violations = 0;
    }
    if (second % MINUTE == 0) {
        learn(judge, second, value, is_violated);
    }
}

/* --- one series ---- */

struct tally {
    double weeks_first, weeks_later;
    int false_first, false_later, incidents[LOSSES], found[LOSSES], repeated;
    double delays[LOSSES][PATTERNS * 32 * INCIDENTS];
};

static const char rules_yaml[] =
    "rules:\n"
    "  - {name: TrafficLost, type: baseline, signal: request_rate, below: 0.2, min_expected: 1,"
    " for_violations: 3, severity: critical, on_no_data: fire}\n"
    "  - {name: Less, type: baseline, signal: request_rate, below: 1, deviations: 6, min_expected: 1,"
    " for_violations: 3, severity: critical, on_no_data: fire}\n";

static void begin_judges(struct judge *judges, const struct rule_set *rules)
{
    const struct baseline_terms terms = rule_baseline_terms(&rules->rules[0], &rules->layout, 0);
    memset(judges, 0, METHODS * sizeof *judges);
    for (int m = 0; m < METHODS; m++) {
        judges[m].method = (enum method)m;
        baseline_init(&judges[m].baseline, &terms, RULE_REQUEST_RATE);
        rule_state_init(&judges[m].state);
    }
}

static void end_incident(struct tally *tallies, struct judge *judges, const struct incident *incident)
{
    for (int m = 0; m < METHODS; m++) {
        struct tally *tally = &tallies[m];
        tally->incidents[incident->loss]++;
        if (judges[m].firings_in_incident > 0) {
            tally->delays[incident->loss][tally->found[incident->loss]++] =
                (double)(judges[m].fired_at - incident->begin);
        }
        judges[m].firings_in_incident = 0;
        judges[m].fired_at = 0;
    }
}

/* The first firing counts for the delay; more in one incident are repetitions. */
static void note_first(struct tally *tallies, struct judge *judges, int64_t *first)
{
    for (int m = 0; m < METHODS; m++) {
        if (judges[m].firings_in_incident > 1) {
            tallies[m].repeated++;
            judges[m].firings_in_incident = 1;
            judges[m].fired_at = first[m];
        } else if (judges[m].firings_in_incident == 1 && first[m] == 0) {
            first[m] = judges[m].fired_at;
        }
    }
}

static void step_rule(struct judge *judge, const struct rule *rule, struct rule_view *view, int64_t second,
                      bool in_incident)
{
    struct rule_evidence evidence;
    view->baseline = &judge->baseline;
    if (rule_state_step(rule, &judge->state, view, &evidence) == RULE_FIRED) {
        note_firing(judge, second, in_incident);
    }
}

static void run_series(struct tally *tallies, const struct rule_set *rules, int pattern, uint64_t seed)
{
    struct random random;
    struct incident incidents[INCIDENTS];
    static struct judge judges[METHODS];
    struct block_pool pool;
    uint32_t last[MINUTE] = {0};
    int64_t first[METHODS] = {0};
    uint64_t sum = 0;
    size_t at = 0;
    random_init(&random, seed);
    size_t count = make_incidents(incidents, pattern, &random);
    begin_judges(judges, rules);
    block_pool_init(&pool);
    struct window *window = window_create(&rules->layout, &pool, 0);
    struct rule_view view = {
        .window = window, .layout = &rules->layout, .last_record_s = RULE_NEVER, .last_gauge_s = RULE_NEVER};
    for (int64_t second = 0; second < WEEKS * WEEK; second++) {
        const struct incident *incident = at < count ? &incidents[at] : NULL;
        bool is_lost = incident != NULL && second >= incident->begin && second < incident->end;
        bool in_incident = incident != NULL && second >= incident->begin && second < incident->end + AFTER_S;
        uint32_t now =
            draw(&random, usual_rate(pattern, second) * (is_lost ? 1 - losses[incident->loss] : 1));
        sum = sum + now - last[second % MINUTE];
        last[second % MINUTE] = now;
        if (now > 0) {
            window_add(window, second * 1000, 0.04, false, now);
            view.last_record_s = second;
        }
        for (int m = 0; m < SHIPPED && second >= MINUTE; m++) {
            judge_second(&judges[m], second, (double)sum / MINUTE, in_incident);
        }
        for (int m = SHIPPED; m < METHODS; m++) {
            step_rule(&judges[m], &rules->rules[m - SHIPPED], &view, second, in_incident);
        }
        note_first(tallies, judges, first);
        window_advance(window, second + 1);
        if (incident != NULL && second == incident->end + AFTER_S - 1) {
            end_incident(tallies, judges, incident);
            memset(first, 0, sizeof first);
            at++;
        }
    }
    for (int m = 0; m < METHODS; m++) {
        tallies[m].false_first += judges[m].false_first_week;
        tallies[m].false_later += judges[m].false_later;
        tallies[m].weeks_first += 1;
        tallies[m].weeks_later += WEEKS - 1;
    }
    window_destroy(window);
    block_pool_deinit(&pool);
}

/* --- the table ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_tallies(struct tally *tallies)
{
    printf("  %-10s %22s", "", "false firings a week");
    for (int l = 0; l < LOSSES; l++) {
        printf("  loss of %3.0f %%        ", losses[l] * 100);
    }
    printf("\n  %-10s %10s %11s", "", "first week", "later weeks");
    for (int l = 0; l < LOSSES; l++) {
        printf("  %8s %4s %6s", "found", "p50", "worst");
    }
    printf("  repeated\n");
    for (int m = 0; m < METHODS; m++) {
        struct tally *tally = &tallies[m];
        printf("  %-10s %10.2f %11.2f", method_names[m], tally->false_first / tally->weeks_first,
               tally->false_later / tally->weeks_later);
        for (int l = 0; l < LOSSES; l++) {
            int found = tally->found[l];
            qsort(tally->delays[l], (size_t)found, sizeof tally->delays[l][0], by_size);
            printf("  %3d/%-4d", found, tally->incidents[l]);
            if (found > 0) {
                printf(" %4.0f %6.0f", tally->delays[l][found / 2], tally->delays[l][found - 1]);
            } else {
                printf(" %4s %6s", "-", "-");
            }
        }
        printf("  %d\n", tally->repeated);
    }
}

int main(int argc, char **argv)
{
    uint64_t seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : 4;
    struct rule_set *rules = NULL;
    struct error error;
    struct tally *tallies = calloc(METHODS, sizeof *tallies);
    seeds = seeds > 32 ? 32 : seeds;
    if (tallies == NULL || rule_set_parse(&rules, "bench", rules_yaml, strlen(rules_yaml), &error) != 0) {
        fprintf(stderr, "cannot begin\n");
        free(tallies);
        return 1;
    }
    for (int pattern = 0; pattern < PATTERNS; pattern++) {
        memset(tallies, 0, METHODS * sizeof *tallies);
        for (uint64_t seed = 1; seed <= seeds; seed++) {
            run_series(tallies, rules, pattern, seed * 100 + (uint64_t)pattern);
        }
        printf("%s: %llu series of %d weeks; seconds to detect\n", pattern_names[pattern],
               (unsigned long long)seeds, WEEKS);
        print_tallies(tallies);
    }
    free(tallies);
    rule_set_destroy(rules);
    return 0;
}
