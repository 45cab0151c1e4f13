/* The rule file as it was when it was read: its text and the rules in it. */
#ifndef STREAM_PROCESSOR_RULES_FILE_H
#define STREAM_PROCESSOR_RULES_FILE_H

#include "buffer/buffer.h"
#include "error/error.h"

struct rule_set;

struct rules_file {
    struct buffer text;
    struct rule_set *rules;
};

/* -1: unreadable or refused; the error names file and line, and nothing is to be freed. */
int rules_file_load(struct rules_file *file, const char *path, struct error *error);
/* The same of a text; name is what errors call it. */
int rules_file_parse(struct rules_file *file, const char *name, const void *text, size_t size,
                     struct error *error);
void rules_file_free(struct rules_file *file); /* fine on a zeroed one, and twice */

#endif
