#include "options.h"

#include "clock/rfc3339.h"
#include "event/event.h"
#include "random/random.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_SEED "1"

const char options_notes[] =
    "Simulated traffic: the same seed, instance and start give the same events. Faults come from --scenario "
    "FILE\n"
    "and, while it runs, from POST, GET and DELETE /faults; what was really wrong goes to --truth FILE.\n"
    "\n"
    "Real traffic: --replay access.log (nginx or Apache combined format with $request_time added as the "
    "last\n"
    "field, nginx JSON logs, or lines of metrics.raw; - reads standard input). See "
    "docs/replay-your-logs.md.\n";

static const struct setting traffic_settings[] = {
    {.name = "target-rps",
     .type = SETTING_REAL,
     .default_text = "200",
     .value_name = "N",
     .help = "requests a second, all services and regions together; 0: none",
     .maximum = 1e6},
    {.name = "error-rate",
     .type = SETTING_REAL,
     .value_name = "P",
     .help = "share of 5xx in every service, 0-1 (default: each service's own, at most 0.003)",
     .maximum = 1},
    {.name = "duration",
     .type = SETTING_DURATION,
     .default_text = "0",
     .value_name = "S",
     .help = "how long, in seconds or as 10m, 1h30m; 0: for ever",
     .maximum = (double)FAULT_MAX_MS},
    {.name = "seed",
     .type = SETTING_INTEGER,
     .default_text = DEFAULT_SEED,
     .value_name = "N",
     .help = "another seed, other traffic",
     .maximum = 9e18},
    {.name = "instance",
     .type = SETTING_TEXT,
     .value_name = "NAME",
     .help = "goes into every id, so that replicas never collide (default: random, logged)"},
    {.name = "start",
     .type = SETTING_TEXT,
     .value_name = "TIME",
     .help = "time of the first events, e.g. 2026-11-24T23:00:00Z (default: now)"},
    {.name = "max",
     .type = SETTING_BOOLEAN,
     .help = "as fast as it can: with --start the traffic of --target-rps from that time on until it has "
             "caught up "
             "with the clock, without it as many events a second as the bus takes, at the time of day"},
    {.name = "logs",
     .type = SETTING_REAL,
     .value_name = "P",
     .help =
         "share of successful requests that leave a record on logs.raw, 0-1; errors always do (default: 1, "
         "with --max 0.1)",
     .maximum = 1},
    {.name = "progress",
     .type = SETTING_BOOLEAN,
     .help = "a line with rate, acknowledged events, elapsed and remaining time (default: on a terminal)"},
    {.name = "scenario",
     .type = SETTING_TEXT,
     .value_name = "FILE",
     .help = "YAML: seed, duration, target_rps, error_rate, start, instance and faults; flags go first"},
    {.name = "truth",
     .type = SETTING_TEXT,
     .value_name = "FILE",
     .help = "every fault's true begin and end are appended to it as JSON lines"},
};

