#include "counter_snapshot.h"
#include "families.h"
#include "series_counters.h"

#include "cmocka_all.h"
#include "random/random.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOTALS_KEY "totals|"
#define ZERO_MS    15000
#define IDLE_MS    3600000

/* --- a state topic's partition: the last value of each key ---- */

struct entry {
    char *key, *value;
    size_t key_bytes, value_bytes;
};

struct store {
    struct entry *entries;
    size_t count;
};

static void store_put(struct store *store, struct bus_bytes key, struct bus_bytes value)
{
    struct entry *entry = NULL;
    for (size_t i = 0; i < store->count && entry == NULL; i++) {
        if (store->entries[i].key_bytes == key.size_bytes &&
            memcmp(store->entries[i].key, key.data, key.size_bytes) == 0) {
            entry = &store->entries[i];
        }
    }
    if (entry == NULL) {
        store->entries = realloc(store->entries, (store->count + 1) * sizeof *store->entries);
        entry = &store->entries[store->count++];
        *entry = (struct entry){.key = malloc(key.size_bytes), .key_bytes = key.size_bytes};
        memcpy(entry->key, key.data, key.size_bytes);
    }
    entry->value = realloc(entry->value, value.size_bytes);
    entry->value_bytes = value.size_bytes;
    memcpy(entry->value, value.data, value.size_bytes);
}

static void store_free(struct store *store)
{
    for (size_t i = 0; i < store->count; i++) {
        free(store->entries[i].key);
        free(store->entries[i].value);
    }
    free(store->entries);
    *store = (struct store){0};
}

/* --- counters under test ---- */

static struct series_counters *make_counters(size_t max_series)
{
    const struct series_counters_settings settings = {
        .max_series = max_series, .zero_first_ms = ZERO_MS, .idle_ms = IDLE_MS};
    struct series_counters *counters = NULL;
    struct error error;
    assert_int_equal(series_counters_create(&counters, &settings, &error), 0);
    return counters;
}

static struct counter_partition *open_partition(struct series_counters *counters, const struct store *store,
                                                int64_t now_ms)
{
    struct counter_partition *partition = NULL;
    struct error error;
    assert_int_equal(counter_partition_open(counters, TOTALS_KEY, &partition, &error), 0);
    for (size_t i = 0; store != NULL && i < store->count; i++) {
        const struct entry *entry = &store->entries[i];
        assert_int_equal(
            counter_partition_restore(partition, (struct bus_bytes){entry->key, entry->key_bytes},
                                      (struct bus_bytes){entry->value, entry->value_bytes}, now_ms, &error),
            0);
    }
    counter_partition_end_restore(partition);
    return partition;
}

static size_t save(struct counter_partition *partition, struct store *store, int64_t now_ms)
{
    struct bus_bytes key;
    struct bus_bytes value;
    size_t count = 0;
    while (counter_partition_next_saved(partition, now_ms, &key, &value)) {
        count++;
        if (store != NULL) {
            store_put(store, key, value);
        }
    }
    return count;
}

static size_t commit(struct counter_partition *partition, struct store *store, int64_t now_ms)
{
    size_t count = save(partition, store, now_ms);
    counter_partition_commit(partition, now_ms);
    return count;
}

static struct event_text text(const char *value)
{
    return (struct event_text){value, strlen(value)};
}

static struct event make_event(const char *service, const char *region, const char *route, int32_t status,
                               double duration_s)
{
    return (struct event){.service = text(service),
                          .region = text(region),
                          .route = text(route),
                          .kind = EVENT_REQUEST,
                          .method = EVENT_METHOD_GET,
                          .status_code = status,
                          .duration_s = duration_s,
                          .count = 1,
                          .cpu_utilization = NAN,
                          .memory_utilization = NAN};
}

static void count_event(struct counter_partition *partition, const struct event *event, int64_t now_ms)
{
    assert_int_equal(counter_partition_count_event(partition, event, now_ms), 0);
}

/* What a row shows. */
struct shown {
    uint64_t values[COUNTER_VALUES], native_total;
    double sum, cpu;
    int schema, native_buckets;
    uint16_t exemplar_buckets;
    struct metric_exemplar exemplars[COUNTER_VALUES];
};

