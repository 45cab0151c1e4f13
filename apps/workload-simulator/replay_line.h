/* replay_line: a line of what is replayed as an event, whichever form it has; the form is seen line by line:
 *
 *   {… "time_unix_ms" …}   a record of metrics.raw, as it is
 *   {…                     an nginx JSON log
 *   anything else          combined
 *
 * An access log's line gets its id from the source's name, its line number and its bytes: the same file
 * replayed again gives the same ids, so a repetition with original times counts once. Routes are folded
 * (route_fold.h). Allocates at creation only. One thread. */
#ifndef SIMULATOR_REPLAY_LINE_H
#define SIMULATOR_REPLAY_LINE_H

#include "error/error.h"
#include "event/event.h"

#include <stddef.h>
#include <stdint.h>

struct replay_parser;

enum replay_format { REPLAY_COMBINED, REPLAY_JSON, REPLAY_METRICS, REPLAY_FORMATS };

enum replay_line_result {
    REPLAY_LINE_EVENT,
    REPLAY_LINE_EMPTY,
    REPLAY_LINE_NO_DURATION, /* a good line of a log that is written without request times */
    REPLAY_LINE_MALFORMED
};

struct replay_parser_settings {
    const char *source;           /* what ids are made of: the file's name, or --instance */
    const char *service, *region; /* where the line doesn't say; borrowed */
    double units_per_s;           /* of durations in access logs */
};

int replay_parser_create(struct replay_parser **out, const struct replay_parser_settings *settings,
                         struct error *error);
void replay_parser_destroy(struct replay_parser *parser);

/* REPLAY_LINE_EVENT: *event, whose texts live until the line's bytes go or the next call. Otherwise error
 * says in a sentence what is wrong, without the line's number. */
enum replay_line_result replay_parser_read(struct replay_parser *parser, uint64_t number, const char *text,
                                           size_t size, struct event *event, struct error *error);

uint64_t replay_parser_count(const struct replay_parser *parser,
                             enum replay_format format); /* events so far */
uint64_t replay_parser_other_routes(const struct replay_parser *parser);

#endif
