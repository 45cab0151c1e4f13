/* slo-rules: Prometheus rules from SLOs written in OpenSLO (docs/slo.md). */
#include "rule_folder.h"

#include "settings/settings.h"

#include <unistd.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct options {
    struct folder_work work;
    bool check_only;
};

static int fail(int code, const struct error *error)
{
    (void)fprintf(stderr, "slo-rules: %s\n", error->message);
    return code;
}

static int run(struct options *options)
{
    struct error error;
    options->work.told = options->check_only ? stderr : stdout;
    const int result = rule_folder_make(&options->work, options->check_only, &error);
    if (result != FOLDER_DONE) {
        return fail(result == FOLDER_REFUSED ? EXIT_USAGE : EXIT_FAILED, &error);
    }
    if (options->check_only && options->work.changed > 0) {
        (void)fprintf(stderr, "slo-rules: run `make slo-rules` and commit what it changes\n");
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    const struct setting list[] = {
        {.name = "slos",
         .type = SETTING_TEXT,
         .target = &options.work.slos,
         .default_text = "docs/slos",
         .value_name = "DIR",
         .help = "the folder of OpenSLO files"},
        {.name = "rules",
         .type = SETTING_TEXT,
         .target = &options.work.rules,
         .default_text = "rules",
         .value_name = "DIR",
         .help = "the folder of rule files; slo-NAME.yaml there is from NAME.yaml"},
        {.name = "check",
         .type = SETTING_BOOLEAN,
         .target = &options.check_only,
         .default_text = "false",
         .help = "write nothing; fail when a rule file isn't what its SLO file says"},
    };
    const struct settings_table table = {list, sizeof list / sizeof list[0]};
    const struct settings_spec spec = {
        .program = "slo-rules",
        .version = OBS_VERSION,
        .summary = "Prometheus recording rules and burn-rate alerts from SLOs written in OpenSLO",
        .tables = &table,
        .table_count = 1,
    };
    struct settings *settings = NULL;
    struct error error;
    int code = EXIT_DONE;
    switch (settings_load(&settings, &spec, argc, (const char *const *)argv, (const char *const *)environ,
                          &error)) {
    case SETTINGS_RUN:
        code = run(&options);
        break;
    case SETTINGS_HELP:
        settings_print_help(&spec, stdout);
        break;
    case SETTINGS_VERSION:
        (void)printf("slo-rules %s\n", OBS_VERSION);
        break;
    case SETTINGS_MARKDOWN:
        settings_print_markdown(&spec, stdout);
        break;
    default:
        code = fail(EXIT_USAGE, &error);
        break;
    }
    settings_destroy(settings);
    return code;
}
