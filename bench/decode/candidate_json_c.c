#include "candidate.h"

#include <json-c/json.h>

int decode_json_c(const char *data, size_t size, struct candidate_event *out)
{
    static struct json_tokener *tokener;
    if (tokener == NULL) {
        tokener = json_tokener_new();
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    }
    json_tokener_reset(tokener);
    struct json_object *tree = json_tokener_parse_ex(tokener, data, (int)size);
    if (tree == NULL) {
        return -1;
    }
    struct json_object *value = NULL;
    for (int i = 0; i < CANDIDATE_TEXTS; i++) {
        if (json_object_object_get_ex(tree, candidate_texts[i], &value)) {
            out->text_bytes += (size_t)json_object_get_string_len(value);
        }
    }
    for (int i = 0; i < CANDIDATE_NUMBERS; i++) {
        if (json_object_object_get_ex(tree, candidate_numbers[i], &value)) {
            out->number_sum += json_object_get_double(value);
        }
    }
    json_object_put(tree);
    return 0;
}
