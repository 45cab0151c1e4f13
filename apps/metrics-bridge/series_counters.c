#include "counters_private.h"

#include "random/random.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define MAX_SERVICES  1000
#define FIRST_SLOTS   64
#define OVERFLOW_NAME "_overflow"

const double counter_bucket_bounds[COUNTER_BUCKETS] = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                                       0.5,   0.75, 1.0,   2.5,  5.0,   7.5, 10.0};

int series_counters_create(struct series_counters **out, const struct series_counters_settings *settings,
                           struct error *error)
{
    struct series_counters *counters = calloc(1, sizeof *counters);
    *out = counters;
    if (counters == NULL) {
        return error_set(error, -1, "no memory for counters");
    }
    counters->settings = *settings;
    counters->seed = random_seed_from_system();
    (void)pthread_mutex_init(&counters->lock, NULL);
    return 0;
}

void series_counters_destroy(struct series_counters *counters)
{
    if (counters == NULL) {
        return;
    }
    while (counters->partitions != NULL) {
        counter_partition_close(counters, counters->partitions);
    }
    (void)pthread_mutex_destroy(&counters->lock);
    free(counters);
}

int counter_partition_open(struct series_counters *counters, const char *totals_key,
                           struct counter_partition **out, struct error *error)
{
    struct counter_partition *partition = calloc(1, sizeof *partition);
    *out = partition;
    if (partition != NULL) {
        partition->slots = calloc(FIRST_SLOTS, sizeof(struct label_set *));
        partition->slot_count = FIRST_SLOTS;
    }
    if (partition == NULL || partition->slots == NULL) {
        free(partition);
        return error_set(error, -1, "no memory for a partition's counters");
    }
    buffer_init(&partition->value, 0);
    partition->counters = counters;
    partition->totals_key = totals_key;
    partition->holders = 1;
    (void)pthread_mutex_lock(&counters->lock);
    partition->next = counters->partitions;
    counters->partitions = partition;
    counters->is_settled = false;
    (void)pthread_mutex_unlock(&counters->lock);
    return 0;
}

void counter_partition_drop(struct counter_partition *partition)
{
    if (--partition->holders > 0) {
        return;
    }
    for (size_t i = 0; i < partition->slot_count; i++) {
        label_set_destroy(partition->slots[i]);
    }
    free(partition->slots);
    buffer_free(&partition->value);
    free(partition);
}

static size_t count_overflow(const struct counter_partition *partition)
{
    size_t count = 0;
    for (size_t i = 0; i < partition->slot_count; i++) {
        count += partition->slots[i] != NULL && partition->slots[i]->overflow;
    }
    return count;
}

void counter_partition_close(struct series_counters *counters, struct counter_partition *partition)
{
    (void)pthread_mutex_lock(&counters->lock);
    struct counter_partition **link = &counters->partitions;
    while (*link != partition) {
        link = &(*link)->next;
    }
    *link = partition->next;
    counters->is_settled = false;
    counters->label_sets -= partition->count;
    counters->overflow_sets -= count_overflow(partition);
    counter_partition_drop(partition);
    (void)pthread_mutex_unlock(&counters->lock);
}

/* --- finding and making label sets ---- */

static uint64_t hash_names(const struct series_counters *counters, const struct label_names *names)
{
    uint64_t hash = counters->seed + names->kind;
    for (size_t i = 0; i < names->count; i++) {
        hash = XXH3_64bits_withSeed(names->values[i].data, names->values[i].size, hash);
    }
    return hash;
}

static struct label_set *find_label_set(const struct counter_partition *partition, uint64_t hash,
                                        const struct label_names *names)
{
    size_t mask = partition->slot_count - 1;
    for (size_t at = hash & mask; partition->slots[at] != NULL; at = (at + 1) & mask) {
        if (partition->slots[at]->hash == hash && label_set_is(partition->slots[at], names)) {
            return partition->slots[at];
        }
    }
    return NULL;
}

static void insert(struct label_set **slots, size_t slot_count, struct label_set *set)
{
    size_t at = set->hash & (slot_count - 1);
    while (slots[at] != NULL) {
        at = (at + 1) & (slot_count - 1);
    }
    slots[at] = set;
}

static int grow(struct counter_partition *partition)
{
    size_t slot_count = partition->slot_count * 2;
    struct label_set **slots = calloc(slot_count, sizeof(struct label_set *));
    if (slots == NULL) {
        return -1;
    }
    for (size_t i = 0; i < partition->slot_count; i++) {
        if (partition->slots[i] != NULL) {
            insert(slots, slot_count, partition->slots[i]);
        }
    }
    free(partition->slots);
    partition->slots = slots;
    partition->slot_count = slot_count;
    return 0;
}

/* Is the service one of the first thousand? */
static bool admit_service(struct series_counters *counters, const struct event_text *service)
{
    uint64_t hash = XXH3_64bits_withSeed(service->data, service->size, counters->seed) | 1;
    size_t at = hash % COUNTER_SERVICE_SLOTS;
    while (counters->services[at] != 0 && counters->services[at] != hash) {
        at = (at + 1) % COUNTER_SERVICE_SLOTS;
    }
    if (counters->services[at] == hash) {
        return true;
    }
    if (counters->service_count >= MAX_SERVICES) {
        return false;
    }
    counters->services[at] = hash;
    counters->service_count++;
    return true;
}

