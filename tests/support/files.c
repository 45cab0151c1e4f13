#include "support/files.h"

#include "buffer/buffer.h"
#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void temp_directory_create(char path[TEST_PATH_BYTES], const char *name)
{
    const char *base = getenv("TMPDIR");
    snprintf(path, TEST_PATH_BYTES, "%s/obs-%s-XXXXXX", base != NULL ? base : "/tmp", name);
    if (mkdtemp(path) == NULL) {
        fail_msg("can't make the directory %s: %s", path, strerror(errno));
    }
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

void temp_directory_remove(const char *path)
{
    if (getenv("OBS_KEEP_TEMP") != NULL) {
        print_message("kept: %s\n", path);
        return;
    }
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0) {
        print_error("can't remove %s: %s\n", path, strerror(errno));
    }
}

void path_join(char path[TEST_PATH_BYTES], const char *directory, const char *name)
{
    if (snprintf(path, TEST_PATH_BYTES, "%s/%s", directory, name) >= TEST_PATH_BYTES) {
        fail_msg("too long a path: %s/%s", directory, name);
    }
}

void file_write(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wbe");
    if (file == NULL) {
        fail_msg("can't write %s: %s", path, strerror(errno));
    }
    const size_t written = fwrite(data, 1, size, file);
    if (fclose(file) != 0 || written != size) {
        fail_msg("can't write %s: %s", path, strerror(errno));
    }
}

void file_write_text(const char *path, const char *text)
{
    file_write(path, text, strlen(text));
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

void file_read(const char *path, struct buffer *out)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fail_msg("can't read %s: %s", path, strerror(errno));
    }
    for (;;) {
        char *room = buffer_reserve(out, 65536);
        assert_non_null(room);
        const ssize_t got = read(fd, room, 65536);
        assert_return_code(got, errno);
        if (got == 0) {
            break;
        }
        out->size += (size_t)got;
    }
    close(fd);
}

size_t file_count_lines(const char *path, const char *text)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    char *line = NULL;
    size_t room = 0, count = 0;
    while (getline(&line, &room, file) >= 0) {
        count += strstr(line, text) != NULL;
    }
    free(line);
    fclose(file);
    return count;
}
