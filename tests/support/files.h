/* tests/support/files: temporary directories and whole files. Functions fail the running test themselves. */
#ifndef OBS_TESTS_SUPPORT_FILES_H
#define OBS_TESTS_SUPPORT_FILES_H

#include <stdbool.h>
#include <stddef.h>

struct buffer;

#define TEST_PATH_BYTES 512

/* A new empty directory under TMPDIR or /tmp. */
void temp_directory_create(char path[TEST_PATH_BYTES], const char *name);
/* With all it holds. Kept (and its path printed) when OBS_KEEP_TEMP is set. */
void temp_directory_remove(const char *path);

void path_join(char path[TEST_PATH_BYTES], const char *directory, const char *name);
void file_write(const char *path, const void *data, size_t size);
void file_write_text(const char *path, const char *text);
bool file_exists(const char *path);
/* Appended to out. */
void file_read(const char *path, struct buffer *out);
/* How many lines of the file contain text; a missing file has none. */
size_t file_count_lines(const char *path, const char *text);

#endif
