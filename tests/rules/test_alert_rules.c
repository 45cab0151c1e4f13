/* The rules as text: each alert is written once, says who is told, has cases in which it fires and in which
 * it is silent, and its description names the limits that its expression has. Whether the cases hold is
 * promtool's business. */
#include "cmocka_all.h"
#include "yaml/yaml_tree.h"

#include <ctype.h>
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ALERTS  64
#define MAX_NUMBERS 64

struct alert {
    char file[256], name[64];
    const struct yaml_node *rule;
    unsigned fires, silent; /* cases */
};

static struct yaml_tree *trees[MAX_ALERTS];
static size_t tree_count;
static struct alert alerts[MAX_ALERTS];
static size_t alert_count;
static size_t problems; /* counted and printed, so that one run tells all of them */

#define PROBLEM(...) (problems++, print_error(__VA_ARGS__))

static const struct yaml_node *load(const char *path)
{
    struct error error;
    assert_true(tree_count < MAX_ALERTS);
    if (yaml_tree_load(&trees[tree_count], path, &error) != 0) {
        fail_msg("%s", error.message);
    }
    return yaml_tree_root(trees[tree_count++]);
}

static size_t count_of(const struct yaml_node *node)
{
    return node == NULL || node->kind == YAML_SCALAR ? 0 : node->count;
}

static bool is_generated(const char *path)
{
    return strncmp(strrchr(path, '/') + 1, "slo-", 4) == 0;
}

static struct alert *find_alert(const char *name)
{
    for (size_t i = 0; i < alert_count; i++) {
        if (strcmp(alerts[i].name, name) == 0) {
            return &alerts[i];
        }
    }
    return NULL;
}

/* Every objective has the same burn-rate alerts, so of the generated ones the first stands for all. */
static void add_rule(const char *path, const struct yaml_node *rule)
{
    const struct yaml_node *name = yaml_get(rule, "alert");
    if (name == NULL) {
        return;
    }
    const struct alert *known = find_alert(name->text);
    if (known != NULL) {
        if (!is_generated(path) || !is_generated(known->file)) {
            PROBLEM("%s:%d: %s is in %s already\n", path, name->line, name->text, known->file);
        }
        return;
    }
    assert_true(alert_count < MAX_ALERTS);
    struct alert *alert = &alerts[alert_count++];
    snprintf(alert->file, sizeof alert->file, "%s", path);
    snprintf(alert->name, sizeof alert->name, "%s", name->text);
    alert->rule = rule;
}

static void add_file(const char *path)
{
    const struct yaml_node *groups = yaml_get(load(path), "groups");
    for (size_t g = 0; g < count_of(groups); g++) {
        const struct yaml_node *rules = yaml_get(groups->items[g], "rules");
        for (size_t i = 0; i < count_of(rules); i++) {
            add_rule(path, rules->items[i]);
        }
    }
}

static void for_each_file(const char *pattern, void (*take)(const char *path))
{
    glob_t files;
    assert_int_equal(glob(pattern, 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        take(files.gl_pathv[i]);
    }
    globfree(&files);
}

static void each_alert_is_written_once(void **state)
{
    (void)state;
    problems = 0;
    for_each_file(OBS_SOURCE_DIR "/rules/*.yaml", add_file);
    assert_true(alert_count >= 15);
    assert_int_equal(problems, 0);
}

static void each_alert_says_how_bad_who_found_it_and_what_is_wrong(void **state)
{
    (void)state;
    static const char *const annotations[] = {"summary", "description", "runbook_url"};
    problems = 0;
    for (size_t i = 0; i < alert_count; i++) {
        const struct yaml_node *labels = yaml_get(alerts[i].rule, "labels");
        const struct yaml_node *severity = yaml_get(labels, "severity");
        const struct yaml_node *detector = yaml_get(labels, "detector");
        if (severity == NULL ||
            (strcmp(severity->text, "critical") != 0 && strcmp(severity->text, "warning") != 0 &&
             strcmp(severity->text, "none") != 0)) {
            PROBLEM("%s: %s: severity must be critical, warning or none\n", alerts[i].file, alerts[i].name);
        }
        if (detector == NULL || strcmp(detector->text, "prometheus") != 0) {
            PROBLEM("%s: %s: detector must be prometheus\n", alerts[i].file, alerts[i].name);
        }
        for (size_t a = 0; a < 3; a++) {
            if (yaml_get(yaml_get(alerts[i].rule, "annotations"), annotations[a]) == NULL) {
                PROBLEM("%s: %s has no %s\n", alerts[i].file, alerts[i].name, annotations[a]);
            }
        }
    }
    assert_int_equal(problems, 0);
}

/* --- cases ---- */

static void count_case(const char *name, size_t expected)
{
    struct alert *alert = find_alert(name);
    if (alert == NULL) {
        PROBLEM("a case names %s, which isn't an alert\n", name);
    } else if (expected > 0) {
        alert->fires++;
    } else {
        alert->silent++;
    }
}

/* An expression over ALERTS{alertname="NAME"…} is a case as well. */
static void count_expression(const struct yaml_node *test)
{
    static const char begin[] = "ALERTS{alertname=\"";
    char name[64];
    const char *at = strstr(yaml_get(test, "expr")->text, begin);
    if (at != NULL) {
        at += sizeof begin - 1;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "\""), at);
        count_case(name, count_of(yaml_get(test, "exp_samples")));
    }
}

