/* tests/docs/page: what can be tested in the repository's Markdown pages: fenced blocks, headings, links.
 * Functions fail the running test themselves when a page can't be read. */
#ifndef OBS_TESTS_DOCS_PAGE_H
#define OBS_TESTS_DOCS_PAGE_H

#include <stdbool.h>
#include <stddef.h>

struct buffer;

#define PAGE_NAME_BYTES 256

/* The pages whose blocks are tested: README.md, docs/ and runbooks/ with all below, sorted; names relative to
 * the repository. The list is the caller's. */
struct page_list {
    char (*names)[PAGE_NAME_BYTES];
    size_t count;
};
void page_list_find(struct page_list *list);
void page_list_free(struct page_list *list);

/* A fenced block: what stands behind the opening ``` ("sh local"), the line of the first of its lines, and
 * its text without the indentation of the fence. Borrowed for the call. */
struct page_block {
    const char *page, *info, *text;
    unsigned line;
};
void page_each_block(const char *page, void (*take)(void *context, const struct page_block *block),
                     void *context);

/* A word of an info string: page_block_is("sh local changes", "changes"). */
bool page_block_is(const char *info, const char *word);

/* Each expression of a promql block: separated by empty lines. line counts within the page. */
void page_each_expression(const struct page_block *block,
                          void (*take)(void *context, const struct page_block *block, unsigned line,
                                       const char *expression),
                          void *context);

/* The page without its fenced blocks, lines kept. */
void page_read_prose(const char *page, struct buffer *out);

/* "runbooks/x.md" -> its path here, in a ring of 4 texts. */
const char *page_path(const char *name);

#endif
