#include "backfill.h"

#include "json/json_read.h"
#include "json/number.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* {"windows":[…],"rules":[…],"rows":[{"time_unix_ms":…,"requests":…,"error_ratio":[…],"p99":[…]}]} */
enum { DEPTH_ANSWER = 1, DEPTH_ROWS = 2, DEPTH_ROW = 3, DEPTH_LIST = 4 };

struct reading {
    char answer_key[16], row_key[16];
    unsigned item; /* of the list one is in */
    int64_t time_ms;
    double requests;
    struct series_values row;
    int64_t slot; /* being summed up; 0: none */
    double slot_requests;
    struct series_values slot_values;
    backfill_take *take;
    void *context;
};

static void end_slot(struct reading *reading)
{
    if (reading->slot != 0) {
        reading->slot_values.rate = (float)(reading->slot_requests * 1000 / SERIES_BAR_MS);
        reading->take(reading->context, reading->slot, &reading->slot_values);
    }
    reading->slot_requests = 0;
}

static void end_row(struct reading *reading)
{
    const int64_t slot = reading->time_ms / SERIES_BAR_MS;
    if (slot != reading->slot) {
        end_slot(reading);
        reading->slot = slot;
    }
    reading->slot_requests += reading->requests;
    reading->slot_values = reading->row;
}

static void note_key(struct reading *reading, uint32_t depth, const char *text, size_t size)
{
    char *key = depth == DEPTH_ANSWER ? reading->answer_key : depth == DEPTH_ROW ? reading->row_key : NULL;
    if (key != NULL) {
        (void)snprintf(key, sizeof reading->row_key, "%.*s", (int)(size < 15 ? size : 15), text);
    }
}

static void take_number(struct reading *reading, uint32_t depth, const char *text, size_t size)
{
    struct json_number number;
    if (json_number_scan(text, size, &number) != size) {
        return;
    }
    const double value = json_number_to_double(&number);
    if (depth == DEPTH_ROW && strcmp(reading->row_key, "time_unix_ms") == 0) {
        reading->time_ms = json_number_to_integer(&number);
    } else if (depth == DEPTH_ROW && strcmp(reading->row_key, "requests") == 0) {
        reading->requests = value;
    } else if (depth == DEPTH_LIST && reading->item == 0 && strcmp(reading->row_key, "error_ratio") == 0) {
        reading->row.error_ratio = (float)value;
    } else if (depth == DEPTH_LIST && reading->item == 0 && strcmp(reading->row_key, "p99") == 0) {
        reading->row.p99 = (float)value;
    }
    reading->item += depth == DEPTH_LIST;
}

static bool take_token(void *context, enum json_token token, uint32_t depth, const char *text, size_t size)
{
    struct reading *reading = context;
    const bool in_rows = strcmp(reading->answer_key, "rows") == 0;
    switch (token) {
    case JSON_TOKEN_KEY:
        note_key(reading, depth, text, size);
        break;
    case JSON_TOKEN_ARRAY_BEGIN:
        reading->item = 0;
        break;
    case JSON_TOKEN_OBJECT_BEGIN:
        reading->row = (struct series_values){NAN, NAN, NAN};
        break;
    case JSON_TOKEN_NUMBER:
        if (in_rows) {
            take_number(reading, depth, text, size);
        }
        break;
    case JSON_TOKEN_NULL:
        reading->item += depth == DEPTH_LIST;
        break;
    case JSON_TOKEN_OBJECT_END:
        if (in_rows && depth == DEPTH_ROWS) {
            end_row(reading);
        }
        break;
    default:
        break;
    }
    return true;
}

int backfill_read(struct json_reader *reader, const char *text, size_t size, backfill_take *take,
                  void *context)
{
    struct reading reading = {.take = take, .context = context};
    if (json_read(reader, text, size, take_token, &reading, NULL) != JSON_OK) {
        return -1;
    }
    end_slot(&reading);
    return 0;
}
