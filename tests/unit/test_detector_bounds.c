/* What a detector may take: memory per series, and no more series than it was told, whoever sends what. */
#include "alert/transition.h"
#include "detect/detector.h"
#include "event/event.h"
#include "random/random.h"
#include "rule/rule_load.h"

#include "cmocka_all.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define START_MS INT64_C(1795561200000)

static struct rule_set *load_shipped_rules(void)
{
    struct rule_set *rules = NULL;
    struct error error;
    if (rule_set_load(&rules, OBS_SOURCE_DIR "/config/anomaly-rules.yaml", &error) != 0) {
        fail_msg("%s", error.message);
    }
    return rules;
}

static struct detector *open_detector(const struct rule_set *rules, uint32_t series)
{
    const struct detector_limits limits = {.series = series, .lateness_ms = 15000, .idle_after_ms = 15000};
    struct detector *detector = NULL;
    assert_int_equal(detector_create(&detector, rules, &limits, 7, NULL), 0);
    return detector;
}

struct sent {
    int64_t time_ms, offset;
    uint64_t id;
    const char *service, *route;
    int status;
    double duration_s;
};

static enum detector_verdict send(struct detector *detector, const struct sent *sent)
{
    char id[24];
    int size = snprintf(id, sizeof id, "%016" PRIx64, sent->id);
    const struct event event = {.id = {id, (size_t)size},
                                .time_unix_ms = sent->time_ms,
                                .service = {sent->service, strlen(sent->service)},
                                .region = {"us-east-1", 9},
                                .kind = EVENT_REQUEST,
                                .route = {sent->route, strlen(sent->route)},
                                .status_code = sent->status,
                                .duration_s = sent->duration_s,
                                .count = 1,
                                .cpu_utilization = NAN,
                                .memory_utilization = NAN};
    struct detector_input input = {.event = &event, .offset = sent->offset, .appended_ms = sent->time_ms + 5};
    detector_observe(detector, DETECTOR_DECIDE, &input, 1);
    return input.verdict;
}

/* As a processor does it each second. */
static void commit(struct detector *detector)
{
    struct detector_state state;
    detector_take_checkpoint(detector, false);
    while (detector_next_state(detector, &state)) {
        assert_true(state.key_bytes > 0);
    }
}

/* 100 requests a second each, one in twenty sent twice; the last minute's durations and the ids of 16 s are
 * full, the ten minutes of counts take their place from the beginning. */
static void an_active_series_takes_at_most_40_kib(void **state)
{
    (void)state;
    enum { SERIES = 100, SECONDS = 90, PER_SECOND = 100 };
    struct rule_set *rules = load_shipped_rules();
    struct detector *detector = open_detector(rules, SERIES);
    struct random random;
    struct detector_totals totals;
    char services[SERIES][24];
    size_t most = 0;
    uint64_t id = 0;
    random_init(&random, 11);
    for (int i = 0; i < SERIES; i++) {
        (void)snprintf(services[i], sizeof services[i], "service-%d", i);
    }
    for (int64_t second = 0; second < SECONDS; second++) {
        for (int i = 0; i < SERIES * PER_SECOND; i++) {
            const struct sent sent = {.time_ms = START_MS + second * 1000 + i / (SERIES * PER_SECOND / 1000),
                                      .offset = (int64_t)id,
                                      .id = id + 1,
                                      .service = services[i % SERIES],
                                      .route = "/orders/{id}",
                                      .status = random_below(&random, 200) == 0 ? 500 : 200,
                                      .duration_s = 0.04 * exp(0.7 * random_normal(&random))};
            id++;
            assert_int_equal(send(detector, &sent), DETECTOR_COUNTED);
            if (i % 20 == 0) {
                assert_int_equal(send(detector, &sent), DETECTOR_DUPLICATE);
            }
        }
        commit(detector);
        detector_read_totals(detector, &totals);
        most = totals.memory_bytes > most ? totals.memory_bytes : most;
    }
    print_message("%.1f KiB a series at most\n", (double)most / SERIES / 1024);
    assert_int_equal(totals.series, SERIES);
    assert_true(most / SERIES <= (size_t)40 * 1024);
    detector_destroy(detector);
    rule_set_destroy(rules);
}

/* A scanner asks one service for a million routes, while an ordinary one has an incident. */
static void a_million_routes_are_refused_and_harm_nobody(void **state)
{
    (void)state;
    enum { LIMIT = 500, ROUTES = 1000000, PER_SECOND = 20000 };
    static const char yaml[] =
        "rules:\n"
        "  - {name: RouteErrors, signal: error_rate, above: 0.1, severity: critical, window: [10s, 60s],"
        " group_by: [service.name, cloud.region, http.route]}\n";
    struct rule_set *rules = NULL;
    struct detector_totals totals;
    struct alert_transition transition;
    size_t firings = 0;
    size_t most = 0;
    size_t full = 0;
    int64_t offset = 0;
    assert_int_equal(rule_set_parse(&rules, "routes.yaml", yaml, strlen(yaml), NULL), 0);
    struct detector *detector = open_detector(rules, LIMIT);
    for (int64_t i = 0; i < ROUTES; i++, offset++) {
        char route[32];
        int64_t time_ms = START_MS + i * 1000 / PER_SECOND;
        (void)snprintf(route, sizeof route, "/.git/%" PRId64, i);
        if (i % 200 == 0) { /* the ordinary one, there from the beginning, failing from the second half on */
            const struct sent ordinary = {.time_ms = time_ms,
                                          .offset = offset,
                                          .id = (uint64_t)offset + 1,
                                          .service = "shop",
                                          .route = "/pay",
                                          .status = i > ROUTES / 2 && i % 400 == 0 ? 503 : 200,
                                          .duration_s = 0.03};
            offset++;
            assert_int_equal(send(detector, &ordinary), DETECTOR_COUNTED);
        }
        const struct sent attack = {.time_ms = time_ms,
                                    .offset = offset,
                                    .id = (uint64_t)offset + 1,
                                    .service = "edge",
                                    .route = route,
                                    .status = 404,
                                    .duration_s = 0.001};
        assert_int_equal(send(detector, &attack), DETECTOR_COUNTED); /* for its service */
        while (detector_next_transition(detector, &transition)) {
            assert_string_equal(transition.labels.service, "shop");
            firings += transition.state == ALERT_FIRING;
        }
        if (i % PER_SECOND == 0) {
            commit(detector);
            detector_read_totals(detector, &totals);
            full = totals.series == LIMIT && full == 0 ? totals.memory_bytes : full;
            most = totals.memory_bytes > most ? totals.memory_bytes : most;
            assert_true(totals.series <= LIMIT);
        }
    }
    detector_read_totals(detector, &totals);
    print_message("%" PRIu64 " of %d routes refused, %.1f MB of memory at most\n", totals.routes_refused,
                  ROUTES, (double)most / 1e6);
    assert_in_range(totals.routes_refused, ROUTES - 3 * LIMIT, ROUTES);
    assert_int_equal(totals.refused, 0);
    assert_int_equal(firings, 1);
    assert_true(most < 20 * 1000 * 1000);
    detector_destroy(detector);
    rule_set_destroy(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_active_series_takes_at_most_40_kib),
        cmocka_unit_test(a_million_routes_are_refused_and_harm_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