static void look_at(const struct counter_row *row, struct shown *out)
{
    struct label_numbers numbers;
    label_numbers_init(&numbers, row->kind);
    assert_true(label_numbers_unpack(&numbers, row->kind, row->numbers));
    *out = (struct shown){.native_total = native_histogram_total(&numbers.native),
                          .sum = numbers.sum,
                          .cpu = numbers.cpu,
                          .schema = numbers.native.schema,
                          .native_buckets = numbers.native.count,
                          .exemplar_buckets = numbers.exemplar_buckets};
    memcpy(out->values, numbers.values, sizeof out->values);
    if (numbers.exemplar_buckets != 0) {
        memcpy(out->exemplars, numbers.exemplars,
               (size_t)__builtin_popcount(numbers.exemplar_buckets) * sizeof *out->exemplars);
    }
    label_numbers_deinit(&numbers);
}

/* All values of the rows of a kind. */
static uint64_t sum_of(const struct counter_snapshot *snapshot, enum counter_kind kind)
{
    uint64_t sum = 0;
    for (size_t i = snapshot->first[kind]; i < snapshot->first[kind + 1]; i++) {
        struct shown shown;
        look_at(&snapshot->rows[i], &shown);
        for (int v = 0; v < COUNTER_VALUES; v++) {
            sum += shown.values[v];
        }
    }
    return sum;
}

/* What the row of these labels shows; values are all 99 when it isn't exposed. */
static struct shown row_of(struct series_counters *counters, enum counter_kind kind, const char *labels,
                           int64_t now_ms)
{
    struct counter_snapshot snapshot;
    struct shown shown = {.values = {99, 99, 99, 99, 99}, .sum = 99};
    assert_int_equal(counter_snapshot_take(counters, now_ms, &snapshot), 0);
    for (size_t i = 0; i < snapshot.count; i++) {
        if (snapshot.rows[i].kind == kind && strcmp(snapshot.rows[i].labels, labels) == 0) {
            look_at(&snapshot.rows[i], &shown);
        }
    }
    counter_snapshot_release(counters, &snapshot);
    return shown;
}

#define NOT_EXPOSED 99
#define API_US      "service_name=\"api\",cloud_region=\"us\""
#define API_US_GET  API_US ",http_route=\"/a\",http_request_method=\"GET\",http_response_status_code=\"200\""

static uint64_t class_of(struct series_counters *counters, int class, int64_t now_ms)
{
    return row_of(counters, COUNTER_CLASSES, API_US, now_ms).values[class];
}

static bool cpu_is_shown(struct series_counters *counters, int64_t now_ms)
{
    struct families families = {0};
    struct metric_source source;
    struct metric_point point = {0};
    assert_int_equal(counter_snapshot_take(counters, now_ms, &families.counters), 0);
    families_init(&families);
    size_t number = 0;
    while (families_source(&families, number, &source) &&
           strcmp(source.name, "system_cpu_utilization_ratio") != 0) {
        number++;
    }
    assert_int_equal(source.count, 1);
    bool is_shown = source.point(source.context, 0, &point);
    families_deinit(&families);
    counter_snapshot_release(counters, &families.counters);
    return is_shown;
}

/* --- cases ---- */

static void a_duration_falls_into_the_bucket_that_includes_its_bound(void **state)
{
    (void)state;
    struct series_counters *counters = make_counters(100);
    struct counter_partition *partition = open_partition(counters, NULL, 0);
    for (int i = 0; i < COUNTER_BUCKETS; i++) {
        const struct event at = make_event("api", "us", "/a", 200, counter_bucket_bounds[i]);
        count_event(partition, &at, 1);
    }
    const struct event above = make_event("api", "us", "/a", 200, nextafter(10, 11));
    const struct event zero = make_event("api", "us", "/a", 200, 0);
    count_event(partition, &above, 1);
    count_event(partition, &zero, 1);
    commit(partition, NULL, 1);
    struct shown row = row_of(counters, COUNTER_REQUESTS, API_US_GET, 1);
    assert_int_equal(row.values[0], 2);
    for (int i = 1; i <= COUNTER_BUCKETS; i++) {
        assert_int_equal(row.values[i], 1);
    }
    series_counters_destroy(counters);
}

