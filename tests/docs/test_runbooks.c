/* Whoever is paged finds a page, and the page is whole: links, sections, blocks that say what they are for.
 * Whether its queries and commands work is test_live_pages' business. */
#include "buffer/buffer.h"
#include "cmocka_all.h"
#include "docs/alert_list.h"
#include "docs/page.h"
#include "support/files.h"
#include "support/process.h"

#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INDEX "runbooks/README.md"

static struct page_list pages;
static struct alert_list alerts;
static size_t problems; /* counted and printed, so that one run tells all of them */

#define PROBLEM(...) (problems++, print_error(__VA_ARGS__))

static int find_all(void **state)
{
    (void)state;
    page_list_find(&pages);
    alert_list_find(&alerts);
    return 0;
}

static int forget_all(void **state)
{
    (void)state;
    page_list_free(&pages);
    alert_list_free(&alerts);
    return 0;
}

static int begin_case(void **state)
{
    (void)state;
    problems = 0;
    return 0;
}

static bool is_runbook(const char *page)
{
    return strncmp(page, "runbooks/", 9) == 0 && strcmp(page, INDEX) != 0;
}

static void every_alert_links_to_a_page_that_is_there_and_names_it(void **state)
{
    (void)state;
    struct buffer text;
    buffer_init(&text, 0);
    assert_true(alerts.count >= 3);
    for (size_t i = 0; i < alerts.count; i++) {
        const struct alert_link *alert = &alerts.alerts[i];
        if (!is_runbook(alert->page) || !file_exists(page_path(alert->page))) {
            PROBLEM("%s:%d: %s: the runbook '%s' isn't a page of runbooks/\n", alert->file, alert->line,
                    alert->name, alert->link);
            continue;
        }
        buffer_clear(&text);
        file_read(page_path(alert->page), &text);
        if (strstr(buffer_text(&text), alert->name) == NULL) {
            PROBLEM("%s: it doesn't name %s, which links to it\n", alert->page, alert->name);
        }
    }
    buffer_free(&text);
    assert_int_equal(problems, 0);
}

static void the_index_links_to_every_page(void **state)
{
    (void)state;
    struct buffer index;
    char link[PAGE_NAME_BYTES + 4];
    buffer_init(&index, 0);
    file_read(page_path(INDEX), &index);
    for (size_t i = 0; i < pages.count; i++) {
        if (!is_runbook(pages.names[i])) {
            continue;
        }
        snprintf(link, sizeof link, "](%s)", pages.names[i] + strlen("runbooks/"));
        if (strstr(buffer_text(&index), link) == NULL) {
            PROBLEM("%s: " INDEX " doesn't link to it\n", pages.names[i]);
        }
    }
    buffer_free(&index);
    assert_int_equal(problems, 0);
}

static void every_page_is_linked_by_an_alert(void **state)
{
    (void)state;
    for (size_t i = 0; i < pages.count; i++) {
        size_t linked = 0;
        for (size_t a = 0; a < alerts.count; a++) {
            linked += strcmp(alerts.alerts[a].page, pages.names[i]) == 0;
        }
        if (is_runbook(pages.names[i]) && linked == 0) {
            PROBLEM("%s: no alert links to it\n", pages.names[i]);
        }
    }
    assert_int_equal(problems, 0);
}

static void every_page_has_all_sections_in_order(void **state)
{
    (void)state;
    static const char *const sections[] = {
        "\n## Meaning\n",    "\n## Impact\n",     "\n## First five minutes\n", "\n## Triage\n",
        "\n## Mitigation\n", "\n## Escalation\n", "\n## Follow-up\n"};
    struct buffer prose;
    buffer_init(&prose, 0);
    for (size_t i = 0; i < pages.count; i++) {
        if (!is_runbook(pages.names[i])) {
            continue;
        }
        buffer_clear(&prose);
        page_read_prose(pages.names[i], &prose);
        const char *at = buffer_text(&prose);
        for (size_t s = 0; at != NULL && s < sizeof sections / sizeof sections[0]; s++) {
            at = strstr(at, sections[s]);
            if (at == NULL) {
                PROBLEM("%s: no section '%.*s', or not in its place\n", pages.names[i],
                        (int)strlen(sections[s]) - 5, sections[s] + 4);
            } else {
                at++; /* one section's end is the next one's begin */
            }
        }
    }
    buffer_free(&prose);
    assert_int_equal(problems, 0);
}

/* --- blocks ---- */

