#include "buffer/buffer.h"
#include "event/decode.h"
#include "event/encode.h"
#include "traffic.h"

#include "cmocka_all.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define START_MS INT64_C(1795561200000) /* 2026-11-24T23:00:00Z */
#define DAY_MS   INT64_C(86400000)

static struct traffic_settings settings_of(uint64_t seed, const char *instance, double rps)
{
    return (struct traffic_settings){.seed = seed,
                                     .instance = instance,
                                     .start_unix_ms = START_MS,
                                     .target_rps = rps,
                                     .error_share = -1,
                                     .log_share = 1};
}

static struct traffic *create(const struct traffic_settings *settings)
{
    struct traffic *traffic = NULL;
    struct error error;
    assert_int_equal(traffic_create(&traffic, settings, &error), 0);
    return traffic;
}

/* All requests of [0, until_ms) as JSON, one a line, asked for in stretches of slice_ms. */
static void record(struct buffer *out, const struct traffic_settings *settings, int64_t until_ms,
                   int64_t slice_ms)
{
    struct traffic *traffic = create(settings);
    struct traffic_request request;
    buffer_init(out, 0);
    for (int64_t at = slice_ms; at - slice_ms < until_ms; at += slice_ms) {
        while (traffic_next(traffic, at < until_ms ? at : until_ms, &request)) {
            event_encode(out, &request.event);
            if (request.logged) {
                log_record_encode(out, &request.log);
            }
            buffer_append_char(out, '\n');
        }
    }
    traffic_destroy(traffic);
}

static void same_seed_instance_and_start_give_the_same_bytes(void **state)
{
    (void)state;
    struct traffic_settings settings = settings_of(42, "a", 500);
    struct buffer one, other;
    record(&one, &settings, 30000, 30000);
    record(&other, &settings, 30000, 30000);
    assert_true(one.size > 1000000);
    assert_int_equal(one.size, other.size);
    assert_memory_equal(one.data, other.data, one.size);
    buffer_free(&one);
    buffer_free(&other);
}

static void how_time_is_cut_into_calls_makes_no_difference(void **state)
{
    (void)state;
    struct traffic_settings settings = settings_of(42, "a", 500);
    struct buffer one, other;
    record(&one, &settings, 30000, 30000);
    record(&other, &settings, 30000, 7);
    assert_int_equal(one.size, other.size);
    assert_memory_equal(one.data, other.data, one.size);
    buffer_free(&one);
    buffer_free(&other);
}

