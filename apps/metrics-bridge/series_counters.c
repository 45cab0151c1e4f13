#include "series_counters.h"

#include "label_set.h"

#include "buffer/buffer.h"
#include "random/random.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define MAX_SERVICES  1000
#define SERVICE_SLOTS 4096 /* at most a quarter full */
#define FIRST_SLOTS   256
#define OVERFLOW_NAME "_overflow"

const double counter_bucket_bounds[COUNTER_BUCKETS] = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                                       0.5,   0.75, 1.0,   2.5,  5.0,   7.5, 10.0};

struct counter_partition {
    struct series_counters *counters;
    struct label_set **slots; /* open addressing, at most half full */
    size_t slot_count, count;
    struct label_set *touched; /* since the last commit */
    struct label_set *saving;  /* where counter_partition_next_saved stands */
    bool totals_touched, totals_saved;
    const char *totals_key; /* one of each topic that is counted */
    uint64_t totals[TOTAL_COUNT], shown_totals[TOTAL_COUNT];
    struct buffer value;
    struct counter_partition *next;
};

struct series_counters {
    struct series_counters_settings settings;
    uint64_t seed;
    size_t label_sets; /* of all partitions */
    uint64_t services[SERVICE_SLOTS];
    size_t service_count;
    pthread_mutex_t lock;      /* of partitions, their slots, and everything shown */
    pthread_rwlock_t lifetime; /* read: nothing is freed */
    struct counter_partition *partitions;
};

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
    (void)pthread_rwlock_init(&counters->lifetime, NULL);
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
    (void)pthread_rwlock_destroy(&counters->lifetime);
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
    (void)pthread_mutex_lock(&counters->lock);
    partition->next = counters->partitions;
    counters->partitions = partition;
    (void)pthread_mutex_unlock(&counters->lock);
    return 0;
}