static bool is_known(const char *info)
{
    static const char *const known[] = {"promql",
                                        "promql rare",
                                        "sh local",
                                        "sh local rare",
                                        "sh local changes",
                                        "sh kubernetes",
                                        "sh kubernetes changes",
                                        "sh local kubernetes",
                                        "sh local kubernetes rare",
                                        "sh local kubernetes changes"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(info, known[i]) == 0) {
            return true;
        }
    }
    return false;
}

struct count {
    size_t queries, local, kubernetes;
};

static void check_block(void *context, const struct page_block *block)
{
    struct count *count = context;
    if (!is_known(block->info)) {
        PROBLEM("%s:%u: a block '%s': " INDEX " names those that there are\n", block->page, block->line,
                block->info);
    }
    if (page_block_is(block->info, "kubernetes") && !page_block_is(block->info, "local") &&
        strstr(block->text, "build/bin/") != NULL) {
        PROBLEM("%s:%u: build/bin/ isn't there on Kubernetes\n", block->page, block->line);
    }
    if (page_block_is(block->info, "local") && strstr(block->text, "kubectl") != NULL) {
        PROBLEM("%s:%u: there is no kubectl on the local stack\n", block->page, block->line);
    }
    count->queries += page_block_is(block->info, "promql");
    count->local += page_block_is(block->info, "local");
    count->kubernetes += page_block_is(block->info, "kubernetes");
}

static void every_block_says_what_it_is_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < pages.count; i++) {
        struct count count = {0};
        if (strncmp(pages.names[i], "runbooks/", 9) != 0) {
            continue;
        }
        page_each_block(pages.names[i], check_block, &count);
        if (is_runbook(pages.names[i]) && (count.queries == 0 || count.local == 0 || count.kubernetes == 0)) {
            PROBLEM("%s: %zu queries, %zu commands of the local stack, %zu of Kubernetes: some of each are "
                    "wanted\n",
                    pages.names[i], count.queries, count.local, count.kubernetes);
        }
    }
    assert_int_equal(problems, 0);
}

static void check_shell(void *context, const struct page_block *block)
{
    size_t *count = context;
    if (!page_block_is(block->info, "sh")) {
        return;
    }
    ++*count;
    if (process_run((const char *const[]){"bash", "-n", "-c", block->text, NULL}, 5000, NULL) != 0) {
        PROBLEM("%s:%u: not valid shell: %s\n", block->page, block->line, block->text);
    }
}

static void every_command_is_valid_shell(void **state)
{
    (void)state;
    size_t count = 0;
    for (size_t i = 0; i < pages.count; i++) {
        page_each_block(pages.names[i], check_shell, &count);
    }
    assert_true(count > 0);
    assert_int_equal(problems, 0);
}

/* --- links ---- */

/* target: what stands between the parentheses. */
static void check_link(const char *page, const char *target, size_t size)
{
    char path[PATH_MAX];
    const char *slash = strrchr(page, '/');
    const int folder = slash == NULL ? 0 : (int)(slash - page) + 1;
    size = strcspn(target, "#)") < size ? strcspn(target, "#)") : size;
    if (size == 0 || strstr(target, "://") == target + strcspn(target, ":)")) {
        return; /* within the page; elsewhere */
    }
    snprintf(path, sizeof path, "%s/%.*s%.*s", OBS_SOURCE_DIR, folder, page, (int)size, target);
    if (!file_exists(path)) {
        PROBLEM("%s: the link (%.*s) leads nowhere\n", page, (int)size, target);
    }
}

static void every_link_leads_to_a_file(void **state)
{
    (void)state;
    struct buffer prose;
    buffer_init(&prose, 0);
    for (size_t i = 0; i < pages.count; i++) {
        buffer_clear(&prose);
        page_read_prose(pages.names[i], &prose);
        for (const char *at = buffer_text(&prose); (at = strstr(at, "](")) != NULL;) {
            at += 2;
            check_link(pages.names[i], at, strcspn(at, ") \n"));
        }
    }
    buffer_free(&prose);
    assert_int_equal(problems, 0);
}

#define CASE(function) cmocka_unit_test_setup(function, begin_case)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_alert_links_to_a_page_that_is_there_and_names_it),
        CASE(every_page_is_linked_by_an_alert),
        CASE(the_index_links_to_every_page),
        CASE(every_page_has_all_sections_in_order),
        CASE(every_block_says_what_it_is_for),
        CASE(every_command_is_valid_shell),
        CASE(every_link_leads_to_a_file),
    };
    return cmocka_run_group_tests(tests, find_all, forget_all);
}
