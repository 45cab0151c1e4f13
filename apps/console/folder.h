/* The files of one folder with one ending, read at start: dashboards, runbooks. A name that is asked for is
 * only ever compared with those that were found, so no name can lead out of the folder. Read-only after that:
 * any thread. */
#ifndef CONSOLE_FOLDER_H
#define CONSOLE_FOLDER_H

#include "error/error.h"

#include <stddef.h>

#define FOLDER_FILES      64
#define FOLDER_FILE_BYTES 1048576

struct folder_file {
    char *name; /* without the ending; one allocation at name */
    char *data;
    size_t size;
};

struct folder {
    struct folder_file files[FOLDER_FILES]; /* sorted by name */
    size_t count;
};

/* A folder that isn't there has no files; -1: a file can't be read or is too large. ending: ".json" */
int folder_read(struct folder *folder, const char *path, const char *ending, struct error *error);
void folder_free(struct folder *folder);
const struct folder_file *folder_find(const struct folder *folder, const char *name,
                                      size_t size); /* NULL: none */

#endif
