#include "alert_table.h"
#include "alert_table_private.h"

#include "clock/clock.h"

#include <stdlib.h>
#include <string.h>

int alert_table_create(struct alert_table **out, const struct alert_table_settings *settings,
                       struct error *error)
{
    struct alert_table *table = calloc(1, sizeof *table);
    size_t buckets = 64;
    *out = NULL;
    while (buckets < settings->most_alerts) {
        buckets *= 2;
    }
    if (table == NULL || (table->buckets = calloc(buckets, sizeof(struct tracked *))) == NULL) {
        free(table);
        return error_set(error, -1, "no memory for %zu alerts", settings->most_alerts);
    }
    table->settings = *settings;
    table->bucket_count = buckets;
    (void)pthread_mutex_init(&table->lock, NULL);
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&table->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    *out = table;
    return 0;
}

static struct tracked **find_place(const struct alert_table *table, uint64_t fingerprint)
{
    struct tracked **place = &table->buckets[fingerprint & (table->bucket_count - 1)];
    while (*place != NULL && (*place)->transition.fingerprint != fingerprint) {
        place = &(*place)->next;
    }
    return place;
}

struct tracked *alert_table_find(const struct alert_table *table, uint64_t fingerprint)
{
    return *find_place(table, fingerprint);
}

struct tracked *alert_table_next(const struct alert_table *table, size_t *bucket, struct tracked *previous)
{
    struct tracked *alert = previous == NULL ? table->buckets[*bucket] : previous->next;
    while (alert == NULL && ++*bucket < table->bucket_count) {
        alert = table->buckets[*bucket];
    }
    return alert;
}

typedef bool gone_test(const struct alert_table *table, const struct tracked *alert, int64_t argument);

static void remove_those(struct alert_table *table, gone_test *is_gone, int64_t argument)
{
    for (size_t i = 0; i < table->bucket_count; i++) {
        struct tracked **place = &table->buckets[i];
        while (*place != NULL) {
            struct tracked *alert = *place;
            if (is_gone(table, alert, argument)) {
                *place = alert->next;
                free(alert);
                table->count--;
            } else {
                place = &alert->next;
            }
        }
    }
}

static bool is_any(const struct alert_table *table, const struct tracked *alert, int64_t argument)
{
    (void)table;
    (void)alert;
    (void)argument;
    return true;
}

static bool is_of_partition(const struct alert_table *table, const struct tracked *alert, int64_t partition)
{
    (void)table;
    return alert->partition == partition;
}

static bool is_over(const struct alert_table *table, const struct tracked *alert, int64_t now_ms)
{
    return alert->transition.state == ALERT_RESOLVED && now_ms >= alert->forget_ms &&
           alert_table_is_told(table, alert, alert->version);
}

void alert_table_destroy(struct alert_table *table)
{
    if (table != NULL) {
        remove_those(table, is_any, 0);
        (void)pthread_cond_destroy(&table->changed);
        (void)pthread_mutex_destroy(&table->lock);
        free(table->behind);
        free(table->buckets);
        free(table);
    }
}

/* --- what the log says ---- */

/* Where there is no room to note it, the partition is taken for caught up: at worst an alert that is over is
 * told and resolved. */
static void set_behind(struct alert_table *table, int32_t partition, bool value)
{
    const size_t index = (size_t)partition;
    if (index >= table->behind_count) {
        bool *behind = realloc(table->behind, (index + 1) * sizeof *behind);
        if (behind == NULL) {
            return;
        }
        memset(behind + table->behind_count, 0, (index + 1 - table->behind_count) * sizeof *behind);
        table->behind = behind;
        table->behind_count = index + 1;
    }
    table->behind[index] = value;
}

static bool is_behind(const struct alert_table *table, int32_t partition)
{
    return (size_t)partition < table->behind_count && table->behind[partition];
}

void alert_table_open(struct alert_table *table, int32_t partition)
{
    (void)pthread_mutex_lock(&table->lock);
    remove_those(table, is_of_partition, partition);
    set_behind(table, partition, true);
    (void)pthread_mutex_unlock(&table->lock);
}

void alert_table_close(struct alert_table *table, int32_t partition)
{
    (void)pthread_mutex_lock(&table->lock);
    remove_those(table, is_of_partition, partition);
    (void)pthread_mutex_unlock(&table->lock);
}

/* A new one has no sequence yet. NULL: no room. */
static struct tracked *find_or_add(struct alert_table *table, int32_t partition, uint64_t fingerprint)
{
    struct tracked **place = find_place(table, fingerprint);
    if (*place == NULL && table->count < table->settings.most_alerts &&
        (*place = calloc(1, sizeof **place)) != NULL) {
        (*place)->transition.fingerprint = fingerprint;
        (*place)->partition = partition;
        table->count++;
    }
    return *place;
}

int64_t alert_table_detected_ms(const struct alert_table *table, const struct tracked *alert)
{
    const int64_t now_ms = clock_wall_ms(table->settings.clock);
    const int64_t detected_ms = alert->transition.detected_ms;
    return detected_ms > 0 && detected_ms < now_ms ? detected_ms : now_ms;
}

static void begin_firing(struct alert_table *table, struct tracked *alert)
{
    alert->severity = alert->transition.severity;
    alert->firing_since_ms = alert_table_detected_ms(table, alert);
    alert->paged = false;
    /* The record names no direction; a firing one was on the wrong side of its threshold. */
    alert->transition.below = alert->transition.value < alert->transition.threshold;
}

