/* slo-rules: what of OpenSLO is taken, how the rest is refused, and that rule files follow their SLO files.
 * What the rules themselves say is judged by promtool (tests/rules/error-budget*.yaml). */
#include "buffer/buffer.h"
#include "cmocka_all.h"
#include "rule_folder.h"
#include "rule_text.h"
#include "selector.h"
#include "slo_file.h"
#include "support/files.h"
#include "support/process.h"
#include "yaml/yaml_tree.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "apiVersion: openslo/v1\nkind: SLO\nmetadata:\n  name: "
#define INDICATOR                                                                                            \
    "  indicator:\n    metadata: {name: x}\n    spec:\n      ratioMetric:\n        counter: true\n"          \
    "        bad: {metricSource: {type: Prometheus, spec: {query: bad_total}}}\n"                            \
    "        total: {metricSource: {type: Prometheus, spec: {query: all_total}}}\n"
#define WINDOW(duration) "  timeWindow: [{duration: " duration ", isRolling: true}]\n"
#define METHOD           "  budgetingMethod: Occurrences\n"
#define SPEC(service)    "\nspec:\n  service: " service "\n" INDICATOR
#define GOOD(name, service, target)                                                                          \
    HEAD name SPEC(service) WINDOW("30d") METHOD "  objectives: [{target: " target "}]\n"

static int parse(struct slo_file *file, const char *text, struct error *error)
{
    return slo_file_parse(file, "slos/a.yaml", text, strlen(text), error);
}

/* --- files ---- */

/* The first line of each file says what becomes of it: "# taken: N objective…" or "# refused: LINE:
 * SENTENCE". */
static void check_example(const char *path)
{
    struct buffer text;
    struct slo_file file;
    struct error error;
    char expected[1024];
    buffer_init(&text, 0);
    file_read(path, &text);
    const char *line = buffer_text(&text);
    const int size = (int)strcspn(line, "\n");
    const int result = slo_file_load(&file, path, &error);
    if (result == 0) {
        snprintf(expected, sizeof expected, "# taken: %zu objective%s", file.count,
                 file.count == 1 ? "" : "s");
    } else {
        assert_int_equal(strncmp(error.message, path, strlen(path)), 0);
        snprintf(expected, sizeof expected, "# refused: %s", error.message + strlen(path) + 1);
    }
    if (strlen(expected) != (size_t)size || strncmp(expected, line, (size_t)size) != 0) {
        fail_msg("%s: '%s' instead of '%.*s'", path, expected, size, line);
    }
    if (result == 0) {
        slo_file_free(&file);
    }
    buffer_free(&text);
}

static void each_example_of_openslo_is_taken_or_refused_by_name_and_line(void **state)
{
    (void)state;
    glob_t files;
    assert_int_equal(glob(OBS_SOURCE_DIR "/tests/data/openslo/*.yaml", 0, NULL, &files), 0);
    assert_true(files.gl_pathc >= 13);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        check_example(files.gl_pathv[i]);
    }
    globfree(&files);
}

