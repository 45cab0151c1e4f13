/* slo-rules on a file that anybody may have written: either it is refused with a sentence that begins with
 * its name, or what is made of it is YAML again, with rules for each objective. */
#include "buffer/buffer.h"
#include "rule_text.h"
#include "slo_file.h"
#include "yaml/yaml_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME "a.yaml"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_rules(const struct slo_file *file)
{
    struct buffer text;
    struct yaml_tree *tree = NULL;
    struct error error;
    buffer_init(&text, 0);
    rule_text_write(&text, file, NAME);
    if (text.size < 1000000) { /* lib/yaml's own limits: 1 MiB, 20 000 values */
        if (yaml_tree_parse(&tree, "rules", text.data, text.size, &error) != 0) {
            if (strstr(error.message, "too many values") == NULL) {
                (void)fprintf(stderr, "%s\n%s", error.message, buffer_text(&text));
                abort();
            }
        } else if (yaml_get(yaml_tree_root(tree), "groups")->count != 2 * file->count) {
            abort();
        }
        yaml_tree_destroy(tree);
    }
    buffer_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slo_file file;
    struct error error;
    if (slo_file_parse(&file, NAME, data, size, &error) == 0) {
        check_rules(&file);
        slo_file_free(&file);
    } else if (strncmp(error.message, NAME ":", sizeof NAME) != 0) {
        abort();
    }
    return 0;
}
