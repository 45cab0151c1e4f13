#include "candidate.h"

#include <stdlib.h>

#include <yajl/yajl_parse.h>

/* As it comes: malloc, its own UTF-8 check, numbers by strtod; what lib/json puts around it is not in here.
 */
struct state {
    struct candidate_event *event;
    int wanted; /* 1: a text, 2: a number */
    int depth;
};

static int on_key(void *context, const unsigned char *text, size_t size)
{
    struct state *state = context;
    state->wanted = 0;
    for (int i = 0; i < CANDIDATE_TEXTS && state->depth == 1; i++) {
        if (strlen(candidate_texts[i]) == size && memcmp(candidate_texts[i], text, size) == 0) {
            state->wanted = 1;
        }
    }
    for (int i = 0; i < CANDIDATE_NUMBERS && state->depth == 1; i++) {
        if (strlen(candidate_numbers[i]) == size && memcmp(candidate_numbers[i], text, size) == 0) {
            state->wanted = 2;
        }
    }
    return 1;
}

static int on_string(void *context, const unsigned char *text, size_t size)
{
    (void)text;
    struct state *state = context;
    if (state->wanted == 1) {
        state->event->text_bytes += size;
    }
    state->wanted = 0;
    return 1;
}

static int on_number(void *context, const char *text, size_t size)
{
    (void)size;
    struct state *state = context;
    if (state->wanted == 2) {
        state->event->number_sum += strtod(text, NULL);
    }
    state->wanted = 0;
    return 1;
}

static int on_begin(void *context)
{
    ((struct state *)context)->depth++;
    return 1;
}

static int on_end(void *context)
{
    ((struct state *)context)->depth--;
    return 1;
}

int decode_yajl(const char *data, size_t size, struct candidate_event *out)
{
    static const yajl_callbacks callbacks = {.yajl_number = on_number,
                                             .yajl_string = on_string,
                                             .yajl_map_key = on_key,
                                             .yajl_start_map = on_begin,
                                             .yajl_end_map = on_end,
                                             .yajl_start_array = on_begin,
                                             .yajl_end_array = on_end};
    struct state state = {.event = out};
    yajl_handle parser = yajl_alloc(&callbacks, NULL, &state);
    yajl_status status = yajl_parse(parser, (const unsigned char *)data, size);
    if (status == yajl_status_ok) {
        status = yajl_complete_parse(parser);
    }
    yajl_free(parser);
    return status == yajl_status_ok ? 0 : -1;
}
