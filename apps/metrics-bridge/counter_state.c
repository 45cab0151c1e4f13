/* What is saved and what comes back: the totals of a partition under one key, each label set under its own.
 * Only what was touched since the last commit is written. */
#include "counters_private.h"

#include <string.h>

/* Label sets whose time at zero is over are saved as such; the commit that holds this reveals them. */
static void reveal_what_stood_long_enough(struct counter_partition *partition, int64_t now_ms)
{
    struct label_set **link = &partition->hidden;
    while (*link != NULL) {
        struct label_set *set = *link;
        bool is_due =
            set->shown != NULL && now_ms - set->first_shown_ms >= partition->counters->settings.zero_first_ms;
        if (!is_due && !set->live.is_revealed) {
            link = &set->next_hidden;
            continue;
        }
        *link = set->next_hidden;
        if (!set->live.is_revealed) { /* true: came back revealed from the state */
            set->live.is_revealed = true;
            counter_partition_touch(partition, set);
        }
    }
}

bool counter_partition_next_saved(struct counter_partition *partition, int64_t now_ms, struct bus_bytes *key,
                                  struct bus_bytes *value)
{
    if (!partition->is_saving) {
        reveal_what_stood_long_enough(partition, now_ms);
        partition->is_saving = true;
        partition->saving = partition->touched;
        if (partition->totals_touched) {
            totals_write(&partition->value, partition->totals, TOTAL_COUNT);
            *key = (struct bus_bytes){partition->totals_key, strlen(partition->totals_key)};
            *value = (struct bus_bytes){partition->value.data, partition->value.size};
            return true;
        }
    }
    struct label_set *set = partition->saving;
    if (set == NULL) {
        partition->is_saving = false;
        return false;
    }
    partition->saving = set->next_touched;
    packed_numbers_drop(set->saved); /* of a commit that did not come about */
    set->saved = label_numbers_pack(&set->live, set->kind, set->shown, &partition->value);
    *key = (struct bus_bytes){set->key, set->key_bytes};
    *value = set->saved == NULL ? (struct bus_bytes){0}
                                : (struct bus_bytes){set->saved->data, set->saved->record_bytes};
    return true;
}

void counter_partition_commit(struct counter_partition *partition, int64_t now_ms)
{
    (void)pthread_mutex_lock(&partition->counters->lock);
    for (struct label_set *set = partition->touched; set != NULL; set = set->next_touched) {
        set->first_shown_ms = set->shown != NULL ? set->first_shown_ms : now_ms;
        packed_numbers_drop(set->shown);
        set->shown = set->saved;
        set->saved = NULL;
        set->is_touched = false;
        label_numbers_forget_exemplars(&set->live);
    }
    memcpy(partition->shown_totals, partition->totals, sizeof partition->totals);
    (void)pthread_mutex_unlock(&partition->counters->lock);
    partition->touched = NULL;
    partition->totals_touched = false;
}

static int restore_totals(struct counter_partition *partition, struct bus_bytes value, struct error *error)
{
    if (totals_read(value, partition->totals, TOTAL_COUNT, error) != 0) {
        return -1;
    }
    (void)pthread_mutex_lock(&partition->counters->lock);
    memcpy(partition->shown_totals, partition->totals, sizeof partition->totals);
    (void)pthread_mutex_unlock(&partition->counters->lock);
    return 0;
}

void series_counters_settle(struct series_counters *counters)
{
    (void)pthread_mutex_lock(&counters->lock);
    counters->is_settled = counters->partitions != NULL;
    for (const struct counter_partition *p = counters->partitions; p != NULL; p = p->next) {
        counters->is_settled = counters->is_settled && p->is_restored;
    }
    (void)pthread_mutex_unlock(&counters->lock);
}

void counter_partition_end_restore(struct counter_partition *partition)
{
    (void)pthread_mutex_lock(&partition->counters->lock);
    partition->is_restored = true;
    (void)pthread_mutex_unlock(&partition->counters->lock);
    series_counters_settle(partition->counters);
}

int counter_partition_restore(struct counter_partition *partition, struct bus_bytes key,
                              struct bus_bytes value, int64_t now_ms, struct error *error)
{
    if (key.size_bytes == strlen(partition->totals_key) &&
        memcmp(key.data, partition->totals_key, key.size_bytes) == 0) {
        return restore_totals(partition, value, error);
    }
    struct label_names names;
    if (label_names_read(&names, key, error) != 0) {
        return -1;
    }
    struct label_set *set = counter_partition_add(partition, &names);
    if (set == NULL) {
        return error_set(error, -1, "no memory for counters");
    }
    if (label_numbers_read(&set->live, set->kind, value, set->labels, error) != 0) {
        return -1;
    }
    struct packed_numbers *shown = label_numbers_pack(&set->live, set->kind, NULL, &partition->value);
    if (shown == NULL) {
        return error_set(error, -1, "no memory for counters");
    }
    (void)pthread_mutex_lock(&partition->counters->lock);
    packed_numbers_drop(set->shown);
    set->shown = shown;
    set->first_shown_ms = now_ms;
    (void)pthread_mutex_unlock(&partition->counters->lock);
    return 0;
}
