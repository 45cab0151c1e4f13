#include "server_configs.h"

#include "options.h"
#include "plan.h"

#include "buffer/buffer.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

enum { REPLACEMENTS = PART_COUNT + 6 };

static void __attribute__((format(printf, 3, 4)))
replace_by(struct replacement *replacement, const char *from, const char *format, ...)
{
    va_list arguments;
    (void)snprintf(replacement->from, sizeof replacement->from, "%s", from);
    va_start(arguments, format);
    (void)vsnprintf(replacement->to, sizeof replacement->to, format, arguments);
    va_end(arguments);
}

static bool has_console(const struct options *options)
{
    char path[600];
    (void)snprintf(path, sizeof path, "%s/console", options->programs);
    return access(path, X_OK) == 0;
}

static int list_replacements(struct replacement list[REPLACEMENTS], const struct options *options,
                             const struct plan *plan, struct error *error)
{
    char source[PATH_MAX];
    char from[64];
    if (realpath(options->source, source) == NULL) {
        return error_set_errno(error, -1, errno, "cannot find %s", options->source);
    }
    for (int i = 0; i < PART_COUNT; i++) {
        const unsigned port = plan->parts[i].port;
        (void)snprintf(from, sizeof from, "\"127.0.0.1:%u\"", (unsigned)(port - options->port_offset));
        replace_by(&list[i], from, "\"127.0.0.1:%u\"", port);
    }
    struct replacement *rest = &list[PART_COUNT];
    replace_by(&rest[0], "../rules/", "%.4000s/rules/", source);
    replace_by(&rest[1], "- alertmanager.tmpl", "- %.4000s/config/alertmanager.tmpl", source);
    replace_by(&rest[2], "scrape_interval: 15s", "scrape_interval: %lldms", (long long)options->scrape_ms);
    replace_by(&rest[3], "evaluation_interval: 15s", "evaluation_interval: %lldms",
               (long long)options->scrape_ms);
    replace_by(&rest[4], "127.0.0.1:3000/", "127.0.0.1:%lld/",
               (long long)(CONSOLE_PORT + options->port_offset));
    replace_by(&rest[5], "receiver: console", "receiver: %s", has_console(options) ? "console" : "nobody");
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

/* Every "…_file: PATH" names a file that is there and not empty. */
static int check_secrets(const char *path, struct buffer *config, struct error *error)
{
    static const char key[] = "_file:";
    char secret[PATH_MAX];
    for (const char *at = strstr(buffer_text(config), key); at != NULL; at = strstr(at, key)) {
        at += sizeof key - 1;
        at += strspn(at, " \"'");
        (void)snprintf(secret, sizeof secret, "%.*s", (int)strcspn(at, "\"'\r\n "), at);
        struct stat status;
        if (access(secret, R_OK) != 0 || stat(secret, &status) != 0) {
            return error_set_errno(error, -1, errno, "%s needs the secret %s", path, secret);
        }
        if (status.st_size == 0) {
            return error_set(error, -1, "%s needs the secret %s, which is empty", path, secret);
        }
    }
    return 0;
}

/* in: a path; name: of the copy under DATA. */
static int write_copy(const struct replacement list[REPLACEMENTS], const struct options *options,
                      const char *in_path, const char *name, struct error *error)
{
    char path[600];
    struct buffer in;
    struct buffer out;
    buffer_init(&in, LIMIT_BYTES);
    buffer_init(&out, LIMIT_BYTES);
    int result = read_file(in_path, &in, error);
    if (result == 0) {
        result = check_secrets(in_path, &in, error);
    }
    if (result == 0) {
        replace_all(list, &in, &out);
        (void)snprintf(path, sizeof path, "%s/%s", options->data, name);
        result = out.failed ? error_set(error, -1, "no memory for %s", path) : write_file(path, &out, error);
    }
    buffer_free(&out);
    buffer_free(&in);
    return result;
}

int server_configs_write(const struct options *options, const struct plan *plan, struct error *error)
{
    char prometheus[600];
    char alertmanager[600];
    (void)snprintf(prometheus, sizeof prometheus, "%s/config/prometheus.yml", options->source);
    (void)snprintf(alertmanager, sizeof alertmanager, "%s/config/alertmanager.yml", options->source);
    struct replacement *list = calloc(REPLACEMENTS, sizeof *list);
    if (list == NULL) {
        return error_set(error, -1, "no memory");
    }
    int result = list_replacements(list, options, plan, error);
    if (result == 0) {
        result = write_copy(list, options, prometheus, "prometheus.yml", error);
    }
    if (result == 0) {
        const char *chosen =
            options->alertmanager_config != NULL ? options->alertmanager_config : alertmanager;
        result = write_copy(list, options, chosen, "alertmanager.yml", error);
    }
    free(list);
    return result;
}
