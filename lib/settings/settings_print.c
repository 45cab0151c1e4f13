/* What people read about settings: --help and the tables of docs/CONFIGURATION.md, from the tables the
 * program parses with. */
#include "settings/settings.h"

#include <string.h>

#define FLAG_COLUMN 30

static void print_flag(FILE *stream, const char *flag, const char *help, const struct setting *setting)
{
    int width = fprintf(stream, "  %s", flag);
    if (width >= FLAG_COLUMN) {
        (void)fprintf(stream, "\n%*s", FLAG_COLUMN, "");
    } else {
        (void)fprintf(stream, "%*s", FLAG_COLUMN - width, "");
    }
    (void)fputs(help, stream);
    if (setting != NULL && setting->type == SETTING_CHOICE) {
        (void)fprintf(stream, " (%s)", setting->choices);
    }
    if (setting != NULL && setting->default_text != NULL && setting->default_text[0] != '\0' &&
        !(setting->type == SETTING_BOOLEAN && strcmp(setting->default_text, "false") == 0)) {
        (void)fprintf(stream, " [%s]", setting->default_text);
    }
    (void)fputc('\n', stream);
}

static void format_flag(char *out, size_t size, const struct setting *setting)
{
    const char *dashes = strlen(setting->name) == 1 ? "-" : "--";
    if (setting->type == SETTING_BOOLEAN) {
        (void)snprintf(out, size, "%s%s", dashes, setting->name);
    } else {
        (void)snprintf(out, size, "%s%s %s", dashes, setting->name,
                       setting->value_name == NULL ? "VALUE" : setting->value_name);
    }
}

void settings_print_help(const struct settings_spec *spec, FILE *stream)
{
    (void)fprintf(stream, "%s: %s\n\nUsage: %s %s\n\n", spec->program, spec->summary, spec->program,
                  spec->usage == NULL ? "[flags]" : spec->usage);
    for (size_t t = 0; t < spec->table_count; t++) {
        for (size_t i = 0; i < spec->tables[t].count; i++) {
            const struct setting *setting = &spec->tables[t].settings[i];
            char flag[128];
            format_flag(flag, sizeof flag, setting);
            print_flag(stream, flag, setting->help, setting);
        }
    }
    print_flag(stream, "--config FILE", "settings as YAML, one key a line (bus_url: …)", NULL);
    print_flag(stream, "--help", "this text", NULL);
    print_flag(stream, "--version", "the version", NULL);
    (void)fputs("\nEach flag --some-name can also be given as OBS_SOME_NAME in the environment or some_name "
                "in the file;\n"
                "flags win over the environment, the environment over the file.\n",
                stream);
    if (spec->notes != NULL) {
        (void)fprintf(stream, "\n%s\n", spec->notes);
    }
}

static void print_upper(FILE *stream, const char *name)
{
    for (; *name != '\0'; name++) {
        (void)fputc(*name == '-' ? '_' : (*name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name), stream);
    }
}

/* A bar would end the table's cell. */
static void print_cell(FILE *stream, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|') {
            (void)fputc('\\', stream);
        }
        (void)fputc(*text, stream);
    }
}

void settings_print_markdown(const struct settings_spec *spec, FILE *stream)
{
    (void)fprintf(stream, "## %s\n\n%s.\n\n| flag | environment | default | meaning |\n|---|---|---|---|\n",
                  spec->program, spec->summary);
    for (size_t t = 0; t < spec->table_count; t++) {
        for (size_t i = 0; i < spec->tables[t].count; i++) {
            const struct setting *setting = &spec->tables[t].settings[i];
            char flag[128];
            format_flag(flag, sizeof flag, setting);
            (void)fprintf(stream, "| `%s` | `OBS_", flag);
            print_upper(stream, setting->name);
            const char *quote = setting->default_text == NULL ? "" : "`";
            (void)fprintf(stream, "` | %s%s%s | ", quote,
                          setting->default_text == NULL ? "" : setting->default_text, quote);
            print_cell(stream, setting->help);
            for (const char *at = setting->type == SETTING_CHOICE ? setting->choices : "";
                 at != NULL && *at != '\0';) {
                const char *bar = strchr(at, '|');
                size_t size = bar == NULL ? strlen(at) : (size_t)(bar - at);
                (void)fprintf(stream, "%s`%.*s`", at == setting->choices ? ": " : ", ", (int)size, at);
                at = bar == NULL ? NULL : bar + 1;
            }
            (void)fputs(" |\n", stream);
        }
    }
    (void)fputc('\n', stream);
}
