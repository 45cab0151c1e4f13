/* tests/support/transition_writer: transitions on alerts.fired and alerts.active as the stream-processor puts
 * them: both records in one commit. Fails the running test when it can't. */
#ifndef OBS_TESTS_SUPPORT_TRANSITION_WRITER_H
#define OBS_TESTS_SUPPORT_TRANSITION_WRITER_H

#include "alert/transition.h"

struct bus;
struct transition_writer;

struct transition_writer *transition_writer_open(struct bus *bus);
void transition_writer_close(struct transition_writer *writer); /* NULL is fine */
/* Fingerprint, detected_ms (now) and, where they are 0, starts_ms and ends_ms (now) are filled in. */
void transition_writer_put(struct transition_writer *writer, struct alert_transition *transition);
/* What the rule HighErrorRate, or another one of that kind, says: 62 of 200 failed while firing. Its sequence
 * and state are the caller's. */
struct alert_transition transition_of_errors(const char *rule, const char *service, const char *region,
                                             enum alert_state state, enum rule_severity severity);

#endif
