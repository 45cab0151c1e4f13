#include "families.h"

#include <math.h>
#include <string.h>

#define CLASSES 5

void families_init(struct families *families)
{
    label_numbers_init(&families->numbers, COUNTER_REQUESTS);
}

void families_deinit(struct families *families)
{
    label_numbers_deinit(&families->numbers);
}

/* --- points of the counters' rows ---- */

/* The row's labels into out, its numbers unpacked. NULL: no memory for them, so the row is left out. */
static const struct label_numbers *look_at(struct families *families, enum counter_kind kind, size_t place,
                                           struct metric_point *out)
{
    const struct counter_row *row = &families->counters.rows[families->counters.first[kind] + place];
    out->labels = row->labels;
    out->labels_bytes = row->labels_bytes;
    return label_numbers_unpack(&families->numbers, kind, row->numbers) ? &families->numbers : NULL;
}

static bool read_duration(void *context, size_t place, struct metric_point *out)
{
    const struct label_numbers *numbers = look_at(context, COUNTER_REQUESTS, place, out);
    if (numbers == NULL) {
        return false;
    }
    out->histogram = (struct metric_histogram){
        .bounds = counter_bucket_bounds,
        .bound_count = COUNTER_BUCKETS,
        .counts = numbers->values,
        .sum = numbers->sum,
        .exemplars = numbers->exemplars,
        .exemplar_buckets = numbers->exemplar_buckets,
        .native = &numbers->native,
    };
    return true;
}

/* CLASSES places a row. */
static bool read_class(void *context, size_t place, struct metric_point *out)
{
    static const char *const classes[CLASSES] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
    const struct label_numbers *numbers = look_at(context, COUNTER_CLASSES, place / CLASSES, out);
    out->extra_name = "status_class";
    out->extra_value = classes[place % CLASSES];
    out->count = numbers == NULL ? 0 : numbers->values[place % CLASSES];
    return numbers != NULL;
}

/* NULL: not sampled lately, or of several services. */
static const struct label_numbers *look_at_sample(struct families *families, size_t place,
                                                  struct metric_point *out)
{
    const struct label_numbers *numbers = look_at(families, COUNTER_CLASSES, place, out);
    const struct counter_snapshot *counters = &families->counters;
    bool is_overflow = counters->rows[counters->first[COUNTER_CLASSES] + place].overflow;
    return numbers != NULL && !is_overflow && numbers->sampled_ms > counters->idle_before_ms ? numbers : NULL;
}

static bool read_cpu(void *context, size_t place, struct metric_point *out)
{
    const struct label_numbers *numbers = look_at_sample(context, place, out);
    out->value = numbers == NULL ? NAN : numbers->cpu;
    return !isnan(out->value);
}

static bool read_memory(void *context, size_t place, struct metric_point *out)
{
    const struct label_numbers *numbers = look_at_sample(context, place, out);
    out->value = numbers == NULL ? NAN : numbers->memory;
    return !isnan(out->value);
}

static bool read_logs(void *context, size_t place, struct metric_point *out)
{
    const struct label_numbers *numbers = look_at(context, COUNTER_LOGS, place, out);
    out->count = numbers == NULL ? 0 : numbers->values[0];
    return numbers != NULL;
}

/* --- points of the lag ---- */

static const struct lag_row *lag_at(const struct families *families, size_t place, struct metric_point *out)
{
    const struct lag_row *row = &families->lag.rows[place];
    out->labels = row->labels;
    out->labels_bytes = strlen(row->labels);
    return row;
}

static bool read_lag(void *context, size_t place, struct metric_point *out)
{
    out->value = lag_at(context, place, out)->records;
    return true;
}

static bool read_lag_seconds(void *context, size_t place, struct metric_point *out)
{
    out->value = lag_at(context, place, out)->seconds;
    return true;
}

static bool read_commit_time(void *context, size_t place, struct metric_point *out)
{
    out->value = lag_at(context, place, out)->committed_s;
    return out->value > 0;
}

