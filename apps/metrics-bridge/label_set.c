#include "label_set.h"

#include "buffer/buffer.h"
#include "metrics/encode_text.h"

#include <stdlib.h>
#include <string.h>

static const char *const prefixes[COUNTER_KINDS] = {"requests|", "classes|", "logs|"};
static const char *const label_names[][LABEL_NAMES] = {
    {"service_name", "cloud_region", "http_route", "http_request_method", "http_response_status_code"},
    {"service_name", "cloud_region"},
    {"service_name", "cloud_region", "severity_text"},
};
static const size_t name_counts[] = {5, 2, 3};

/* --- names ---- */

static void write_key(struct buffer *key, const struct label_names *names)
{
    buffer_append_text(key, prefixes[names->kind]);
    buffer_append_char(key, names->overflow ? 1 : 0);
    for (size_t i = 0; i < names->count; i++) {
        buffer_append_char(key, (char)(names->values[i].size & 0xff));
        buffer_append_char(key, (char)(names->values[i].size >> 8));
        buffer_append(key, names->values[i].data, names->values[i].size);
    }
}

static void write_labels(struct buffer *labels, const struct label_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        buffer_append_format(labels, "%s%s=\"", i == 0 ? "" : ",", label_names[names->kind][i]);
        metrics_text_label_value(labels, names->values[i].data, names->values[i].size);
        buffer_append_char(labels, '"');
    }
}

struct label_set *label_set_create(uint64_t hash, const struct label_names *names)
{
    struct buffer texts;
    buffer_init(&texts, 0);
    write_key(&texts, names);
    size_t key_bytes = texts.size;
    write_labels(&texts, names);
    buffer_append_char(&texts, '\0');
    struct label_set *set = texts.failed ? NULL : calloc(1, sizeof *set + texts.size);
    if (set == NULL) {
        buffer_free(&texts);
        return NULL;
    }
    memcpy(set->texts, texts.data, texts.size);
    set->hash = hash;
    set->kind = names->kind;
    set->overflow = names->overflow;
    label_numbers_init(&set->live, names->kind);
    set->key = set->texts;
    set->key_bytes = key_bytes;
    set->labels = set->texts + key_bytes;
    set->labels_bytes = texts.size - key_bytes - 1;
    buffer_free(&texts);
    return set;
}

void label_set_destroy(struct label_set *set)
{
    if (set != NULL) {
        label_numbers_deinit(&set->live);
        packed_numbers_drop(set->saved);
        packed_numbers_drop(set->shown);
        free(set);
    }
}

/* The key has all names, so comparing with it piece by piece needs no second copy of them. */
bool label_set_is(const struct label_set *set, const struct label_names *names)
{
    if (set->kind != names->kind || set->overflow != names->overflow) {
        return false;
    }
    const char *at = set->key + strlen(prefixes[set->kind]) + 1;
    const char *end = set->key + set->key_bytes;
    for (size_t i = 0; i < names->count; i++) {
        size_t size = (unsigned char)at[0] | (size_t)(unsigned char)at[1] << 8;
        if (size != names->values[i].size || (size_t)(end - at) < 2 + size ||
            memcmp(at + 2, names->values[i].data, size) != 0) {
            return false;
        }
        at += 2 + size;
    }
    return true;
}

int label_names_read(struct label_names *names, struct bus_bytes key, struct error *error)
{
    const char *at = key.data;
    const char *end = at + key.size_bytes;
    *names = (struct label_names){0};
    for (size_t kind = 0; kind < sizeof prefixes / sizeof prefixes[0]; kind++) {
        size_t prefix = strlen(prefixes[kind]);
        if (key.size_bytes <= prefix || memcmp(at, prefixes[kind], prefix) != 0) {
            continue;
        }
        names->kind = (enum counter_kind)kind;
        names->count = name_counts[kind];
        names->overflow = at[prefix] != 0;
        at += prefix + 1;
        for (size_t i = 0; i < names->count; i++) {
            size_t size = end - at >= 2 ? (unsigned char)at[0] | (size_t)(unsigned char)at[1] << 8 : SIZE_MAX;
            if (end - at < 2 || (size_t)(end - at) < 2 + size) {
                return error_set(error, -1, "a damaged key of the state '%s'", prefixes[kind]);
            }
            names->values[i] = (struct event_text){at + 2, size};
            at += 2 + size;
        }
        return 0;
    }
    return error_set(error, -1, "a state record with an unknown key of %zu bytes", key.size_bytes);
}
