#include "detect/checkpoint.h"

#include "buffer/packing.h"
#include "detect/detector_private.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define KEY_PREFIX "window|"

/* --- what it depends on ---- */

/* Whatever decides which series there are and what their windows hold. */
static bool hash_layout(const struct rule_set *rules, const struct detector_limits *limits,
                        int64_t close_after_s, uint64_t *hash)
{
    const struct window_layout *layout = &rules->layout;
    struct buffer text;
    buffer_init(&text, 0);
    put_number(&text, HISTOGRAM_BUCKETS, 4);
    put_number(&text, CHECKPOINT_SECONDS, 4);
    put_number(&text, layout->length_count, 4);
    for (uint32_t i = 0; i < layout->length_count; i++) {
        put_number(&text, layout->lengths_s[i], 4);
    }
    put_number(&text, layout->threshold_count, 4);
    for (uint32_t i = 0; i < layout->threshold_count; i++) {
        put_real(&text, layout->thresholds_s[i]);
    }
    put_number(&text, layout->gauges, 1);
    put_number(&text, (uint64_t)limits->lateness_ms, 8);
    put_number(&text, (uint64_t)limits->idle_after_ms, 8);
    put_number(&text, limits->id_window_s, 4);
    put_number(&text, (uint64_t)close_after_s, 8);
    for (size_t i = 0; i < rules->count; i++) {
        if (rules->rules[i].by_route) {
            put_text(&text, rules->rules[i].match_service);
            put_text(&text, rules->rules[i].match_region);
            put_text(&text, rules->rules[i].match_route);
        }
    }
    *hash = XXH3_64bits(text.data, text.size);
    bool whole = !text.failed;
    buffer_free(&text);
    return whole;
}

static int64_t seconds_of(int64_t ms)
{
    return (ms + 999) / 1000;
}

/* A second that was saved with the clock at it may be asked for while the clock is this much further: series
 * lie up to idle_after behind the clock. */
static int64_t kept_for_s(enum checkpoint_kind kind, const struct rule_set *rules,
                          const struct detector_limits *limits, int64_t close_after_s)
{
    int64_t idle_s = seconds_of(limits->idle_after_ms) + 2;
    int64_t longest_s = rules->layout.lengths_s[rules->layout.length_count - 1];
    switch (kind) {
    case CHECKPOINT_VALUES:
        return WINDOW_VALUE_SECONDS + idle_s;
    case CHECKPOINT_IDS:
        return (limits->id_window_s > 0 ? limits->id_window_s : seconds_of(limits->lateness_ms)) + idle_s;
    default: /* replay marks too, which are kept for close_after_s */
        return (longest_s > close_after_s ? longest_s : close_after_s) + idle_s;
    }
}

bool checkpoint_init(struct checkpoint *checkpoint, const struct rule_set *rules,
                     const struct detector_limits *limits, int64_t close_after_s, uint64_t seed)
{
    *checkpoint = (struct checkpoint){.period = INT64_MIN, .clock_s = INT64_MIN};
    outbox_init(&checkpoint->out);
    buffer_init(&checkpoint->loaded_bytes, 0);
    checkpoint->chain = XXH3_64bits_withSeed(KEY_PREFIX, strlen(KEY_PREFIX), seed);
    for (int kind = 0; kind < CHECKPOINT_KINDS; kind++) {
        struct checkpoint_ring *ring = &checkpoint->rings[kind];
        int64_t kept_s = kept_for_s((enum checkpoint_kind)kind, rules, limits, close_after_s);
        ring->slot_count = (uint32_t)(kept_s / CHECKPOINT_SECONDS) + 3;
        ring->slots = calloc(ring->slot_count, sizeof *ring->slots);
        for (uint32_t i = 0; ring->slots != NULL && i < ring->slot_count; i++) {
            ring->slots[i].period = INT64_MIN;
        }
    }
    return hash_layout(rules, limits, close_after_s, &checkpoint->layout) &&
           checkpoint->rings[CHECKPOINT_COUNTS].slots != NULL &&
           checkpoint->rings[CHECKPOINT_VALUES].slots != NULL &&
           checkpoint->rings[CHECKPOINT_IDS].slots != NULL;
}

void checkpoint_deinit(struct checkpoint *checkpoint)
{
    for (int kind = 0; kind < CHECKPOINT_KINDS; kind++) {
        free(checkpoint->rings[kind].slots);
    }
    outbox_free(&checkpoint->out);
    free(checkpoint->loaded);
    buffer_free(&checkpoint->loaded_bytes);
}

size_t checkpoint_memory(const struct checkpoint *checkpoint)
{
    size_t bytes = outbox_memory(&checkpoint->out) + checkpoint->loaded_bytes.capacity +
                   checkpoint->loaded_capacity * sizeof checkpoint->loaded[0];
    for (int kind = 0; kind < CHECKPOINT_KINDS; kind++) {
        bytes += checkpoint->rings[kind].slot_count * sizeof(struct checkpoint_slot);
    }
    return bytes;
}