static void what_is_wrong_is_named_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "slos/a.yaml:1: there is no SLO in it (kind: SLO)"},
        {"[]", "slos/a.yaml:1: must be a mapping of keys to values"},
        {"- " HEAD, "slos/a.yaml:2: not valid YAML"},
        {"kind: SLO\n", "slos/a.yaml:1: 'apiVersion' is missing"},
        {"apiVersion: openslo/v1\nkind: SLO\nspec: {}\n", "slos/a.yaml:1: 'metadata' is missing"},
        {"apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: a}\n", "slos/a.yaml:1: 'spec' is missing"},
        {HEAD "Big" SPEC("b"), "slos/a.yaml:4: 'name' must be 1 to 63 of a-z, 0-9 and -, not 'Big'"},
        {HEAD "a" SPEC("\"b\\nc\""),
         "slos/a.yaml:6: 'service' must be 1 to 63 of a-z, 0-9 and -, not 'b\nc'"},
        {HEAD "a" SPEC("-b"), "slos/a.yaml:6: 'service' must be 1 to 63 of a-z, 0-9 and -, not '-b'"},
        {HEAD "a" SPEC("b") "  extra: 1\n",
         "slos/a.yaml:14: unknown key 'extra'; allowed: description, service"},
        {HEAD "a" SPEC("b") METHOD, "slos/a.yaml:6: 'timeWindow' is missing"},
        {HEAD "a" SPEC("b") METHOD WINDOW("1M"),
         "slos/a.yaml:15: the window's duration must be in days or weeks (30d, 4w), not '1M'"},
        {HEAD "a" SPEC("b") METHOD WINDOW("6d"),
         "slos/a.yaml:15: the window's duration must be from 7 to 35 days, not '6d'"},
        {HEAD "a" SPEC("b") METHOD WINDOW("99999999999999999999d"),
         "slos/a.yaml:15: the window's duration must be in days"},
        {HEAD "a" SPEC("b") METHOD WINDOW("-7d"), "slos/a.yaml:15: the window's duration must be in days"},
        {HEAD "a" SPEC("b") METHOD WINDOW("30d") "  objectives: []\n",
         "slos/a.yaml:16: 'objectives' must be a list of one or more"},
        {HEAD "a" SPEC("b") METHOD WINDOW("30d") "  objectives: [{}]\n",
         "slos/a.yaml:16: an objective needs either 'target' or 'targetPercent'"},
        {GOOD("a", "b", "1"), "slos/a.yaml:16: 'target' must be between 0 and 1, neither of them, not '1'"},
        {GOOD("a", "b", "0"), "slos/a.yaml:16: 'target' must be between 0 and 1, neither of them, not '0'"},
        {GOOD("a", "b", "99.9"),
         "slos/a.yaml:16: 'target' must be between 0 and 1, neither of them, not '99.9'"},
        {GOOD("a", "b", "nan"), "slos/a.yaml:16: 'target' must be a number, not 'nan'"},
        {GOOD("a", "b", "1e999"), "slos/a.yaml:16: 'target' must be a number, not '1e999'"},
        {GOOD("a", "b", "\"0.9\""), "slos/a.yaml:16: 'target' must be a number, not '0.9'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slo_file file;
        struct error error;
        assert_int_equal(parse(&file, cases[i].text, &error), -1);
        if (strncmp(error.message, cases[i].message, strlen(cases[i].message)) != 0) {
            fail_msg("'%s' instead of '%s'", error.message, cases[i].message);
        }
    }
}

static void too_many_objectives_are_refused(void **state)
{
    (void)state;
    struct slo_file file;
    struct error error;
    struct buffer text;
    buffer_init(&text, 0);
    buffer_append_text(&text, HEAD "a" SPEC("b") METHOD WINDOW("30d") "  objectives:\n");
    for (int i = 0; i <= SLO_FILE_MAX; i++) {
        buffer_append_text(&text, "    - target: 0.9\n");
    }
    assert_int_equal(parse(&file, buffer_text(&text), &error), -1);
    assert_string_equal(error.message, "slos/a.yaml:81: more than 64 objectives");
    buffer_free(&text);
}

/* --- queries ---- */

