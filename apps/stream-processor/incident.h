/* Transitions put together to incidents: from a firing to its resolve, or still going on. */
#ifndef STREAM_PROCESSOR_INCIDENT_H
#define STREAM_PROCESSOR_INCIDENT_H

#include "alert/transition.h"
#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct incident {
    struct alert_transition
        transition;             /* the firing one; the resolving one where the firing is no longer kept */
    int64_t starts_ms, ends_ms; /* ends INT64_MAX: it goes on */
    bool is_paired;             /* one of the other list overlaps it */
    int64_t paired_starts_ms;
};

struct incident_list {      /* all zero: empty */
    struct incident *items; /* by rule, service, region, route, then start */
    size_t count, capacity;
};

/* Transitions come in the order of each fingerprint's sequences. */
int incident_list_add(struct incident_list *list, const struct alert_transition *transition,
                      struct error *error);
/* Sorts, and forgets what ended before that time. */
void incident_list_finish(struct incident_list *list, int64_t since_ms);
/* Marks what overlaps in both lists: same rule and labels, up to slack_ms between end and start. */
void incident_lists_pair(struct incident_list *a, struct incident_list *b, int64_t slack_ms);
/* By rule, service, region, route. */
int incident_compare_series(const struct incident *a, const struct incident *b);
void incident_list_free(struct incident_list *list);

#endif
