/* What is printed in README, docs/, runbooks/ and dashboards/ works: every query is asked of the real
 * Prometheus of a local stack with traffic, every command marked local is run there. One stack for all of it.
 * Its rules run FACTOR times faster (support/accelerated), so that what is recorded every 5 minutes is there
 * in seconds.
 */
#include "buffer/buffer.h"
#include "clock/clock.h"
#include "cmocka_all.h"
#include "docs/dashboard.h"
#include "docs/page.h"
#include "support/accelerated.h"
#include "support/files.h"
#include "support/process.h"
#include "support/prometheus.h"
#include "support/stack.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FACTOR = 15, START_TIMEOUT_MS = 30000, DATA_TIMEOUT_MS = 60000, COMMAND_TIMEOUT_MS = 20000 };

static struct stack stack;
static struct page_list pages;
static char folder[TEST_PATH_BYTES]; /* looks like the repository after make local: build, var, config … */
static size_t problems;

#define PROBLEM(...) (problems++, print_error(__VA_ARGS__))

/* --- the stack ---- */

static void link_into_folder(const char *target, const char *name)
{
    char path[TEST_PATH_BYTES];
    path_join(path, folder, name);
    assert_return_code(symlink(target, path), 0);
}

static void make_folder(void)
{
    path_join(folder, stack.directory, "repository");
    assert_int_equal(process_run((const char *const[]){"mkdir", folder, NULL}, 5000, NULL), 0);
    link_into_folder(OBS_BIN_DIR "/..", "build");
    link_into_folder(stack.data, "var");
    link_into_folder(OBS_SOURCE_DIR "/config", "config");
    link_into_folder(OBS_SOURCE_DIR "/rules", "rules");
    link_into_folder(OBS_SOURCE_DIR "/contracts", "contracts");
}

/* So that there is something to see where dead letters are looked at. */
static void send_a_malformed_event(void)
{
    char path[TEST_PATH_BYTES];
    path_join(path, stack.directory, "malformed");
    file_write_text(path, "{\"id\":\"1\",\n");
    const struct process_options options = {.stdin_path = path, .log_path = stack.output};
    struct process *process =
        process_start((const char *const[]){process_program("buscat"), "produce", "metrics.raw", "--bus-url",
                                            stack.bus_url, NULL},
                      &options);
    assert_int_equal(process_wait(process, 10000), 0);
    process_free(process);
}

static int start_stack(void **state)
{
    (void)state;
    stack_create(&stack);
    page_list_find(&pages);
    stack_start(&stack, (const char *const[]){"--source", accelerated_source(&stack, FACTOR),
                                              accelerated_scrape_interval(FACTOR), NULL});
    stack_wait_until_up(&stack, START_TIMEOUT_MS);
    make_folder();
    send_a_malformed_event();
    return 0;
}

static int stop_stack(void **state)
{
    (void)state;
    page_list_free(&pages);
    stack_destroy(&stack);
    return 0;
}

/* --- queries ---- */

struct query {
    char where[PAGE_NAME_BYTES + 160];
    char *expression;
    bool rare, has_exemplars, answered;
};

struct query_list {
    struct query *queries;
    size_t count, open;
};

static struct query *add_query(struct query_list *list, const char *expression, bool rare)
{
    list->queries = realloc(list->queries, (list->count + 1) * sizeof list->queries[0]);
    assert_non_null(list->queries);
    struct query *query = &list->queries[list->count++];
    memset(query, 0, sizeof *query);
    query->expression = strdup(expression);
    query->rare = rare;
    return query;
}

static void add_expression(void *context, const struct page_block *block, unsigned line,
                           const char *expression)
{
    struct query *query = add_query(context, expression, page_block_is(block->info, "rare"));
    snprintf(query->where, sizeof query->where, "%s:%u", block->page, line);
}

static void add_block(void *context, const struct page_block *block)
{
    if (page_block_is(block->info, "promql")) {
        page_each_expression(block, add_expression, context);
    }
}

static void add_panel(void *context, const struct dashboard_query *panel)
{
    struct query *query = add_query(context, panel->expression, panel->rare);
    snprintf(query->where, sizeof query->where, "%s, '%s'", panel->file, panel->panel);
    query->has_exemplars = panel->has_exemplars;
}

static bool has_what_it_shows(const struct query *query)
{
    return !query->has_exemplars ||
           prometheus_has_exemplars(stack_url(&stack, STACK_PROMETHEUS, ""), query->expression);
}

static void ask(struct query_list *list)
{
    struct buffer answer;
    buffer_init(&answer, 0);
    list->open = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct query *query = &list->queries[i];
        if (query->answered) {
            continue;
        }
        const int samples =
            prometheus_try(stack_url(&stack, STACK_PROMETHEUS, ""), query->expression, &answer);
        if (samples < 0) {
            PROBLEM("%s: %s\n    %s\n", query->where, query->expression, buffer_text(&answer));
        }
        query->answered = query->rare || (samples != 0 && has_what_it_shows(query));
        list->open += !query->answered;
    }
    buffer_free(&answer);
}

