#include "dlq_marks.h"

#include "text/parse_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void dlq_marks_free(struct dlq_marks *marks)
{
    free(marks->places);
    *marks = (struct dlq_marks){0};
}

static const struct bus_header *find_header(const struct bus_record *record)
{
    for (size_t i = 0; i < record->header_count; i++) {
        if (strcmp(record->headers[i].name, DLQ_MARK_HEADER) == 0) {
            return &record->headers[i];
        }
    }
    return NULL;
}

bool dlq_is_mark(const struct bus_record *record)
{
    return record->value.data == NULL && find_header(record) != NULL;
}

bool dlq_marks_add(struct dlq_marks *marks, const char *topic, int32_t partition, int64_t offset)
{
    if (marks->count == marks->capacity) {
        size_t capacity = marks->capacity == 0 ? 64 : marks->capacity * 2;
        struct dlq_place *places = realloc(marks->places, capacity * sizeof *places);
        if (places == NULL) {
            return false;
        }
        marks->places = places;
        marks->capacity = capacity;
    }
    struct dlq_place *place = &marks->places[marks->count++];
    *place = (struct dlq_place){.partition = partition, .offset = offset};
    (void)snprintf(place->topic, sizeof place->topic, "%s", topic);
    marks->is_sorted = false;
    return true;
}

bool dlq_marks_take(struct dlq_marks *marks, const struct bus_record *mark)
{
    char digits[24] = "";
    int64_t offset = 0;
    struct bus_bytes value = find_header(mark)->value;
    if (value.size_bytes >= sizeof digits) {
        return true; /* nonsense marks nothing */
    }
    memcpy(digits, value.data, value.size_bytes);
    return !parse_integer(digits, &offset) || dlq_marks_add(marks, mark->topic, mark->partition, offset);
}

static int by_place(const void *a, const void *b)
{
    const struct dlq_place *x = a;
    const struct dlq_place *y = b;
    if (x->offset != y->offset) {
        return x->offset < y->offset ? -1 : 1;
    }
    return x->partition != y->partition ? (x->partition < y->partition ? -1 : 1) : strcmp(x->topic, y->topic);
}

bool dlq_marks_have(struct dlq_marks *marks, const struct bus_record *letter)
{
    if (marks->count == 0) {
        return false;
    }
    if (!marks->is_sorted) {
        qsort(marks->places, marks->count, sizeof *marks->places, by_place);
        marks->is_sorted = true;
    }
    struct dlq_place place = {.partition = letter->partition, .offset = letter->offset};
    (void)snprintf(place.topic, sizeof place.topic, "%s", letter->topic);
    return bsearch(&place, marks->places, marks->count, sizeof place, by_place) != NULL;
}

void dlq_mark_build(struct dlq_mark *mark, const struct dlq_place *place)
{
    int size = snprintf(mark->digits, sizeof mark->digits, "%" PRId64, place->offset);
    mark->header = (struct bus_header){DLQ_MARK_HEADER, {mark->digits, (size_t)size}};
    mark->record = (struct bus_record){
        .topic = place->topic, .partition = place->partition, .headers = &mark->header, .header_count = 1};
}