static void begin_resolved(struct alert_table *table, struct tracked *alert, bool is_known)
{
    const int64_t ended_ms = alert_table_detected_ms(table, alert);
    const int64_t over_ms = clock_wall_ms(table->settings.clock) - ended_ms;
    if (!is_known) { /* whether it had its second form nobody knows; to take back what wasn't told is no harm
                      */
        alert->severity = alert->transition.severity;
        alert->paged = alert->severity == RULE_CRITICAL;
    } else if (alert->severity == RULE_CRITICAL &&
               ended_ms - alert->firing_since_ms >= table->settings.page_after_ms) {
        alert->paged = true; /* by who ran before us, maybe */
    }
    alert->forget_ms = clock_steady_ms(table->settings.clock) + table->settings.resolved_for_ms - over_ms;
}

static void change(struct alert_table *table, struct tracked *alert, int64_t offset,
                   const struct alert_transition *transition)
{
    const bool is_known = alert->transition.sequence > 0;
    alert->transition = *transition;
    alert->offset = offset;
    alert->moved = alert->version = ++table->version;
    if (transition->state == ALERT_FIRING) {
        begin_firing(table, alert);
    } else {
        begin_resolved(table, alert, is_known);
    }
    (void)pthread_cond_broadcast(&table->changed);
}

bool alert_table_restore(struct alert_table *table, int32_t partition,
                         const struct alert_transition *transition)
{
    (void)pthread_mutex_lock(&table->lock);
    struct tracked *alert = find_or_add(table, partition, transition->fingerprint);
    if (alert != NULL && transition->sequence > alert->transition.sequence) {
        change(table, alert, NO_OFFSET, transition);
    }
    (void)pthread_mutex_unlock(&table->lock);
    return alert != NULL;
}

/* By the log's order where it is known. What alerts.active told has no place in it: behind the end its
 * sequence decides, beyond the end everything is later. */
static bool is_news(const struct alert_table *table, const struct tracked *alert, int64_t offset,
                    const struct alert_transition *transition)
{
    const uint32_t known = alert->transition.sequence;
    if (transition->sequence == known) {
        return false;
    }
    if (alert->offset == NO_OFFSET && known > 0) {
        return transition->sequence > known || !is_behind(table, alert->partition);
    }
    return known == 0 || offset > alert->offset;
}

bool alert_table_take(struct alert_table *table, int32_t partition, int64_t offset,
                      const struct alert_transition *transition)
{
    (void)pthread_mutex_lock(&table->lock);
    struct tracked *alert = find_or_add(table, partition, transition->fingerprint);
    if (alert != NULL && is_news(table, alert, offset, transition)) {
        change(table, alert, offset, transition);
        alert->live = !is_behind(table, partition);
        alert->held = !alert->live && transition->state == ALERT_FIRING;
    } else if (alert != NULL && alert->offset == NO_OFFSET &&
               transition->sequence == alert->transition.sequence) {
        alert->offset = offset; /* here is its place */
    }
    (void)pthread_mutex_unlock(&table->lock);
    return alert != NULL;
}

void alert_table_caught_up(struct alert_table *table, int32_t partition)
{
    (void)pthread_mutex_lock(&table->lock);
    if (is_behind(table, partition)) {
        size_t bucket = 0;
        set_behind(table, partition, false);
        for (struct tracked *alert = alert_table_next(table, &bucket, NULL); alert != NULL;
             alert = alert_table_next(table, &bucket, alert)) {
            alert->held = alert->held && alert->partition != partition;
        }
        (void)pthread_cond_broadcast(&table->changed);
    }
    (void)pthread_mutex_unlock(&table->lock);
}

bool alert_table_is_told(const struct alert_table *table, const struct tracked *alert, uint64_t version)
{
    for (unsigned target = 0; target < table->settings.targets; target++) {
        if (alert->told[target].version < version) {
            return false;
        }
    }
    return true;
}

int64_t alert_table_position(struct alert_table *table, int32_t partition, int64_t next)
{
    size_t bucket = 0;
    (void)pthread_mutex_lock(&table->lock);
    for (struct tracked *alert = alert_table_next(table, &bucket, NULL); alert != NULL;
         alert = alert_table_next(table, &bucket, alert)) {
        if (alert->partition == partition && alert->offset != NO_OFFSET && alert->offset < next &&
            !alert_table_is_told(table, alert, alert->moved)) {
            next = alert->offset;
        }
    }
    (void)pthread_mutex_unlock(&table->lock);
    return next;
}

/* --- counting and forgetting ---- */

void alert_table_forget(struct alert_table *table)
{
    (void)pthread_mutex_lock(&table->lock);
    remove_those(table, is_over, clock_steady_ms(table->settings.clock));
    (void)pthread_mutex_unlock(&table->lock);
}

void alert_table_count(struct alert_table *table, struct alert_table_counts *counts)
{
    size_t bucket = 0;
    *counts = (struct alert_table_counts){0};
    (void)pthread_mutex_lock(&table->lock);
    for (struct tracked *alert = alert_table_next(table, &bucket, NULL); alert != NULL;
         alert = alert_table_next(table, &bucket, alert)) {
        counts->firing += alert->transition.state == ALERT_FIRING && !alert->held;
        counts->resolved += alert->transition.state == ALERT_RESOLVED;
        counts->untold += !alert->held && !alert_table_is_told(table, alert, alert->version);
    }
    (void)pthread_mutex_unlock(&table->lock);
}