static void a_query_is_a_counters_selector_or_the_sum_of_one(void **state)
{
    (void)state;
    static const struct {
        const char *query, *selector; /* NULL: refused */
    } cases[] = {
        {"requests_total", "requests_total"},
        {" a:b:c { x = \"1\" , y!~'2|3', } ", "a:b:c { x = \"1\" , y!~'2|3', }"},
        {"up{}", "up{}"},
        {"sum(up{a=`}`})", "up{a=`}`}"},
        {"sum ( up )", "up"},
        {"summary_total", "summary_total"},
        {"sum", "sum"},
        {"up{a=\"\\\"}\"}", "up{a=\"\\\"}\"}"},
        {"", NULL},
        {"sum()", NULL},
        {"sum(up", NULL},
        {"sum(up))", NULL},
        {"sum by (a) (up)", NULL},
        {"sum(rate(up[5m]))", NULL},
        {"up[5m]", NULL},
        {"up offset 5m", NULL},
        {"up + up", NULL},
        {"up{a=\"1\" b=\"2\"}", NULL},
        {"up{a=\"1}", NULL},
        {"up{a=\"\\", NULL},
        {"up{a==\"1\"}", NULL},
        {"up{a=1}", NULL},
        {"up{,}", NULL},
        {"up{", NULL},
        {"{__name__=\"up\"}", NULL},
        {"9lives_total", NULL},
        {"up{a=\"\x01\"}", NULL},
        {"up{a=\"1\",\n b=\"2\"}", NULL},
        {"sum(rate(up[{{.window}}]))", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slo_counter counter = {0};
        const char *trouble = selector_read(cases[i].query, &counter);
        if ((trouble == NULL) != (cases[i].selector != NULL) ||
            (trouble == NULL && (strlen(cases[i].selector) != (size_t)counter.size ||
                                 strncmp(cases[i].selector, counter.text, (size_t)counter.size) != 0))) {
            fail_msg("'%s': %s", cases[i].query, trouble == NULL ? "taken" : trouble);
        }
    }
    struct slo_counter counter;
    assert_non_null(strstr(selector_read("sum(rate(up[{{.window}}]))", &counter), "templates"));
    assert_non_null(strstr(selector_read("up[5m]", &counter), "without a range"));
}

/* --- rules ---- */

static void make_rules(struct buffer *out, const char *text)
{
    struct slo_file file;
    struct error error;
    if (parse(&file, text, &error) != 0) {
        fail_msg("%s", error.message);
    }
    rule_text_write(out, &file, "slos/a.yaml");
    assert_false(out->failed);
    slo_file_free(&file);
}

static const struct yaml_node *find_rule(const struct yaml_node *groups, const char *key, const char *name,
                                         const char *id)
{
    for (size_t g = 0; g < groups->count; g++) {
        const struct yaml_node *rules = yaml_get(groups->items[g], "rules");
        for (size_t i = 0; i < rules->count; i++) {
            const struct yaml_node *value = yaml_get(rules->items[i], key);
            const struct yaml_node *label = yaml_get(yaml_get(rules->items[i], "labels"), "sloth_id");
            if (value != NULL && strcmp(value->text, name) == 0 && strcmp(label->text, id) == 0) {
                return rules->items[i];
            }
        }
    }
    fail_msg("no %s of %s", name, id);
    return NULL;
}

static void each_objective_gets_sloths_recordings_and_every_alert(void **state)
{
    (void)state;
    static const char *const records[] = {"slo:sli_error:ratio_rate5m",
                                          "slo:sli_error:ratio_rate30m",
                                          "slo:sli_error:ratio_rate1h",
                                          "slo:sli_error:ratio_rate2h",
                                          "slo:sli_error:ratio_rate6h",
                                          "slo:sli_error:ratio_rate1d",
                                          "slo:sli_error:ratio_rate3d",
                                          "slo:sli_error:ratio_rate28d",
                                          "slo:objective:ratio",
                                          "slo:error_budget:ratio",
                                          "slo:time_period:days",
                                          "slo:current_burn_rate:ratio",
                                          "slo:period_burn_rate:ratio",
                                          "slo:period_error_budget_remaining:ratio",
                                          "sloth_slo_info",
                                          "slo:sli_bad:increase5m",
                                          "slo:sli_total:increase5m",
                                          "slo:history_covered:ratio"};
    static const char *const alerts[] = {"ErrorBudgetBurnRateFast", "ErrorBudgetBurnRateSlow",
                                         "ErrorBudgetBurnRateSlowest"};
    static const char *const ids[] = {"b-a-0", "b-a-1"};
    struct buffer text;
    struct yaml_tree *tree = NULL;
    struct error error;
    buffer_init(&text, 0);
    make_rules(&text, HEAD "a" SPEC("b")
                          METHOD WINDOW("4w") "  objectives: [{targetPercent: 99.9}, {target: 0.99}]\n");
    assert_int_equal(yaml_tree_parse(&tree, "rules", text.data, text.size, &error), 0);
    const struct yaml_node *groups = yaml_get(yaml_tree_root(tree), "groups");
    for (size_t id = 0; id < 2; id++) {
        for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
            (void)find_rule(groups, "record", records[i], ids[id]);
        }
        for (size_t i = 0; i < sizeof alerts / sizeof alerts[0]; i++) {
            (void)find_rule(groups, "alert", alerts[i], ids[id]);
        }
    }
    const struct yaml_node *budget = find_rule(groups, "record", "slo:error_budget:ratio", "b-a-0");
    assert_string_equal(yaml_get(budget, "expr")->text, "vector(0.001)\n");
    const struct yaml_node *info = find_rule(groups, "record", "sloth_slo_info", "b-a-0");
    assert_string_equal(yaml_get(yaml_get(info, "labels"), "sloth_objective")->text, "99.9");
    yaml_tree_destroy(tree);
    buffer_free(&text);
}

