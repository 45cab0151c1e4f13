#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_file(struct folder_file *file, const char *folder, const char *name, size_t name_size,
                     struct error *error)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *stream = fopen(path, "re");
    if (stream == NULL) {
        return error_set_errno(error, -1, errno, "cannot read %s", path);
    }
    file->name = malloc(name_size + 1 + FOLDER_FILE_BYTES);
    file->size = 0;
    if (file->name != NULL) {
        file->data = file->name + name_size + 1;
        memcpy(file->name, name, name_size);
        file->name[name_size] = '\0';
        file->size = fread(file->data, 1, FOLDER_FILE_BYTES, stream);
    }
    const int more = fgetc(stream);
    (void)fclose(stream);
    if (file->name == NULL || more != EOF) {
        free(file->name);
        return error_set(error, -1, "%s is over %d bytes, or there is no memory for it", path,
                         FOLDER_FILE_BYTES);
    }
    char *shorter = realloc(file->name, name_size + 1 + file->size);
    if (shorter != NULL) {
        file->name = shorter;
        file->data = shorter + name_size + 1;
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct folder_file *)a)->name, ((const struct folder_file *)b)->name);
}

int folder_read(struct folder *folder, const char *path, const char *ending, struct error *error)
{
    const size_t ending_size = strlen(ending);
    *folder = (struct folder){0};
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return errno == ENOENT ? 0 : error_set_errno(error, -1, errno, "cannot read the folder %s", path);
    }
    int result = 0;
    const struct dirent *entry = NULL;
    while (result == 0 && folder->count < FOLDER_FILES && (entry = readdir(directory)) != NULL) {
        const size_t size = strlen(entry->d_name);
        if (entry->d_name[0] != '.' && size > ending_size &&
            strcmp(entry->d_name + size - ending_size, ending) == 0) {
            result = read_file(&folder->files[folder->count], path, entry->d_name, size - ending_size, error);
            folder->count += result == 0;
        }
    }
    (void)closedir(directory);
    if (folder->count > 0) {
        qsort(folder->files, folder->count, sizeof folder->files[0], compare);
    }
    return result;
}

void folder_free(struct folder *folder)
{
    while (folder->count > 0) {
        free(folder->files[--folder->count].name);
    }
}

const struct folder_file *folder_find(const struct folder *folder, const char *name, size_t size)
{
    for (size_t i = 0; i < folder->count; i++) {
        if (strlen(folder->files[i].name) == size && memcmp(folder->files[i].name, name, size) == 0) {
            return &folder->files[i];
        }
    }
    return NULL;
}
