/* What each target is told, and what it answered. */
#include "alert_table_private.h"
#include "notification.h"

#include "buffer/buffer.h"
#include "clock/clock.h"
#include "json/json_write.h"

#include <time.h>

/* --- what is due ---- */

static void promote(struct alert_table *table)
{
    const int64_t now_ms = clock_wall_ms(table->settings.clock);
    size_t bucket = 0;
    for (struct tracked *alert = alert_table_next(table, &bucket, NULL); alert != NULL;
         alert = alert_table_next(table, &bucket, alert)) {
        if (alert->transition.state == ALERT_FIRING && alert->severity == RULE_CRITICAL && !alert->held &&
            !alert->paged && now_ms - alert->firing_since_ms >= table->settings.page_after_ms) {
            alert->paged = true;
            alert->version = ++table->version;
        }
    }
}

static bool is_change_due(const struct tracked *alert, unsigned target)
{
    return !alert->held && alert->told[target].version < alert->version;
}

static bool is_repetition_due(const struct tracked *alert, unsigned target, int64_t now_ms)
{
    return !alert->held && alert->told[target].version == alert->version && !alert->told[target].refused &&
           now_ms >= alert->told[target].due_ms &&
           (alert->transition.state == ALERT_FIRING || now_ms < alert->forget_ms);
}

static size_t gather(struct alert_table *table, unsigned target, struct alert_table_item *items, size_t limit)
{
    const int64_t now_ms = clock_steady_ms(table->settings.clock);
    size_t count = 0;
    promote(table);
    for (int pass = 0; pass < 2; pass++) {
        size_t bucket = 0;
        for (struct tracked *alert = alert_table_next(table, &bucket, NULL); alert != NULL && count < limit;
             alert = alert_table_next(table, &bucket, alert)) {
            if (pass == 0 ? is_change_due(alert, target) : is_repetition_due(alert, target, now_ms)) {
                items[count++] = (struct alert_table_item){.fingerprint = alert->transition.fingerprint};
            }
        }
    }
    return count;
}

static struct timespec time_after_ms(int64_t ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return until;
}

size_t alert_table_collect(struct alert_table *table, unsigned target, int64_t wait_ms,
                           struct alert_table_item *items, size_t limit)
{
    const struct timespec until = time_after_ms(wait_ms);
    (void)pthread_mutex_lock(&table->lock);
    const uint64_t wakes = table->wakes;
    size_t count = gather(table, target, items, limit);
    bool is_waiting = count == 0 && wait_ms > 0;
    while (is_waiting) {
        is_waiting = pthread_cond_timedwait(&table->changed, &table->lock, &until) == 0;
        count = gather(table, target, items, limit);
        is_waiting = is_waiting && count == 0 && table->wakes == wakes;
    }
    (void)pthread_mutex_unlock(&table->lock);
    return count;
}

void alert_table_wake(struct alert_table *table)
{
    (void)pthread_mutex_lock(&table->lock);
    table->wakes++;
    (void)pthread_cond_broadcast(&table->changed);
    (void)pthread_mutex_unlock(&table->lock);
}

/* --- as Alertmanager takes it ---- */

static void encode(const struct alert_table *table, const struct tracked *alert, struct json_writer *writer)
{
    struct notification notification = {
        .transition = &alert->transition, .severity = alert->severity, .starts_ms = alert->firing_since_ms};
    if (alert->transition.state == ALERT_FIRING) {
        notification.ends_ms = clock_wall_ms(table->settings.clock) + table->settings.ends_after_ms;
    } else {
        notification.ends_ms = alert_table_detected_ms(table, alert);
    }
    if (notification.ends_ms < notification.starts_ms) { /* it would be refused */
        notification.ends_ms = notification.starts_ms;
    }
    notification_write(writer, &notification, table->settings.links);
    if (alert->paged) {
        notification.page = true;
        notification_write(writer, &notification, table->settings.links);
    }
}

size_t alert_table_encode(struct alert_table *table, struct alert_table_item *items, size_t count,
                          struct buffer *out)
{
    struct json_writer writer;
    size_t encoded = 0;
    json_writer_init(&writer, out);
    json_array_begin(&writer);
    (void)pthread_mutex_lock(&table->lock);
    for (size_t i = 0; i < count; i++) {
        const struct tracked *alert = alert_table_find(table, items[i].fingerprint);
        items[i].version = alert == NULL ? 0 : alert->version;
        if (alert != NULL) {
            encode(table, alert, &writer);
            encoded++;
        }
    }
    (void)pthread_mutex_unlock(&table->lock);
    json_array_end(&writer);
    return encoded;
}

/* --- what it answered ---- */

size_t alert_table_note_accepted(struct alert_table *table, unsigned target,
                                 const struct alert_table_item *items, size_t count, int64_t *delays)
{
    const int64_t due_ms = clock_steady_ms(table->settings.clock) + table->settings.resend_ms;
    const int64_t now_ms = clock_wall_ms(table->settings.clock);
    size_t delayed = 0;
    (void)pthread_mutex_lock(&table->lock);
    for (size_t i = 0; i < count; i++) {
        struct tracked *alert = items[i].version == 0 ? NULL : alert_table_find(table, items[i].fingerprint);
        if (alert == NULL) {
            continue;
        }
        struct told *told = &alert->told[target];
        if (alert->live && told->version < alert->moved && items[i].version >= alert->moved) {
            const struct alert_transition *t = &alert->transition;
            delays[delayed++] = now_ms - (t->state == ALERT_FIRING ? t->starts_ms : t->ends_ms);
        }
        *told = (struct told){.version = items[i].version, .due_ms = due_ms};
    }
    (void)pthread_mutex_unlock(&table->lock);
    return delayed;
}

bool alert_table_note_refused(struct alert_table *table, unsigned target, const struct alert_table_item *item,
                              struct alert_transition *refused)
{
    (void)pthread_mutex_lock(&table->lock);
    struct tracked *alert = alert_table_find(table, item->fingerprint);
    const bool is_news = alert != NULL && alert->told[target].version < item->version;
    if (alert != NULL) {
        alert->told[target] = (struct told){.version = item->version, .refused = true};
        *refused = alert->transition;
    }
    (void)pthread_mutex_unlock(&table->lock);
    return is_news;
}

void alert_table_tell_again(struct alert_table *table, unsigned target)
{
    size_t bucket = 0;
    (void)pthread_mutex_lock(&table->lock);
    for (struct tracked *alert = alert_table_next(table, &bucket, NULL); alert != NULL;
         alert = alert_table_next(table, &bucket, alert)) {
        alert->told[target].due_ms = 0;
    }
    (void)pthread_mutex_unlock(&table->lock);
}
