/* The umbrella chart makes the topics on a cluster, and the programs refuse one that isn't as lib/topics
 * says: they must agree. */
#include "topics/topics.h"
#include "yaml/yaml_tree.h"

#include "cmocka_all.h"

#include <string.h>

#define VALUES      OBS_SOURCE_DIR "/helm/observability-platform/values.yaml"
#define HOUR_MS     INT64_C(3600000)
#define DEFAULT_MAX INT64_C(0)

struct chart {
    struct yaml_tree *tree;
    const struct yaml_node *topics;
};

static int open_chart(void **state)
{
    static struct chart chart;
    struct error error;
    if (yaml_tree_load(&chart.tree, VALUES, &error) != 0) {
        fail_msg("%s", error.message);
    }
    chart.topics = yaml_get(yaml_get(yaml_tree_root(chart.tree), "kafka"), "topics");
    *state = &chart;
    return 0;
}

static int close_chart(void **state)
{
    struct chart *chart = *state;
    yaml_tree_destroy(chart->tree);
    return 0;
}

static int64_t integer_of(const struct chart *chart, const struct yaml_node *topic, const char *key,
                          int64_t absent)
{
    const struct yaml_node *node = yaml_get(topic, key);
    struct error error;
    int64_t value = absent;
    if (node != NULL && yaml_read_integer(chart->tree, node, key, &value, &error) != 0) {
        fail_msg("%s", error.message);
    }
    return value;
}

static const struct yaml_node *topic_named(const struct chart *chart, const char *name)
{
    for (size_t i = 0; i < chart->topics->count; i++) {
        if (strcmp(yaml_get(chart->topics->items[i], "name")->text, name) == 0) {
            return chart->topics->items[i];
        }
    }
    fail_msg("%s has no topic %s", VALUES, name);
    return NULL;
}

static void the_chart_makes_each_topic_as_the_programs_want_it(void **state)
{
    const struct chart *chart = *state;
    assert_non_null(chart->topics);
    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        const struct bus_topic *wanted = &topics_all()[i];
        const struct yaml_node *made = topic_named(chart, wanted->name);
        assert_int_equal(integer_of(chart, made, "partitions", 0), wanted->partitions);
        assert_int_equal(integer_of(chart, made, "retentionHours", 0) * HOUR_MS, wanted->retention_ms);
        assert_int_equal(integer_of(chart, made, "maxMessageBytes", DEFAULT_MAX), wanted->max_message_bytes);
        assert_int_equal(yaml_get(made, "compacted") != NULL, wanted->compacted);
    }
}

static void the_chart_makes_no_other_topic(void **state)
{
    const struct chart *chart = *state;
    assert_int_equal(chart->topics->count, TOPIC_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chart_makes_each_topic_as_the_programs_want_it),
        cmocka_unit_test(the_chart_makes_no_other_topic),
    };
    return cmocka_run_group_tests(tests, open_chart, close_chart);
}