static void the_count_of_an_event_weights_every_total(void **state)
{
    (void)state;
    struct series_counters *counters = make_counters(100);
    struct counter_partition *partition = open_partition(counters, NULL, 0);
    struct event event = make_event("api", "us", "/a", 503, 0.25);
    event.count = 1000000;
    count_event(partition, &event, 1);
    event.count = 3;
    count_event(partition, &event, 1);
    commit(partition, NULL, 1);
    commit(partition, NULL, 1 + ZERO_MS);
    struct shown row = row_of(counters, COUNTER_REQUESTS,
                              API_US ",http_route=\"/a\",http_request_method=\"GET\","
                                     "http_response_status_code=\"503\"",
                              1);
    assert_int_equal(row.values[6], 1000003);
    assert_int_equal(row.native_total, 1000003);
    assert_int_equal(row.native_buckets, 1);
    assert_true(row.sum == 250000.75);
    assert_int_equal(class_of(counters, 4, 1), 1000003);
    struct counter_snapshot snapshot;
    assert_int_equal(counter_snapshot_take(counters, 1, &snapshot), 0);
    assert_int_equal(snapshot.totals[TOTAL_EVENTS_COUNTED], 2); /* records, not requests */
    counter_snapshot_release(counters, &snapshot);
    series_counters_destroy(counters);
}

static struct event traced(double duration_s, const char *trace_id, int64_t time_ms)
{
    struct event event = make_event("api", "us", "/a", 200, duration_s);
    event.trace_id = text(trace_id);
    event.time_unix_ms = time_ms;
    return event;
}

static void each_bucket_has_the_latest_trace_that_fell_into_it(void **state)
{
    (void)state;
    struct series_counters *counters = make_counters(100);
    struct counter_partition *partition = open_partition(counters, NULL, 0);
    const struct event events[] = {traced(3, "000102030405060708090a0b0c0d0eff", 1),
                                   traced(0.3, "11111111111111111111111111111111", 2),
                                   traced(0.4, "22222222222222222222222222222222", 3), traced(0.001, "", 4)};
    for (size_t i = 0; i < 4; i++) {
        count_event(partition, &events[i], 1);
    }
    commit(partition, NULL, 1);
    const struct event later = traced(0.45, "33333333333333333333333333333333", 5);
    count_event(partition, &later, 2); /* not committed, so not shown */
    struct shown row = row_of(counters, COUNTER_REQUESTS, API_US_GET, 2);
    assert_int_equal(row.exemplar_buckets, 1 << 7 | 1 << 11);
    assert_true(row.exemplars[0].value == 0.4);
    assert_int_equal(row.exemplars[0].time_ms, 3);
    assert_int_equal(row.exemplars[0].trace_id[15], 0x22);
    assert_true(row.exemplars[1].value == 3);
    assert_int_equal(row.exemplars[1].trace_id[1], 1);
    assert_int_equal(row.exemplars[1].trace_id[15], 0xff);
    commit(partition, NULL, 3);
    assert_int_equal(row_of(counters, COUNTER_REQUESTS, API_US_GET, 3).exemplars[0].time_ms, 5);
    series_counters_destroy(counters);
}

/* As the version before wrote them: no native buckets. */
static void a_state_of_the_version_before_keeps_its_totals_in_both_forms(void **state)
{
    (void)state;
    struct series_counters *counters = make_counters(100);
    struct counter_partition *partition = NULL;
    struct error error;
    static const char key[] = "requests|\0\3\0api\2\0us\2\0/a\3\0GET\3\000200";
    unsigned char value[19 + 8 * COUNTER_VALUES] = {1, 1, 5}; /* version, revealed, seen at 5 ms */
    static const double sum = 12.5;
    memcpy(value + 10, &sum, sizeof sum);
    value[18] = COUNTER_VALUES;
    value[19 + 8 * 3] = 200; /* up to 0.05 */
    value[19 + 8 * 14] = 7;  /* beyond the last bound */
    static const unsigned char totals[1 + 8 * TOTAL_COUNT] = {1, 207};
    assert_int_equal(counter_partition_open(counters, TOTALS_KEY, &partition, &error), 0);
    assert_int_equal(counter_partition_restore(partition, (struct bus_bytes){key, sizeof key - 1},
                                               (struct bus_bytes){value, sizeof value}, 6, &error),
                     0);
    assert_int_equal(counter_partition_restore(partition, (struct bus_bytes){TOTALS_KEY, strlen(TOTALS_KEY)},
                                               (struct bus_bytes){totals, sizeof totals}, 6, &error),
                     0);
    counter_partition_end_restore(partition);
    struct shown row = row_of(counters, COUNTER_REQUESTS, API_US_GET, 6);
    assert_int_equal(row.values[3], 200);
    assert_int_equal(row.values[14], 7);
    assert_true(row.sum == 12.5);
    assert_int_equal(row.native_total, 207);
    assert_int_equal(row.native_buckets, 2);
    const struct event event = make_event("api", "us", "/a", 200, 0.05);
    count_event(partition, &event, 7);
    commit(partition, NULL, 7);
    row = row_of(counters, COUNTER_REQUESTS, API_US_GET, 7);
    assert_int_equal(row.values[3], 201);
    assert_int_equal(row.native_total, 208);
    assert_int_equal(row.native_buckets, 2); /* the bound lies in its bucket */
    series_counters_destroy(counters);
}