static const struct setting replay_settings[] = {
    {.name = "replay",
     .type = SETTING_TEXT,
     .value_name = "FILE",
     .help = "real traffic instead of simulated: an access log or metrics.raw lines; -: standard input"},
    {.name = "replay-speed",
     .type = SETTING_REAL,
     .default_text = "1",
     .value_name = "X",
     .help = "times as fast as it was, gaps and order kept; 0: as fast as it can",
     .maximum = 1e6},
    {.name = "replay-time",
     .type = SETTING_CHOICE,
     .default_text = "now",
     .choices = "now|original",
     .value_name = "WHICH",
     .help = "events happen now, or when the log says"},
    {.name = "replay-service",
     .type = SETTING_TEXT,
     .default_text = "web",
     .value_name = "NAME",
     .help = "service.name of lines that don't say it"},
    {.name = "replay-region",
     .type = SETTING_TEXT,
     .default_text = "local",
     .value_name = "NAME",
     .help = "cloud.region of lines that don't say it"},
    {.name = "replay-unit",
     .type = SETTING_CHOICE,
     .default_text = "s",
     .choices = "s|ms|us",
     .value_name = "UNIT",
     .help = "of an access log's durations: s for nginx, us for Apache's %D"},
    {.name = "force",
     .type = SETTING_BOOLEAN,
     .help = "replay original times although the topic holds later events"},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void add(struct options *options, const struct setting *settings, size_t count, void *const *targets)
{
    for (size_t i = 0; i < count; i++) {
        struct setting *setting = &options->table[options->count++];
        *setting = settings[i];
        setting->target = targets[i];
    }
}

void options_init(struct options *o)
{
    memset(o, 0, sizeof *o);
    o->error_rate = -1;
    o->logs = -1;
    o->progress = isatty(STDERR_FILENO) != 0;
    void *const traffic_targets[COUNT(traffic_settings)] = {
        &o->target_rps, &o->error_rate, &o->duration_ms, &o->seed,          &o->instance,  &o->start,
        &o->max,        &o->logs,       &o->progress,    &o->scenario_path, &o->truth_path};
    void *const replay_targets[COUNT(replay_settings)] = {
        &o->replay,        &o->replay_speed, &o->replay_time, &o->replay_service,
        &o->replay_region, &o->replay_unit,  &o->force};
    add(o, traffic_settings, COUNT(traffic_settings), traffic_targets);
    add(o, replay_settings, COUNT(replay_settings), replay_targets);
}

/* --- what can't be together ---- */

static int refuse_with_replay(const struct settings *settings, struct error *error)
{
    static const char *const simulated[] = {"scenario", "target-rps", "error-rate", "seed",
                                            "start",    "max",        "logs",       "truth"};
    for (size_t i = 0; i < COUNT(simulated); i++) {
        if (settings_is_given(settings, simulated[i])) {
            return error_set(error, -1, "--%s is for simulated traffic: it can't be given with --replay",
                             simulated[i]);
        }
    }
    return 0;
}

static int refuse_without_replay(const struct settings *settings, struct error *error)
{
    static const char *const replayed[] = {"replay-speed",  "replay-time", "replay-service",
                                           "replay-region", "replay-unit", "force"};
    for (size_t i = 0; i < COUNT(replayed); i++) {
        if (settings_is_given(settings, replayed[i])) {
            return error_set(error, -1, "--%s is for --replay FILE, which isn't given", replayed[i]);
        }
    }
    return 0;
}

static int check_name(const char *setting, const char *name, size_t max_bytes, struct error *error)
{
    size_t size = strlen(name);
    return size > 0 && size <= max_bytes
               ? 0
               : error_set(error, -1, "--%s: '%.140s' is not allowed; give 1 to %zu bytes", setting, name,
                           max_bytes);
}

/* --- scenario ---- */

static void merge_scenario(struct options *o, const struct settings *settings)
{
    const struct scenario *s = &o->scenario;
    if (s->has_seed && !settings_is_given(settings, "seed")) {
        o->seed = s->seed;
    }
    if (s->has_duration && !settings_is_given(settings, "duration")) {
        o->duration_ms = s->duration_ms;
    }
    if (s->has_target_rps && !settings_is_given(settings, "target-rps")) {
        o->target_rps = s->target_rps;
    }
    if (s->has_error_rate && !settings_is_given(settings, "error-rate")) {
        o->error_rate = s->error_rate;
    }
    if (s->has_instance && o->instance == NULL) {
        o->instance = s->instance;
    }
    if (s->has_start && o->start == NULL) {
        o->has_start = true;
        o->start_unix_ms = s->start_unix_ms;
    }
}

static int finish_simulated(struct options *o, const struct settings *settings, struct error *error)
{
    if (refuse_without_replay(settings, error) != 0) {
        return -1;
    }
    if (o->scenario_path != NULL) {
        if (scenario_load(&o->scenario, o->scenario_path, error) != 0) {
            return error_add_context(error, "--scenario");
        }
        merge_scenario(o, settings);
    }
    if (o->start != NULL) {
        if (!rfc3339_parse(o->start, strlen(o->start), &o->start_unix_ms)) {
            return error_set(error, -1, "--start: '%.60s' is not a time such as 2026-11-24T23:06:32Z",
                             o->start);
        }
        o->has_start = true;
    }
    if (o->logs < 0) {
        o->logs = o->max ? 0.1 : 1;
    }
    return 0;
}

int options_finish(struct options *o, const struct settings *settings, struct error *error)
{
    if (o->replay != NULL) {
        if (refuse_with_replay(settings, error) != 0 ||
            check_name("replay-service", o->replay_service, EVENT_NAME_BYTES, error) != 0 ||
            check_name("replay-region", o->replay_region, EVENT_NAME_BYTES, error) != 0) {
            return -1;
        }
    } else if (finish_simulated(o, settings, error) != 0) {
        return -1;
    }
    if (o->instance == NULL && o->replay == NULL) {
        (void)snprintf(o->random_instance, sizeof o->random_instance, "%016llx",
                       (unsigned long long)random_seed_from_system());
        o->instance = o->random_instance;
    }
    return o->instance == NULL ? 0 : check_name("instance", o->instance, 64, error);
}
