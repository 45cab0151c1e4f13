#include "acceptance.h"

#include "live.h"
#include "proxy.h"

#include "buffer/buffer.h"
#include "clock/clock.h"
#include "clock/rfc3339.h"
#include "http/http_client.h"
#include "program/program.h"
#include "json/json_read.h"
#include "json/json_write.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECTED_MOST    64 /* at once; more aren't looked for */
#define LOOK_MS          500
#define LOOKED_FOR_MS    25000 /* under the forwarder's 30 s until it tells again */
#define TIMEOUT_MS       3000
#define ANSWER_BYTES     ((size_t)8 * 1048576)
#define TRANSITION_BYTES 65536
#define ID_BYTES         64

struct expected {
    char alert_id[ID_BYTES];
    int64_t detected_ms;
    int64_t accepted_ms; /* 0: not known */
};

struct acceptance {
    struct program *program;
    struct live *live;
    char url[512];
    struct json_reader *transitions; /* of acceptance_expect's thread */
    struct json_reader *answers;     /* of its own */
    pthread_mutex_t lock;            /* of what follows */
    struct expected expected[EXPECTED_MOST];
    size_t count;
    pthread_t thread;
};

static bool is_key(const char *key, const char *text, size_t size)
{
    return strlen(key) == size && memcmp(key, text, size) == 0;
}

static void copy_id(char out[ID_BYTES], const char *text, size_t size)
{
    (void)snprintf(out, ID_BYTES, "%.*s", (int)(size < ID_BYTES ? size : 0), text);
}

/* --- transitions ---- */

enum field { FIELD_OTHER, FIELD_ID, FIELD_STATE, FIELD_DETECTED };

struct transition_reading {
    enum field field;
    bool is_firing;
    struct expected expected;
};

static bool take_transition_token(void *context, enum json_token token, uint32_t depth, const char *text,
                                  size_t size)
{
    struct transition_reading *reading = context;
    if (depth != 1) {
        return true;
    }
    if (token == JSON_TOKEN_KEY) {
        reading->field = is_key("alert_id", text, size)      ? FIELD_ID
                         : is_key("state", text, size)       ? FIELD_STATE
                         : is_key("detected_at", text, size) ? FIELD_DETECTED
                                                             : FIELD_OTHER;
    } else if (token == JSON_TOKEN_STRING && reading->field == FIELD_ID) {
        copy_id(reading->expected.alert_id, text, size);
    } else if (token == JSON_TOKEN_STRING && reading->field == FIELD_STATE) {
        reading->is_firing = is_key("firing", text, size);
    } else if (token == JSON_TOKEN_STRING && reading->field == FIELD_DETECTED) {
        (void)rfc3339_parse(text, size, &reading->expected.detected_ms);
    }
    return true;
}

static int64_t wall_ms(const struct acceptance *acceptance)
{
    return clock_wall_ms(program_clock(acceptance->program));
}

void acceptance_expect(struct acceptance *acceptance, const char *transition, size_t size)
{
    struct transition_reading reading = {.field = FIELD_OTHER};
    if (acceptance == NULL || json_read(acceptance->transitions, transition, size, take_transition_token,
                                        &reading, NULL) != JSON_OK) {
        return;
    }
    const bool is_news = wall_ms(acceptance) - reading.expected.detected_ms < LOOKED_FOR_MS;
    (void)pthread_mutex_lock(&acceptance->lock);
    if (reading.is_firing && is_news && acceptance->count < EXPECTED_MOST) {
        acceptance->expected[acceptance->count++] = reading.expected;
    }
    (void)pthread_mutex_unlock(&acceptance->lock);
}

/* --- what Alertmanager says ---- */

/* [{"annotations":{"alert_id":"…"},"updatedAt":"…",…},…] */
enum { DEPTH_ITEM = 1, DEPTH_FIELD = 2, DEPTH_ANNOTATION = 3 };

struct answer_reading {
    struct acceptance *acceptance;
    bool in_annotations, is_id, is_updated;
    char alert_id[ID_BYTES];
    int64_t updated_ms;
};

/* With the lock held. An alert that pages has two forms there: the first telling is the earlier one. */
static void note_alert(struct acceptance *acceptance, const char *alert_id, int64_t updated_ms)
{
    for (size_t i = 0; i < acceptance->count; i++) {
        struct expected *expected = &acceptance->expected[i];
        if (strcmp(expected->alert_id, alert_id) == 0 && updated_ms - expected->detected_ms < LOOKED_FOR_MS &&
            (expected->accepted_ms == 0 || updated_ms < expected->accepted_ms)) {
            expected->accepted_ms = updated_ms;
        }
    }
}

