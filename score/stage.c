#include "stage.h"

#include "alert/transition.h"
#include "catalog.h"
#include "detect/detector.h"
#include "late_records.h"
#include "references.h"
#include "rule/rule.h"
#include "traffic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PARTITIONS     4
#define APPEND_MS      20
#define SILENT_MS      5000
#define FIRST_MS       60000 /* an incident's first minute */
#define LEFT_OF_NORMAL 0.2

struct partition {
    struct detector *detector;
    int64_t offset, last_effective_ms, last_appended_ms; /* of the last record */
};

struct stage {
    const struct scenario *scenario;
    struct plan *plan;
    struct firings *firings;
    struct partition partitions[PARTITIONS];
    struct plain_reference plain[SERIES_COUNT];
    struct prometheus_reference prometheus[SERIES_COUNT];
    struct reference_limits limits[SERIES_COUNT];
    struct late_records late;
    struct incident *current[SERIES_COUNT]; /* the one that began last */
    size_t next_incident, next_change;
    int64_t fed;
};

int stage_read_limits(const struct rule_set *rules, struct plan_limits *limits, struct error *error)
{
    *limits = (struct plan_limits){0};
    for (size_t i = 0; i < rules->count; i++) {
        if (rules->rules[i].signal == RULE_LATENCY_P99) {
            limits->slow_s = rules->rules[i].threshold;
        } else if (rules->rules[i].signal == RULE_ERROR_RATE) {
            limits->errors = rules->rules[i].threshold;
        }
    }
    return limits->slow_s > 0 && limits->errors > 0
               ? 0
               : error_set(error, -1, "the rules have none for latency_p99 or none for error_rate");
}

/* --- ours ---- */

static int series_of(const struct alert_transition *transition)
{
    return catalog_find_service(transition->labels.service) * REGION_COUNT +
           catalog_find_region(transition->labels.region);
}

static enum watch watch_of(enum rule_signal signal)
{
    return signal == RULE_ERROR_RATE     ? WATCH_ERRORS
           : signal == RULE_REQUEST_RATE ? WATCH_TRAFFIC
                                         : WATCH_LATENCY;
}

static void take_transitions(struct stage *stage, struct partition *partition, int64_t now_ms)
{
    struct alert_transition transition;
    while (detector_next_transition(partition->detector, &transition)) {
        firings_note(stage->firings, SIDE_OURS, watch_of(transition.signal), series_of(&transition),
                     transition.state == ALERT_FIRING, now_ms);
    }
}

static void tick(struct stage *stage, struct partition *partition, int64_t now_ms)
{
    int64_t now_unix_ms = PLAN_START_UNIX_MS + now_ms;
    int64_t waited_ms = now_unix_ms - partition->last_appended_ms;
    if (partition->offset > 0 && waited_ms >= SILENT_MS) {
        detector_pass_time(partition->detector, DETECTOR_DECIDE, partition->last_effective_ms + waited_ms);
        take_transitions(stage, partition, now_ms);
    }
}

/* --- a record arrives ---- */

static void deliver(struct stage *stage, int series, const struct event *event, int64_t now_ms)
{
    struct partition *partition = &stage->partitions[series % PARTITIONS];
    int64_t appended_ms = PLAN_START_UNIX_MS + now_ms;
    struct detector_input input = {.event = event, .offset = partition->offset++, .appended_ms = appended_ms};
    detector_observe(partition->detector, DETECTOR_DECIDE, &input, 1);
    take_transitions(stage, partition, now_ms);
    partition->last_effective_ms = event->time_unix_ms < appended_ms ? event->time_unix_ms : appended_ms;
    partition->last_appended_ms = appended_ms;
    bool is_error = event->status_code >= 500;
    plain_observe(&stage->plain[series], &stage->limits[series], event->duration_s, is_error);
    prometheus_observe(&stage->prometheus[series], event->duration_s, is_error);
    stage->fed++;
}

static void deliver_late(struct stage *stage, int64_t until_ms)
{
    struct late_record record;
    while (late_records_take(&stage->late, until_ms, &record)) {
        deliver(stage, record.series, &record.event, record.arrives_ms);
    }
}

static void count_bad(struct incident *incident, int64_t after_ms)
{
    incident->first_bad++;
    incident->first_bad_ms = incident->first_bad_ms < 0 ? after_ms : incident->first_bad_ms;
    if (incident->earliest_ms < 0 && incident->first_bad >= PLAN_FEW &&
        after_ms - incident->first_bad_ms > PLAN_BLIP_MS) {
        incident->earliest_ms = after_ms;
    }
}

static void count_truth(struct stage *stage, const struct traffic_request *request, int64_t now_ms)
{
    struct incident *incident = stage->current[request->series];
    if (incident == NULL || now_ms >= incident->begin_ms + FIRST_MS || now_ms >= incident->end_ms) {
        return;
    }
    incident->first_records++;
    bool is_bad = incident->watch == WATCH_LATENCY
                      ? request->event.duration_s > stage->limits[0].slow_s
                      : incident->watch == WATCH_ERRORS && request->event.status_code >= 500;
    if (is_bad) {
        count_bad(incident, now_ms - incident->begin_ms);
    }
}

