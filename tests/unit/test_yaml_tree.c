#include "yaml/yaml_tree.h"

#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse(struct yaml_tree **tree, const char *text, struct error *error)
{
    return yaml_tree_parse(tree, "a.yaml", text, strlen(text), error);
}

static void a_document_becomes_a_tree_with_lines(void **state)
{
    (void)state;
    struct yaml_tree *tree = NULL;
    struct error error;
    assert_int_equal(parse(&tree,
                           "seed: 42\nfaults:\n  - {type: error_burst, start: 1m30s}\n  - x\nname: \"7\"\n",
                           &error),
                     0);
    const struct yaml_node *root = yaml_tree_root(tree);
    assert_int_equal(root->count, 3);
    int64_t seed = 0;
    assert_int_equal(yaml_read_integer(tree, yaml_get(root, "seed"), "seed", &seed, &error), 0);
    assert_int_equal(seed, 42);
    const struct yaml_node *faults = yaml_get(root, "faults");
    assert_int_equal(faults->kind, YAML_SEQUENCE);
    assert_int_equal(faults->count, 2);
    assert_int_equal(faults->items[0]->line, 3);
    int64_t start_ms = 0;
    assert_int_equal(
        yaml_read_duration_ms(tree, yaml_get(faults->items[0], "start"), "start", &start_ms, &error), 0);
    assert_int_equal(start_ms, 90000);
    assert_int_equal(yaml_read_integer(tree, yaml_get(root, "name"), "name", &seed, &error), -1);
    assert_string_equal(error.message, "a.yaml:5: 'name' must be a whole number, not '7'");
    assert_null(yaml_get(root, "absent"));
    const char *const allowed[] = {"seed", "faults", NULL};
    assert_int_equal(yaml_check_keys(tree, root, allowed, &error), -1);
    assert_string_equal(error.message, "a.yaml:5: unknown key 'name'; allowed: seed, faults");
    yaml_tree_destroy(tree);
}

static void an_empty_document_is_an_empty_mapping(void **state)
{
    (void)state;
    struct yaml_tree *tree = NULL;
    assert_int_equal(parse(&tree, "# only a comment\n", NULL), 0);
    assert_int_equal(yaml_tree_root(tree)->kind, YAML_MAPPING);
    assert_int_equal(yaml_tree_root(tree)->count, 0);
    yaml_tree_destroy(tree);
}

static void bad_documents_are_refused_with_their_line(void **state)
{
    (void)state;
    const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n", "a.yaml:3: 'a' is given twice, first in line 1"},
        {"a: &x 1\n", "a.yaml:1: anchors, aliases and tags are not supported"},
        {"a: 1\nb: *x\n", "a.yaml:2: anchors, aliases and tags are not supported"},
        {"a: !!str 1\n", "a.yaml:1: anchors, aliases and tags are not supported"},
        {"a: 1\n---\nb: 1\n", "a.yaml:2: a second document; one file holds one"},
        {"? [a]\n: 1\n", "a.yaml:1: a key must be plain text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct yaml_tree *tree = NULL;
        struct error error;
        assert_int_equal(parse(&tree, cases[i].text, &error), -1);
        assert_string_equal(error.message, cases[i].message);
        assert_null(tree);
    }
    struct yaml_tree *tree = NULL;
    struct error error;
    assert_int_equal(parse(&tree, "a: [1, 2\nb: }", &error), -1);
    assert_non_null(strstr(error.message, "not valid YAML"));
    char deep[100];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_int_equal(parse(&tree, deep, &error), -1);
    assert_string_equal(error.message, "a.yaml:1: nested too deep (more than 32 levels)");
    assert_int_equal(yaml_tree_load(&tree, "/nonexistent.yaml", &error), -1);
    assert_string_equal(error.message, "cannot open '/nonexistent.yaml': No such file or directory");
}

static void several_documents_are_a_list_of_those_that_hold_something(void **state)
{
    (void)state;
    static const char text[] = "# one\na: 1\n---\n---\nb: 2\nc: 3\n---\n";
    struct yaml_tree *tree = NULL;
    struct error error;
    assert_int_equal(yaml_tree_parse_documents(&tree, "a.yaml", text, sizeof text - 1, &error), 0);
    const struct yaml_node *root = yaml_tree_root(tree);
    assert_int_equal(root->kind, YAML_SEQUENCE);
    assert_int_equal(root->count, 2);
    assert_string_equal(yaml_get(root->items[0], "a")->text, "1");
    assert_int_equal(yaml_get_key(root->items[1], "c")->line, 6);
    assert_null(yaml_get_key(root->items[1], "a"));
    yaml_tree_destroy(tree);
    assert_int_equal(yaml_tree_parse_documents(&tree, "a.yaml", "", 0, &error), 0);
    assert_int_equal(yaml_tree_root(tree)->count, 0);
    yaml_tree_destroy(tree);
    assert_int_equal(yaml_tree_parse_documents(&tree, "a.yaml", "a: 1\n---\nb: *x\n", 15, &error), -1);
    assert_string_equal(error.message, "a.yaml:3: anchors, aliases and tags are not supported");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_documents_are_a_list_of_those_that_hold_something),
        cmocka_unit_test(a_document_becomes_a_tree_with_lines),
        cmocka_unit_test(an_empty_document_is_an_empty_mapping),
        cmocka_unit_test(bad_documents_are_refused_with_their_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