/* --- folders ---- */

struct folders {
    char root[TEST_PATH_BYTES], slos[TEST_PATH_BYTES], rules[TEST_PATH_BYTES], told[TEST_PATH_BYTES];
};

static int make_folders(void **state)
{
    static struct folders folders;
    temp_directory_create(folders.root, "slo-rules");
    path_join(folders.slos, folders.root, "slos");
    path_join(folders.rules, folders.root, "rules");
    path_join(folders.told, folders.root, "told");
    const char *const make[] = {"mkdir", folders.slos, folders.rules, NULL};
    *state = &folders;
    return process_run(make, 5000, NULL);
}

static int remove_folders(void **state)
{
    const struct folders *folders = *state;
    temp_directory_remove(folders->root);
    return 0;
}

static void write_slo(const struct folders *folders, const char *name, const char *text)
{
    char path[TEST_PATH_BYTES];
    path_join(path, folders->slos, name);
    file_write_text(path, text);
}

/* The program's exit code; what it told is in the file `told`. */
static int run(const struct folders *folders, const char *flag)
{
    const char *const argv[] = {
        process_program("slo-rules"), "--slos", folders->slos, "--rules", folders->rules, flag, NULL};
    const struct process_options options = {.log_path = folders->told};
    remove(folders->told);
    struct process *process = process_start(argv, &options);
    const int code = process_wait(process, 20000);
    process_free(process);
    return code;
}

static void rule_files_follow_their_slo_files(void **state)
{
    const struct folders *folders = *state;
    char rules[TEST_PATH_BYTES];
    char other[TEST_PATH_BYTES];
    path_join(rules, folders->rules, "slo-shop.yaml");
    path_join(other, folders->rules, "other.yaml");
    write_slo(folders, "shop.yaml", GOOD("a", "shop", "0.99"));
    file_write_text(other, "groups: []\n");
    assert_int_equal(run(folders, "--check"), 1);
    assert_int_equal(file_count_lines(folders->told, "slo-shop.yaml isn't what"), 1);
    assert_int_equal(file_count_lines(folders->told, "run `make slo-rules`"), 1);
    assert_false(file_exists(rules));
    assert_int_equal(run(folders, NULL), 0);
    assert_int_equal(run(folders, "--check"), 0);
    write_slo(folders, "shop.yaml", GOOD("a", "shop", "0.98"));
    assert_int_equal(run(folders, "--check"), 1);
    assert_int_equal(run(folders, NULL), 0);
    assert_int_equal(file_count_lines(rules, "vector(0.98)"), 1);
    write_slo(folders, "bank.yaml", GOOD("a", "bank", "0.98"));
    assert_int_equal(run(folders, NULL), 0);
    assert_int_equal(file_count_lines(folders->told, "written"), 1);
    char path[TEST_PATH_BYTES];
    path_join(path, folders->slos, "shop.yaml");
    assert_int_equal(remove(path), 0);
    assert_int_equal(run(folders, "--check"), 1);
    assert_true(file_exists(rules));
    assert_int_equal(run(folders, NULL), 0);
    assert_false(file_exists(rules));
    assert_true(file_exists(other));
    assert_int_equal(run(folders, "--check"), 0);
}