static void every_query_is_valid_and_all_but_the_rare_ones_have_data(void **state)
{
    (void)state;
    struct query_list list = {0};
    for (size_t i = 0; i < pages.count; i++) {
        page_each_block(pages.names[i], add_block, &list);
    }
    dashboard_each_query(add_panel, &list);
    assert_true(list.count > 20);
    problems = 0;
    const int64_t begin_ms = clock_steady_ms(clock_system());
    ask(&list);
    while (list.open > 0 && clock_steady_ms(clock_system()) - begin_ms < DATA_TIMEOUT_MS) {
        process_sleep_ms(1000);
        ask(&list);
    }
    print_message("  %zu queries, all answered after %.0f s\n", list.count,
                  (double)(clock_steady_ms(clock_system()) - begin_ms) / 1000);
    for (size_t i = 0; i < list.count; i++) {
        if (!list.queries[i].answered) {
            PROBLEM("%s: no data (or no exemplars): %s\n", list.queries[i].where, list.queries[i].expression);
        }
        free(list.queries[i].expression);
    }
    free(list.queries);
    assert_int_equal(problems, 0);
}

static void no_rule_fails_to_evaluate(void **state)
{
    (void)state;
    const char *prometheus = stack_url(&stack, STACK_PROMETHEUS, "");
    assert_true(prometheus_value(prometheus, "sum(prometheus_rule_evaluations_total)") > 0);
    assert_true(prometheus_value(prometheus, "sum(prometheus_rule_evaluation_failures_total)") == 0);
}

/* --- commands ---- */

/* Every address of the pages is one of the stack's, which runs on other ports here. */
static void move_ports(const char *text, struct buffer *out)
{
    static const char host[] = "127.0.0.1:";
    while (*text != '\0') {
        if (strncmp(text, host, sizeof host - 1) == 0 && isdigit((unsigned char)text[sizeof host - 1])) {
            char *end = NULL;
            const long port = strtol(text + sizeof host - 1, &end, 10);
            buffer_append_format(out, "%s%ld", host, port + stack.port_offset);
            text = end;
        } else {
            buffer_append_char(out, *text++);
        }
    }
}

/* The exit code; output gets what it printed. */
static int run_block(const char *text, struct buffer *output, struct buffer *complaints)
{
    char address[64], out_path[TEST_PATH_BYTES], error_path[TEST_PATH_BYTES];
    struct buffer script;
    buffer_init(&script, 0);
    buffer_append_text(&script, "set -euo pipefail\n");
    move_ports(text, &script);
    snprintf(address, sizeof address, "OBS_ADDRESS=127.0.0.1:%d", STACK_PROCESSOR + stack.port_offset);
    path_join(out_path, stack.directory, "command.out");
    path_join(error_path, stack.directory, "command.err");
    (void)remove(error_path);
    const struct process_options options = {.log_path = error_path,
                                            .stdout_path = out_path,
                                            .directory = folder,
                                            .environment = (const char *const[]){address, NULL}};
    struct process *process =
        process_start((const char *const[]){"bash", "-c", buffer_text(&script), NULL}, &options);
    const int code = process_wait(process, COMMAND_TIMEOUT_MS);
    process_free(process);
    file_read(out_path, output);
    if (file_exists(error_path)) {
        file_read(error_path, complaints);
    }
    buffer_free(&script);
    return code;
}

static void check_command(void *context, const struct page_block *block)
{
    enum { WRITER_WAS_CUT_OFF = 141 }; /* … | head */
    struct buffer output, complaints;
    size_t *count = context;
    if (!page_block_is(block->info, "sh") || !page_block_is(block->info, "local") ||
        page_block_is(block->info, "changes")) {
        return;
    }
    ++*count;
    buffer_init(&output, 0);
    buffer_init(&complaints, 0);
    const int code = run_block(block->text, &output, &complaints);
    if (code != 0 && code != WRITER_WAS_CUT_OFF) {
        PROBLEM("%s:%u: exit code %d: %s%s\n", block->page, block->line, code, block->text,
                buffer_text(&complaints));
    } else if (output.size == 0 && !page_block_is(block->info, "rare")) {
        PROBLEM("%s:%u: it prints nothing: %s\n", block->page, block->line, block->text);
    }
    buffer_free(&complaints);
    buffer_free(&output);
}

static void every_local_command_works_as_printed(void **state)
{
    (void)state;
    size_t count = 0;
    problems = 0;
    for (size_t i = 0; i < pages.count; i++) {
        page_each_block(pages.names[i], check_command, &count);
    }
    print_message("  %zu blocks of commands\n", count);
    assert_true(count > 10);
    assert_int_equal(problems, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_query_is_valid_and_all_but_the_rare_ones_have_data),
        cmocka_unit_test(no_rule_fails_to_evaluate),
        cmocka_unit_test(every_local_command_works_as_printed),
    };
    return cmocka_run_group_tests(tests, start_stack, stop_stack);
}