static void only_what_is_committed_is_shown(void **state)
{
    (void)state;
    struct series_counters *counters = make_counters(100);
    struct counter_partition *partition = open_partition(counters, NULL, 0);
    const struct event event = make_event("api", "us", "/a", 200, 0.001);
    count_event(partition, &event, 1);
    assert_int_equal(row_of(counters, COUNTER_REQUESTS, API_US_GET, 1).values[0], NOT_EXPOSED);
    save(partition, NULL, 1); /* put, but the commit isn't there yet */
    assert_int_equal(row_of(counters, COUNTER_REQUESTS, API_US_GET, 1).values[0], NOT_EXPOSED);
    counter_partition_commit(partition, 1);
    assert_int_equal(row_of(counters, COUNTER_REQUESTS, API_US_GET, 1).values[0], 1);
    count_event(partition, &event, 2);
    assert_int_equal(row_of(counters, COUNTER_REQUESTS, API_US_GET, 2).values[0], 1);
    commit(partition, NULL, 2);
    assert_int_equal(row_of(counters, COUNTER_REQUESTS, API_US_GET, 2).values[0], 2);
    series_counters_destroy(counters);
}

static void only_what_was_touched_is_saved(void **state)
{
    (void)state;
    struct series_counters *counters = make_counters(100);
    struct counter_partition *partition = open_partition(counters, NULL, 0);
    const struct event a = make_event("api", "us", "/a", 200, 0.001);
    const struct event b = make_event("api", "us", "/b", 200, 0.001);
    count_event(partition, &a, 1);
    count_event(partition, &b, 1);
    assert_int_equal(commit(partition, NULL, 1), 4); /* totals, classes, two histograms */
    assert_int_equal(commit(partition, NULL, 2), 0);
    count_event(partition, &b, 3);
    assert_int_equal(commit(partition, NULL, 3), 3);
    counter_partition_count_total(partition, TOTAL_EVENTS_MALFORMED);
    assert_int_equal(commit(partition, NULL, 4), 1);
    series_counters_destroy(counters);
}

static void a_new_service_and_region_stands_at_zero_for_one_scrape_interval_from_when_it_is_shown(
    void **state)
{
    (void)state;
    struct series_counters *counters = make_counters(100);
    struct counter_partition *partition = open_partition(counters, NULL, 0);
    const struct event event = make_event("api", "us", "/a", 500, 0.001);
    count_event(partition, &event, 1000);
    commit(partition, NULL, 2000); /* first shown */
    for (int class = 0; class < 5; class ++) {
        assert_int_equal(class_of(counters, class, 2000), 0);
    }
    count_event(partition, &event, 3000);
    commit(partition, NULL, 2000 + ZERO_MS - 1);
    assert_int_equal(class_of(counters, 4, 2000 + ZERO_MS), 0);
    save(partition, NULL, 2000 + ZERO_MS);
    assert_int_equal(class_of(counters, 4, 2000 + ZERO_MS), 0); /* revealing is itself committed first */
    counter_partition_commit(partition, 2000 + ZERO_MS);
    assert_int_equal(class_of(counters, 4, 2000 + ZERO_MS), 2);
    assert_int_equal(class_of(counters, 0, 2000 + ZERO_MS), 0);
    series_counters_destroy(counters);
}

static void a_kill_neither_shortens_the_time_at_zero_nor_brings_it_back(void **state)
{
    (void)state;
    struct store store = {0};
    struct series_counters *counters = make_counters(100);
    struct counter_partition *partition = open_partition(counters, NULL, 0);
    const struct event event = make_event("api", "us", "/a", 500, 0.001);
    count_event(partition, &event, 1000);
    commit(partition, &store, 1000);
    series_counters_destroy(counters); /* killed while it stood at zero */

    counters = make_counters(100);
    partition = open_partition(counters, &store, 60000);
    commit(partition, &store, 60000);
    assert_int_equal(class_of(counters, 4, 60000), 0);
    commit(partition, &store, 60000 + ZERO_MS - 1);
    assert_int_equal(class_of(counters, 4, 60000 + ZERO_MS - 1), 0);
    commit(partition, &store, 60000 + ZERO_MS);
    assert_int_equal(class_of(counters, 4, 60000 + ZERO_MS), 1);
    series_counters_destroy(counters); /* killed after the counts were seen */

    counters = make_counters(100);
    partition = open_partition(counters, &store, 80000);
    assert_int_equal(class_of(counters, 4, 80000), 1);
    assert_int_equal(commit(partition, &store, 200000), 0);
    assert_int_equal(class_of(counters, 4, 200000), 1);
    series_counters_destroy(counters);
    store_free(&store);
}