void counter_partition_close(struct series_counters *counters, struct counter_partition *partition)
{
    (void)pthread_rwlock_wrlock(&counters->lifetime);
    (void)pthread_mutex_lock(&counters->lock);
    struct counter_partition **link = &counters->partitions;
    while (*link != partition) {
        link = &(*link)->next;
    }
    *link = partition->next;
    counters->label_sets -= partition->count;
    for (size_t i = 0; i < partition->slot_count; i++) {
        label_set_destroy(partition->slots[i]);
    }
    free(partition->slots);
    buffer_free(&partition->value);
    free(partition);
    (void)pthread_mutex_unlock(&counters->lock);
    (void)pthread_rwlock_unlock(&counters->lifetime);
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

static struct label_set *add_label_set(struct counter_partition *partition, uint64_t hash,
                                       const struct label_names *names, int64_t born_ms)
{
    struct label_set *set = label_set_create(hash, names, born_ms);
    if (set == NULL) {
        return NULL;
    }
    (void)pthread_mutex_lock(&partition->counters->lock); /* a snapshot walks the slots */
    int result = (partition->count + 1) * 2 > partition->slot_count ? grow(partition) : 0;
    if (result == 0) {
        insert(partition->slots, partition->slot_count, set);
        partition->count++;
        partition->counters->label_sets++;
    }
    (void)pthread_mutex_unlock(&partition->counters->lock);
    if (result != 0) {
        label_set_destroy(set);
        return NULL;
    }
    return set;
}

/* Is the service one of the first thousand? */
static bool admit_service(struct series_counters *counters, const struct event_text *service)
{
    uint64_t hash = XXH3_64bits_withSeed(service->data, service->size, counters->seed) | 1;
    size_t at = hash % SERVICE_SLOTS;
    while (counters->services[at] != 0 && counters->services[at] != hash) {
        at = (at + 1) % SERVICE_SLOTS;
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

static void name_overflow(struct series_counters *counters, struct label_names *names)
{
    const struct event_text overflow = {OVERFLOW_NAME, strlen(OVERFLOW_NAME)};
    for (size_t i = admit_service(counters, &names->values[0]) ? 1 : 0; i < names->count; i++) {
        names->values[i] = overflow;
    }
    names->overflow = true;
}

/* The label set of the names, or past the limit that of their overflow. */
static struct label_set *label_set_for(struct counter_partition *partition, struct label_names *names,
                                       int64_t now_ms)
{
    struct series_counters *counters = partition->counters;
    uint64_t hash = hash_names(counters, names);
    struct label_set *set = find_label_set(partition, hash, names);
    if (set == NULL && counters->label_sets >= counters->settings.max_series) {
        name_overflow(counters, names);
        hash = hash_names(counters, names);
        set = find_label_set(partition, hash, names);
    }
    if (set == NULL) {
        (void)admit_service(counters, &names->values[0]);
        set = add_label_set(partition, hash, names, now_ms);
    }
    return set;
}

static void touch(struct counter_partition *partition, struct label_set *set, int64_t now_ms)
{
    set->seen_ms = now_ms;
    if (!set->is_touched) {
        set->is_touched = true;
        set->next_touched = partition->touched;
        partition->touched = set;
    }
}

/* --- counting ---- */

static size_t bucket_of(double duration_s)
{
    size_t bucket = 0;
    while (bucket < COUNTER_BUCKETS && duration_s > counter_bucket_bounds[bucket]) {
        bucket++;
    }
    return bucket;
}

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
    struct label_set *set = label_set_for(partition, &names, now_ms);
    if (set == NULL) {
        return -1;
    }
    set->live.values[bucket_of(event->duration_s)] += event->count;
    set->live.sum += event->duration_s * event->count;
    touch(partition, set, now_ms);
    return 0;
}

int counter_partition_count_event(struct counter_partition *partition, const struct event *event,
                                  int64_t now_ms)
{
    struct label_names names = {
        .kind = COUNTER_CLASSES, .count = 2, .values = {event->service, event->region}};
    struct label_set *classes = label_set_for(partition, &names, now_ms);
    if (classes == NULL) {
        return -1;
    }
    if (event->kind == EVENT_REQUEST) {
        if (count_request(partition, event, now_ms) != 0) {
            return -1;
        }
        classes->live.values[event->status_code / 100 - 1] += event->count;
    }
    if (!isnan(event->cpu_utilization)) {
        classes->live.cpu = event->cpu_utilization;
    }
    if (!isnan(event->memory_utilization)) {
        classes->live.memory = event->memory_utilization;
    }
    touch(partition, classes, now_ms);
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
    struct label_set *set = label_set_for(partition, &names, now_ms);
    if (set == NULL) {
        return -1;
    }
    set->live.values[0]++;
    touch(partition, set, now_ms);
    counter_partition_count_total(partition, TOTAL_LOGS_COUNTED);
    return 0;
}

void counter_partition_count_total(struct counter_partition *partition, enum counter_total total)
{
    partition->totals[total]++;
    partition->totals_touched = true;
}

/* --- state ---- */

bool counter_partition_next_saved(struct counter_partition *partition, struct bus_bytes *key,
                                  struct bus_bytes *value)
{
    if (!partition->totals_saved) {
        partition->totals_saved = true;
        partition->saving = partition->touched;
        if (partition->totals_touched) {
            totals_write(&partition->value, partition->totals, TOTAL_COUNT);
            *key = (struct bus_bytes){partition->totals_key, strlen(partition->totals_key)};
            *value = (struct bus_bytes){partition->value.data, partition->value.size};
            return true;
        }
    }
    if (partition->saving == NULL) {
        partition->totals_saved = false;
        return false;
    }
    struct label_set *set = partition->saving;
    partition->saving = set->next_touched;
    label_set_write(set, &partition->value);
    *key = (struct bus_bytes){set->key, set->key_bytes};
    *value = (struct bus_bytes){partition->value.data, partition->value.size};
    return true;
}

int counter_partition_restore(struct counter_partition *partition, struct bus_bytes key,
                              struct bus_bytes value, int64_t now_ms, struct error *error)
{
    if (key.size_bytes == strlen(partition->totals_key) &&
        memcmp(key.data, partition->totals_key, key.size_bytes) == 0) {
        int result = totals_read(value, partition->totals, TOTAL_COUNT, error);
        (void)pthread_mutex_lock(&partition->counters->lock);
        memcpy(partition->shown_totals, partition->totals, sizeof partition->totals);
        (void)pthread_mutex_unlock(&partition->counters->lock);
        return result;
    }
    struct label_names names;
    if (label_names_read(&names, key, error) != 0) {
        return -1;
    }
    struct label_set *set = add_label_set(partition, hash_names(partition->counters, &names), &names, now_ms);
    if (set == NULL) {
        return error_set(error, -1, "no memory for counters");
    }
    (void)admit_service(partition->counters, &names.values[0]);
    if (label_set_read(set, value, error) != 0) {
        return -1;
    }
    (void)pthread_mutex_lock(&partition->counters->lock);
    set->shown = set->live;
    set->is_shown = true;
    (void)pthread_mutex_unlock(&partition->counters->lock);
    return 0;
}

void counter_partition_commit(struct counter_partition *partition)
{
    (void)pthread_mutex_lock(&partition->counters->lock);
    for (struct label_set *set = partition->touched; set != NULL; set = set->next_touched) {
        set->shown = set->live;
        set->shown_seen_ms = set->seen_ms;
        set->is_shown = true;
        set->is_touched = false;
    }
    memcpy(partition->shown_totals, partition->totals, sizeof partition->totals);
    (void)pthread_mutex_unlock(&partition->counters->lock);
    partition->touched = NULL;
    partition->saving = NULL;
    partition->totals_touched = false;
    partition->totals_saved = false;
}

/* --- snapshots ---- */

static bool is_exposed(const struct series_counters *counters, const struct label_set *set, int64_t now_ms)
{
    return set->is_shown &&
           (set->kind == COUNTER_CLASSES || now_ms - set->shown_seen_ms < counters->settings.idle_ms);
}

static void add_row(struct series_counters *counters, struct counter_snapshot *snapshot,
                    const struct label_set *set, int64_t now_ms)
{
    struct counter_row *row = &snapshot->rows[snapshot->count++];
    *row = (struct counter_row){.kind = set->kind,
                                .overflow = set->overflow,
                                .labels = set->labels,
                                .labels_bytes = set->labels_bytes,
                                .sum = set->shown.sum,
                                .cpu = set->shown.cpu,
                                .memory = set->shown.memory};
    /* Prometheus' increase() never sees a series' first value: it has to be a 0. */
    if (set->kind != COUNTER_CLASSES || now_ms - set->born_ms >= counters->settings.zero_first_ms) {
        memcpy(row->values, set->shown.values, sizeof row->values);
    }
}

int series_counters_snapshot(struct series_counters *counters, int64_t now_ms,
                             struct counter_snapshot *snapshot)
{
    *snapshot = (struct counter_snapshot){0};
    (void)pthread_rwlock_rdlock(&counters->lifetime);
    (void)pthread_mutex_lock(&counters->lock);
    snapshot->rows = malloc((counters->label_sets + 1) * sizeof *snapshot->rows);
    for (const struct counter_partition *p = counters->partitions; p != NULL && snapshot->rows != NULL;
         p = p->next) {
        for (size_t i = 0; i < p->slot_count; i++) {
            if (p->slots[i] != NULL && is_exposed(counters, p->slots[i], now_ms)) {
                add_row(counters, snapshot, p->slots[i], now_ms);
                snapshot->overflow_label_sets += p->slots[i]->overflow;
            }
        }
        for (int t = 0; t < TOTAL_COUNT; t++) {
            snapshot->totals[t] += p->shown_totals[t];
        }
    }
    snapshot->label_sets = counters->label_sets;
    (void)pthread_mutex_unlock(&counters->lock);
    if (snapshot->rows == NULL) {
        (void)pthread_rwlock_unlock(&counters->lifetime);
        return -1;
    }
    return 0;
}

void series_counters_release(struct series_counters *counters, struct counter_snapshot *snapshot)
{
    free(snapshot->rows);
    snapshot->rows = NULL;
    (void)pthread_rwlock_unlock(&counters->lifetime);
}
