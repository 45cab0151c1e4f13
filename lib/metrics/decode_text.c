#include "metrics/decode_text.h"

#include <stdlib.h>
#include <string.h>

/* The size of name{labels}: up to the first blank outside braces and quotes; labels are noted on the way. */
static size_t scan_series(const char *line, size_t size, struct metric_sample *sample)
{
    size_t i = 0;
    while (i < size && line[i] != '{' && line[i] != ' ' && line[i] != '\t') {
        i++;
    }
    sample->name = line;
    sample->name_size = i;
    sample->labels = line + i;
    sample->labels_size = 0;
    if (i == size || line[i] != '{') {
        return i;
    }
    const size_t first = ++i;
    bool quoted = false;
    for (; i < size && (quoted || line[i] != '}'); i++) {
        if (line[i] == '\\' && quoted) {
            i++;
        } else if (line[i] == '"') {
            quoted = !quoted;
        }
    }
    if (i >= size) {
        return size;
    }
    sample->labels = line + first;
    sample->labels_size = i - first;
    return i + 1;
}

static bool parse_sample(const char *line, size_t size, struct metric_sample *sample)
{
    if (size == 0 || line[0] == '#') {
        return false;
    }
    size_t at = scan_series(line, size, sample);
    while (at < size && (line[at] == ' ' || line[at] == '\t')) {
        at++;
    }
    char number[64];
    size_t length = 0;
    while (at < size && line[at] != ' ' && line[at] != '\t' && line[at] != '\r' &&
           length + 1 < sizeof number) {
        number[length++] = line[at++];
    }
    number[length] = '\0';
    char *end = NULL;
    sample->value = strtod(number, &end); /* takes +Inf and NaN as the format writes them */
    return sample->name_size > 0 && length > 0 && *end == '\0';
}

bool metric_page_next(struct metric_page *page, struct metric_sample *sample)
{
    while (page->size > 0) {
        const char *line = page->text;
        const char *newline = memchr(line, '\n', page->size);
        const size_t size = newline != NULL ? (size_t)(newline - line) : page->size;
        const size_t taken = newline != NULL ? size + 1 : size;
        page->text += taken;
        page->size -= taken;
        if (parse_sample(line, size, sample)) {
            return true;
        }
    }
    return false;
}

bool metric_sample_is(const struct metric_sample *sample, const char *name)
{
    return strlen(name) == sample->name_size && memcmp(sample->name, name, sample->name_size) == 0;
}

/* text stands behind the opening quote. The size up to the closing one; out gets the value. */
static size_t unescape(const char *text, size_t size, char *out, size_t out_bytes)
{
    size_t i = 0;
    size_t length = 0;
    for (; i < size && text[i] != '"'; i++) {
        char c = text[i];
        if (c == '\\' && i + 1 < size) {
            c = text[++i];
            c = c == 'n' ? '\n' : c;
        }
        if (length + 1 < out_bytes) {
            out[length++] = c;
        }
    }
    out[length] = '\0';
    return i;
}

bool metric_sample_label(const struct metric_sample *sample, const char *name, char *out, size_t out_bytes)
{
    const size_t name_size = strlen(name);
    const char *at = sample->labels;
    const char *end = sample->labels + sample->labels_size;
    while (at < end) {
        while (at < end && (*at == ',' || *at == ' ')) {
            at++;
        }
        const char *equals = memchr(at, '=', (size_t)(end - at));
        if (equals == NULL || equals + 1 >= end || equals[1] != '"') {
            break;
        }
        const char *value = equals + 2;
        const bool found = (size_t)(equals - at) == name_size && memcmp(at, name, name_size) == 0;
        at = value + unescape(value, (size_t)(end - value), out, out_bytes) + 1;
        if (found) {
            return true;
        }
    }
    out[0] = '\0';
    return false;
}

double metric_page_sum(const char *text, size_t size, const char *name, const char *label, const char *value,
                       size_t *count)
{
    struct metric_page page = {text, size};
    struct metric_sample sample;
    char found[256];
    double sum = 0;
    size_t samples = 0;
    while (metric_page_next(&page, &sample)) {
        if (!metric_sample_is(&sample, name)) {
            continue;
        }
        if (label != NULL &&
            (!metric_sample_label(&sample, label, found, sizeof found) || strcmp(found, value) != 0)) {
            continue;
        }
        sum += sample.value;
        samples++;
    }
    if (count != NULL) {
        *count = samples;
    }
    return sum;
}
