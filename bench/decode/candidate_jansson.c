#include "candidate.h"

#include <jansson.h>

int decode_jansson(const char *data, size_t size, struct candidate_event *out)
{
    json_t *tree = json_loadb(data, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    if (tree == NULL) {
        return -1;
    }
    for (int i = 0; i < CANDIDATE_TEXTS; i++) {
        out->text_bytes += json_string_length(json_object_get(tree, candidate_texts[i]));
    }
    for (int i = 0; i < CANDIDATE_NUMBERS; i++) {
        out->number_sum += json_number_value(json_object_get(tree, candidate_numbers[i]));
    }
    json_decref(tree);
    return 0;
}
