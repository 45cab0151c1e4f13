#include "alert/decode.h"

#include "clock/rfc3339.h"
#include "json/json_read.h"
#include "json/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES 65536

enum field {
    FIELD_NONE,
    FIELD_SEQUENCE,
    FIELD_FINGERPRINT,
    FIELD_STATE,
    FIELD_REASON,
    FIELD_RULE,
    FIELD_SEVERITY,
    FIELD_LABELS,
    FIELD_SIGNAL,
    FIELD_VALUE,
    FIELD_THRESHOLD,
    FIELD_SAMPLES,
    FIELD_BAD,
    FIELD_WINDOW,
    FIELD_EVALUATIONS,
    FIELD_STARTS,
    FIELD_ENDS,
    FIELD_DETECTED,
    FIELD_RUNBOOK,
    FIELD_SERVICE,
    FIELD_REGION,
    FIELD_ROUTE,
    FIELD_COUNT
};

static const char *const names[FIELD_COUNT] = {[FIELD_SEQUENCE] = "sequence",
                                               [FIELD_FINGERPRINT] = "fingerprint",
                                               [FIELD_STATE] = "state",
                                               [FIELD_REASON] = "reason",
                                               [FIELD_RULE] = "rule",
                                               [FIELD_SEVERITY] = "severity",
                                               [FIELD_LABELS] = "labels",
                                               [FIELD_SIGNAL] = "signal",
                                               [FIELD_VALUE] = "value",
                                               [FIELD_THRESHOLD] = "threshold",
                                               [FIELD_SAMPLES] = "samples",
                                               [FIELD_BAD] = "bad",
                                               [FIELD_WINDOW] = "window_seconds",
                                               [FIELD_EVALUATIONS] = "evaluations",
                                               [FIELD_STARTS] = "starts_at",
                                               [FIELD_ENDS] = "ends_at",
                                               [FIELD_DETECTED] = "detected_at",
                                               [FIELD_RUNBOOK] = "runbook_url",
                                               [FIELD_SERVICE] = "service.name",
                                               [FIELD_REGION] = "cloud.region",
                                               [FIELD_ROUTE] = "http.route"};

/* Without these there is no transition. */
static const enum field required[] = {FIELD_SEQUENCE, FIELD_FINGERPRINT, FIELD_STATE,
                                      FIELD_RULE,     FIELD_SEVERITY,    FIELD_SIGNAL,
                                      FIELD_STARTS,   FIELD_SERVICE,     FIELD_REGION};

struct alert_decoder {
    struct json_reader *reader;
    struct alert_transition *out;
    enum field field;
    bool in_labels;
    bool seen[FIELD_COUNT];
    enum field wrong; /* the first field with a value that it can't have */
};

int alert_decoder_create(struct alert_decoder **out, struct error *error)
{
    *out = NULL;
    struct alert_decoder *decoder = calloc(1, sizeof *decoder);
    if (decoder == NULL) {
        return error_set(error, -1, "no memory for a decoder of alerts");
    }
    if (json_reader_create(&decoder->reader, MAX_BYTES, error) != 0) {
        free(decoder);
        return -1;
    }
    *out = decoder;
    return 0;
}

void alert_decoder_destroy(struct alert_decoder *decoder)
{
    if (decoder != NULL) {
        json_reader_destroy(decoder->reader);
        free(decoder);
    }
}

/* --- values ---- */

static bool is_text(const char *text, size_t size, const char *expected)
{
    return strlen(expected) == size && memcmp(text, expected, size) == 0;
}

/* The index of the text among names, or -1. */
static int index_of(const char *text, size_t size, const char *(*name)(int), int count)
{
    for (int i = 0; i < count; i++) {
        if (is_text(text, size, name(i))) {
            return i;
        }
    }
    return -1;
}

static const char *state_name(int i)
{
    return alert_state_name((enum alert_state)i);
}

static const char *reason_name(int i)
{
    return alert_reason_name((enum alert_reason)i);
}

static const char *severity_name(int i)
{
    return rule_severity_name((enum rule_severity)i);
}

static const char *signal_name(int i)
{
    return rule_signal_name((enum rule_signal)i);
}

static bool copy_text(char *out, size_t room, const char *text, size_t size)
{
    if (size >= room) {
        return false;
    }
    memcpy(out, text, size);
    out[size] = '\0';
    return true;
}

static bool read_fingerprint(uint64_t *out, const char *text, size_t size)
{
    char digits[ALERT_FINGERPRINT_BYTES];
    if (size != ALERT_FINGERPRINT_BYTES - 1 || !copy_text(digits, sizeof digits, text, size) ||
        strspn(digits, "0123456789abcdef") != size) {
        return false;
    }
    *out = strtoull(digits, NULL, 16);
    return true;
}

