#include "docs/page.h"

#include "buffer/buffer.h"
#include "cmocka_all.h"
#include "support/files.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *page_path(const char *name)
{
    static char paths[4][TEST_PATH_BYTES];
    static unsigned next;
    char *path = paths[next++ % 4];
    path_join(path, OBS_SOURCE_DIR, name);
    return path;
}

/* --- which pages ---- */

/* nftw has no context of its own. */
static struct page_list *found;

static bool ends_with(const char *text, const char *end)
{
    const size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

static int add_page(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)where;
    if (type == FTW_F && ends_with(path, ".md")) {
        found->names = realloc(found->names, (found->count + 1) * sizeof found->names[0]);
        assert_non_null(found->names);
        snprintf(found->names[found->count++], PAGE_NAME_BYTES, "%s", path + strlen(OBS_SOURCE_DIR) + 1);
    }
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

void page_list_find(struct page_list *list)
{
    static const char *const roots[] = {"README.md", "docs", "runbooks"};
    memset(list, 0, sizeof *list);
    found = list;
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        assert_int_equal(nftw(page_path(roots[i]), add_page, 16, FTW_PHYS), 0);
    }
    qsort(list->names, list->count, sizeof list->names[0], compare_names);
}

void page_list_free(struct page_list *list)
{
    free(list->names);
    memset(list, 0, sizeof *list);
}

/* --- blocks ---- */

struct reader {
    struct buffer text; /* the whole page */
    const char *at;
    unsigned line;
    struct buffer row; /* the line that was read last, without its end */
};

static void reader_open(struct reader *reader, const char *page)
{
    memset(reader, 0, sizeof *reader);
    buffer_init(&reader->text, 0);
    buffer_init(&reader->row, 0);
    file_read(page_path(page), &reader->text);
    reader->at = buffer_text(&reader->text);
}

static void reader_close(struct reader *reader)
{
    buffer_free(&reader->row);
    buffer_free(&reader->text);
}

static bool next_row(struct reader *reader)
{
    if (*reader->at == '\0') {
        return false;
    }
    const size_t size = strcspn(reader->at, "\n");
    buffer_clear(&reader->row);
    buffer_append(&reader->row, reader->at, size);
    reader->at += size + (reader->at[size] == '\n');
    reader->line++;
    return true;
}

/* The indentation when the row opens or closes a block; -1 otherwise. */
static int fence_indent(const char *row)
{
    const size_t indent = strspn(row, " ");
    return strncmp(row + indent, "```", 3) == 0 ? (int)indent : -1;
}

static void append_unindented(struct buffer *out, const char *row, size_t indent)
{
    const size_t spaces = strspn(row, " ");
    buffer_append_text(out, row + (spaces < indent ? spaces : indent));
    buffer_append_char(out, '\n');
}

void page_each_block(const char *page, void (*take)(void *context, const struct page_block *block),
                     void *context)
{
    struct reader reader;
    struct buffer text;
    char info[128];
    buffer_init(&text, 0);
    reader_open(&reader, page);
    while (next_row(&reader)) {
        const int indent = fence_indent(buffer_text(&reader.row));
        if (indent < 0) {
            continue;
        }
        snprintf(info, sizeof info, "%s", buffer_text(&reader.row) + indent + 3);
        const unsigned line = reader.line + 1;
        bool closed = false;
        buffer_clear(&text);
        while (!closed && next_row(&reader)) {
            closed = fence_indent(buffer_text(&reader.row)) >= 0;
            if (!closed) {
                append_unindented(&text, buffer_text(&reader.row), (size_t)indent);
            }
        }
        if (!closed) {
            fail_msg("%s:%u: the block isn't closed", page, line);
        }
        const struct page_block block = {page, info, buffer_text(&text), line};
        take(context, &block);
    }
    reader_close(&reader);
    buffer_free(&text);
}

bool page_block_is(const char *info, const char *word)
{
    const size_t size = strlen(word);
    while (*info != '\0') {
        info += strspn(info, " ");
        const size_t length = strcspn(info, " ");
        if (length == size && memcmp(info, word, size) == 0) {
            return true;
        }
        info += length;
    }
    return false;
}

void page_each_expression(const struct page_block *block,
                          void (*take)(void *context, const struct page_block *block, unsigned line,
                                       const char *expression),
                          void *context)
{
    struct buffer expression;
    unsigned line = block->line, begin = line;
    buffer_init(&expression, 0);
    for (const char *at = block->text;; line++) {
        const size_t size = strcspn(at, "\n");
        const bool is_empty = strspn(at, " ") == size;
        if (!is_empty) {
            begin = expression.size == 0 ? line : begin;
            buffer_append(&expression, at, size);
            buffer_append_char(&expression, ' ');
        } else if (expression.size > 0) {
            take(context, block, begin, buffer_text(&expression));
            buffer_clear(&expression);
        }
        if (at[size] == '\0') {
            break;
        }
        at += size + 1;
    }
    if (expression.size > 0) {
        take(context, block, begin, buffer_text(&expression));
    }
    buffer_free(&expression);
}

void page_read_prose(const char *page, struct buffer *out)
{
    struct reader reader;
    bool in_block = false;
    reader_open(&reader, page);
    while (next_row(&reader)) {
        const bool is_fence = fence_indent(buffer_text(&reader.row)) >= 0;
        if (!is_fence && !in_block) {
            buffer_append_text(out, buffer_text(&reader.row));
        }
        buffer_append_char(out, '\n');
        in_block = in_block != is_fence;
    }
    reader_close(&reader);
}
