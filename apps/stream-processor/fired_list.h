/* What lies on alerts.fired: every transition that was published and is still kept. */
#ifndef STREAM_PROCESSOR_FIRED_LIST_H
#define STREAM_PROCESSOR_FIRED_LIST_H

#include "alert/transition.h"
#include "bus/bus.h"
#include "error/error.h"

#include <stddef.h>

struct program;

struct fired_list {                 /* all zero: empty */
    struct alert_transition *items; /* by fingerprint, then sequence, then as they lie */
    size_t count, capacity;
    size_t unreadable; /* records that are no transition */
};

int fired_list_read(struct fired_list *list, struct program *program, struct bus *bus, struct error *error);
void fired_list_free(struct fired_list *list);

#endif