static bool take_string(struct alert_decoder *d, const char *text, size_t size)
{
    struct alert_transition *t = d->out;
    int index;
    switch (d->field) {
    case FIELD_FINGERPRINT:
        return read_fingerprint(&t->fingerprint, text, size);
    case FIELD_STATE:
        index = index_of(text, size, state_name, ALERT_RESOLVED + 1);
        t->state = (enum alert_state)index;
        return index >= 0;
    case FIELD_REASON:
        index = index_of(text, size, reason_name, ALERT_REASON_RULE_REMOVED + 1);
        t->reason = (enum alert_reason)index;
        return index >= 0;
    case FIELD_SEVERITY:
        index = index_of(text, size, severity_name, RULE_CRITICAL + 1);
        t->severity = (enum rule_severity)index;
        return index >= 0;
    case FIELD_SIGNAL:
        index = index_of(text, size, signal_name, RULE_MEMORY + 1);
        t->signal = (enum rule_signal)index;
        return index >= 0;
    case FIELD_RULE:
        return copy_text(t->rule, sizeof t->rule, text, size);
    case FIELD_RUNBOOK:
        return copy_text(t->runbook, sizeof t->runbook, text, size);
    case FIELD_SERVICE:
        return copy_text(t->labels.service, sizeof t->labels.service, text, size);
    case FIELD_REGION:
        return copy_text(t->labels.region, sizeof t->labels.region, text, size);
    case FIELD_ROUTE:
        return copy_text(t->labels.route, sizeof t->labels.route, text, size);
    case FIELD_STARTS:
        return rfc3339_parse(text, size, &t->starts_ms);
    case FIELD_ENDS:
        return rfc3339_parse(text, size, &t->ends_ms);
    case FIELD_DETECTED:
        return rfc3339_parse(text, size, &t->detected_ms);
    default:
        return d->field == FIELD_NONE;
    }
}

static bool take_number(struct alert_decoder *d, const char *text, size_t size)
{
    struct alert_transition *t = d->out;
    struct json_number number;
    (void)json_number_scan(text, size, &number);
    double value = json_number_to_double(&number);
    bool is_count = number.exact && !number.negative && number.exponent == 0;
    switch (d->field) {
    case FIELD_VALUE:
        t->value = value;
        return true;
    case FIELD_THRESHOLD:
        t->threshold = value;
        return true;
    case FIELD_SEQUENCE:
        t->sequence = (uint32_t)number.mantissa;
        return is_count && number.mantissa > 0 && number.mantissa <= UINT32_MAX;
    case FIELD_SAMPLES:
        t->samples = number.mantissa;
        return is_count;
    case FIELD_BAD:
        t->bad = number.mantissa;
        return is_count;
    case FIELD_WINDOW:
        t->window_seconds = (uint32_t)number.mantissa;
        return is_count && number.mantissa <= UINT32_MAX;
    case FIELD_EVALUATIONS:
        t->evaluations = (uint32_t)number.mantissa;
        return is_count && number.mantissa <= UINT32_MAX;
    default:
        return d->field == FIELD_NONE;
    }
}

/* --- tokens ---- */

static enum field find_field(const char *text, size_t size, enum field first, enum field last)
{
    for (enum field field = first; field <= last; field++) {
        if (is_text(text, size, names[field])) {
            return field;
        }
    }
    return FIELD_NONE;
}

static bool take_value(struct alert_decoder *d, enum json_token token, const char *text, size_t size)
{
    switch (token) {
    case JSON_TOKEN_STRING:
        return take_string(d, text, size);
    case JSON_TOKEN_NUMBER:
        return take_number(d, text, size);
    case JSON_TOKEN_NULL:
        return d->field == FIELD_NONE || d->field == FIELD_VALUE; /* nothing to measure: NaN already */
    case JSON_TOKEN_OBJECT_BEGIN:
        d->in_labels = d->field == FIELD_LABELS;
        return d->field == FIELD_NONE || d->field == FIELD_LABELS;
    default:
        return d->field == FIELD_NONE;
    }
}

static bool take_token(void *context, enum json_token token, uint32_t depth, const char *text, size_t size)
{
    struct alert_decoder *d = context;
    bool is_inner = depth == 2 && d->in_labels;
    if (token == JSON_TOKEN_KEY && (depth == 1 || is_inner)) {
        d->field = is_inner ? find_field(text, size, FIELD_SERVICE, FIELD_ROUTE)
                            : find_field(text, size, FIELD_SEQUENCE, FIELD_RUNBOOK);
        return true;
    }
    if (token == JSON_TOKEN_OBJECT_END && depth == 1) {
        d->in_labels = false;
        d->field = FIELD_NONE;
        return true;
    }
    if (depth == 0 || (depth > 1 && !is_inner) || token == JSON_TOKEN_ARRAY_END) {
        return true;
    }
    if (d->field != FIELD_NONE && take_value(d, token, text, size)) {
        d->seen[d->field] = true;
    } else if (d->field != FIELD_NONE) {
        d->wrong = d->field;
        return false;
    } else {
        (void)take_value(d, token, text, size);
    }
    if (d->field != FIELD_LABELS) {
        d->field = FIELD_NONE;
    }
    return true;
}

int alert_decode(struct alert_decoder *decoder, const void *data, size_t size, struct alert_transition *out,
                 struct error *error)
{
    *out = (struct alert_transition){.value = NAN};
    decoder->out = out;
    decoder->field = FIELD_NONE;
    decoder->wrong = FIELD_NONE;
    decoder->in_labels = false;
    memset(decoder->seen, 0, sizeof decoder->seen);
    int result = json_read(decoder->reader, data, size, take_token, decoder, error);
    if (decoder->wrong != FIELD_NONE) {
        return error_set(error, -1, "'%s' of an alert has a value that it cannot have",
                         names[decoder->wrong]);
    }
    for (size_t i = 0; result == JSON_OK && i < sizeof required / sizeof required[0]; i++) {
        if (!decoder->seen[required[i]]) {
            return error_set(error, -1, "an alert without '%s'", names[required[i]]);
        }
    }
    return result == JSON_OK ? 0 : -1;
}