static void count_cases(const char *path)
{
    const struct yaml_node *tests = yaml_get(load(path), "tests");
    for (size_t t = 0; t < count_of(tests); t++) {
        const struct yaml_node *fired = yaml_get(tests->items[t], "alert_rule_test");
        const struct yaml_node *asked = yaml_get(tests->items[t], "promql_expr_test");
        for (size_t i = 0; i < count_of(fired); i++) {
            count_case(yaml_get(fired->items[i], "alertname")->text,
                       count_of(yaml_get(fired->items[i], "exp_alerts")));
        }
        for (size_t i = 0; i < count_of(asked); i++) {
            count_expression(asked->items[i]);
        }
    }
}

static void each_alert_has_cases_that_fire_and_cases_that_do_not(void **state)
{
    (void)state;
    problems = 0;
    for_each_file(OBS_SOURCE_DIR "/tests/rules/*.yaml", count_cases);
    for (size_t i = 0; i < alert_count; i++) {
        const bool always = strcmp(alerts[i].name, "Watchdog") == 0;
        if (alerts[i].fires == 0 || (alerts[i].silent == 0 && !always)) {
            PROBLEM("%s: %s: %u cases in which it fires and %u in which it is silent\n", alerts[i].file,
                    alerts[i].name, alerts[i].fires, alerts[i].silent);
        }
    }
    assert_int_equal(problems, 0);
}

/* --- limits ---- */

struct numbers {
    double values[MAX_NUMBERS];
    size_t count;
};

/* All of them, also those in names and durations: increase10m, [5m]. */
static void add_numbers(struct numbers *numbers, const struct yaml_node *node)
{
    for (const char *at = node == NULL ? "" : node->text; *at != '\0';) {
        char *end = NULL;
        const double value = isdigit((unsigned char)*at) ? strtod(at, &end) : 0;
        if (end == NULL) {
            at++;
            continue;
        }
        assert_true(numbers->count < MAX_NUMBERS);
        numbers->values[numbers->count++] = value;
        at = end;
    }
}

/* As it is, in per cent, in milliseconds. */
static bool has_number(const struct numbers *numbers, double value)
{
    for (size_t i = 0; i < numbers->count; i++) {
        const double is = numbers->values[i];
        if (fabs(is - value) < 1e-9 || fabs(is * 100 - value) < 1e-9 || fabs(is * 1000 - value) < 1e-9) {
            return true;
        }
    }
    return false;
}

/* Of a description without what is in {{…}}, names with digits in them (P99) and classes (5xx). */
static void check_description(const struct alert *alert, const struct numbers *numbers, const char *text)
{
    bool in_word = false;
    while (*text != '\0') {
        if (strncmp(text, "{{", 2) == 0) {
            const char *end = strstr(text, "}}");
            assert_non_null(end);
            text = end + 2;
        } else if (isdigit((unsigned char)*text) && !in_word) {
            char *end = NULL;
            const double value = strtod(text, &end);
            if (*end != 'x' && !has_number(numbers, value)) {
                PROBLEM("%s: %s: its description says %g, its rule doesn't\n", alert->file, alert->name,
                        value);
            }
            text = end;
        } else {
            in_word = isalnum((unsigned char)*text) != 0;
            text++;
        }
    }
}

static void a_description_names_the_limits_of_its_rule(void **state)
{
    (void)state;
    problems = 0;
    for (size_t i = 0; i < alert_count; i++) {
        if (is_generated(alerts[i].file)) {
            continue; /* from one table */
        }
        struct numbers numbers = {0};
        add_numbers(&numbers, yaml_get(alerts[i].rule, "expr"));
        add_numbers(&numbers, yaml_get(alerts[i].rule, "for"));
        add_numbers(&numbers, yaml_get(alerts[i].rule, "keep_firing_for"));
        check_description(&alerts[i], &numbers,
                          yaml_get(yaml_get(alerts[i].rule, "annotations"), "description")->text);
    }
    assert_int_equal(problems, 0);
}

static int free_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < tree_count; i++) {
        yaml_tree_destroy(trees[i]);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_alert_is_written_once),
        cmocka_unit_test(each_alert_says_how_bad_who_found_it_and_what_is_wrong),
        cmocka_unit_test(each_alert_has_cases_that_fire_and_cases_that_do_not),
        cmocka_unit_test(a_description_names_the_limits_of_its_rule),
    };
    return cmocka_run_group_tests(tests, NULL, free_all);
}
