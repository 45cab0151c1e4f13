/* One set of sources, three formats. */
#include "buffer/buffer.h"
#include "metrics/encoder.h"
#include "metrics/native_histogram.h"

#include "client_model.pb-c.h"
#include "cmocka_all.h"

#include <math.h>
#include <string.h>

typedef Io__Prometheus__Client__MetricFamily family_message;

static const double bounds[] = {0.25, 1};
static struct native_histogram native;

static bool read_counter(void *context, size_t place, struct metric_point *out)
{
    (void)context;
    out->labels = "path=\"a\\\\b\\n\\\"\",empty=\"\"";
    out->labels_bytes = strlen(out->labels);
    out->extra_name = "result";
    out->extra_value = place == 0 ? "good" : "bad";
    out->count = place == 0 ? 3 : 0;
    return place != 1; /* a hole */
}

static bool read_gauge(void *context, size_t place, struct metric_point *out)
{
    (void)context;
    (void)place;
    out->value = 0.5;
    return true;
}

static bool read_histogram(void *context, size_t place, struct metric_point *out)
{
    static const struct metric_exemplar exemplars[] = {
        {.trace_id = {0x01, 0xab}, .value = 0.5, .time_ms = 1764028800045},
        {.trace_id = {0xff}, .value = 8, .time_ms = 7},
    };
    (void)context;
    (void)place;
    static const uint64_t counts[] = {4, 2, 1};
    out->labels = "op=\"read\"";
    out->labels_bytes = strlen(out->labels);
    out->histogram = (struct metric_histogram){.bounds = bounds,
                                               .bound_count = 2,
                                               .counts = counts,
                                               .sum = 9.25,
                                               .exemplars = exemplars,
                                               .exemplar_buckets = 1 << 1 | 1 << 2,
                                               .native = &native};
    return true;
}

static const struct metric_source sources[] = {
    {"obs_bytes_total", "Say \"hi\"\\\n.", METRIC_COUNTER, 3, read_counter, NULL},
    {"obs_load_ratio", "Load.", METRIC_GAUGE, 1, read_gauge, NULL},
    {"obs_seconds", "Time.", METRIC_HISTOGRAM, 1, read_histogram, NULL},
    {"obs_nothing_total", "None yet.", METRIC_COUNTER, 0, read_counter, NULL},
};

/* In parts of part_bytes, as a server sends them. */
static void encode(struct buffer *out, enum metric_format format, enum metric_histograms histograms,
                   size_t part_bytes)
{
    struct metric_encoder *encoder = metric_encoder_create(format, histograms);
    assert_non_null(encoder);
    buffer_init(out, 0);
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        size_t place = 0;
        bool is_done = false;
        while (!is_done) {
            struct buffer part;
            buffer_init(&part, 0);
            is_done = metric_encode(encoder, &sources[i], &place, &part, part_bytes);
            buffer_append(out, part.data, part.size);
            buffer_free(&part);
        }
    }
    metric_encode_end(encoder, out);
    metric_encoder_destroy(encoder);
    assert_false(out->failed);
}

