/* replay: real traffic instead of simulated: the lines of a file or a pipe as events, in their order and with
 * their gaps (--replay-speed times as fast; 0: as fast as the bus takes them).
 *
 *   --replay-time original   events happen when the log says; refused where the topic already holds later
 * ones
 *   --replay-time now        the first event happens now, the others as much later as in the log (at that
 * speed; at speed 0 each when it is published)
 *
 * Lines that can't be read are counted, and reported with their number (the first ten, then every ten
 * seconds); the run goes on. A log written without request times is refused with the log_format line that
 * adds them, and one in which nothing can be read is an error. Adds workload_simulator_replay_lines_total by
 * result. */
#ifndef SIMULATOR_REPLAY_H
#define SIMULATOR_REPLAY_H

#include "error/error.h"
#include "log/log.h"

#include <stdbool.h>
#include <stdint.h>

struct bus;
struct line_reader;
struct line_reader_line;
struct metric;
struct options;
struct program;
struct progress;
struct publisher;
struct replay_parser;

enum { REPLAY_EVENTS, REPLAY_MALFORMED, REPLAY_EMPTY, REPLAY_RESULTS };

struct replay {
    struct program *program; /* borrowed, as the others */
    struct publisher *publisher;
    struct progress *progress;
    const struct options *options;
    struct bus *bus;
    struct line_reader *reader;
    struct replay_parser *parser;
    uint64_t counts[REPLAY_RESULTS];
    struct metric *metrics[REPLAY_RESULTS];
    uint64_t without_duration, first_bad_line;
    bool lacks_durations; /* refused for that */
    bool has_begun;       /* the first event has set the times below */
    int64_t first_unix_ms, begun_unix_ms, begun_steady_ms;
    int64_t started_ms;
    struct log_throttle throttle;
};

/* Adds the metrics; before program_serve. */
void replay_init(struct replay *replay, struct program *program, struct publisher *publisher,
                 struct progress *progress);
/* Opens --replay FILE: -1 names what is wrong with it (exit 2). */
int replay_open(struct replay *replay, const struct options *options, struct error *error);
void replay_close(struct replay *replay); /* safe when it isn't open */
/* To the end of the input, of --duration, or until the program is asked to stop. -1: refused or broken, error
 * says why; what was sent stays. */
int replay_run(struct replay *replay, struct bus *bus, struct error *error);
/* How to make a log that can be replayed, for people, in lines; NULL: the log had no such trouble. */
const char *replay_advice(const struct replay *replay);

#endif
