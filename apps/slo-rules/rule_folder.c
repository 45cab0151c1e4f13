#include "rule_folder.h"

#include "rule_text.h"
#include "slo_file.h"

#include "buffer/buffer.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX      "slo-"
#define ENDING      ".yaml"
#define PATH_BYTES  4096
#define LIMIT_BYTES 16777216 /* a rule file */

struct source {
    struct slo_file file;
    char path[PATH_BYTES];
};

struct sources {
    struct source **items; /* by name */
    size_t count;
};

static bool ends_with(const char *text, const char *ending)
{
    const size_t size = strlen(text);
    const size_t ending_size = strlen(ending);
    return size >= ending_size && strcmp(text + size - ending_size, ending) == 0;
}

static int is_yaml(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && ends_with(entry->d_name, ENDING) ? 1 : 0;
}

static int is_rules(const struct dirent *entry)
{
    return strncmp(entry->d_name, PREFIX, sizeof PREFIX - 1) == 0 && is_yaml(entry) ? 1 : 0;
}

static void free_entries(struct dirent **entries, int count)
{
    for (int i = 0; i < count; i++) {
        free(entries[i]);
    }
    free((void *)entries);
}

/* --- the SLO files ---- */

static void free_sources(struct sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        slo_file_free(&sources->items[i]->file);
        free(sources->items[i]);
    }
    free((void *)sources->items);
}

static int load_source(struct sources *sources, const char *folder, const char *name, struct error *error)
{
    struct source *source = calloc(1, sizeof *source);
    if (source == NULL) {
        return error_set(error, FOLDER_FAILED, "no memory");
    }
    (void)snprintf(source->path, sizeof source->path, "%s/%s", folder, name);
    if (access(source->path, R_OK) != 0) {
        (void)error_set_errno(error, FOLDER_FAILED, errno, "cannot read %s", source->path);
        free(source);
        return FOLDER_FAILED;
    }
    if (slo_file_load(&source->file, source->path, error) != 0) {
        free(source);
        return FOLDER_REFUSED;
    }
    sources->items[sources->count++] = source;
    return FOLDER_DONE;
}

static int load_entries(struct sources *sources, const char *folder, struct dirent **entries, int count,
                        struct error *error)
{
    if (count == 0) {
        return error_set(error, FOLDER_REFUSED, "%s holds no SLO files (NAME.yaml)", folder);
    }
    sources->items = (struct source **)calloc((size_t)count, sizeof(struct source *));
    if (sources->items == NULL) {
        return error_set(error, FOLDER_FAILED, "no memory");
    }
    int result = FOLDER_DONE;
    for (int i = 0; i < count && result == FOLDER_DONE; i++) {
        result = load_source(sources, folder, entries[i]->d_name, error);
    }
    return result;
}

static int load_sources(struct sources *sources, const char *folder, struct error *error)
{
    struct dirent **entries = NULL;
    const int count = scandir(folder, &entries, is_yaml, alphasort);
    if (count < 0) {
        return error_set_errno(error, FOLDER_FAILED, errno, "cannot read %s", folder);
    }
    const int result = load_entries(sources, folder, entries, count, error);
    free_entries(entries, count);
    return result;
}

/* Is the id of the slo-th SLO of a source taken by an earlier one? */
static int check_id(const struct sources *sources, size_t source, size_t slo, struct error *error)
{
    const struct slo *mine = &sources->items[source]->file.slos[slo];
    for (size_t i = 0; i <= source; i++) {
        const struct slo_file *file = &sources->items[i]->file;
        for (size_t k = 0; k < (i == source ? slo : file->count); k++) {
            if (strcmp(file->slos[k].id, mine->id) == 0) {
                return error_set(
                    error, FOLDER_REFUSED,
                    "%s:%d: an SLO '%s' of service '%s' makes the id '%s', as that of %s:%d does",
                    sources->items[source]->path, mine->line, mine->name, mine->service, mine->id,
                    sources->items[i]->path, file->slos[k].line);
            }
        }
    }
    return FOLDER_DONE;
}

static int check_ids(const struct sources *sources, struct error *error)
{
    for (size_t i = 0; i < sources->count; i++) {
        for (size_t k = 0; k < sources->items[i]->file.count; k++) {
            if (check_id(sources, i, k, error) != 0) {
                return FOLDER_REFUSED;
            }
        }
    }
    return FOLDER_DONE;
}

