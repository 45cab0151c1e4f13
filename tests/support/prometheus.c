#include "support/prometheus.h"

#include "buffer/buffer.h"
#include "cmocka_all.h"
#include "support/files.h"
#include "support/net.h"
#include "support/process.h"
#include "json/json_read.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE_MS 30000

struct process *prometheus_start(const char *directory, const char *config, const char *features,
                                 char base[PROMETHEUS_BASE_BYTES])
{
    char path[TEST_PATH_BYTES], log_path[TEST_PATH_BYTES], ready[PROMETHEUS_BASE_BYTES + 16];
    char config_flag[TEST_PATH_BYTES + 32], data_flag[TEST_PATH_BYTES + 32], listen_flag[64],
        feature_flag[128];
    const unsigned port = net_free_port();
    path_join(path, directory, "prometheus.yml");
    path_join(log_path, directory, "prometheus.log");
    file_write_text(path, config);
    snprintf(base, PROMETHEUS_BASE_BYTES, "http://127.0.0.1:%u", port);
    snprintf(ready, sizeof ready, "%s/-/ready", base);
    snprintf(config_flag, sizeof config_flag, "--config.file=%s", path);
    snprintf(data_flag, sizeof data_flag, "--storage.tsdb.path=%s/data", directory);
    snprintf(listen_flag, sizeof listen_flag, "--web.listen-address=127.0.0.1:%u", port);
    snprintf(feature_flag, sizeof feature_flag, "--enable-feature=%s", features == NULL ? "" : features);
    const char *const argv[] = {
        "prometheus", config_flag, data_flag, listen_flag, features == NULL ? NULL : feature_flag, NULL};
    const struct process_options options = {.log_path = log_path};
    struct process *prometheus = process_start(argv, &options);
    net_wait_for(ready, 200, PATIENCE_MS);
    return prometheus;
}

/* {"status":"success","data":{"result":[{"metric":{"name":"value"},"value":[time,"1.5"]}]}}
 *  depth 1              2          3     4         5                4      5            */
struct reading {
    void (*take)(void *context, const struct prometheus_sample *sample);
    void *context;
    struct prometheus_sample sample;
    char key[4][32]; /* of depth 1 … 4 */
    bool success;
    size_t count;
};

static void copy(char *out, size_t out_bytes, const char *text, size_t size)
{
    snprintf(out, out_bytes, "%.*s", (int)size, text);
}

static bool take_token(void *context, enum json_token token, uint32_t depth, const char *text, size_t size)
{
    struct reading *reading = context;
    struct prometheus_sample *sample = &reading->sample;
    const bool in_metric = depth == 5 && strcmp(reading->key[3], "metric") == 0;
    const bool in_value = depth == 5 && strcmp(reading->key[3], "value") == 0;
    if (token == JSON_TOKEN_KEY && in_metric) {
        assert_true(sample->label_count < PROMETHEUS_LABELS);
        copy(sample->names[sample->label_count], sizeof sample->names[0], text, size);
    } else if (token == JSON_TOKEN_KEY && depth >= 1 && depth <= 4) {
        copy(reading->key[depth - 1], sizeof reading->key[0], text, size);
    } else if (token == JSON_TOKEN_STRING && in_metric) {
        copy(sample->values[sample->label_count++], sizeof sample->values[0], text, size);
    } else if (token == JSON_TOKEN_STRING && in_value) {
        char number[64];
        copy(number, sizeof number, text, size);
        sample->value = strtod(number, NULL);
    } else if (token == JSON_TOKEN_STRING && depth == 1 && strcmp(reading->key[0], "status") == 0) {
        reading->success = size == 7 && memcmp(text, "success", 7) == 0;
    } else if (token == JSON_TOKEN_OBJECT_BEGIN && depth == 3) {
        memset(sample, 0, sizeof *sample);
    } else if (token == JSON_TOKEN_OBJECT_END && depth == 3) {
        reading->count++;
        if (reading->take != NULL) {
            reading->take(reading->context, sample);
        }
    }
    return true;
}