/* --- rings ---- */

const char *checkpoint_kind_name(enum checkpoint_kind kind)
{
    static const char *const names[CHECKPOINT_KINDS] = {
        [CHECKPOINT_COUNTS] = "counts", [CHECKPOINT_VALUES] = "values", [CHECKPOINT_IDS] = "ids"};
    return names[kind];
}

/* Each chain has a phase of its own, so that partitions with the same clock take turns. */
int64_t checkpoint_period(const struct checkpoint *checkpoint, int64_t clock_s)
{
    int64_t at = clock_s + (int64_t)(checkpoint->chain % CHECKPOINT_SECONDS);
    return at / CHECKPOINT_SECONDS - (at % CHECKPOINT_SECONDS < 0);
}

struct checkpoint_slot *checkpoint_use_slot(struct checkpoint_ring *ring, int64_t period)
{
    int64_t at = period % ring->slot_count;
    struct checkpoint_slot *slot = &ring->slots[at < 0 ? at + ring->slot_count : at];
    if (slot->period != period) {
        slot->period = period;
        slot->first = ring->next;
        slot->parts = 0;
    }
    return slot;
}

/* --- values ---- */

void checkpoint_seal(struct buffer *value)
{
    put_number(value, XXH3_64bits(value->data, value->size), 8);
}

bool checkpoint_unseal(const void *value, size_t value_bytes, struct reader *body)
{
    *body = (struct reader){0};
    if (value == NULL || value_bytes < 9) {
        return false;
    }
    struct reader sum = {.at = (const unsigned char *)value + value_bytes - 8, .left = 8};
    *body = (struct reader){.at = value, .left = value_bytes - 8};
    return take_number(&sum, 8) == XXH3_64bits(value, value_bytes - 8) &&
           take_number(body, 1) == CHECKPOINT_VERSION;
}

/* --- loading ---- */

bool checkpoint_has_key(const struct detector_state *state)
{
    return state->key != NULL && state->key_bytes > strlen(KEY_PREFIX) &&
           memcmp(state->key, KEY_PREFIX, strlen(KEY_PREFIX)) == 0;
}

static bool take_decimal(struct reader *key, uint32_t *value)
{
    uint64_t sum = 0;
    size_t before = key->left;
    while (key->left > 0 && key->at[0] >= '0' && key->at[0] <= '9' && sum <= UINT32_MAX) {
        sum = sum * 10 + (key->at[0] - '0');
        key->at++;
        key->left--;
    }
    *value = (uint32_t)sum;
    return key->left < before && sum <= UINT32_MAX;
}

/* kind|slot|part, behind the prefix. */
static void read_key(struct reader key, struct checkpoint_loaded *record)
{
    for (int kind = 0; kind < CHECKPOINT_KINDS; kind++) {
        const char *name = checkpoint_kind_name((enum checkpoint_kind)kind);
        size_t size = strlen(name);
        if (key.left > size && memcmp(key.at, name, size) == 0 && key.at[size] == '|') {
            key.at += size + 1;
            key.left -= size + 1;
            bool is_whole = take_decimal(&key, &record->slot) && take_number(&key, 1) == '|' &&
                            take_decimal(&key, &record->part) && key.left == 0;
            record->kind = is_whole ? kind : -1;
            return;
        }
    }
}

bool checkpoint_load(struct checkpoint *checkpoint, const struct detector_state *state)
{
    if (checkpoint->loaded_count == checkpoint->loaded_capacity) {
        size_t capacity = checkpoint->loaded_capacity == 0 ? 256 : checkpoint->loaded_capacity * 2;
        struct checkpoint_loaded *loaded = realloc(checkpoint->loaded, capacity * sizeof *loaded);
        if (loaded == NULL) {
            return false;
        }
        checkpoint->loaded = loaded;
        checkpoint->loaded_capacity = capacity;
    }
    struct buffer *bytes = &checkpoint->loaded_bytes;
    struct checkpoint_loaded *record = &checkpoint->loaded[checkpoint->loaded_count];
    *record = (struct checkpoint_loaded){.key_at = bytes->size,
                                         .key_bytes = state->key_bytes,
                                         .value_at = bytes->size + state->key_bytes,
                                         .value_bytes = state->value == NULL ? 0 : state->value_bytes,
                                         .kind = -1};
    if (!buffer_append(bytes, state->key, state->key_bytes) ||
        (record->value_bytes > 0 && !buffer_append(bytes, state->value, record->value_bytes))) {
        return false;
    }
    read_key((struct reader){.at = (const unsigned char *)state->key + strlen(KEY_PREFIX),
                             .left = state->key_bytes - strlen(KEY_PREFIX)},
             record);
    checkpoint->loaded_count++;
    return true;
}
