/* options: the settings of workload-simulator: the flags' table, the scenario file's values merged in (a flag
 * or the environment goes first), and what can't be together refused. */
#ifndef SIMULATOR_OPTIONS_H
#define SIMULATOR_OPTIONS_H

#include "error/error.h"
#include "scenario.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTIONS_LIMIT 24

enum { REPLAY_TIME_NOW, REPLAY_TIME_ORIGINAL };
enum { REPLAY_UNIT_S, REPLAY_UNIT_MS, REPLAY_UNIT_US };

struct options {
    double target_rps, error_rate, logs;
    int64_t duration_ms, seed;
    const char *instance, *start, *scenario_path, *truth_path;
    bool max, progress, force;
    const char *replay, *replay_service, *replay_region;
    double replay_speed;
    int replay_time, replay_unit;

    /* worked out by options_finish */
    struct scenario scenario;
    bool has_start;
    int64_t start_unix_ms;
    char random_instance[24];
    struct setting table[OPTIONS_LIMIT];
    size_t count;
};

/* Fills options->table and what the flags can't default to. */
void options_init(struct options *options);
/* After program_start: -1 names what is wrong (exit 2). */
int options_finish(struct options *options, const struct settings *settings, struct error *error);

extern const char options_notes[]; /* for --help */

#endif
