#include "event/fields.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define EXCERPT_BYTES 33

int field_find(const struct field_list *list, const char *name, size_t size)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (strlen(list->names[i]) == size && memcmp(list->names[i], name, size) == 0) {
            return (int)i;
        }
    }
    return -1;
}

enum event_reason fault_set(struct event_fault *fault, enum event_reason reason, const char *field,
                            const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(fault->message, sizeof fault->message, format, arguments);
    va_end(arguments);
    (void)snprintf(fault->field, sizeof fault->field, "%s", field == NULL ? "" : field);
    fault->reason = reason;
    return reason;
}

/* The value as it can stand in a message: short, printable ASCII. */
static const char *excerpt(char out[EXCERPT_BYTES], const struct field_value *value)
{
    size_t size = 0;
    for (; size < value->size && size < EXCERPT_BYTES - 1; size++) {
        char c = value->text[size];
        out[size] = '?';
        if (c >= ' ' && c <= '~') {
            out[size] = c;
        }
    }
    if (value->size >= EXCERPT_BYTES) {
        memcpy(out + EXCERPT_BYTES - 4, "...", 3);
    }
    out[size] = '\0';
    return out;
}

static bool is_seen(const struct field_judge *judge, uint32_t field)
{
    return (judge->values->seen >> field & 1) != 0;
}

static const char *type_name(enum field_type type)
{
    static const char *const names[] = {"null", "a boolean", "a number", "a string", "an array", "an object"};
    return names[type];
}

/* What every field has to be: there (or optional), once, of its type. */
static enum event_reason check_form(const struct field_judge *judge, uint32_t field,
                                    enum field_presence presence, enum field_type type)
{
    const char *name = judge->list->names[field];
    if (!is_seen(judge, field)) {
        return presence == FIELD_OPTIONAL
                   ? EVENT_OK
                   : fault_set(judge->fault, EVENT_MISSING_FIELD, name, "%s is required and missing", name);
    }
    if ((judge->values->repeated >> field & 1) != 0) {
        return fault_set(judge->fault, EVENT_DUPLICATE_KEY, name, "%s is given more than once", name);
    }
    enum field_type given = judge->values->values[field].type;
    if (given != type) {
        return fault_set(judge->fault, EVENT_WRONG_TYPE, name, "%s is %s, it must be %s", name,
                         type_name(given), type_name(type));
    }
    return EVENT_OK;
}

enum event_reason field_free_text(const struct field_judge *judge, uint32_t field, struct event_text *out)
{
    enum event_reason reason = check_form(judge, field, FIELD_REQUIRED, FIELD_STRING);
    if (reason == EVENT_OK) {
        const struct field_value *value = &judge->values->values[field];
        *out = (struct event_text){value->text, value->size};
    }
    return reason;
}

enum event_reason field_text(const struct field_judge *judge, uint32_t field, enum field_presence presence,
                             size_t max_bytes, struct event_text *out)
{
    enum event_reason reason = check_form(judge, field, presence, FIELD_STRING);
    if (reason != EVENT_OK || !is_seen(judge, field)) {
        return reason;
    }
    const char *name = judge->list->names[field];
    const struct field_value *value = &judge->values->values[field];
    if (value->size == 0 || value->size > max_bytes) {
        return fault_set(judge->fault, EVENT_OUT_OF_RANGE, name,
                         "%s is %zu bytes long, it must have 1 to %zu", name, value->size, max_bytes);
    }
    if (value->has_nul) {
        return fault_set(judge->fault, EVENT_OUT_OF_RANGE, name, "%s has a NUL character (U+0000) in it",
                         name);
    }
    *out = (struct event_text){value->text, value->size};
    return EVENT_OK;
}

enum event_reason field_hex(const struct field_judge *judge, uint32_t field, size_t digits,
                            struct event_text *out)
{
    enum event_reason reason = check_form(judge, field, FIELD_OPTIONAL, FIELD_STRING);
    if (reason != EVENT_OK || !is_seen(judge, field)) {
        return reason;
    }
    const struct field_value *value = &judge->values->values[field];
    bool good = value->size == digits;
    for (size_t i = 0; good && i < digits; i++) {
        char c = value->text[i];
        good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    }
    if (!good) {
        const char *name = judge->list->names[field];
        return fault_set(judge->fault, EVENT_OUT_OF_RANGE, name, "%s must be %zu lower-case hex digits", name,
                         digits);
    }
    *out = (struct event_text){value->text, value->size};
    return EVENT_OK;
}

/* Beyond 2^53 not every integer is a double; no bound of the contract lies there, so the double decides
 * rightly. */
enum event_reason field_integer(const struct field_judge *judge, uint32_t field, enum field_presence presence,
                                int64_t minimum, int64_t maximum, int64_t *out)
{
    enum event_reason reason = check_form(judge, field, presence, FIELD_NUMBER);
    if (reason != EVENT_OK || !is_seen(judge, field)) {
        return reason;
    }
    const char *name = judge->list->names[field];
    const struct field_value *value = &judge->values->values[field];
    double number = json_number_value(&value->number);
    char shown[EXCERPT_BYTES];
    if (!isinf(number) && number != trunc(number)) {
        return fault_set(judge->fault, EVENT_WRONG_TYPE, name, "%s is %s, it must be an integer", name,
                         excerpt(shown, value));
    }
    if (number < (double)minimum || number > (double)maximum) {
        return fault_set(judge->fault, EVENT_OUT_OF_RANGE, name,
                         "%s is %s, it must be %" PRId64 " to %" PRId64, name, excerpt(shown, value), minimum,
                         maximum);
    }
    *out = (int64_t)number;
    return EVENT_OK;
}

enum event_reason field_real(const struct field_judge *judge, uint32_t field, enum field_presence presence,
                             double maximum, bool below, double *out)
{
    enum event_reason reason = check_form(judge, field, presence, FIELD_NUMBER);
    if (reason != EVENT_OK || !is_seen(judge, field)) {
        return reason;
    }
    const struct field_value *value = &judge->values->values[field];
    double number = json_number_value(&value->number);
    if (number < 0 || number > maximum || (below && number == maximum)) {
        const char *name = judge->list->names[field];
        char shown[EXCERPT_BYTES];
        return fault_set(judge->fault, EVENT_OUT_OF_RANGE, name, "%s is %s, it must be at least 0 and %s %g",
                         name, excerpt(shown, value), below ? "below" : "at most", maximum);
    }
    *out = number + 0.0; /* -0 is 0 */
    return EVENT_OK;
}

enum event_reason field_choice(const struct field_judge *judge, uint32_t field, enum field_presence presence,
                               struct event_text *out)
{
    enum event_reason reason = check_form(judge, field, presence, FIELD_STRING);
    if (reason == EVENT_OK && is_seen(judge, field)) {
        const struct field_value *value = &judge->values->values[field];
        *out = (struct event_text){value->text, value->size};
    }
    return reason;
}

enum event_reason field_forbid(const struct field_judge *judge, uint32_t field, const char *why)
{
    if (!is_seen(judge, field)) {
        return EVENT_OK;
    }
    const char *name = judge->list->names[field];
    return fault_set(judge->fault, EVENT_OUT_OF_RANGE, name, "%s must be absent %s", name, why);
}

enum event_reason field_refuse(const struct field_judge *judge, uint32_t field, const char *allowed)
{
    const char *name = judge->list->names[field];
    char shown[EXCERPT_BYTES];
    return fault_set(judge->fault, EVENT_OUT_OF_RANGE, name, "%s is \"%s\", it must be %s", name,
                     excerpt(shown, &judge->values->values[field]), allowed);
}
