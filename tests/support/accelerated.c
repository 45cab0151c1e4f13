#include "support/accelerated.h"

#include "buffer/buffer.h"
#include "cmocka_all.h"
#include "support/files.h"
#include "support/process.h"
#include "support/stack.h"

#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The characters of a duration ("1h30m") at the front of text, its value in ms; 0: there is none. */
static size_t duration_size(const char *text, long long *value_ms)
{
    static const struct {
        const char *unit;
        long long ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000LL}, {"w", 604800000LL}};
    const char *at = text;
    *value_ms = 0;
    while (isdigit((unsigned char)*at)) {
        char *end = NULL;
        const long long number = strtoll(at, &end, 10);
        size_t u = 0;
        while (u < 6 && strncmp(end, units[u].unit, strlen(units[u].unit)) != 0) {
            u++;
        }
        if (u == 6) {
            return 0;
        }
        *value_ms += number * units[u].ms;
        at = end + strlen(units[u].unit);
    }
    return isalnum((unsigned char)*at) || *at == '_' ? 0 : (size_t)(at - text);
}

static void append_divided(struct buffer *out, long long value_ms, int factor)
{
    const long long divided_ms = value_ms / factor;
    buffer_append_format(out, "%lldms", divided_ms > 0 ? divided_ms : 1);
}

/* What may stand before a duration. A range's second part follows a ':' that its first part has eaten. */
static size_t prefix_size(const char *text, const char *line_begin)
{
    static const char *const keys[] = {
        "for: ", "keep_firing_for: ", "interval: ", "group_wait: ", "group_interval: ", "repeat_interval: "};
    if (*text == '[') {
        return 1;
    }
    if (strncmp(text, "offset ", 7) == 0) {
        return 7;
    }
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const size_t before = (size_t)(text - line_begin);
        if (strncmp(text, keys[i], strlen(keys[i])) == 0 && strspn(line_begin, " -") >= before) {
            return strlen(keys[i]);
        }
    }
    return 0;
}

void accelerated_text(const char *text, int factor, struct buffer *out)
{
    const char *line_begin = text;
    long long value_ms = 0;
    for (const char *at = text; *at != '\0';) {
        const size_t prefix = prefix_size(at, line_begin);
        size_t size = prefix == 0 ? 0 : duration_size(at + prefix, &value_ms);
        if (size == 0) {
            line_begin = *at == '\n' ? at + 1 : line_begin;
            buffer_append_char(out, *at++);
            continue;
        }
        const bool in_range = *at == '[';
        buffer_append(out, at, prefix);
        append_divided(out, value_ms, factor);
        at += prefix + size;
        if (in_range && *at == ':') {
            buffer_append_char(out, *at++);
            size = duration_size(at, &value_ms);
            if (size > 0) {
                append_divided(out, value_ms, factor);
                at += size;
            }
        }
    }
}

static void write_rules(const char *from, const char *folder, int factor)
{
    char to[TEST_PATH_BYTES];
    struct buffer in, out;
    buffer_init(&in, 0);
    buffer_init(&out, 0);
    file_read(from, &in);
    accelerated_text(buffer_text(&in), factor, &out);
    assert_false(out.failed);
    path_join(to, folder, strrchr(from, '/') + 1);
    file_write(to, out.data, out.size);
    buffer_free(&out);
    buffer_free(&in);
}

const char *accelerated_source(const struct stack *stack, int factor)
{
    static char source[TEST_PATH_BYTES];
    char rules[TEST_PATH_BYTES];
    glob_t files;
    path_join(source, stack->directory, "source");
    path_join(rules, source, "rules");
    assert_int_equal(process_run((const char *const[]){"mkdir", "-p", rules, NULL}, 5000, NULL), 0);
    assert_int_equal(
        process_run((const char *const[]){"cp", "-r", OBS_SOURCE_DIR "/config", source, NULL}, 5000, NULL),
        0);
    assert_int_equal(glob(OBS_SOURCE_DIR "/rules/*.yaml", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        write_rules(files.gl_pathv[i], rules, factor);
    }
    globfree(&files);
    return source;
}

const char *accelerated_scrape_interval(int factor)
{
    static char flag[64];
    snprintf(flag, sizeof flag, "--scrape-interval=%dms", 15000 / factor);
    return flag;
}