static void an_idle_label_set_leaves_and_returns_at_its_old_total(void **state)
{
    (void)state;
    struct store store = {0};
    struct series_counters *counters = make_counters(100);
    struct counter_partition *partition = open_partition(counters, NULL, 0);
    struct event event = make_event("api", "us", "/a", 200, 0.001);
    event.cpu_utilization = 0.5;
    count_event(partition, &event, 1000);
    commit(partition, &store, 1000);
    commit(partition, &store, 1000 + ZERO_MS);
    assert_int_equal(row_of(counters, COUNTER_REQUESTS, API_US_GET, 1000 + IDLE_MS - 1).values[0], 1);
    assert_true(row_of(counters, COUNTER_CLASSES, API_US, 1000 + IDLE_MS - 1).cpu == 0.5);
    assert_int_equal(row_of(counters, COUNTER_REQUESTS, API_US_GET, 1000 + IDLE_MS).values[0], NOT_EXPOSED);
    assert_int_equal(class_of(counters, 1, 1000 + IDLE_MS), 1); /* classes never expire, */
    assert_true(cpu_is_shown(counters, 1000 + IDLE_MS - 1));
    assert_false(cpu_is_shown(counters, 1000 + IDLE_MS)); /* old samples do */
    series_counters_destroy(counters);

    counters = make_counters(100); /* still idle after a restart */
    partition = open_partition(counters, &store, 2 * IDLE_MS);
    assert_int_equal(row_of(counters, COUNTER_REQUESTS, API_US_GET, 2 * IDLE_MS).values[0], NOT_EXPOSED);
    event.cpu_utilization = NAN;
    count_event(partition, &event, 3 * (int64_t)IDLE_MS);
    commit(partition, &store, 3 * (int64_t)IDLE_MS);
    assert_int_equal(row_of(counters, COUNTER_REQUESTS, API_US_GET, 3 * (int64_t)IDLE_MS).values[0], 2);
    series_counters_destroy(counters);
    store_free(&store);
}

static void past_the_limit_new_label_sets_are_counted_as_overflow_of_their_service(void **state)
{
    (void)state;
    struct series_counters *counters = make_counters(4);
    struct counter_partition *partition = open_partition(counters, NULL, 0);
    char route[32];
    for (int i = 0; i < 10; i++) {
        (void)snprintf(route, sizeof route, "/%d", i);
        const struct event event = make_event("api", "us", route, 200, 0.001);
        count_event(partition, &event, 1);
    }
    const struct event known = make_event("api", "us", "/0", 200, 0.001);
    const struct event other = make_event("auth", "eu", "/x", 200, 0.001);
    count_event(partition, &known, 1);
    count_event(partition, &other, 1);
    commit(partition, NULL, 1);
    commit(partition, NULL, 1 + ZERO_MS);
    static const char rest[] = "cloud_region=\"_overflow\",http_route=\"_overflow\","
                               "http_request_method=\"_overflow\",http_response_status_code=\"_overflow\"";
    char labels[256];
    (void)snprintf(labels, sizeof labels, "service_name=\"api\",%s", rest);
    assert_int_equal(row_of(counters, COUNTER_REQUESTS, labels, 1).values[0], 7); /* 3 routes had room */
    (void)snprintf(labels, sizeof labels, "service_name=\"auth\",%s", rest);
    assert_int_equal(row_of(counters, COUNTER_REQUESTS, labels, 1).values[0], 1);
    assert_int_equal(class_of(counters, 1, 1), 11);
    assert_int_equal(
        row_of(counters, COUNTER_CLASSES, "service_name=\"auth\",cloud_region=\"_overflow\"", 1).values[1],
        1);
    assert_int_equal(series_counters_overflow(counters), 3);
    series_counters_destroy(counters);
}