static bool read_lag_time(void *context, size_t place, struct metric_point *out)
{
    (void)place;
    out->value = ((const struct families *)context)->lag.read_s;
    return true;
}

/* --- points of the totals ---- */

static bool read_totals(const struct families *families, enum counter_total counted, size_t place,
                        struct metric_point *out)
{
    out->extra_name = "result";
    out->extra_value = place == 0 ? "counted" : "malformed";
    out->count = families->counters.totals[counted + place];
    return families->counters.is_settled;
}

static bool read_events(void *context, size_t place, struct metric_point *out)
{
    return read_totals(context, TOTAL_EVENTS_COUNTED, place, out);
}

static bool read_log_totals(void *context, size_t place, struct metric_point *out)
{
    return read_totals(context, TOTAL_LOGS_COUNTED, place, out);
}

/* --- families ---- */

enum extent { OF_REQUESTS, OF_CLASSES, OF_CLASSES_TIMES_FIVE, OF_LOGS, OF_LAG, OF_ONE, OF_TWO };

static size_t places(const struct families *families, enum extent extent)
{
    const size_t *first = families->counters.first;
    switch (extent) {
    case OF_REQUESTS:
        return first[COUNTER_REQUESTS + 1] - first[COUNTER_REQUESTS];
    case OF_CLASSES:
        return first[COUNTER_CLASSES + 1] - first[COUNTER_CLASSES];
    case OF_CLASSES_TIMES_FIVE:
        return CLASSES * (first[COUNTER_CLASSES + 1] - first[COUNTER_CLASSES]);
    case OF_LOGS:
        return first[COUNTER_LOGS + 1] - first[COUNTER_LOGS];
    case OF_LAG:
        return families->lag.count;
    case OF_ONE:
        return 1;
    case OF_TWO:
        return 2;
    }
    return 0;
}

static const struct {
    const char *name, *help;
    enum metric_type type;
    enum extent extent;
    bool (*point)(void *context, size_t place, struct metric_point *out);
} table[] = {
    {"http_server_request_duration_seconds", "Duration of HTTP server requests.", METRIC_HISTOGRAM,
     OF_REQUESTS, read_duration},
    {"http_server_requests_total", "HTTP server requests by class of status.", METRIC_COUNTER,
     OF_CLASSES_TIMES_FIVE, read_class},
    {"system_cpu_utilization_ratio", "CPU utilisation, the last sample.", METRIC_GAUGE, OF_CLASSES, read_cpu},
    {"system_memory_utilization_ratio", "Memory utilisation, the last sample.", METRIC_GAUGE, OF_CLASSES,
     read_memory},
    {"log_records_total", "Log records by severity.", METRIC_COUNTER, OF_LOGS, read_logs},
    {"kafka_consumergroup_lag", "Records between the group's committed offset and the end of the partition.",
     METRIC_GAUGE, OF_LAG, read_lag},
    {"kafka_consumergroup_lag_seconds", "Age of the record at the group's committed offset; 0 without lag.",
     METRIC_GAUGE, OF_LAG, read_lag_seconds},
    {"kafka_consumergroup_last_commit_timestamp_seconds", "When the group's committed offset last moved.",
     METRIC_GAUGE, OF_LAG, read_commit_time},
    {"metrics_bridge_lag_read_timestamp_seconds", "When the lag was last read from the bus; 0: not yet.",
     METRIC_GAUGE, OF_ONE, read_lag_time},
    {"metrics_bridge_events_total", "Records of metrics.raw by what became of them.", METRIC_COUNTER, OF_TWO,
     read_events},
    {"metrics_bridge_log_records_total", "Records of logs.raw by what became of them.", METRIC_COUNTER,
     OF_TWO, read_log_totals},
};

bool families_source(struct families *families, size_t number, struct metric_source *out)
{
    if (number >= sizeof table / sizeof table[0]) {
        return false;
    }
    *out = (struct metric_source){
        .name = table[number].name,
        .help = table[number].help,
        .type = table[number].type,
        .count = places(families, table[number].extent),
        .point = table[number].point,
        .context = families,
    };
    return true;
}
