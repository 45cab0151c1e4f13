/* Which dead letters a command is about, and reading them: dlq list, show and replay alike.
 *
 * dlq COMMAND [TOPIC] [--reason R]… [--offset [PARTITION:]OFFSET]…: TOPIC is a dead-letter topic or the topic
 * whose dead letters are meant; without one both of the platform's are read. */
#ifndef BUSCAT_DLQ_SELECT_H
#define BUSCAT_DLQ_SELECT_H

#include "bus/bus.h"
#include "dead_letter/dead_letter.h"
#include "error/error.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <stdint.h>

struct program;

#define DLQ_SETTINGS 2

struct dlq_selection {
    struct setting_list reasons, offsets;
    const char *topic; /* NULL: both */
};

/* The settings --reason and --offset, for the command's own table. */
void dlq_selection_settings(struct dlq_selection *selection, struct setting settings[DLQ_SETTINGS]);

/* 0, or -1: an offset that isn't one, an unknown reason. */
int dlq_selection_check(const struct dlq_selection *selection, struct error *error);

/* Calls take for each dead letter that was there when the call began and is selected. False from take:
 * enough. A topic that doesn't exist holds none. 0, or -1 with error filled. */
int dlq_selection_read(struct program *program, struct bus *bus, const struct dlq_selection *selection,
                       bool (*take)(void *context, const struct bus_record *record,
                                    const struct dead_letter_view *view),
                       void *context, struct error *error);

#endif
