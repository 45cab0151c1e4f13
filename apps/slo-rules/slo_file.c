#include "slo_file.h"

#include "document.h"

#include "yaml/yaml_tree.h"

#include <stdio.h>
#include <string.h>

/* The documents that are SLOs, of a file that was read. */
static int read_documents(struct slo_file *file, struct error *error)
{
    const struct yaml_node *documents = yaml_tree_root(file->tree);
    for (size_t i = 0; i < documents->count; i++) {
        if (document_read(file, documents->items[i], error) != 0) {
            return -1;
        }
    }
    if (file->count == 0) {
        return yaml_refuse(file->tree, documents, error, "there is no SLO in it (kind: SLO)");
    }
    return 0;
}

static int read_stem(struct slo_file *file, const char *name, struct error *error)
{
    static const char ending[] = ".yaml";
    const char *slash = strrchr(name, '/');
    const char *last = slash == NULL ? name : slash + 1;
    const size_t size = strlen(last);
    const size_t stem = size < sizeof ending - 1 ? 0 : size - (sizeof ending - 1);
    if (stem < sizeof file->stem) {
        (void)snprintf(file->stem, sizeof file->stem, "%.*s", (int)stem, last);
    }
    if (strcmp(last + stem, ending) != 0 || !document_is_name(file->stem)) {
        return error_set(
            error, -1, "%s: the file must be called NAME.yaml, NAME being a-z, 0-9 and - (at most 63)", name);
    }
    return 0;
}

static int finish(struct slo_file *file, int read, struct error *error)
{
    if (read != 0 || read_documents(file, error) != 0) {
        slo_file_free(file);
        return -1;
    }
    return 0;
}

int slo_file_load(struct slo_file *file, const char *path, struct error *error)
{
    memset(file, 0, sizeof *file);
    if (read_stem(file, path, error) != 0) {
        return -1;
    }
    return finish(file, yaml_tree_load_documents(&file->tree, path, error), error);
}

int slo_file_parse(struct slo_file *file, const char *name, const void *data, size_t size,
                   struct error *error)
{
    memset(file, 0, sizeof *file);
    if (read_stem(file, name, error) != 0) {
        return -1;
    }
    return finish(file, yaml_tree_parse_documents(&file->tree, name, data, size, error), error);
}

void slo_file_free(struct slo_file *file)
{
    yaml_tree_destroy(file->tree);
    file->tree = NULL;
    file->count = 0;
}
