#include "prometheus_config.h"

#include "options.h"
#include "plan.h"

#include "buffer/buffer.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_BYTES 1048576

static int read_file(const char *path, struct buffer *out, struct error *error)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return error_set_errno(error, -1, errno, "cannot read %s", path);
    }
    char block[4096];
    size_t got = 0;
    while ((got = fread(block, 1, sizeof block, file)) > 0) {
        buffer_append(out, block, got);
    }
    const bool failed = ferror(file) != 0 || out->failed;
    (void)fclose(file);
    return failed ? error_set(error, -1, "cannot read %s", path) : 0;
}

static int write_file(const char *path, const struct buffer *text, struct error *error)
{
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return error_set_errno(error, -1, errno, "cannot write %s", path);
    }
    const size_t written = fwrite(text->data, 1, text->size, file);
    if (fclose(file) != 0 || written != text->size) {
        return error_set_errno(error, -1, errno, "cannot write %s", path);
    }
    return 0;
}

struct replacement {
    char from[64], to[PATH_MAX + 8];
};

enum { REPLACEMENTS = PART_COUNT + 3 };

static int list_replacements(struct replacement list[REPLACEMENTS], const struct options *options,
                             const struct plan *plan, struct error *error)
{
    char rules[PATH_MAX];
    char relative[600];
    (void)snprintf(relative, sizeof relative, "%s/rules", options->source);
    if (realpath(relative, rules) == NULL) {
        return error_set_errno(error, -1, errno, "cannot find %s", relative);
    }
    for (int i = 0; i < PART_COUNT; i++) {
        const unsigned port = plan->parts[i].port;
        (void)snprintf(list[i].from, sizeof list[i].from, "\"127.0.0.1:%u\"",
                       (unsigned)(port - options->port_offset));
        (void)snprintf(list[i].to, sizeof list[i].to, "\"127.0.0.1:%u\"", port);
    }
    struct replacement *rest = &list[PART_COUNT];
    (void)snprintf(rest[0].from, sizeof rest[0].from, "../rules/");
    (void)snprintf(rest[0].to, sizeof rest[0].to, "%s/", rules);
    (void)snprintf(rest[1].from, sizeof rest[1].from, "scrape_interval: 15s");
    (void)snprintf(rest[1].to, sizeof rest[1].to, "scrape_interval: %lldms", (long long)options->scrape_ms);
    (void)snprintf(rest[2].from, sizeof rest[2].from, "evaluation_interval: 15s");
    (void)snprintf(rest[2].to, sizeof rest[2].to, "evaluation_interval: %lldms",
                   (long long)options->scrape_ms);
    return 0;
}

static void replace_all(const struct replacement list[REPLACEMENTS], const struct buffer *in,
                        struct buffer *out)
{
    const char *end = in->data + in->size;
    for (const char *at = in->data; at < end;) {
        const struct replacement *found = NULL;
        for (size_t i = 0; i < REPLACEMENTS && found == NULL; i++) {
            const size_t size = strlen(list[i].from);
            if ((size_t)(end - at) >= size && memcmp(at, list[i].from, size) == 0) {
                found = &list[i];
            }
        }
        if (found != NULL) {
            buffer_append_text(out, found->to);
            at += strlen(found->from);
        } else {
            buffer_append_char(out, *at++);
        }
    }
}

int prometheus_config_write(const struct options *options, const struct plan *plan, struct error *error)
{
    char path[600];
    struct buffer in;
    struct buffer out;
    struct replacement *list = calloc(REPLACEMENTS, sizeof *list);
    if (list == NULL) {
        return error_set(error, -1, "no memory");
    }
    buffer_init(&in, LIMIT_BYTES);
    buffer_init(&out, LIMIT_BYTES);
    (void)snprintf(path, sizeof path, "%s/config/prometheus.yml", options->source);
    int result = read_file(path, &in, error);
    if (result == 0) {
        result = list_replacements(list, options, plan, error);
    }
    if (result == 0) {
        replace_all(list, &in, &out);
        (void)snprintf(path, sizeof path, "%s/prometheus.yml", options->data);
        result = out.failed ? error_set(error, -1, "no memory for %s", path) : write_file(path, &out, error);
    }
    buffer_free(&out);
    buffer_free(&in);
    free(list);
    return result;
}
