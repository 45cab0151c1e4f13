#include "selector.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static const char *skip_space(const char *at)
{
    while (*at == ' ' || *at == '\t' || *at == '\n') {
        at++;
    }
    return at;
}

/* Past a metric's or label's name; NULL: there is none. */
static const char *skip_name(const char *at, bool colons)
{
    if (isalpha((unsigned char)*at) == 0 && *at != '_' && !(colons && *at == ':')) {
        return NULL;
    }
    while (isalnum((unsigned char)*at) != 0 || *at == '_' || (colons && *at == ':')) {
        at++;
    }
    return at;
}

/* Past a string in double, single or back quotes; NULL: it doesn't end, or holds a control character, which
 * would break the line that the rule is written on. */
static const char *skip_string(const char *at)
{
    const char quote = *at;
    if (quote != '"' && quote != '\'' && quote != '`') {
        return NULL;
    }
    for (at++; *at != quote; at++) {
        if (*at == '\\' && quote != '`') {
            at++;
        }
        if ((unsigned char)*at < ' ' || *at == 0x7f) {
            return NULL;
        }
    }
    return at + 1;
}

static const char *skip_operator(const char *at)
{
    if (at[0] == '!' && (at[1] == '=' || at[1] == '~')) {
        return at + 2;
    }
    if (at[0] != '=') {
        return NULL;
    }
    return at[1] == '~' ? at + 2 : at + 1;
}

static const char *skip_matcher(const char *at)
{
    const char *next = skip_name(at, false);
    if (next != NULL) {
        next = skip_operator(skip_space(next));
    }
    return next == NULL ? NULL : skip_string(skip_space(next));
}

/* Past {…}; a comma may follow the last matcher. */
static const char *skip_matchers(const char *at)
{
    at = skip_space(at + 1);
    while (*at != '}') {
        at = skip_matcher(at);
        if (at == NULL) {
            return NULL;
        }
        at = skip_space(at);
        if (*at == ',') {
            at = skip_space(at + 1);
        } else if (*at != '}') {
            return NULL;
        }
    }
    return at + 1;
}

/* Past NAME or NAME{…}. */
static const char *skip_selector(const char *at)
{
    const char *end = skip_name(at, true);
    if (end == NULL) {
        return NULL;
    }
    const char *brace = skip_space(end);
    return *brace == '{' ? skip_matchers(brace) : end;
}

static const char *name_trouble(const char *query)
{
    if (strstr(query, "{{") != NULL) {
        return "must be a counter's selector; templates ({{…}}) aren't supported, the windows are put in "
               "here";
    }
    if (strchr(query, '[') != NULL) {
        return "must be a counter's selector without a range ([…]); the windows are put in here";
    }
    return "must be a counter's selector, NAME{LABEL=\"VALUE\"}, or sum(…) of one";
}

const char *selector_read(const char *query, struct slo_counter *counter)
{
    const char *begin = skip_space(query);
    bool in_sum = false;
    if (strncmp(begin, "sum", 3) == 0 && *skip_space(begin + 3) == '(') {
        in_sum = true;
        begin = skip_space(skip_space(begin + 3) + 1);
    }
    const char *end = skip_selector(begin);
    const char *rest = end == NULL ? NULL : skip_space(end);
    if (rest != NULL && in_sum) {
        rest = *rest == ')' ? skip_space(rest + 1) : NULL;
    }
    if (rest == NULL || *rest != '\0') {
        return name_trouble(query);
    }
    if (memchr(begin, '\n', (size_t)(end - begin)) != NULL) {
        return "must be written on one line";
    }
    counter->text = begin;
    counter->size = (int)(end - begin);
    return NULL;
}