/* --- the rule files ---- */

/* A missing file differs from every text. */
static bool holds(const char *path, const struct buffer *text)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    struct buffer is;
    char block[4096];
    size_t got = 0;
    buffer_init(&is, LIMIT_BYTES);
    while ((got = fread(block, 1, sizeof block, file)) > 0) {
        buffer_append(&is, block, got);
    }
    const bool same = ferror(file) == 0 && !is.failed && is.size == text->size &&
                      (is.size == 0 || memcmp(is.data, text->data, is.size) == 0);
    buffer_free(&is);
    (void)fclose(file);
    return same;
}

/* Whole or not at all: Prometheus may read it at any moment. */
static int write_whole(const char *path, const struct buffer *text, struct error *error)
{
    char beside[PATH_BYTES + 8];
    (void)snprintf(beside, sizeof beside, "%s.new", path);
    FILE *file = fopen(beside, "we");
    if (file == NULL) {
        return error_set_errno(error, FOLDER_FAILED, errno, "cannot write %s", beside);
    }
    const size_t written = fwrite(text->data, 1, text->size, file);
    if (fclose(file) != 0 || written != text->size || rename(beside, path) != 0) {
        const int reason = errno;
        (void)unlink(beside);
        return error_set_errno(error, FOLDER_FAILED, reason, "cannot write %s", path);
    }
    return FOLDER_DONE;
}

static int make_file(struct folder_work *work, const struct source *source, bool check_only,
                     struct error *error)
{
    char path[PATH_BYTES];
    struct buffer text;
    buffer_init(&text, LIMIT_BYTES);
    rule_text_write(&text, &source->file, source->path);
    (void)snprintf(path, sizeof path, "%s/" PREFIX "%s" ENDING, work->rules, source->file.stem);
    int result = FOLDER_DONE;
    if (text.failed) {
        result = error_set(error, FOLDER_FAILED, "no memory for %s", path);
    } else if (!holds(path, &text)) {
        work->changed++;
        (void)fprintf(work->told, check_only ? "%s isn't what %s says\n" : "%s written, from %s\n", path,
                      source->path);
        result = check_only ? FOLDER_DONE : write_whole(path, &text, error);
    }
    buffer_free(&text);
    return result;
}

static bool has_source(const struct sources *sources, const char *rules)
{
    const size_t size = strlen(rules) - (sizeof PREFIX - 1) - (sizeof ENDING - 1);
    for (size_t i = 0; i < sources->count; i++) {
        const char *stem = sources->items[i]->file.stem;
        if (strlen(stem) == size && memcmp(stem, rules + sizeof PREFIX - 1, size) == 0) {
            return true;
        }
    }
    return false;
}

static int remove_file(struct folder_work *work, const char *name, bool check_only, struct error *error)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", work->rules, name);
    work->changed++;
    (void)fprintf(work->told,
                  check_only ? "%s has no SLO file any more\n" : "%s removed, its SLO file has gone\n", path);
    if (!check_only && unlink(path) != 0) {
        return error_set_errno(error, FOLDER_FAILED, errno, "cannot remove %s", path);
    }
    return FOLDER_DONE;
}

static int remove_others(struct folder_work *work, const struct sources *sources, bool check_only,
                         struct error *error)
{
    struct dirent **entries = NULL;
    const int count = scandir(work->rules, &entries, is_rules, alphasort);
    if (count < 0) {
        return error_set_errno(error, FOLDER_FAILED, errno, "cannot read %s", work->rules);
    }
    int result = FOLDER_DONE;
    for (int i = 0; i < count && result == FOLDER_DONE; i++) {
        if (!has_source(sources, entries[i]->d_name)) {
            result = remove_file(work, entries[i]->d_name, check_only, error);
        }
    }
    free_entries(entries, count);
    return result;
}

int rule_folder_make(struct folder_work *work, bool check_only, struct error *error)
{
    struct sources sources = {0};
    work->changed = 0;
    int result = load_sources(&sources, work->slos, error);
    if (result == FOLDER_DONE) {
        result = check_ids(&sources, error);
    }
    for (size_t i = 0; i < sources.count && result == FOLDER_DONE; i++) {
        result = make_file(work, sources.items[i], check_only, error);
    }
    if (result == FOLDER_DONE) {
        result = remove_others(work, &sources, check_only, error);
    }
    free_sources(&sources);
    return result;
}