static void a_refused_file_leaves_all_rules_as_they_are(void **state)
{
    const struct folders *folders = *state;
    char rules[TEST_PATH_BYTES];
    write_slo(folders, "a.yaml", GOOD("a", "shop", "0.99"));
    write_slo(folders, "b.yaml", GOOD("a", "bank", "1.5"));
    assert_int_equal(run(folders, NULL), 2);
    assert_int_equal(file_count_lines(folders->told, "b.yaml:16: 'target' must be between"), 1);
    path_join(rules, folders->rules, "slo-a.yaml");
    assert_false(file_exists(rules));
    write_slo(folders, "b.yaml", GOOD("a", "shop", "0.5"));
    assert_int_equal(run(folders, NULL), 2);
    assert_int_equal(
        file_count_lines(folders->told,
                         "b.yaml:1: an SLO 'a' of service 'shop' makes the id 'shop-a', as that of"),
        1);
    write_slo(folders, "b.yaml", GOOD("b-c", "a", "0.5") "---\n" GOOD("c", "a-b", "0.5"));
    assert_int_equal(run(folders, NULL), 2);
    write_slo(folders, "B x.yaml", GOOD("a", "bank", "0.9"));
    write_slo(folders, "b.yaml", GOOD("b-c", "a", "0.5"));
    assert_int_equal(run(folders, NULL), 2);
    assert_int_equal(file_count_lines(folders->told, "the file must be called NAME.yaml"), 1);
    assert_false(file_exists(rules));
}

static void exit_codes_are_those_of_every_program(void **state)
{
    const struct folders *folders = *state;
    assert_int_equal(run(folders, "--help"), 0);
    assert_int_equal(file_count_lines(folders->told, "--check"), 1);
    assert_int_equal(run(folders, "--version"), 0);
    assert_int_equal(run(folders, "--no-such-flag"), 2);
    assert_int_equal(run(folders, NULL), 2);
    assert_int_equal(file_count_lines(folders->told, "holds no SLO files"), 1);
    struct folders nowhere = *folders;
    write_slo(folders, "a.yaml", GOOD("a", "shop", "0.99"));
    snprintf(nowhere.rules, sizeof nowhere.rules, "/nowhere/rules");
    assert_int_equal(run(&nowhere, NULL), 1);
    assert_int_equal(file_count_lines(folders->told, "cannot write"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_example_of_openslo_is_taken_or_refused_by_name_and_line),
        cmocka_unit_test(what_is_wrong_is_named_with_its_line),
        cmocka_unit_test(too_many_objectives_are_refused),
        cmocka_unit_test(a_query_is_a_counters_selector_or_the_sum_of_one),
        cmocka_unit_test(each_objective_gets_sloths_recordings_and_every_alert),
        cmocka_unit_test_setup_teardown(rule_files_follow_their_slo_files, make_folders, remove_folders),
        cmocka_unit_test_setup_teardown(a_refused_file_leaves_all_rules_as_they_are, make_folders,
                                        remove_folders),
        cmocka_unit_test_setup_teardown(exit_codes_are_those_of_every_program, make_folders, remove_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
