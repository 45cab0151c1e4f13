/* Which dead letters a command is about, and reading them: dlq list, show and replay alike.
 *
 * dlq COMMAND [TOPIC] [--reason R]… [--offset [PARTITION:]OFFSET]… [--since TIME] [--until TIME]: TOPIC is a
 * dead-letter topic or the topic whose dead letters are meant; without one both of the platform's are read.
 */
#ifndef BUSCAT_DLQ_SELECT_H
#define BUSCAT_DLQ_SELECT_H

#include "dlq_marks.h"

#include "bus/bus.h"
#include "dead_letter/dead_letter.h"
#include "error/error.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <stdint.h>

struct program;

#define DLQ_SETTINGS 4

struct dlq_selection {
    struct setting_list reasons, offsets;
    int64_t since_ms, until_ms; /* how long ago they came at most, at least; 0: any time */
    const char *topic;          /* NULL: both */
    struct dlq_marks marks;     /* read with the first letters */
    bool has_marks;
};

struct dlq_letter {
    const struct bus_record *record;
    struct dead_letter_view view;
    bool was_replayed;
};

/* The settings --reason, --offset, --since and --until, for the command's own table. */
void dlq_selection_settings(struct dlq_selection *selection, struct setting settings[DLQ_SETTINGS]);

void dlq_selection_free(struct dlq_selection *selection);

/* metrics.raw is short for metrics.raw.dlq. */
void dlq_name_topic(char out[BUS_TOPIC_BYTES], const char *topic);

/* 0, or -1: an offset that isn't one, an unknown reason. */
int dlq_selection_check(const struct dlq_selection *selection, struct error *error);

/* Calls take for each dead letter that was there when the call began and is selected. False from take:
 * enough. A topic that doesn't exist holds none. 0, or -1 with error filled. */
int dlq_selection_read(struct program *program, struct bus *bus, struct dlq_selection *selection,
                       bool (*take)(void *context, const struct dlq_letter *letter), void *context,
                       struct error *error);
/* The marks alone, when letters come from elsewhere. */
int dlq_selection_read_marks(struct program *program, struct bus *bus, struct dlq_selection *selection,
                             struct error *error);

#endif
