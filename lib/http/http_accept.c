#include "http/http_accept.h"

#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void trim(const char **begin, const char **end)
{
    while (*begin < *end && is_blank(**begin)) {
        (*begin)++;
    }
    while (*end > *begin && is_blank((*end)[-1])) {
        (*end)--;
    }
}

static bool is_text(const char *begin, const char *end, const char *text)
{
    return strlen(text) == (size_t)(end - begin) && strncasecmp(begin, text, (size_t)(end - begin)) == 0;
}

/* Up to one of the two separators, outside quotes. */
static const char *find(const char *at, const char *end, char separator)
{
    bool quoted = false;
    for (; at < end && (quoted || *at != separator); at++) {
        if (*at == '"') {
            quoted = !quoted;
        } else if (*at == '\\' && quoted && at + 1 < end) {
            at++;
        }
    }
    return at;
}

struct parameter {
    const char *name, *name_end, *value, *value_end;
};

/* *at stands on a ';' or at the end. */
static bool next_parameter(const char **at, const char *end, struct parameter *out)
{
    if (*at >= end) {
        return false;
    }
    const char *begin = *at + 1;
    const char *stop = find(begin, end, ';');
    const char *equals = memchr(begin, '=', (size_t)(stop - begin));
    *at = stop;
    out->name = begin;
    out->name_end = equals != NULL ? equals : stop;
    out->value = equals != NULL ? equals + 1 : stop;
    out->value_end = stop;
    trim(&out->name, &out->name_end);
    trim(&out->value, &out->value_end);
    if (out->value_end - out->value >= 2 && *out->value == '"' && out->value_end[-1] == '"') {
        out->value++;
        out->value_end--;
    }
    return true;
}

/* 0, 0.5, 1.000: up to three digits behind the point; anything else weighs nothing. */
static double read_weight(const char *at, const char *end)
{
    if (at == end || (*at != '0' && *at != '1')) {
        return 0;
    }
    int thousandths = 1000 * (*at++ - '0');
    if (at < end && *at++ != '.') {
        return 0;
    }
    for (int unit = 100; at < end; at++, unit /= 10) {
        if (*at < '0' || *at > '9') {
            return 0;
        }
        thousandths += unit * (*at - '0');
    }
    return thousandths <= 1000 ? thousandths / 1000.0 : 0;
}

bool http_accepted_next(const char **at, struct http_accepted *out)
{
    while (**at != '\0') {
        const char *begin = *at;
        const char *end = find(begin, begin + strlen(begin), ',');
        const char *semicolon = find(begin, end, ';');
        const char *name_end = semicolon;
        *at = *end == ',' ? end + 1 : end;
        trim(&begin, &name_end);
        if (begin == name_end) {
            continue;
        }
        *out = (struct http_accepted){.name = begin,
                                      .name_size = (size_t)(name_end - begin),
                                      .parameters = semicolon,
                                      .parameters_size = (size_t)(end - semicolon),
                                      .weight = 1};
        struct parameter parameter;
        while (next_parameter(&semicolon, end, &parameter)) {
            if (is_text(parameter.name, parameter.name_end, "q")) {
                out->weight = read_weight(parameter.value, parameter.value_end);
            }
        }
        return true;
    }
    return false;
}

bool http_accepted_is(const struct http_accepted *accepted, const char *name)
{
    return is_text(accepted->name, accepted->name + accepted->name_size, name);
}

bool http_accepted_has(const struct http_accepted *accepted, const char *name, const char *value)
{
    const char *at = accepted->parameters;
    const char *end = at + accepted->parameters_size;
    struct parameter parameter;
    while (next_parameter(&at, end, &parameter)) {
        if (is_text(parameter.name, parameter.name_end, name)) {
            return value == NULL || is_text(parameter.value, parameter.value_end, value);
        }
    }
    return false;
}

bool http_coding_is_accepted(const char *header, const char *coding)
{
    double any = 0;
    struct http_accepted accepted;
    while (header != NULL && http_accepted_next(&header, &accepted)) {
        if (http_accepted_is(&accepted, coding)) {
            return accepted.weight > 0;
        }
        if (http_accepted_is(&accepted, "*")) {
            any = accepted.weight;
        }
    }
    return any > 0;
}