static void append_encoded(struct buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (isalnum((unsigned char)*text)) {
            buffer_append_char(out, *text);
        } else {
            buffer_append_format(out, "%%%02X", (unsigned)(unsigned char)*text);
        }
    }
}

/* The answer to an instant query; the status. */
static int ask(const char *base, const char *query, struct buffer *answer)
{
    struct buffer url;
    buffer_init(&url, 0);
    buffer_append_format(&url, "%s/api/v1/query?query=", base);
    append_encoded(&url, query);
    const int status = net_get(buffer_text(&url), answer);
    buffer_free(&url);
    return status;
}

static size_t read_answer(const char *query, struct buffer *answer,
                          void (*take)(void *context, const struct prometheus_sample *sample), void *context)
{
    struct error error;
    struct json_reader *reader = NULL;
    struct reading *reading = calloc(1, sizeof *reading);
    assert_non_null(reading);
    reading->take = take;
    reading->context = context;
    assert_int_equal(json_reader_create(&reader, answer->size, &error), 0);
    if (json_read(reader, answer->data, answer->size, take_token, reading, &error) != JSON_OK ||
        !reading->success) {
        fail_msg("%s: not a successful answer: %s", query, buffer_text(answer));
    }
    const size_t count = reading->count;
    json_reader_destroy(reader);
    free(reading);
    return count;
}

size_t prometheus_query(const char *base, const char *query,
                        void (*take)(void *context, const struct prometheus_sample *sample), void *context)
{
    struct buffer answer;
    buffer_init(&answer, 0);
    const int status = ask(base, query, &answer);
    if (status != 200) {
        fail_msg("%s: %d %s", query, status, buffer_text(&answer));
    }
    const size_t count = read_answer(query, &answer, take, context);
    buffer_free(&answer);
    return count;
}

int prometheus_try(const char *base, const char *query, struct buffer *answer)
{
    buffer_clear(answer);
    return ask(base, query, answer) == 200 ? (int)read_answer(query, answer, NULL, NULL) : -1;
}

bool prometheus_has_exemplars(const char *base, const char *query)
{
    struct buffer url, answer;
    const long long now_s = (long long)time(NULL);
    buffer_init(&url, 0);
    buffer_init(&answer, 0);
    buffer_append_format(&url, "%s/api/v1/query_exemplars?start=%lld&end=%lld&query=", base, now_s - 3600,
                         now_s + 60);
    append_encoded(&url, query);
    const int status = net_get(buffer_text(&url), &answer);
    const bool found = status == 200 && strstr(buffer_text(&answer), "\"exemplars\":[{") != NULL;
    buffer_free(&answer);
    buffer_free(&url);
    return found;
}

const char *prometheus_label(const struct prometheus_sample *sample, const char *name)
{
    for (size_t i = 0; i < sample->label_count; i++) {
        if (strcmp(sample->names[i], name) == 0) {
            return sample->values[i];
        }
    }
    return "";
}

static void take_value(void *context, const struct prometheus_sample *sample)
{
    *(double *)context = sample->value;
}

double prometheus_value(const char *base, const char *query)
{
    double value = NAN;
    if (prometheus_query(base, query, take_value, &value) > 1) {
        fail_msg("%s: more than one sample", query);
    }
    return value;
}

struct waiting {
    const char *base, *query;
    double value;
};

static bool has_value(void *context)
{
    const struct waiting *waiting = context;
    return prometheus_value(waiting->base, waiting->query) == waiting->value;
}

void prometheus_wait_for(const char *base, const char *query, double value)
{
    struct waiting waiting = {base, query, value};
    if (!process_wait_until(has_value, &waiting, PATIENCE_MS)) {
        fail_msg("%s is %g instead of %g", query, prometheus_value(base, query), value);
    }
}
