#include "late_records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LATEST_MS 20000

void late_records_init(struct late_records *late, uint64_t seed)
{
    *late = (struct late_records){0};
    random_init(&late->random, seed ^ UINT64_C(0x6c617465));
}

void late_records_free(struct late_records *late)
{
    free(late->heap);
}

bool late_records_choose(struct late_records *late, double share)
{
    return share > 0 && random_unit(&late->random) < share;
}

static bool is_before(const struct late_record *a, const struct late_record *b)
{
    return a->arrives_ms != b->arrives_ms ? a->arrives_ms < b->arrives_ms : a->number < b->number;
}

static void swap(struct late_record *a, struct late_record *b)
{
    struct late_record kept = *a;
    *a = *b;
    *b = kept;
}

void late_records_put(struct late_records *late, int series, const struct event *event, int64_t now_ms)
{
    if (late->count == late->capacity) {
        late->capacity = late->capacity == 0 ? 256 : late->capacity * 2;
        late->heap = realloc(late->heap, late->capacity * sizeof *late->heap);
        if (late->heap == NULL) {
            perror("score");
            exit(1);
        }
    }
    size_t at = late->count++;
    struct late_record *record = &late->heap[at];
    *record = (struct late_record){now_ms + 1 + (int64_t)random_below(&late->random, LATEST_MS),
                                   late->next_number++,
                                   series,
                                   *event,
                                   {0}};
    memcpy(record->id, event->id.data, event->id.size);
    for (; at > 0 && is_before(&late->heap[at], &late->heap[(at - 1) / 2]); at = (at - 1) / 2) {
        swap(&late->heap[at], &late->heap[(at - 1) / 2]);
    }
}

bool late_records_take(struct late_records *late, int64_t until_ms, struct late_record *out)
{
    if (late->count == 0 || late->heap[0].arrives_ms > until_ms) {
        return false;
    }
    *out = late->heap[0];
    out->event.id.data = out->id;
    late->heap[0] = late->heap[--late->count];
    for (size_t at = 0;;) {
        size_t first = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < late->count; child++) {
            first = is_before(&late->heap[child], &late->heap[first]) ? child : first;
        }
        if (first == at) {
            return true;
        }
        swap(&late->heap[at], &late->heap[first]);
        at = first;
    }
}
