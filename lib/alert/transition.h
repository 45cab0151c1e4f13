/* lib/alert: one change of an alert, a record of the topic alerts.fired: firing or resolved.
 *
 * Every field but detected_ms is a function of the log and the rules, so that the same transition found again
 * after a crash is the same record. Plain data, with its own copies of all texts. */
#ifndef OBS_ALERT_TRANSITION_H
#define OBS_ALERT_TRANSITION_H

#include "rule/rule.h"

#include <stdbool.h>
#include <stdint.h>

#define ALERT_FINGERPRINT_BYTES 17 /* 16 hex digits and NUL */
#define ALERT_ID_BYTES          40

enum alert_state { ALERT_FIRING, ALERT_RESOLVED };
enum alert_reason { ALERT_REASON_NONE, ALERT_REASON_CLEAR, ALERT_REASON_NO_DATA, ALERT_REASON_RULE_REMOVED };

/* Texts of a series; route "" when the rule doesn't group by it. */
struct alert_labels {
    char service[RULE_LABEL_BYTES], region[RULE_LABEL_BYTES], route[RULE_LABEL_BYTES];
};

struct alert_transition {
    uint64_t fingerprint;
    uint32_t sequence;
    enum alert_state state;
    enum alert_reason reason; /* of a resolved one */
    char rule[RULE_NAME_BYTES];
    enum rule_severity severity;
    enum rule_signal signal;
    bool below;
    struct alert_labels labels;
    double value; /* NaN: nothing to measure */
    double threshold;
    uint64_t samples, bad;
    uint32_t window_seconds, evaluations;
    int64_t starts_ms, ends_ms; /* ends: of a resolved one */
    int64_t detected_ms;        /* wall clock; filled in by who publishes */
    char runbook[RULE_RUNBOOK_BYTES];
};

const char *alert_state_name(enum alert_state state);    /* "firing", "resolved" */
const char *alert_reason_name(enum alert_reason reason); /* "clear" …; "none" */
/* By fingerprint, then sequence: negative, 0 or positive. */
int alert_transition_compare(const struct alert_transition *a, const struct alert_transition *b);

/* XXH64 (seed 0) over the rule's name and the labels sorted by name, each text with its length (32 bits,
 * little-endian) before it. */
uint64_t alert_fingerprint(const char *rule, const char *service, const char *region, const char *route);
void alert_fingerprint_format(char out[ALERT_FINGERPRINT_BYTES], uint64_t fingerprint);
/* fingerprint "-" sequence: the rule is in the fingerprint, so it is the same for the same transition and no
 * other. */
void alert_id_format(char out[ALERT_ID_BYTES], uint64_t fingerprint, uint32_t sequence);

#endif
