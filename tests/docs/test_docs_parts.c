/* What the tests of pages and rules read with: blocks of Markdown, queries of dashboards, durations of rules.
 */
#include "buffer/buffer.h"
#include "cmocka_all.h"
#include "docs/dashboard.h"
#include "docs/page.h"
#include "support/accelerated.h"

#include <string.h>

static void check_divided(const char *text, const char *expected)
{
    struct buffer out;
    buffer_init(&out, 0);
    accelerated_text(text, 60, &out);
    assert_string_equal(buffer_text(&out), expected);
    buffer_free(&out);
}

static void ranges_offsets_and_keys_are_divided(void **state)
{
    (void)state;
    check_divided("rate(a[5m])", "rate(a[5000ms])");
    check_divided("max_over_time(a[1h:1m] offset 1d)", "max_over_time(a[60000ms:1000ms] offset 1440000ms)");
    check_divided("a[1h30m:]", "a[90000ms:]");
    check_divided("        for: 3m\n        keep_firing_for: 15m\n",
                  "        for: 3000ms\n        keep_firing_for: 15000ms\n");
    check_divided("  - name: x\n    interval: 5m\n", "  - name: x\n    interval: 5000ms\n");
    check_divided("  group_wait: 30s\n  repeat_interval: 4h\n",
                  "  group_wait: 500ms\n  repeat_interval: 240000ms\n");
}

static void names_thresholds_and_sentences_are_left_alone(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "slo:sli_error:ratio_rate5m > 14",
        "a{window=\"5m\"}",
        "description: above the limit for: 5m or longer",
        "a[5x]",
        "time() - a > 600",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        check_divided(texts[i], texts[i]);
    }
}

static void variables_of_a_dashboard_stand_for_all(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 0);
    dashboard_replace_variables(
        &out, "rate(a{s=~\"$service\",r=~\"${region:regex}\",t=~\"[[t]]\"}[$__rate_interval])"
              " / b[${__range}] # \"^a$\"");
    assert_string_equal(buffer_text(&out), "rate(a{s=~\".+\",r=~\".+\",t=~\".+\"}[1m]) / b[5m] # \"^a$\"");
    buffer_free(&out);
}

static void add_expression(void *context, const struct page_block *block, unsigned line, const char *text)
{
    (void)block;
    buffer_append_format(context, "%u:%s;", line, text);
}

static void an_empty_line_separates_the_expressions_of_a_block(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 0);
    const struct page_block block = {"x.md", "promql", "up\n\n\nsum(\n  a)\n", 10};
    page_each_expression(&block, add_expression, &out);
    assert_string_equal(buffer_text(&out), "10:up ;13:sum(   a) ;");
    buffer_free(&out);
}

static void words_of_an_info_string_are_whole_words(void **state)
{
    (void)state;
    assert_true(page_block_is("sh local changes", "local"));
    assert_true(page_block_is("promql", "promql"));
    assert_false(page_block_is("promql rare", "rar"));
    assert_false(page_block_is("", "sh"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_offsets_and_keys_are_divided),
        cmocka_unit_test(names_thresholds_and_sentences_are_left_alone),
        cmocka_unit_test(variables_of_a_dashboard_stand_for_all),
        cmocka_unit_test(an_empty_line_separates_the_expressions_of_a_block),
        cmocka_unit_test(words_of_an_info_string_are_whole_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