static bool take_answer_token(void *context, enum json_token token, uint32_t depth, const char *text,
                              size_t size)
{
    struct answer_reading *reading = context;
    if (token == JSON_TOKEN_OBJECT_BEGIN && depth == DEPTH_ITEM) {
        reading->alert_id[0] = '\0';
        reading->updated_ms = 0;
    } else if (token == JSON_TOKEN_KEY && depth == DEPTH_FIELD) {
        reading->in_annotations = is_key("annotations", text, size);
        reading->is_updated = is_key("updatedAt", text, size);
    } else if (token == JSON_TOKEN_KEY && depth == DEPTH_ANNOTATION) {
        reading->is_id = reading->in_annotations && is_key("alert_id", text, size);
    } else if (token == JSON_TOKEN_STRING && depth == DEPTH_ANNOTATION && reading->is_id) {
        copy_id(reading->alert_id, text, size);
    } else if (token == JSON_TOKEN_STRING && depth == DEPTH_FIELD && reading->is_updated) {
        (void)rfc3339_parse(text, size, &reading->updated_ms);
    } else if (token == JSON_TOKEN_OBJECT_END && depth == DEPTH_ITEM && reading->alert_id[0] != '\0' &&
               reading->updated_ms != 0) {
        note_alert(reading->acceptance, reading->alert_id, reading->updated_ms);
    }
    return true;
}

static void publish(const struct acceptance *acceptance, const struct expected *expected)
{
    char storage[256];
    struct buffer text;
    struct json_writer w;
    buffer_init_fixed(&text, storage, sizeof storage);
    json_writer_init(&w, &text);
    json_object_begin(&w);
    json_key(&w, "alert_id");
    json_string(&w, expected->alert_id);
    json_key(&w, "accepted_unix_ms");
    json_integer(&w, expected->accepted_ms);
    json_object_end(&w);
    if (!text.failed) {
        live_take_acceptance(acceptance->live, text.data, text.size);
    }
}

/* With the lock held. */
static void settle(struct acceptance *acceptance)
{
    size_t kept = 0;
    const int64_t now_ms = wall_ms(acceptance);
    for (size_t i = 0; i < acceptance->count; i++) {
        const struct expected *expected = &acceptance->expected[i];
        if (expected->accepted_ms != 0) {
            publish(acceptance, expected);
        } else if (now_ms - expected->detected_ms < LOOKED_FOR_MS) {
            acceptance->expected[kept++] = *expected;
        }
    }
    acceptance->count = kept;
}

static void look(struct acceptance *acceptance, struct buffer *answer)
{
    const struct http_client_request request = {.url = acceptance->url,
                                                .timeout_ms = TIMEOUT_MS,
                                                .max_response_bytes = ANSWER_BYTES,
                                                .goes_on = proxy_goes_on,
                                                .context = acceptance->program};
    struct answer_reading reading = {.acceptance = acceptance};
    buffer_clear(answer);
    const int status = http_client_send(&request, answer, NULL);
    (void)pthread_mutex_lock(&acceptance->lock);
    if (status == 200) {
        (void)json_read(acceptance->answers, answer->data, answer->size, take_answer_token, &reading, NULL);
    }
    settle(acceptance);
    (void)pthread_mutex_unlock(&acceptance->lock);
}

static void *run(void *context)
{
    struct acceptance *acceptance = context;
    struct buffer answer;
    buffer_init(&answer, ANSWER_BYTES);
    while (!program_sleep(acceptance->program, LOOK_MS)) {
        (void)pthread_mutex_lock(&acceptance->lock);
        const bool is_looked_for = acceptance->count > 0;
        (void)pthread_mutex_unlock(&acceptance->lock);
        if (is_looked_for) {
            look(acceptance, &answer);
        }
    }
    buffer_free(&answer);
    return NULL;
}

static void destroy(struct acceptance *acceptance)
{
    json_reader_destroy(acceptance->transitions);
    json_reader_destroy(acceptance->answers);
    (void)pthread_mutex_destroy(&acceptance->lock);
    free(acceptance);
}

int acceptance_start(struct acceptance **out, struct program *program, struct live *live, const char *url,
                     struct error *error)
{
    *out = NULL;
    if (url == NULL || url[0] == '\0') {
        return 0;
    }
    struct acceptance *acceptance = calloc(1, sizeof *acceptance);
    if (acceptance == NULL) {
        return error_set(error, -1, "no memory to look at Alertmanager");
    }
    acceptance->program = program;
    acceptance->live = live;
    (void)snprintf(acceptance->url, sizeof acceptance->url, "%s/api/v2/alerts", url);
    (void)pthread_mutex_init(&acceptance->lock, NULL);
    if (json_reader_create(&acceptance->transitions, TRANSITION_BYTES, error) != 0 ||
        json_reader_create(&acceptance->answers, ANSWER_BYTES, error) != 0) {
        destroy(acceptance);
        return -1;
    }
    if (pthread_create(&acceptance->thread, NULL, run, acceptance) != 0) {
        destroy(acceptance);
        return error_set(error, -1, "no thread to look at Alertmanager");
    }
    *out = acceptance;
    return 0;
}

void acceptance_join(struct acceptance *acceptance)
{
    if (acceptance != NULL) {
        (void)pthread_join(acceptance->thread, NULL);
        destroy(acceptance);
    }
}
