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
        if (list->names[i].size == size && memcmp(list->names[i].spelled + 1, name, size) == 0) {
            return (int)i;
        }
    }
    return -1;
}

enum event_reason fault_set(struct event_fault *fault, enum event_reason reason,
                            const struct field_name *name, const char *format, ...)
{
    int size = name == NULL ? 0 : (int)name->size;
    (void)snprintf(fault->field, sizeof fault->field, "%.*s", size, name == NULL ? "" : name->spelled + 1);
    int before =
        snprintf(fault->message, sizeof fault->message, "%s%s", fault->field, name == NULL ? "" : " ");
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(fault->message + before, sizeof fault->message - (size_t)before, format, arguments);
    va_end(arguments);
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
    const struct field_name *name = &judge->list->names[field];
    if (!is_seen(judge, field)) {
        return presence == FIELD_OPTIONAL
                   ? EVENT_OK
                   : fault_set(judge->fault, EVENT_MISSING_FIELD, name, "is required and missing");
    }
    if ((judge->values->repeated >> field & 1) != 0) {
        return fault_set(judge->fault, EVENT_DUPLICATE_KEY, name, "is given more than once");
    }
    enum field_type given = judge->values->values[field].type;
    if (given != type) {
        return fault_set(judge->fault, EVENT_WRONG_TYPE, name, "is %s, it must be %s", type_name(given),
                         type_name(type));
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
    const struct field_name *name = &judge->list->names[field];
    const struct field_value *value = &judge->values->values[field];
    if (value->size == 0 || value->size > max_bytes) {
        return fault_set(judge->fault, EVENT_OUT_OF_RANGE, name, "is %zu bytes long, it must have 1 to %zu",
                         value->size, max_bytes);
    }
    if (value->has_nul) {
        return fault_set(judge->fault, EVENT_OUT_OF_RANGE, name, "has a NUL character (U+0000) in it");
    }
    *out = (struct event_text){value->text, value->size};
    return EVENT_OK;
}

/* Without branches, so that the compiler may look at many characters at once. */
static bool is_hex(const char *text, size_t size)
{
    unsigned bad = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        bad |= (unsigned)((unsigned char)(c - '0') > 9) & (unsigned)((unsigned char)(c - 'a') > 5);
    }
    return bad == 0;
}

enum event_reason field_hex(const struct field_judge *judge, uint32_t field, size_t digits,
                            struct event_text *out)
{
    enum event_reason reason = check_form(judge, field, FIELD_OPTIONAL, FIELD_STRING);
    if (reason != EVENT_OK || !is_seen(judge, field)) {
        return reason;
    }
    const struct field_value *value = &judge->values->values[field];
    if (value->size != digits || !is_hex(value->text, digits)) {
        const struct field_name *name = &judge->list->names[field];
        return fault_set(judge->fault, EVENT_OUT_OF_RANGE, name, "must be %zu lower-case hex digits", digits);
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
    const struct field_name *name = &judge->list->names[field];
    const struct field_value *value = &judge->values->values[field];
    if (value->number.exact && value->number.exponent == 0 && !value->number.negative &&
        value->number.mantissa >= (uint64_t)minimum && value->number.mantissa <= (uint64_t)maximum) {
        *out = (int64_t)value->number.mantissa; /* plain digits, as nearly always */
        return EVENT_OK;
    }
    double number = json_number_to_double(&value->number);
    char shown[EXCERPT_BYTES];
    if (!isinf(number) && number != trunc(number)) {
        return fault_set(judge->fault, EVENT_WRONG_TYPE, name, "is %s, it must be an integer",
                         excerpt(shown, value));
    }
    if (number < (double)minimum || number > (double)maximum) {
        return fault_set(judge->fault, EVENT_OUT_OF_RANGE, name, "is %s, it must be %" PRId64 " to %" PRId64,
                         excerpt(shown, value), minimum, maximum);
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
    double number = json_number_to_double(&value->number);
    if (number < 0 || number > maximum || (below && number == maximum)) {
        const struct field_name *name = &judge->list->names[field];
        char shown[EXCERPT_BYTES];
        return fault_set(judge->fault, EVENT_OUT_OF_RANGE, name, "is %s, it must be at least 0 and %s %g",
                         excerpt(shown, value), below ? "below" : "at most", maximum);
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
    const struct field_name *name = &judge->list->names[field];
    return fault_set(judge->fault, EVENT_OUT_OF_RANGE, name, "must be absent %s", why);
}

enum event_reason field_refuse(const struct field_judge *judge, uint32_t field, const char *allowed)
{
    const struct field_name *name = &judge->list->names[field];
    char shown[EXCERPT_BYTES];
    return fault_set(judge->fault, EVENT_OUT_OF_RANGE, name, "is \"%s\", it must be %s",
                     excerpt(shown, &judge->values->values[field]), allowed);
}
