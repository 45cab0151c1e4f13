#include "rules_file.h"

#include "rule/rule_load.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LIMIT_BYTES 1048576 /* as in lib/yaml */

static int read_text(struct buffer *text, const char *path, struct error *error)
{
    char chunk[16384];
    size_t size;
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        return error_set(error, -1, "%s: cannot be read: %s", path, strerror(errno));
    }
    while ((size = fread(chunk, 1, sizeof chunk, stream)) > 0 && text->size <= LIMIT_BYTES) {
        buffer_append(text, chunk, size);
    }
    bool failed = ferror(stream) != 0;
    (void)fclose(stream);
    if (failed || text->failed) {
        return error_set(error, -1, "%s: cannot be read", path);
    }
    return 0;
}

int rules_file_load(struct rules_file *file, const char *path, struct error *error)
{
    *file = (struct rules_file){0};
    buffer_init(&file->text, 0);
    if (read_text(&file->text, path, error) != 0 ||
        rule_set_parse(&file->rules, path, file->text.data, file->text.size, error) != 0) {
        rules_file_free(file);
        return -1;
    }
    return 0;
}

int rules_file_parse(struct rules_file *file, const char *name, const void *text, size_t size,
                     struct error *error)
{
    *file = (struct rules_file){0};
    buffer_init(&file->text, 0);
    if (!buffer_append(&file->text, text, size)) {
        return error_set(error, -1, "no memory for rules");
    }
    if (rule_set_parse(&file->rules, name, file->text.data, file->text.size, error) != 0) {
        rules_file_free(file);
        return -1;
    }
    return 0;
}

void rules_file_free(struct rules_file *file)
{
    rule_set_destroy(file->rules);
    buffer_free(&file->text);
    file->rules = NULL;
}
