#include "explain_command.h"

#include "buffer/buffer.h"
#include "http/http_client.h"
#include "program/program.h"
#include "json/json_read.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BYTES  (16 * 1048576)
#define TEXT_BYTES  512
#define MOST_FIELDS 32

/* Where values of /series stand: {"series":[{…, "windows":[{…}], "rules":[{…}]}]}. */
enum { SERIES_DEPTH = 2, ITEM_DEPTH = 4 };

struct field {
    char name[32], value[TEXT_BYTES];
};

struct fields {
    struct field list[MOST_FIELDS];
    size_t count;
};

struct reading {
    const char *wanted;
    char key[32]; /* the last one, at whatever depth */
    struct fields series, item;
    bool in_rules;
    struct buffer lines; /* of the present series' windows and rules */
    struct buffer known; /* names of all series, a line each */
    size_t found;
};

/* --- fields ---- */

static void keep(struct fields *fields, const char *name, const char *text, size_t size)
{
    if (fields->count < MOST_FIELDS) {
        struct field *field = &fields->list[fields->count++];
        (void)snprintf(field->name, sizeof field->name, "%s", name);
        (void)snprintf(field->value, sizeof field->value, "%.*s",
                       size < TEXT_BYTES ? (int)size : TEXT_BYTES - 1, text);
    }
}

static const char *find(const struct fields *fields, const char *name)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (strcmp(fields->list[i].name, name) == 0) {
            return fields->list[i].value;
        }
    }
    return "";
}

static const char *or_dash(const char *value)
{
    return value[0] == '\0' || strcmp(value, "null") == 0 ? "-" : value;
}

/* --- lines ---- */

static void add_window(struct reading *r)
{
    const struct fields *w = &r->item;
    buffer_append_format(
        &r->lines, "  last %4s s  %s requests, %.6s/s, errors %.7s; P50 %.7s s, P95 %.7s s, P99 %.7s s\n",
        find(w, "seconds"), find(w, "requests"), or_dash(find(w, "request_rate")),
        or_dash(find(w, "error_ratio")), or_dash(find(w, "p50")), or_dash(find(w, "p95")),
        or_dash(find(w, "p99")));
}

static void add_rule(struct reading *r)
{
    const struct fields *rule = &r->item;
    bool is_firing = strcmp(find(rule, "firing"), "true") == 0;
    buffer_append_format(&r->lines, "  %-16s %-8s  %s\n", find(rule, "rule"),
                         is_firing ? "FIRING" : find(rule, "verdict"), find(rule, "why"));
}

static void end_series(struct reading *r)
{
    char name[3 * TEXT_BYTES];
    const char *service = find(&r->series, "service.name");
    const char *route = find(&r->series, "http.route");
    (void)snprintf(name, sizeof name, "%s/%s%s%s", service, find(&r->series, "cloud.region"),
                   route[0] == '\0' || route[0] == '/' ? "" : "/", route);
    if (strcmp(r->wanted, name) == 0 || strcmp(r->wanted, service) == 0) {
        (void)printf("%s%s\n  its time %s, last request %s\n%s", r->found > 0 ? "\n" : "", name,
                     find(&r->series, "time"), or_dash(find(&r->series, "last_request")),
                     buffer_text(&r->lines));
        r->found++;
    }
    buffer_append_format(&r->known, "  %s\n", name);
    buffer_clear(&r->lines);
    r->series.count = 0;
}

/* --- tokens ---- */

static void take_end(struct reading *r, uint32_t depth)
{
    if (depth == SERIES_DEPTH) {
        end_series(r);
    } else if (depth == ITEM_DEPTH) {
        if (r->in_rules) {
            add_rule(r);
        } else {
            add_window(r);
        }
        r->item.count = 0;
    }
}

static void take_value(struct reading *r, uint32_t depth, const char *text, size_t size)
{
    if (depth == SERIES_DEPTH + 1) {
        keep(&r->series, r->key, text, size);
    } else if (depth == ITEM_DEPTH + 1) {
        keep(&r->item, r->key, text, size);
    }
}

static bool take_token(void *context, enum json_token token, uint32_t depth, const char *text, size_t size)
{
    struct reading *r = context;
    switch (token) {
    case JSON_TOKEN_KEY:
        (void)snprintf(r->key, sizeof r->key, "%.*s", size < sizeof r->key ? (int)size : 0, text);
        break;
    case JSON_TOKEN_ARRAY_BEGIN:
        r->in_rules = depth == SERIES_DEPTH + 1 && strcmp(r->key, "rules") == 0;
        break;
    case JSON_TOKEN_OBJECT_END:
        take_end(r, depth);
        break;
    case JSON_TOKEN_NULL:
        take_value(r, depth, "null", 4);
        break;
    case JSON_TOKEN_FALSE:
        take_value(r, depth, "false", 5);
        break;
    case JSON_TOKEN_TRUE:
        take_value(r, depth, "true", 4);
        break;
    case JSON_TOKEN_NUMBER:
    case JSON_TOKEN_STRING:
        take_value(r, depth, text, size);
        break;
    default:
        break;
    }
    return true;
}

static int read_series(struct reading *reading, const struct buffer *page, struct error *error)
{
    struct json_reader *reader = NULL;
    if (json_reader_create(&reader, MOST_BYTES, error) != 0) {
        return -1;
    }
    int result = json_read(reader, page->data, page->size, take_token, reading, error);
    json_reader_destroy(reader);
    return result == JSON_OK ? 0 : -1;
}

int explain_command_run(const char *series, const char *address)
{
    char url[256];
    struct error error;
    struct buffer page;
    struct reading reading = {.wanted = series};
    const struct http_client_request request = {.url = url, .max_response_bytes = MOST_BYTES};
    buffer_init(&page, 0);
    buffer_init(&reading.lines, 0);
    buffer_init(&reading.known, 0);
    error_clear(&error);
    (void)snprintf(url, sizeof url, "http://%s/series", address);
    int code = PROGRAM_FAILED;
    if (http_client_send(&request, &page, &error) != 200) {
        (void)fprintf(stderr, "no processor answers at %s%s%s; is it running? --address says where\n", url,
                      error.message[0] == '\0' ? "" : ": ", error.message);
    } else if (read_series(&reading, &page, &error) != 0) {
        (void)fprintf(stderr, "%s: %s\n", url, error.message);
    } else if (reading.found == 0) {
        (void)fprintf(stderr, "'%s' is not among the series that this processor watches:\n%s", series,
                      reading.known.size == 0 ? "  (none yet)\n" : buffer_text(&reading.known));
    } else {
        code = PROGRAM_DONE;
    }
    buffer_free(&page);
    buffer_free(&reading.lines);
    buffer_free(&reading.known);
    return code;
}
