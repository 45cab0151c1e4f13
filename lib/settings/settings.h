/* lib/settings: a program's settings from one table: flag > environment > --config FILE (YAML) > default.
 *
 * An entry named "bus-url" is the flag --bus-url, OBS_BUS_URL in the environment and bus_url in the file.
 * Unknown keys and bad values are refused, naming the key, the value, where it came from and what is allowed.
 * --help, --version and --config are always there. --flag VALUE and --flag=VALUE; a boolean is --flag or
 * --flag=false; "--" ends flags. docs/CONFIGURATION.md is printed from the same tables
 * (settings_print_markdown), so they can't disagree. Ownership: texts that land in targets belong to the
 * settings object. One thread, at start. */
#ifndef OBS_SETTINGS_SETTINGS_H
#define OBS_SETTINGS_SETTINGS_H

#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum setting_type {
    SETTING_TEXT,     /* const char *            */
    SETTING_INTEGER,  /* int64_t, in minimum … maximum */
    SETTING_REAL,     /* double, in minimum … maximum  */
    SETTING_BOOLEAN,  /* bool                    */
    SETTING_DURATION, /* int64_t, ms: "250ms", "15s", "1h30m"; a plain number is seconds; minimum, maximum in
                         ms */
    SETTING_BYTES,    /* int64_t: "64KiB", "8MiB", "1GiB" or plain bytes */
    SETTING_CHOICE,   /* int: the index in choices ("json|text") */
    SETTING_LIST /* struct setting_list: a flag that may be repeated; in the environment separated by commas
                  */
};

struct setting_list {
    const char **items; /* NULL-ended, in the order given; never NULL itself after settings_load */
    size_t count;
};

struct setting {
    const char *name; /* "bus-url"; a one-letter name ("X") is a short flag too: -X a=b */
    enum setting_type type;
    void *target;
    const char *default_text; /* NULL: the target keeps what it has (a TEXT: NULL) */
    const char *value_name;   /* "URL" in --help */
    const char *help;
    const char *choices;
    double minimum, maximum; /* both 0: no bounds */
};

struct settings_table {
    const struct setting *settings;
    size_t count;
};

struct settings_spec {
    const char *program;
    const char *version;
    const char *summary;                 /* a line for --help */
    const char *usage;                   /* e.g. "consume TOPIC [flags]"; NULL: "[flags]" */
    const char *notes;                   /* paragraphs below the flags in --help; NULL: none */
    const struct settings_table *tables; /* the program's own and shared ones */
    size_t table_count;
    size_t max_positionals; /* arguments that are no flags; more are refused */
};

struct settings;

enum settings_result {
    SETTINGS_RUN = 0,
    SETTINGS_HELP = 1,
    SETTINGS_VERSION = 2,
    SETTINGS_MARKDOWN = 3, /* --help-markdown: the tables of docs/CONFIGURATION.md */
    SETTINGS_REFUSED = -1
};

/* out is set in every case but needs settings_destroy only when it isn't NULL. environment: as environ; NULL:
 * none. */
int settings_load(struct settings **out, const struct settings_spec *spec, int argc, const char *const *argv,
                  const char *const *environment, struct error *error);
void settings_destroy(struct settings *settings);

size_t settings_positional_count(const struct settings *settings);
const char *settings_positional(const struct settings *settings, size_t index); /* NULL past the end */
bool settings_is_given(const struct settings *settings, const char *name); /* by flag, environment or file */

void settings_print_help(const struct settings_spec *spec, FILE *stream);
void settings_print_markdown(const struct settings_spec *spec, FILE *stream);

#endif
