#include "candidate.h"

#include <cjson/cJSON.h>

int decode_cjson(const char *data, size_t size, struct candidate_event *out)
{
    cJSON *tree = cJSON_ParseWithLength(data, size);
    if (tree == NULL) {
        return -1;
    }
    for (int i = 0; i < CANDIDATE_TEXTS; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(tree, candidate_texts[i]);
        if (cJSON_IsString(item)) {
            out->text_bytes += strlen(item->valuestring);
        }
    }
    for (int i = 0; i < CANDIDATE_NUMBERS; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(tree, candidate_numbers[i]);
        if (cJSON_IsNumber(item)) {
            out->number_sum += item->valuedouble;
        }
    }
    cJSON_Delete(tree);
    return 0;
}
