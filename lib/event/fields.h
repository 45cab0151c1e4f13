/* lib/event/fields (inside lib/event): a record between its bytes and its struct: the contract's fields as
 * they were written, found but not yet judged.
 *
 *   bytes --decode_common or decode_general--> struct field_values --field_text, field_integer …--> struct
 * event
 *
 * Both ways in fill the same values and there is one judge, so they can't disagree about a field; the quick
 * way may only differ in what it leaves to the other. */
#ifndef OBS_EVENT_FIELDS_H
#define OBS_EVENT_FIELDS_H

#include "event/event.h"
#include "event/reason.h"
#include "json/number.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIELD_LIMIT 16

/* A name as the common form has it, quotes and colon included: one comparison finds it. */
struct field_name {
    const char *spelled;
    size_t size; /* of the name alone */
};
#define FIELD_NAME(text)                                                                                     \
    {                                                                                                        \
        "\"" text "\":", sizeof(text) - 1                                                                    \
    }

/* One contract's fields, in the order in which they are written and judged. */
struct field_list {
    const struct field_name *names;
    uint32_t count; /* at most FIELD_LIMIT */
};

enum field_type { FIELD_NULL, FIELD_BOOLEAN, FIELD_NUMBER, FIELD_STRING, FIELD_ARRAY, FIELD_OBJECT };

struct field_value {
    enum field_type type;
    bool has_nul; /* a string with U+0000 in it */
    const char *text;
    size_t size;
    struct json_number number;
};

struct field_values {
    uint32_t seen, repeated; /* a bit a field; values of unseen ones are undefined */
    struct field_value values[FIELD_LIMIT];
};

/* The field's index, or -1: not of this contract. */
int field_find(const struct field_list *list, const char *name, size_t size);

/* --- the judges: EVENT_OK, or the reason with the fault filled. An absent optional field leaves *out as it
 * is. --- */

struct field_judge {
    const struct field_list *list;
    const struct field_values *values;
    struct event_fault *fault;
};

enum field_presence { FIELD_OPTIONAL, FIELD_REQUIRED };

enum event_reason field_text(const struct field_judge *judge, uint32_t field, enum field_presence presence,
                             size_t max_bytes, struct event_text *out);
/* Any text, of any length, U+0000 too. */
enum event_reason field_free_text(const struct field_judge *judge, uint32_t field, struct event_text *out);
/* Exactly digits lower-case hex digits; optional. */
enum event_reason field_hex(const struct field_judge *judge, uint32_t field, size_t digits,
                            struct event_text *out);
/* As JSON Schema has it: a number with an integral value, so 200, 200.0 and 2e2 are the same integer. */
enum event_reason field_integer(const struct field_judge *judge, uint32_t field, enum field_presence presence,
                                int64_t minimum, int64_t maximum, int64_t *out);
/* minimum 0; up to and including the maximum, or below it. */
enum event_reason field_real(const struct field_judge *judge, uint32_t field, enum field_presence presence,
                             double maximum, bool below, double *out);
/* A string for which the caller finds the meaning; what is allowed is said by field_refuse. */
enum event_reason field_choice(const struct field_judge *judge, uint32_t field, enum field_presence presence,
                               struct event_text *out);
enum event_reason field_forbid(const struct field_judge *judge, uint32_t field, const char *why);
enum event_reason field_refuse(const struct field_judge *judge, uint32_t field, const char *allowed);

/* Fills the fault: name may be NULL, no field is to blame. The format is about the field, whose name and a
 * blank are put in front. Returns reason. */
enum event_reason fault_set(struct event_fault *fault, enum event_reason reason,
                            const struct field_name *name, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
