#include "state_map.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct saved_value {
    size_t key_bytes, value_bytes;
    unsigned char bytes[]; /* key, value */
};

static int compare(const void *left, const void *right)
{
    const struct saved_value *a = left;
    const struct saved_value *b = right;
    size_t shorter = a->key_bytes < b->key_bytes ? a->key_bytes : b->key_bytes;
    int order = memcmp(a->bytes, b->bytes, shorter);
    return order != 0 ? order : (a->key_bytes > b->key_bytes) - (a->key_bytes < b->key_bytes);
}

static struct saved_value *make_entry(const struct detector_state *state)
{
    struct saved_value *entry = malloc(sizeof *entry + state->key_bytes + state->value_bytes);
    if (entry != NULL) {
        entry->key_bytes = state->key_bytes;
        entry->value_bytes = state->value_bytes;
        memcpy(entry->bytes, state->key, state->key_bytes);
        if (state->value_bytes > 0) {
            memcpy(entry->bytes + state->key_bytes, state->value, state->value_bytes);
        }
    }
    return entry;
}

static void forget(struct state_map *map, struct saved_value *key)
{
    struct saved_value **found = tfind(key, &map->root, compare);
    if (found != NULL) {
        struct saved_value *old = *found;
        (void)tdelete(key, &map->root, compare);
        free(old);
    }
}

int state_map_put(struct state_map *map, const struct detector_state *state, struct error *error)
{
    struct saved_value *entry = make_entry(state);
    if (entry == NULL) {
        return error_set(error, -1, "no memory for state");
    }
    forget(map, entry);
    if (state->value == NULL) {
        free(entry);
    } else if (tsearch(entry, &map->root, compare) == NULL) {
        free(entry);
        return error_set(error, -1, "no memory for state");
    }
    return 0;
}

struct loading {
    struct detector *detector;
    struct error *error;
    int result;
};

static void load_entry(const void *node, VISIT visit, void *context)
{
    struct loading *loading = context;
    const struct saved_value *entry = *(struct saved_value *const *)node;
    if ((visit != postorder && visit != leaf) || loading->result != 0) {
        return;
    }
    const struct detector_state state = {.key = entry->bytes,
                                         .value = entry->bytes + entry->key_bytes,
                                         .key_bytes = entry->key_bytes,
                                         .value_bytes = entry->value_bytes};
    loading->result = detector_load_state(loading->detector, &state, loading->error);
}

int state_map_load(const struct state_map *map, struct detector *detector, struct error *error)
{
    struct loading loading = {.detector = detector, .error = error};
    twalk_r(map->root, load_entry, &loading);
    return loading.result;
}

void state_map_free(struct state_map *map)
{
    tdestroy(map->root, free);
    map->root = NULL;
}