static void take_request(struct stage *stage, struct traffic_request *request)
{
    const struct scenario *scenario = stage->scenario;
    int64_t made_ms = request->event.time_unix_ms - PLAN_START_UNIX_MS;
    count_truth(stage, request, made_ms);
    request->event.time_unix_ms += scenario->clock_ms;
    int64_t now_ms = made_ms + APPEND_MS;
    if (scenario->late == 0 && scenario->copied == 0) {
        deliver(stage, request->series, &request->event, now_ms);
        return;
    }
    deliver_late(stage, now_ms);
    if (late_records_choose(&stage->late, scenario->late)) {
        late_records_put(&stage->late, request->series, &request->event, now_ms);
    } else {
        deliver(stage, request->series, &request->event, now_ms);
        if (late_records_choose(&stage->late, scenario->copied)) {
            late_records_put(&stage->late, request->series, &request->event, now_ms);
        }
    }
}

/* --- time passes ---- */

static void note_references(struct stage *stage, int series, int64_t now_ms)
{
    for (int watch = 0; watch < WATCH_COUNT; watch++) {
        firings_note(stage->firings, SIDE_PLAIN, (enum watch)watch, series,
                     stage->plain[series].firing[watch], now_ms);
        firings_note(stage->firings, SIDE_PROMETHEUS, (enum watch)watch, series,
                     stage->prometheus[series].firing[watch], now_ms);
    }
}

static void end_second(struct stage *stage, int64_t now_ms)
{
    deliver_late(stage, now_ms);
    for (int i = 0; i < PARTITIONS; i++) {
        tick(stage, &stage->partitions[i], now_ms);
    }
    for (int series = 0; series < SERIES_COUNT; series++) {
        plain_end_second(&stage->plain[series], &stage->limits[series]);
        if (now_ms / 1000 % SCRAPE_S == 0) {
            prometheus_scrape(&stage->prometheus[series], &stage->limits[series], now_ms / 1000);
        }
        note_references(stage, series, now_ms);
    }
}

static void begin_incidents(struct stage *stage, int64_t now_ms)
{
    struct plan *plan = stage->plan;
    while (stage->next_incident < plan->incident_count &&
           plan->incidents[stage->next_incident].begin_ms <= now_ms) {
        struct incident *incident = &plan->incidents[stage->next_incident++];
        stage->current[incident->series] = incident;
    }
}

static int64_t next_stop(const struct stage *stage, int64_t second_ms)
{
    const struct plan *plan = stage->plan;
    int64_t stop_ms = second_ms;
    if (stage->next_change < plan->change_count && plan->changes[stage->next_change].at_ms < stop_ms) {
        stop_ms = plan->changes[stage->next_change].at_ms;
    }
    return stop_ms;
}

static void play(struct stage *stage, struct traffic *traffic)
{
    int64_t end_ms = (int64_t)(stage->scenario->hours * 3.6e6);
    int64_t second_ms = 1000;
    struct traffic_request request;
    while (second_ms <= end_ms) {
        int64_t stop_ms = next_stop(stage, second_ms);
        while (traffic_next(traffic, stop_ms, &request)) {
            take_request(stage, &request);
        }
        begin_incidents(stage, stop_ms);
        for (const struct change *change = &stage->plan->changes[stage->next_change];
             stage->next_change < stage->plan->change_count && change->at_ms <= stop_ms;
             stage->next_change++, change++) {
            traffic_set_effect(traffic, change->series, stop_ms, &change->effect);
        }
        if (stop_ms == second_ms) {
            end_second(stage, second_ms);
            second_ms += 1000;
        }
    }
}

/* --- life ---- */

static double mean_rate(const struct scenario *scenario, int series)
{
    double sum = 0;
    for (int hour = 0; hour < 24; hour++) {
        sum += plan_rate(scenario, series, hour * INT64_C(3600000));
    }
    return sum / 24;
}

static int open_stage(struct stage *stage, const struct rule_set *rules, uint64_t seed, struct error *error)
{
    const struct detector_limits limits = {.series = 1000, .lateness_ms = 15000, .idle_after_ms = 15000};
    struct plan_limits asked;
    if (stage_read_limits(rules, &asked, error) != 0) {
        return -1;
    }
    for (int i = 0; i < PARTITIONS; i++) {
        if (detector_create(&stage->partitions[i].detector, rules, &limits, 7, error) != 0) {
            return -1;
        }
    }
    for (int series = 0; series < SERIES_COUNT; series++) {
        plain_init(&stage->plain[series]);
        prometheus_init(&stage->prometheus[series]);
        stage->limits[series] = (struct reference_limits){asked.slow_s, asked.errors, LEFT_OF_NORMAL,
                                                          mean_rate(stage->scenario, series)};
    }
    late_records_init(&stage->late, seed);
    return 0;
}

int64_t stage_play(const struct scenario *scenario, struct plan *plan, const struct rule_set *rules,
                   uint64_t seed, struct firings *firings, struct error *error)
{
    const struct traffic_settings settings = {.seed = seed,
                                              .instance = scenario->name,
                                              .start_unix_ms = PLAN_START_UNIX_MS,
                                              .target_rps = scenario->target_rps,
                                              .error_share = scenario->error_share};
    struct traffic *traffic = NULL;
    struct stage *stage = calloc(1, sizeof *stage);
    int64_t fed = -1;
    if (stage == NULL) {
        return error_set(error, -1, "no memory for a scenario");
    }
    stage->scenario = scenario;
    stage->plan = plan;
    stage->firings = firings;
    if (open_stage(stage, rules, seed, error) == 0 && traffic_create(&traffic, &settings, error) == 0) {
        play(stage, traffic);
        fed = stage->fed;
    }
    traffic_destroy(traffic);
    for (int i = 0; i < PARTITIONS; i++) {
        detector_destroy(stage->partitions[i].detector);
    }
    late_records_free(&stage->late);
    free(stage);
    return fed;
}