static void past_a_thousand_services_the_service_is_overflow_too(void **state)
{
    (void)state;
    struct series_counters *counters = make_counters(1);
    struct counter_partition *partition = open_partition(counters, NULL, 0);
    char service[32];
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(service, sizeof service, "s%d", i);
        const struct event event = make_event(service, "us", "/a", 200, 0.001);
        count_event(partition, &event, 1);
    }
    commit(partition, NULL, 1);
    commit(partition, NULL, 1 + ZERO_MS);
    struct counter_snapshot snapshot;
    assert_int_equal(counter_snapshot_take(counters, 1, &snapshot), 0);
    assert_int_equal(sum_of(&snapshot, COUNTER_CLASSES), 3000); /* nothing is lost in the overflow */
    assert_in_range(snapshot.label_sets, 2000, 2005);
    counter_snapshot_release(counters, &snapshot);
    assert_int_equal(
        row_of(counters, COUNTER_CLASSES, "service_name=\"_overflow\",cloud_region=\"_overflow\"", 1)
            .values[1],
        2000);
    series_counters_destroy(counters);
}

static void equal_label_sets_of_several_partitions_are_one_row(void **state)
{
    (void)state;
    struct series_counters *counters = make_counters(100);
    struct counter_partition *a = open_partition(counters, NULL, 0);
    struct counter_partition *b = open_partition(counters, NULL, 0);
    const struct log_record record = {
        .service = text("api"), .region = text("us"), .severity = LOG_SEVERITY_ERROR, .body = text("x")};
    assert_int_equal(counter_partition_count_log(a, &record, 1), 0);
    assert_int_equal(counter_partition_count_log(b, &record, 1), 0);
    assert_int_equal(counter_partition_count_log(b, &record, 1), 0);
    commit(a, NULL, 1);
    commit(b, NULL, 1);
    struct counter_snapshot snapshot;
    assert_int_equal(counter_snapshot_take(counters, 1, &snapshot), 0);
    assert_int_equal(snapshot.count, 1);
    assert_int_equal(sum_of(&snapshot, COUNTER_LOGS), 3);
    assert_string_equal(snapshot.rows[0].labels, API_US ",severity_text=\"ERROR\"");
    counter_snapshot_release(counters, &snapshot);
    series_counters_destroy(counters);
}

static void a_given_up_partition_leaves_the_exposition_but_not_a_running_scrape(void **state)
{
    (void)state;
    struct series_counters *counters = make_counters(100);
    struct counter_partition *partition = open_partition(counters, NULL, 0);
    const struct event event = make_event("api", "us", "/a", 200, 0.001);
    count_event(partition, &event, 1);
    commit(partition, NULL, 1);
    struct counter_snapshot before;
    struct counter_snapshot after;
    assert_int_equal(counter_snapshot_take(counters, 1, &before), 0);
    counter_partition_close(counters, partition);
    assert_int_equal(counter_snapshot_take(counters, 1, &after), 0);
    assert_int_equal(before.count, 2);
    assert_string_equal(before.rows[0].labels, API_US_GET); /* read where it was freed, ASan would say so */
    assert_int_equal(after.count, 0);
    assert_int_equal(after.label_sets, 0);
    assert_int_equal(after.totals[TOTAL_EVENTS_COUNTED], 0);
    counter_snapshot_release(counters, &after);
    counter_snapshot_release(counters, &before);
    series_counters_destroy(counters);
}