static int set_up(void **state)
{
    (void)state;
    native_histogram_init(&native);
    static const double values[] = {0, 0.001, 0.25, 0.251, 0.5, 0.5, 8};
    for (size_t i = 0; i < 7; i++) {
        assert_true(native_histogram_observe(&native, values[i], 1));
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    native_histogram_deinit(&native);
    return 0;
}

static void assert_page(enum metric_format format, enum metric_histograms histograms, const char *expected)
{
    for (size_t part_bytes = 1; part_bytes < 100000; part_bytes *= 300) {
        struct buffer out;
        encode(&out, format, histograms, part_bytes);
        assert_string_equal(buffer_text(&out), expected);
        buffer_free(&out);
    }
}

static void text_names_counters_in_full_and_knows_no_exemplars(void **state)
{
    (void)state;
    assert_page(METRIC_TEXT, METRIC_BOTH,
                "# HELP obs_bytes_total Say \"hi\"\\\\\\n.\n# TYPE obs_bytes_total counter\n"
                "obs_bytes_total{path=\"a\\\\b\\n\\\"\",empty=\"\",result=\"good\"} 3\n"
                "obs_bytes_total{path=\"a\\\\b\\n\\\"\",empty=\"\",result=\"bad\"} 0\n"
                "# HELP obs_load_ratio Load.\n# TYPE obs_load_ratio gauge\nobs_load_ratio 0.5\n"
                "# HELP obs_seconds Time.\n# TYPE obs_seconds histogram\n"
                "obs_seconds_bucket{op=\"read\",le=\"0.25\"} 4\n"
                "obs_seconds_bucket{op=\"read\",le=\"1.0\"} 6\n"
                "obs_seconds_bucket{op=\"read\",le=\"+Inf\"} 7\n"
                "obs_seconds_sum{op=\"read\"} 9.25\nobs_seconds_count{op=\"read\"} 7\n"
                "# HELP obs_nothing_total None yet.\n# TYPE obs_nothing_total counter\n");
}

static void openmetrics_has_units_exemplars_and_an_end(void **state)
{
    (void)state;
    assert_page(METRIC_OPENMETRICS, METRIC_CLASSIC,
                "# HELP obs_bytes Say \\\"hi\\\"\\\\\\n.\n# TYPE obs_bytes counter\n# UNIT obs_bytes bytes\n"
                "obs_bytes_total{path=\"a\\\\b\\n\\\"\",empty=\"\",result=\"good\"} 3\n"
                "obs_bytes_total{path=\"a\\\\b\\n\\\"\",empty=\"\",result=\"bad\"} 0\n"
                "# HELP obs_load_ratio Load.\n# TYPE obs_load_ratio gauge\n# UNIT obs_load_ratio ratio\n"
                "obs_load_ratio 0.5\n"
                "# HELP obs_seconds Time.\n# TYPE obs_seconds histogram\n# UNIT obs_seconds seconds\n"
                "obs_seconds_bucket{op=\"read\",le=\"0.25\"} 4\n"
                "obs_seconds_bucket{op=\"read\",le=\"1.0\"} 6"
                " # {trace_id=\"01ab0000000000000000000000000000\"} 0.5 1764028800.045\n"
                "obs_seconds_bucket{op=\"read\",le=\"+Inf\"} 7"
                " # {trace_id=\"ff000000000000000000000000000000\"} 8 0.007\n"
                "obs_seconds_sum{op=\"read\"} 9.25\nobs_seconds_count{op=\"read\"} 7\n"
                "# HELP obs_nothing None yet.\n# TYPE obs_nothing counter\n# EOF\n");
}

static void text_without_classic_buckets_keeps_the_last_one(void **state)
{
    (void)state;
    struct buffer out;
    encode(&out, METRIC_TEXT, METRIC_NATIVE, 100000);
    assert_non_null(strstr(buffer_text(&out), "histogram\nobs_seconds_bucket{op=\"read\",le=\"+Inf\"} 7\n"
                                              "obs_seconds_sum{op=\"read\"} 9.25\n"));
    buffer_free(&out);
}

/* --- protobuf ---- */

static uint64_t take_length(const struct buffer *page, size_t *at)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        assert_true(*at < page->size && shift < 64);
        unsigned char byte = (unsigned char)page->data[(*at)++];
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
}

/* The page's families; how many. */
static size_t decode(const struct buffer *page, family_message *families[8])
{
    size_t count = 0;
    for (size_t at = 0; at < page->size;) {
        size_t size = take_length(page, &at);
        assert_true(size <= page->size - at && count < 8);
        families[count] =
            io__prometheus__client__metric_family__unpack(NULL, size, (const uint8_t *)page->data + at);
        assert_non_null(families[count++]);
        at += size;
    }
    return count;
}