struct label_set *counter_partition_add(struct counter_partition *partition, const struct label_names *names)
{
    struct series_counters *counters = partition->counters;
    struct label_set *set = label_set_create(hash_names(counters, names), names);
    if (set == NULL) {
        return NULL;
    }
    (void)admit_service(counters, &names->values[0]);
    (void)pthread_mutex_lock(&counters->lock); /* a snapshot walks the slots */
    int result = (partition->count + 1) * 2 > partition->slot_count ? grow(partition) : 0;
    if (result == 0) {
        insert(partition->slots, partition->slot_count, set);
        partition->count++;
        counters->label_sets++;
        counters->overflow_sets += set->overflow;
    }
    (void)pthread_mutex_unlock(&counters->lock);
    if (result != 0) {
        label_set_destroy(set);
        return NULL;
    }
    if (!set->live.is_revealed) {
        set->next_hidden = partition->hidden;
        partition->hidden = set;
    }
    return set;
}

size_t series_counters_overflow(const struct series_counters *counters)
{
    return counters->overflow_sets; /* only the caller's own thread changes it */
}

static void name_overflow(struct series_counters *counters, struct label_names *names)
{
    const struct event_text overflow = {OVERFLOW_NAME, strlen(OVERFLOW_NAME)};
    for (size_t i = admit_service(counters, &names->values[0]) ? 1 : 0; i < names->count; i++) {
        names->values[i] = overflow;
    }
    names->overflow = true;
}

/* The label set of the names, or past the limit that of their overflow. */
static struct label_set *label_set_for(struct counter_partition *partition, struct label_names *names)
{
    struct series_counters *counters = partition->counters;
    struct label_set *set = find_label_set(partition, hash_names(counters, names), names);
    if (set == NULL && counters->label_sets - counters->overflow_sets >= counters->settings.max_series) {
        name_overflow(counters, names);
        set = find_label_set(partition, hash_names(counters, names), names);
    }
    return set != NULL ? set : counter_partition_add(partition, names);
}

void counter_partition_touch(struct counter_partition *partition, struct label_set *set)
{
    if (!set->is_touched) {
        set->is_touched = true;
        set->next_touched = partition->touched;
        partition->touched = set;
    }
}

static void note_seen(struct counter_partition *partition, struct label_set *set, int64_t now_ms)
{
    set->live.seen_ms = now_ms;
    counter_partition_touch(partition, set);
}

/* --- counting ---- */

static int count_request(struct counter_partition *partition, const struct event *event, int64_t now_ms)
{
    char status[4];
    const char *method = event_method_name(event->method);
    status[0] = (char)('0' + event->status_code / 100);
    status[1] = (char)('0' + event->status_code / 10 % 10);
    status[2] = (char)('0' + event->status_code % 10);
    struct label_names names = {
        .kind = COUNTER_REQUESTS,
        .count = 5,
        .values = {event->service, event->region, event->route, {method, strlen(method)}, {status, 3}},
    };
    struct label_set *set = label_set_for(partition, &names);
    if (set == NULL || !label_numbers_count(&set->live, event->duration_s, event->count, event->trace_id,
                                            event->time_unix_ms)) {
        return -1;
    }
    note_seen(partition, set, now_ms);
    return 0;
}

static void note_utilization(struct label_set *set, const struct event *event, int64_t now_ms)
{
    if (!isnan(event->cpu_utilization)) {
        set->live.cpu = event->cpu_utilization;
        set->live.sampled_ms = now_ms;
    }
    if (!isnan(event->memory_utilization)) {
        set->live.memory = event->memory_utilization;
        set->live.sampled_ms = now_ms;
    }
}

int counter_partition_count_event(struct counter_partition *partition, const struct event *event,
                                  int64_t now_ms)
{
    struct label_names names = {
        .kind = COUNTER_CLASSES, .count = 2, .values = {event->service, event->region}};
    struct label_set *classes = label_set_for(partition, &names);
    if (classes == NULL) {
        return -1;
    }
    if (event->kind == EVENT_REQUEST) {
        if (count_request(partition, event, now_ms) != 0) {
            return -1;
        }
        classes->live.values[event->status_code / 100 - 1] += event->count;
    }
    note_utilization(classes, event, now_ms);
    note_seen(partition, classes, now_ms);
    counter_partition_count_total(partition, TOTAL_EVENTS_COUNTED);
    return 0;
}

int counter_partition_count_log(struct counter_partition *partition, const struct log_record *record,
                                int64_t now_ms)
{
    const char *severity = log_severity_name(record->severity);
    struct label_names names = {.kind = COUNTER_LOGS,
                                .count = 3,
                                .values = {record->service, record->region, {severity, strlen(severity)}}};
    struct label_set *set = label_set_for(partition, &names);
    if (set == NULL) {
        return -1;
    }
    set->live.values[0]++;
    note_seen(partition, set, now_ms);
    counter_partition_count_total(partition, TOTAL_LOGS_COUNTED);
    return 0;
}

void counter_partition_count_total(struct counter_partition *partition, enum counter_total total)
{
    partition->totals[total]++;
    partition->totals_touched = true;
}