static void another_seed_instance_or_start_gives_other_ids(void **state)
{
    (void)state;
    struct traffic_settings settings[4] = {settings_of(42, "a", 50), settings_of(43, "a", 50),
                                           settings_of(42, "b", 50), settings_of(42, "a", 50)};
    char ids[4][32];
    for (int i = 0; i < 4; i++) {
        struct traffic *traffic = create(&settings[i]);
        struct traffic_request request;
        assert_true(traffic_next(traffic, 60000, &request));
        assert_int_equal(request.event.id.size, 32);
        memcpy(ids[i], request.event.id.data, 32);
        traffic_destroy(traffic);
    }
    assert_memory_not_equal(ids[0], ids[1], 32);
    assert_memory_not_equal(ids[0], ids[2], 32);
    assert_memory_equal(ids[0], ids[3], 32);
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

static void ids_are_unique_across_replicas(void **state)
{
    (void)state;
    enum { EACH = 20000 };
    char(*ids)[32] = malloc(2 * EACH * sizeof *ids);
    for (int replica = 0; replica < 2; replica++) {
        struct traffic_settings settings = settings_of(1, replica == 0 ? "pod-0" : "pod-1", 1000);
        struct traffic *traffic = create(&settings);
        struct traffic_request request;
        for (int i = 0; i < EACH; i++) {
            assert_true(traffic_next(traffic, DAY_MS, &request));
            memcpy(ids[replica * EACH + i], request.event.id.data, 32);
        }
        traffic_destroy(traffic);
    }
    qsort(ids, 2 * EACH, sizeof *ids, compare_ids);
    for (int i = 1; i < 2 * EACH; i++) {
        assert_memory_not_equal(ids[i - 1], ids[i], 32);
    }
    free(ids);
}

static void every_event_and_log_record_is_valid_and_they_share_the_trace(void **state)
{
    (void)state;
    struct traffic_settings settings = settings_of(7, "a", 1000);
    struct traffic *traffic = create(&settings);
    struct event_decoder *decoder = NULL;
    struct error error;
    struct buffer buffer;
    assert_int_equal(event_decoder_create(&decoder, &error), 0);
    buffer_init(&buffer, 0);
    struct traffic_request request;
    while (traffic_next(traffic, 20000, &request)) {
        struct event event;
        struct log_record log;
        struct event_fault fault;
        buffer_clear(&buffer);
        event_encode(&buffer, &request.event);
        assert_int_equal(event_decode(decoder, buffer.data, buffer.size, &event, &fault), EVENT_OK);
        assert_int_equal(event.time_unix_ms, request.event.time_unix_ms);
        assert_true(event.duration_s == request.event.duration_s);
        assert_true(request.logged);
        buffer_clear(&buffer);
        log_record_encode(&buffer, &request.log);
        assert_int_equal(log_record_decode(decoder, buffer.data, buffer.size, &log, &fault), EVENT_OK);
        assert_memory_equal(log.trace_id.data, request.event.trace_id.data, 32);
        assert_memory_equal(log.span_id.data, request.event.span_id.data, 16);
        assert_int_equal(log.severity == LOG_SEVERITY_ERROR, request.event.status_code >= 500);
    }
    buffer_free(&buffer);
    event_decoder_destroy(decoder);
    traffic_destroy(traffic);
}

/* --- amounts ---- */

static size_t count_until(struct traffic *traffic, int64_t until_ms, size_t per_series[SERIES_COUNT])
{
    struct traffic_request request;
    size_t count = 0;
    while (traffic_next(traffic, until_ms, &request)) {
        per_series[request.series]++;
        count++;
    }
    return count;
}

static void target_rps_is_met_at_any_hour(void **state)
{
    (void)state;
    for (int hour = 0; hour < 24; hour += 3) {
        struct traffic_settings settings = settings_of(3, "a", 200);
        settings.start_unix_ms += hour * INT64_C(3600000);
        struct traffic *traffic = create(&settings);
        size_t per_series[SERIES_COUNT] = {0};
        size_t count = count_until(traffic, 60000, per_series);
        /* 12 000 expected, the deviation of a Poisson count is 110 */
        assert_in_range(count, 12000 - 550, 12000 + 550);
        traffic_destroy(traffic);
    }
}

static void the_regions_shares_follow_the_day(void **state)
{
    (void)state;
    struct traffic_settings settings = settings_of(3, "a", 50);
    struct traffic *traffic = create(&settings);
    size_t hours[24] = {0}, before = 0, per_series[SERIES_COUNT] = {0};
    for (int hour = 0; hour < 24; hour++) {
        (void)count_until(traffic, (hour + 1) * INT64_C(3600000), per_series);
        size_t total = 0;
        for (int service = 0; service < SERVICE_COUNT; service++) {
            total += per_series[service * REGION_COUNT]; /* us-east-1 */
        }
        hours[hour] = total - before;
        before = total;
    }
    /* The run starts at 23:00 UTC. us-east-1 is busiest at 16 h of its clock, 21 h UTC: hour 22 of the run.
     */
    assert_true(hours[22] > 2 * hours[10]);
    traffic_destroy(traffic);
}

static void the_counts_of_a_series_are_poisson(void **state)
{
    (void)state;
    /* Variance of the counts per second over their mean is 1; regular or clustered arrivals would be far off.
     */
    struct traffic_settings settings = settings_of(11, "a", 400);
    struct traffic *traffic = create(&settings);
    double sum = 0, squares = 0;
    size_t per_series[SERIES_COUNT] = {0}, before = 0;
    enum { SECONDS = 2000 };
    for (int64_t second = 1; second <= SECONDS; second++) {
        (void)count_until(traffic, second * 1000, per_series);
        double count = (double)(per_series[0] - before);
        before = per_series[0];
        sum += count;
        squares += count * count;
    }
    double mean = sum / SECONDS;
    double ratio = (squares / SECONDS - mean * mean) / mean;
    assert_true(ratio > 0.85 && ratio < 1.15);
    traffic_destroy(traffic);
}

/* --- healthy ---- */

struct sample {
    double *durations;
    size_t count, errors;
};

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The last part of a run whose faults were set before. */
static void sample_series(struct traffic *traffic, int series, int64_t until_ms, struct sample *sample)
{
    struct traffic_request request;
    sample->durations = malloc(2000000 * sizeof(double));
    sample->count = sample->errors = 0;
    while (traffic_next(traffic, until_ms, &request)) {
        if (request.series == series) {
            sample->durations[sample->count++] = request.event.duration_s;
            sample->errors += request.event.status_code >= 500 ? 1 : 0;
        }
    }
    qsort(sample->durations, sample->count, sizeof(double), compare_doubles);
}

static double quantile(const struct sample *sample, double q)
{
    return sample->durations[(size_t)ceil(q * (double)sample->count) - 1];
}

static void healthy_traffic_is_far_from_every_rule(void **state)
{
    (void)state;
    for (int hour = 0; hour < 24; hour += 6) {
        for (int series = 0; series < SERIES_COUNT; series++) {
            struct traffic_settings settings = settings_of(5, "a", 5000);
            settings.start_unix_ms += hour * INT64_C(3600000);
            struct traffic *traffic = create(&settings);
            struct sample sample;
            sample_series(traffic, series, 40000, &sample);
            assert_true(sample.count > 1000);
            double p99 = quantile(&sample, 0.99);
            assert_true(p99 > 0.12 && p99 < 0.32);
            assert_true((double)sample.errors < 0.01 * (double)sample.count);
            free(sample.durations);
            traffic_destroy(traffic);
        }
    }
}

static void error_rate_replaces_the_services_own(void **state)
{
    (void)state;
    struct traffic_settings settings = settings_of(5, "a", 5000);
    settings.error_share = 0.1;
    struct traffic *traffic = create(&settings);
    struct sample sample;
    sample_series(traffic, 0, 40000, &sample);
    double share = (double)sample.errors / (double)sample.count;
    assert_true(share > 0.09 && share < 0.11);
    free(sample.durations);
    traffic_destroy(traffic);
}

static void log_share_thins_the_lines_of_successes_only(void **state)
{
    (void)state;
    struct traffic_settings settings = settings_of(5, "a", 1000);
    settings.log_share = 0.1;
    struct traffic *traffic = create(&settings);
    struct traffic_request request;
    size_t good = 0, good_logged = 0;
    while (traffic_next(traffic, 60000, &request)) {
        if (request.event.status_code >= 400) {
            assert_true(request.logged);
        } else {
            good++;
            good_logged += request.logged ? 1 : 0;
        }
    }
    assert_true((double)good_logged > 0.08 * (double)good && (double)good_logged < 0.12 * (double)good);
    traffic_destroy(traffic);
}

/* --- faults ---- */

/* Two runs side by side, the second with an effect on series 0 from 10 s on. */
struct pair {
    struct traffic *healthy, *broken;
};

static struct pair create_pair(const struct fault_effect *effect)
{
    struct traffic_settings settings = settings_of(9, "a", 2000);
    struct pair pair = {create(&settings), create(&settings)};
    size_t ignored[SERIES_COUNT] = {0};
    (void)count_until(pair.healthy, 10000, ignored);
    (void)count_until(pair.broken, 10000, ignored);
    traffic_set_effect(pair.broken, 0, 10000, effect);
    return pair;
}

static void destroy_pair(struct pair *pair)
{
    traffic_destroy(pair->healthy);
    traffic_destroy(pair->broken);
}

static void assert_same_text(struct event_text a, struct event_text b)
{
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
}

static void an_error_burst_fails_requests_and_changes_nothing_else(void **state)
{
    (void)state;
    struct fault_effect effect;
    fault_effect_init(&effect);
    effect.error_share = 0.3;
    struct pair pair = create_pair(&effect);
    struct traffic_request one, other;
    size_t count = 0, errors = 0;
    while (traffic_next(pair.healthy, 40000, &one)) {
        assert_true(traffic_next(pair.broken, 40000, &other));
        assert_int_equal(one.series, other.series);
        assert_same_text(one.event.id, other.event.id);
        assert_int_equal(one.event.time_unix_ms, other.event.time_unix_ms);
        assert_true(one.event.duration_s == other.event.duration_s);
        if (one.series == 0) {
            count++;
            errors += other.event.status_code >= 500 ? 1 : 0;
            if (one.event.status_code >= 500) {
                assert_true(other.event.status_code >= 500);
            }
        } else {
            assert_int_equal(one.event.status_code, other.event.status_code);
        }
    }
    assert_false(traffic_next(pair.broken, 40000, &other));
    double share = (double)errors / (double)count;
    assert_true(share > 0.27 && share < 0.33);
    destroy_pair(&pair);
}

static void a_latency_spike_multiplies_durations_and_changes_nothing_else(void **state)
{
    (void)state;
    struct fault_effect effect;
    fault_effect_init(&effect);
    effect.latency_factor = 5;
    struct pair pair = create_pair(&effect);
    struct traffic_request one, other;
    while (traffic_next(pair.healthy, 30000, &one)) {
        assert_true(traffic_next(pair.broken, 30000, &other));
        assert_same_text(one.event.id, other.event.id);
        assert_int_equal(one.event.status_code, other.event.status_code);
        double factor = one.series == 0 ? 5 : 1;
        assert_true(fabs(other.event.duration_s - factor * one.event.duration_s) < 5e-6);
    }
    destroy_pair(&pair);
}

static void a_surge_multiplies_one_series_and_leaves_the_others_alone(void **state)
{
    (void)state;
    struct fault_effect effect;
    fault_effect_init(&effect);
    effect.traffic_factor = 3;
    struct pair pair = create_pair(&effect);
    size_t healthy[SERIES_COUNT] = {0}, broken[SERIES_COUNT] = {0};
    (void)count_until(pair.healthy, 40000, healthy);
    (void)count_until(pair.broken, 40000, broken);
    double factor = (double)broken[0] / (double)healthy[0];
    assert_true(factor > 2.85 && factor < 3.15);
    for (int i = 1; i < SERIES_COUNT; i++) {
        assert_int_equal(healthy[i], broken[i]);
    }
    destroy_pair(&pair);
}

static void an_outage_silences_the_series_and_it_comes_back(void **state)
{
    (void)state;
    struct fault_effect effect;
    fault_effect_init(&effect);
    effect.traffic_factor = 0;
    struct pair pair = create_pair(&effect);
    size_t broken[SERIES_COUNT] = {0};
    (void)count_until(pair.broken, 40000, broken);
    assert_int_equal(broken[0], 0);
    fault_effect_init(&effect);
    traffic_set_effect(pair.broken, 0, 40000, &effect);
    (void)count_until(pair.broken, 50000, broken);
    assert_true(broken[0] > 500);
    destroy_pair(&pair);
}

static void saturation_raises_utilisation_to_its_magnitude_and_slows(void **state)
{
    (void)state;
    struct fault_effect effect;
    fault_effect_init(&effect);
    effect.saturation = 0.95;
    struct pair pair = create_pair(&effect);
    struct traffic_request one, other;
    while (traffic_next(pair.healthy, 20000, &one)) {
        assert_true(traffic_next(pair.broken, 20000, &other));
        if (one.series == 0) {
            assert_true(one.event.cpu_utilization < 0.7);
            assert_true(fabs(other.event.cpu_utilization - 0.95) <= 0.021);
            assert_true(fabs(other.event.memory_utilization - 0.95) <= 0.006);
            assert_true(other.event.duration_s > 4 * one.event.duration_s);
        }
    }
    destroy_pair(&pair);
}

static void cpu_follows_the_load(void **state)
{
    (void)state;
    struct fault_effect effect;
    fault_effect_init(&effect);
    effect.traffic_factor = 2;
    struct pair pair = create_pair(&effect);
    struct traffic_request request;
    double cpu[2] = {0};
    for (int i = 0; i < 2; i++) {
        struct traffic *traffic = i == 0 ? pair.healthy : pair.broken;
        size_t count = 0;
        while (traffic_next(traffic, 20000, &request)) {
            if (request.series == 0) {
                cpu[i] += request.event.cpu_utilization;
                count++;
            }
        }
        cpu[i] /= (double)count;
    }
    assert_true(cpu[1] > cpu[0] + 0.1);
    destroy_pair(&pair);
}

static void told_times_are_kept_and_the_series_share_as_ever(void **state)
{
    (void)state;
    struct traffic_settings settings = settings_of(9, "a", 1000);
    struct traffic *paced = create(&settings), *told = create(&settings);
    size_t counts[SERIES_COUNT] = {0}, expected[SERIES_COUNT] = {0};
    struct traffic_request request;
    size_t total = count_until(paced, 9000, expected);
    for (size_t i = 0; i < total; i++) {
        assert_true(traffic_next_at(told, 500 + (int64_t)i / 100, &request));
        assert_int_equal(request.event.time_unix_ms, START_MS + 500 + (int64_t)i / 100);
        counts[request.series]++;
    }
    for (int i = 0; i < SERIES_COUNT; i++) {
        assert_int_equal(counts[i], expected[i]);
    }
    traffic_destroy(paced);
    traffic_destroy(told);
}

static void no_target_means_no_requests(void **state)
{
    (void)state;
    struct traffic_settings settings = settings_of(9, "a", 0);
    struct traffic *traffic = create(&settings);
    struct traffic_request request;
    assert_false(traffic_next(traffic, 100 * DAY_MS, &request));
    assert_false(traffic_next_at(traffic, 100 * DAY_MS, &request));
    assert_true(traffic_due_ms(traffic) == INT64_MAX);
    traffic_destroy(traffic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_instance_and_start_give_the_same_bytes),
        cmocka_unit_test(how_time_is_cut_into_calls_makes_no_difference),
        cmocka_unit_test(another_seed_instance_or_start_gives_other_ids),
        cmocka_unit_test(ids_are_unique_across_replicas),
        cmocka_unit_test(every_event_and_log_record_is_valid_and_they_share_the_trace),
        cmocka_unit_test(target_rps_is_met_at_any_hour),
        cmocka_unit_test(the_regions_shares_follow_the_day),
        cmocka_unit_test(the_counts_of_a_series_are_poisson),
        cmocka_unit_test(healthy_traffic_is_far_from_every_rule),
        cmocka_unit_test(error_rate_replaces_the_services_own),
        cmocka_unit_test(log_share_thins_the_lines_of_successes_only),
        cmocka_unit_test(an_error_burst_fails_requests_and_changes_nothing_else),
        cmocka_unit_test(a_latency_spike_multiplies_durations_and_changes_nothing_else),
        cmocka_unit_test(a_surge_multiplies_one_series_and_leaves_the_others_alone),
        cmocka_unit_test(an_outage_silences_the_series_and_it_comes_back),
        cmocka_unit_test(saturation_raises_utilisation_to_its_magnitude_and_slows),
        cmocka_unit_test(cpu_follows_the_load),
        cmocka_unit_test(told_times_are_kept_and_the_series_share_as_ever),
        cmocka_unit_test(no_target_means_no_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
