#include "counter_snapshot.h"

#include "counters_private.h"

#include <stdlib.h>
#include <string.h>

static bool is_exposed(const struct series_counters *counters, const struct label_set *set, int64_t now_ms)
{
    return set->shown != NULL && (counters->is_settled || !set->overflow) &&
           (set->kind == COUNTER_CLASSES || now_ms - set->shown->seen_ms < counters->settings.idle_ms);
}

static void add_row(struct counter_snapshot *snapshot, struct label_set *set)
{
    set->shown->holders++;
    snapshot->rows[snapshot->count++] = (struct counter_row){.kind = set->kind,
                                                             .labels = set->labels,
                                                             .labels_bytes = set->labels_bytes,
                                                             .overflow = set->overflow,
                                                             .numbers = set->shown};
}

static void add_partition(struct series_counters *counters, struct counter_snapshot *snapshot,
                          struct counter_partition *partition, int64_t now_ms)
{
    for (size_t i = 0; partition->is_restored && i < partition->slot_count; i++) {
        if (partition->slots[i] != NULL && is_exposed(counters, partition->slots[i], now_ms)) {
            add_row(snapshot, partition->slots[i]);
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

/* The sum of both rows' numbers, in place of the first one's. False: no memory. */
static bool join(struct series_counters *counters, struct counter_row *row, const struct counter_row *other)
{
    struct label_numbers sum;
    struct label_numbers more;
    struct buffer scratch;
    buffer_init(&scratch, 0);
    label_numbers_init(&sum, row->kind);
    label_numbers_init(&more, row->kind);
    struct packed_numbers *joined = NULL;
    if (label_numbers_unpack(&sum, row->kind, row->numbers) &&
        label_numbers_unpack(&more, row->kind, other->numbers) && label_numbers_add(&sum, &more)) {
        joined = label_numbers_pack(&sum, row->kind, NULL, &scratch);
    }
    label_numbers_deinit(&sum);
    label_numbers_deinit(&more);
    buffer_free(&scratch);
    (void)pthread_mutex_lock(&counters->lock);
    packed_numbers_drop(other->numbers);
    if (joined != NULL) {
        packed_numbers_drop(row->numbers);
        row->numbers = joined;
    }
    (void)pthread_mutex_unlock(&counters->lock);
    return joined != NULL;
}

/* Equal label sets come from overflow in several partitions, or from logs that a foreign partitioner spread:
 * a page that names a series twice is refused whole. */
static bool join_equal_rows(struct series_counters *counters, struct counter_snapshot *snapshot)
{
    qsort(snapshot->rows, snapshot->count, sizeof snapshot->rows[0], compare_rows);
    bool good = true;
    size_t kept = 0;
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct counter_row *row = &snapshot->rows[i];
        if (kept > 0 && compare_rows(&snapshot->rows[kept - 1], row) == 0) {
            good = join(counters, &snapshot->rows[kept - 1], row) && good;
        } else {
            snapshot->rows[kept++] = *row;
        }
    }
    snapshot->count = kept;
    return good;
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
    *snapshot = (struct counter_snapshot){.idle_before_ms = now_ms - counters->settings.idle_ms};
    (void)pthread_mutex_lock(&counters->lock);
    size_t partitions = 0;
    for (const struct counter_partition *p = counters->partitions; p != NULL; p = p->next) {
        partitions++;
    }
    snapshot->rows = calloc(counters->label_sets + 1, sizeof *snapshot->rows);
    snapshot->held = calloc(partitions + 1, sizeof(struct counter_partition *));
    bool good = snapshot->rows != NULL && snapshot->held != NULL;
    for (struct counter_partition *p = counters->partitions; good && p != NULL; p = p->next) {
        add_partition(counters, snapshot, p, now_ms);
    }
    snapshot->is_settled = counters->is_settled;
    snapshot->label_sets = counters->label_sets;
    snapshot->overflow_sets = counters->overflow_sets;
    (void)pthread_mutex_unlock(&counters->lock);
    if (!good || !join_equal_rows(counters, snapshot)) {
        counter_snapshot_release(counters, snapshot);
        return -1;
    }
    note_kinds(snapshot);
    return 0;
}

void counter_snapshot_release(struct series_counters *counters, struct counter_snapshot *snapshot)
{
    (void)pthread_mutex_lock(&counters->lock);
    for (size_t i = 0; snapshot->rows != NULL && i < snapshot->count; i++) {
        packed_numbers_drop(snapshot->rows[i].numbers);
    }
    for (size_t i = 0; snapshot->held != NULL && i < snapshot->held_count; i++) {
        counter_partition_drop(snapshot->held[i]);
    }
    (void)pthread_mutex_unlock(&counters->lock);
    free(snapshot->rows);
    free(snapshot->held);
    *snapshot = (struct counter_snapshot){0};
}
