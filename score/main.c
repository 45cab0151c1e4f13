/* score: how well the detector decides, beside two references on the same records (docs/scored.md).
 *
 *   score [--seed N] [--only SCENARIO] [--rules FILE] [--json FILE] [--day FILE] [--curve FILE] */
#include "matcher.h"
#include "play.h"
#include "plot.h"
#include "report.h"

#include "buffer/buffer.h"
#include "rule/rule_load.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SEED 1
#define MAX_RESULTS  64

struct options {
    uint64_t seed;
    const char *only, *rules, *json, *day, *curve;
};

static int read_options(struct options *options, int argc, char **argv)
{
    *options = (struct options){.seed = DEFAULT_SEED, .rules = OBS_SOURCE_DIR "/config/anomaly-rules.yaml"};
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *value = argv[i + 1];
        if (strcmp(argv[i], "--seed") == 0) {
            options->seed = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "--only") == 0) {
            options->only = value;
        } else if (strcmp(argv[i], "--rules") == 0) {
            options->rules = value;
        } else if (strcmp(argv[i], "--json") == 0) {
            options->json = value;
        } else if (strcmp(argv[i], "--day") == 0) {
            options->day = value;
        } else if (strcmp(argv[i], "--curve") == 0) {
            options->curve = value;
        } else {
            return -1;
        }
    }
    return argc % 2 == 1 ? 0 : -1;
}

static bool is_wanted(const struct options *options, const struct scenario *scenario)
{
    return options->only == NULL || strncmp(options->only, scenario->name, strlen(options->only)) == 0;
}

/* --- files ---- */

static FILE *open_file(const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
    }
    return file;
}

static int close_file(FILE *file, const char *path)
{
    if (fclose(file) != 0) {
        perror(path);
        return 1;
    }
    return 0;
}

static int write_json(const char *path, const struct result *results, size_t count, uint64_t seed)
{
    struct buffer text;
    FILE *file = open_file(path);
    if (file == NULL) {
        return 1;
    }
    buffer_init(&text, 0);
    report_write_json(&text, results, count, seed);
    (void)fwrite(text.data, 1, text.size, file);
    (void)fputc('\n', file);
    buffer_free(&text);
    return close_file(file, path);
}

static int write_day(const char *path, const struct result *results, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (results[i].scenario->shape == PLAN_DAY) {
            FILE *file = open_file(path);
            if (file == NULL) {
                return 1;
            }
            plot_day(file, &results[i]);
            return close_file(file, path);
        }
    }
    return 0;
}

static int write_curve(const char *path, const struct result *results, size_t count)
{
    FILE *file = open_file(path);
    if (file == NULL) {
        return 1;
    }
    plot_curve(file, results, count);
    return close_file(file, path);
}

static int write_files(const struct options *options, const struct result *results, size_t count)
{
    int failed = options->json != NULL ? write_json(options->json, results, count, options->seed) : 0;
    failed += options->day != NULL ? write_day(options->day, results, count) : 0;
    failed += options->curve != NULL ? write_curve(options->curve, results, count) : 0;
    return failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static struct result results[MAX_RESULTS];
    struct options options;
    struct rule_set *rules = NULL;
    struct error error;
    size_t scenario_count = 0;
    size_t count = 0;
    const struct scenario *scenarios = plan_scenarios(&scenario_count);
    if (read_options(&options, argc, argv) != 0) {
        (void)fprintf(stderr, "usage: score [--seed N] [--only SCENARIO] [--rules FILE] [--json FILE] [--day "
                              "FILE] [--curve FILE]\n");
        return 2;
    }
    if (rule_set_load(&rules, options.rules, &error) != 0) {
        (void)fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    for (size_t i = 0; i < scenario_count; i++) {
        if (!is_wanted(&options, &scenarios[i])) {
            continue;
        }
        if (play_scenario(&results[count++], &scenarios[i], rules, options.seed, &error) != 0) {
            (void)fprintf(stderr, "%s: %s\n", scenarios[i].name, error.message);
            return 1;
        }
        (void)fprintf(stderr, "%-16s %.1f million records\n", scenarios[i].name,
                      (double)results[count - 1].fed / 1e6);
    }
    report_print(stdout, results, count, options.seed);
    rule_set_destroy(rules);
    int code = write_files(&options, results, count);
    while (count > 0) {
        play_free(&results[--count]);
    }
    return code;
}