static void sums_over_partitions_are_not_shown_while_one_is_missing(void **state)
{
    (void)state;
    struct series_counters *counters = make_counters(1);
    struct counter_partition *a = open_partition(counters, NULL, 0);
    const struct event event = make_event("api", "us", "/a", 200, 0.001);
    count_event(a, &event, 1);
    commit(a, NULL, 1); /* classes, and a histogram of overflow */
    struct counter_partition *b = NULL;
    struct error error;
    const struct {
        int step;
        bool is_settled;
        size_t rows;
    } cases[] = {{0, true, 2}, {1, false, 1}, {2, true, 2}, {3, false, 1},
                 {4, true, 2}, {5, false, 0}, {6, false, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        switch (cases[i].step) {
        case 1:
            assert_int_equal(counter_partition_open(counters, TOTALS_KEY, &b, &error), 0);
            break;
        case 2:
            counter_partition_end_restore(b);
            break;
        case 3:
            counter_partition_close(counters, b);
            break;
        case 5:
            counter_partition_close(counters, a);
            break;
        default:
            series_counters_settle(counters);
        }
        struct counter_snapshot snapshot;
        assert_int_equal(counter_snapshot_take(counters, 1, &snapshot), 0);
        assert_int_equal(snapshot.is_settled, cases[i].is_settled);
        assert_int_equal(snapshot.count, cases[i].rows);
        counter_snapshot_release(counters, &snapshot);
    }
    series_counters_destroy(counters);
}

static void any_name_makes_a_label_that_the_format_can_read(void **state)
{
    (void)state;
    struct series_counters *counters = make_counters(100);
    struct counter_partition *partition = open_partition(counters, NULL, 0);
    struct event event = make_event("a\"b\\c\nd", "us", "/a", 200, 0.001);
    event.region = (struct event_text){"u\0s", 3};
    count_event(partition, &event, 1);
    commit(partition, NULL, 1);
    struct counter_snapshot snapshot;
    assert_int_equal(counter_snapshot_take(counters, 1, &snapshot), 0);
    assert_string_equal(snapshot.rows[1].labels,
                        "service_name=\"a\\\"b\\\\c\\nd\",cloud_region=\"u\xEF\xBF\xBDs\"");
    counter_snapshot_release(counters, &snapshot);
    series_counters_destroy(counters);
}

static void damaged_or_foreign_state_is_refused_by_name(void **state)
{
    (void)state;
    struct store store = {0};
    struct series_counters *counters = make_counters(100);
    struct counter_partition *partition = open_partition(counters, NULL, 0);
    const struct event event = make_event("api", "us", "/a", 200, 0.001);
    count_event(partition, &event, 1);
    commit(partition, &store, 1);
    counter_partition_close(counters, partition);
    partition = open_partition(counters, NULL, 0);
    for (size_t i = 0; i < store.count; i++) {
        struct error error;
        const struct bus_bytes key = {store.entries[i].key, store.entries[i].key_bytes};
        struct bus_bytes value = {store.entries[i].value, store.entries[i].value_bytes};
        store.entries[i].value[0] = 3;
        assert_int_equal(counter_partition_restore(partition, key, value, 1, &error), -1);
        assert_non_null(strstr(error.message, "format version 3, this program reads 1 and 2"));
        store.entries[i].value[0] = 2;
        for (value.size_bytes = 0; value.size_bytes < store.entries[i].value_bytes; value.size_bytes++) {
            assert_int_equal(counter_partition_restore(partition, key, value, 1, &error), -1);
        }
        for (size_t cut = 0; cut < key.size_bytes; cut++) {
            const struct bus_bytes short_key = {key.data, cut};
            assert_int_equal(counter_partition_restore(partition, short_key, value, 1, &error), -1);
        }
    }
    series_counters_destroy(counters);
    store_free(&store);
}

/* The bridge's promise in small: whatever moment it is killed in, after all records are read the totals are
 * those of one uninterrupted run. */
static void after_any_kills_the_totals_equal_the_records(void **state)
{
    (void)state;
    uint64_t seed = random_seed_from_system();
    print_message("seed %llu\n", (unsigned long long)seed);
    struct random random;
    random_init(&random, seed);
    enum { RECORDS = 5000 };
    static const char *const services[] = {"api", "auth"};
    static const char *const routes[] = {"/a", "/b", "/c", "/d"};
    struct store store = {0};
    struct series_counters *counters = make_counters(6); /* some go to overflow */
    struct counter_partition *partition = open_partition(counters, NULL, 0);
    struct event *records = calloc(RECORDS, sizeof *records);
    uint64_t weight = 0;
    for (int i = 0; i < RECORDS; i++) {
        records[i] = make_event(services[random_below(&random, 2)], "us", routes[random_below(&random, 4)],
                                200 + 100 * (int32_t)random_below(&random, 4), random_exponential(&random));
        records[i].count = 1 + (uint32_t)random_below(&random, 3);
        weight += records[i].count;
    }
    int position = 0;
    int committed = 0;
    int64_t now_ms = 1000;
    while (committed < RECORDS) {
        now_ms += (int64_t)random_below(&random, 5000);
        switch (random_below(&random, 40)) {
        case 0: /* killed, or the commit was refused: what was put is void */
            save(partition, NULL, now_ms);
            counter_partition_close(counters, partition);
            partition = open_partition(counters, &store, now_ms);
            position = committed;
            break;
        case 1:
        case 2:
            commit(partition, &store, now_ms);
            committed = position;
            break;
        default:
            for (uint64_t n = random_below(&random, 50); n > 0 && position < RECORDS; n--) {
                count_event(partition, &records[position++], now_ms);
            }
        }
    }
    commit(partition, &store, now_ms + ZERO_MS);
    commit(partition, &store, now_ms + 3 * ZERO_MS);
    struct counter_snapshot snapshot;
    uint64_t native = 0;
    assert_int_equal(counter_snapshot_take(counters, now_ms, &snapshot), 0);
    for (size_t i = 0; i < snapshot.first[COUNTER_CLASSES]; i++) {
        struct shown shown;
        look_at(&snapshot.rows[i], &shown);
        native += shown.native_total;
        assert_in_range(shown.native_buckets, 1, NATIVE_BUCKETS_MOST);
    }
    assert_int_equal(snapshot.totals[TOTAL_EVENTS_COUNTED], RECORDS);
    assert_int_equal(sum_of(&snapshot, COUNTER_REQUESTS), weight);
    assert_int_equal(native, weight);
    assert_int_equal(sum_of(&snapshot, COUNTER_CLASSES), weight);
    counter_snapshot_release(counters, &snapshot);
    series_counters_destroy(counters);
    store_free(&store);
    free(records);
}

static atomic_bool scraping_ends;

static void *scrape_on_and_on(void *argument)
{
    struct series_counters *counters = argument;
    uint64_t last = 0;
    while (!atomic_load(&scraping_ends)) {
        struct counter_snapshot snapshot;
        if (counter_snapshot_take(counters, 1000, &snapshot) != 0) {
            return "no memory";
        }
        uint64_t requests = sum_of(&snapshot, COUNTER_REQUESTS);
        bool whole = requests == snapshot.totals[TOTAL_EVENTS_COUNTED]; /* of one commit */
        counter_snapshot_release(counters, &snapshot);
        if (!whole || requests < last) {
            return "a snapshot between two commits";
        }
        last = requests;
    }
    return NULL;
}

static void a_scrape_while_counting_sees_one_commit_whole(void **state)
{
    (void)state;
    struct series_counters *counters = make_counters(1000);
    struct counter_partition *partition = open_partition(counters, NULL, 0);
    atomic_store(&scraping_ends, false);
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, scrape_on_and_on, counters), 0);
    }
    char route[32];
    for (int i = 0; i < 20000; i++) {
        (void)snprintf(route, sizeof route, "/%d", i % 300);
        const struct event event = make_event("api", "us", route, 200, 0.001);
        count_event(partition, &event, 1000);
        if (i % 37 == 0) {
            commit(partition, NULL, 1000);
        }
    }
    atomic_store(&scraping_ends, true);
    for (size_t i = 0; i < 2; i++) {
        void *problem = NULL;
        pthread_join(threads[i], &problem);
        assert_null(problem);
    }
    series_counters_destroy(counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_duration_falls_into_the_bucket_that_includes_its_bound),
        cmocka_unit_test(the_count_of_an_event_weights_every_total),
        cmocka_unit_test(each_bucket_has_the_latest_trace_that_fell_into_it),
        cmocka_unit_test(a_state_of_the_version_before_keeps_its_totals_in_both_forms),
        cmocka_unit_test(only_what_is_committed_is_shown),
        cmocka_unit_test(only_what_was_touched_is_saved),
        cmocka_unit_test(
            a_new_service_and_region_stands_at_zero_for_one_scrape_interval_from_when_it_is_shown),
        cmocka_unit_test(a_kill_neither_shortens_the_time_at_zero_nor_brings_it_back),
        cmocka_unit_test(an_idle_label_set_leaves_and_returns_at_its_old_total),
        cmocka_unit_test(past_the_limit_new_label_sets_are_counted_as_overflow_of_their_service),
        cmocka_unit_test(past_a_thousand_services_the_service_is_overflow_too),
        cmocka_unit_test(equal_label_sets_of_several_partitions_are_one_row),
        cmocka_unit_test(a_given_up_partition_leaves_the_exposition_but_not_a_running_scrape),
        cmocka_unit_test(sums_over_partitions_are_not_shown_while_one_is_missing),
        cmocka_unit_test(any_name_makes_a_label_that_the_format_can_read),
        cmocka_unit_test(damaged_or_foreign_state_is_refused_by_name),
        cmocka_unit_test(after_any_kills_the_totals_equal_the_records),
        cmocka_unit_test(a_scrape_while_counting_sees_one_commit_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
