#include "counter_snapshot.h"

#include "counters_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_exposed(const struct series_counters *counters, const struct label_set *set, int64_t now_ms)
{
    return set->is_shown && (counters->is_settled || !set->overflow) &&
           (set->kind == COUNTER_CLASSES || now_ms - set->shown.seen_ms < counters->settings.idle_ms);
}

static void add_row(const struct series_counters *counters, struct counter_snapshot *snapshot,
                    const struct label_set *set, int64_t now_ms)
{
    bool sampled = !set->overflow && now_ms - set->shown.sampled_ms < counters->settings.idle_ms;
    struct counter_row *row = &snapshot->rows[snapshot->count++];
    *row = (struct counter_row){.kind = set->kind,
                                .labels = set->labels,
                                .labels_bytes = set->labels_bytes,
                                .sum = set->shown.sum,
                                .cpu = sampled ? set->shown.cpu : NAN,
                                .memory = sampled ? set->shown.memory : NAN};
    if (set->shown.is_revealed) {
        memcpy(row->values, set->shown.values, sizeof row->values);
    }
}

static void add_partition(struct series_counters *counters, struct counter_snapshot *snapshot,
                          struct counter_partition *partition, int64_t now_ms)
{
    for (size_t i = 0; partition->is_restored && i < partition->slot_count; i++) {
        if (partition->slots[i] != NULL && is_exposed(counters, partition->slots[i], now_ms)) {
            add_row(counters, snapshot, partition->slots[i], now_ms);
        }
    }
    for (int t = 0; t < TOTAL_COUNT; t++) {
        snapshot->totals[t] += partition->shown_totals[t];
    }
    partition->holders++;
    snapshot->held[snapshot->held_count++] = partition;
}

static int compare_rows(const void *a, const void *b)
{
    const struct counter_row *x = a;
    const struct counter_row *y = b;
    if (x->kind != y->kind) {
        return x->kind < y->kind ? -1 : 1;
    }
    return strcmp(x->labels, y->labels);
}

/* Equal label sets come from overflow in several partitions, or from logs that a foreign partitioner spread:
 * a page that names a series twice is refused whole. */
static void join_equal_rows(struct counter_snapshot *snapshot)
{
    qsort(snapshot->rows, snapshot->count, sizeof snapshot->rows[0], compare_rows);
    size_t kept = 0;
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct counter_row *row = &snapshot->rows[i];
        struct counter_row *last = kept == 0 ? NULL : &snapshot->rows[kept - 1];
        if (last == NULL || compare_rows(last, row) != 0) {
            snapshot->rows[kept++] = *row;
            continue;
        }
        for (int v = 0; v < COUNTER_VALUES; v++) {
            last->values[v] += row->values[v];
        }
        last->sum += row->sum;
    }
    snapshot->count = kept;
}

static void note_kinds(struct counter_snapshot *snapshot)
{
    size_t row = 0;
    for (int kind = 0; kind <= COUNTER_KINDS; kind++) {
        while (row < snapshot->count && (int)snapshot->rows[row].kind < kind) {
            row++;
        }
        snapshot->first[kind] = row;
    }
}

int counter_snapshot_take(struct series_counters *counters, int64_t now_ms, struct counter_snapshot *snapshot)
{
    *snapshot = (struct counter_snapshot){0};
    (void)pthread_mutex_lock(&counters->lock);
    size_t partitions = 0;
    for (const struct counter_partition *p = counters->partitions; p != NULL; p = p->next) {
        partitions++;
    }
    snapshot->rows = malloc((counters->label_sets + 1) * sizeof *snapshot->rows);
    snapshot->held = calloc(partitions + 1, sizeof(struct counter_partition *));
    bool good = snapshot->rows != NULL && snapshot->held != NULL;
    for (struct counter_partition *p = counters->partitions; good && p != NULL; p = p->next) {
        add_partition(counters, snapshot, p, now_ms);
    }
    snapshot->is_settled = counters->is_settled;
    snapshot->label_sets = counters->label_sets;
    snapshot->overflow_sets = counters->overflow_sets;
    (void)pthread_mutex_unlock(&counters->lock);
    if (!good) {
        counter_snapshot_release(counters, snapshot);
        return -1;
    }
    join_equal_rows(snapshot);
    note_kinds(snapshot);
    return 0;
}

void counter_snapshot_release(struct series_counters *counters, struct counter_snapshot *snapshot)
{
    (void)pthread_mutex_lock(&counters->lock);
    for (size_t i = 0; snapshot->held != NULL && i < snapshot->held_count; i++) {
        counter_partition_drop(snapshot->held[i]);
    }
    (void)pthread_mutex_unlock(&counters->lock);
    free(snapshot->rows);
    free(snapshot->held);
    *snapshot = (struct counter_snapshot){0};
}