static void check_classic(const Io__Prometheus__Client__Histogram *histogram, bool is_there)
{
    assert_int_equal(histogram->sample_count, 7);
    assert_true(histogram->sample_sum == 9.25);
    assert_int_equal(histogram->n_bucket, is_there ? 3 : 0);
    if (is_there) {
        assert_int_equal(histogram->bucket[0]->cumulative_count, 4);
        assert_true(histogram->bucket[0]->upper_bound == 0.25);
        assert_null(histogram->bucket[0]->exemplar);
        assert_int_equal(histogram->bucket[1]->cumulative_count, 6);
        const Io__Prometheus__Client__Exemplar *exemplar = histogram->bucket[1]->exemplar;
        assert_string_equal(exemplar->label[0]->name, "trace_id");
        assert_string_equal(exemplar->label[0]->value, "01ab0000000000000000000000000000");
        assert_true(exemplar->value == 0.5);
        assert_int_equal(exemplar->timestamp->seconds, 1764028800);
        assert_int_equal(exemplar->timestamp->nanos, 45000000);
        assert_true(isinf(histogram->bucket[2]->upper_bound)); /* it has an exemplar */
    }
}

/* Spans and deltas taken apart again, as their reader would. */
static void check_native(const Io__Prometheus__Client__Histogram *histogram, bool is_there, bool is_alone)
{
    assert_int_equal(histogram->zero_count, is_there ? 1 : 0);
    assert_true(histogram->zero_threshold == (is_there ? 0x1p-128 : 0));
    assert_int_equal(histogram->n_exemplars, is_alone ? 2 : 0); /* else they are with the classic buckets */
    size_t bucket = 0;
    int32_t index = 0;
    int64_t count = 0;
    for (size_t s = 0; s < histogram->n_positive_span; s++) {
        index += histogram->positive_span[s]->offset;
        for (uint32_t i = 0; i < histogram->positive_span[s]->length; i++) {
            count += histogram->positive_delta[bucket];
            assert_int_equal(native_bucket_index(native.buckets[bucket]), index++);
            assert_int_equal(native_bucket_count(native.buckets[bucket++]), count);
        }
    }
    assert_int_equal(bucket, is_there ? native.count : 0);
    assert_int_equal(histogram->schema, is_there ? 5 : 0);
    if (is_there) {
        assert_int_equal(histogram->n_positive_span, 4); /* 0.25 and 0.251 are neighbours */
    }
}

static void protobuf_has_the_forms_of_histograms_that_are_asked_for(void **state)
{
    (void)state;
    for (int histograms = METRIC_CLASSIC; histograms <= METRIC_BOTH; histograms++) {
        struct buffer page;
        family_message *families[8];
        encode(&page, METRIC_PROTOBUF, (enum metric_histograms)histograms, 1);
        assert_int_equal(decode(&page, families), 3); /* one without metrics would be refused */
        assert_string_equal(families[0]->name, "obs_bytes_total");
        assert_string_equal(families[0]->help, "Say \"hi\"\\\n.");
        assert_int_equal(families[0]->type, IO__PROMETHEUS__CLIENT__METRIC_TYPE__COUNTER);
        assert_int_equal(families[0]->n_metric, 2);
        const Io__Prometheus__Client__Metric *metric = families[0]->metric[0];
        assert_int_equal(metric->n_label, 3);
        assert_string_equal(metric->label[0]->value, "a\\b\n\"");
        assert_string_equal(metric->label[1]->name, "empty");
        assert_string_equal(metric->label[1]->value, "");
        assert_string_equal(metric->label[2]->value, "good");
        assert_true(metric->counter->value == 3);
        assert_true(families[0]->metric[1]->counter->value == 0);
        assert_true(families[1]->metric[0]->gauge->value == 0.5);
        assert_int_equal(families[1]->metric[0]->n_label, 0);
        check_classic(families[2]->metric[0]->histogram, histograms != METRIC_NATIVE);
        check_native(families[2]->metric[0]->histogram, histograms != METRIC_CLASSIC,
                     histograms == METRIC_NATIVE);
        for (size_t i = 0; i < 3; i++) {
            io__prometheus__client__metric_family__free_unpacked(families[i], NULL);
        }
        buffer_free(&page);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_names_counters_in_full_and_knows_no_exemplars),
        cmocka_unit_test(openmetrics_has_units_exemplars_and_an_end),
        cmocka_unit_test(text_without_classic_buckets_keeps_the_last_one),
        cmocka_unit_test(protobuf_has_the_forms_of_histograms_that_are_asked_for),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
