/* A topic followed for as long as the console runs, read alone (no group, nothing is committed). The topic is
 * made when it isn't there yet; while the bus is away it is tried again. */
#ifndef CONSOLE_TOPIC_TAIL_H
#define CONSOLE_TOPIC_TAIL_H

#include "error/error.h"

#include <stddef.h>
#include <stdint.h>

struct bus;
struct bus_record;
struct program;
struct topic_tail;

struct topic_tail_settings {
    struct program *program;
    struct bus *bus;
    const char *topic;
    int64_t last; /* begin with so many records of each partition; -1: with all that are kept */
    void (*take)(void *context, const struct bus_record *record);
    void *context;
};

int topic_tail_start(struct topic_tail **out, const struct topic_tail_settings *settings,
                     struct error *error);
void topic_tail_join(struct topic_tail *tail); /* after the program was asked to stop; frees; NULL is fine */

#endif
