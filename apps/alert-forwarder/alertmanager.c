#include "alertmanager.h"

#include "alert_table.h"
#include "forward_metrics.h"

#include "buffer/buffer.h"
#include "clock/clock.h"
#include "http/http_client.h"
#include "log/log.h"
#include "metrics/metric_set.h"
#include "program/program.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BATCH              64
#define IDLE_MS            1000 /* repetitions and pages come due without a change */
#define FIRST_BACKOFF_MS   500
#define LAST_BACKOFF_MS    30000
#define SAY_EVERY_MS       60000
#define MOST_ANSWER_BYTES  65536
#define ANSWER_BYTES_SHOWN 200

struct alertmanager {
    struct alertmanager_settings settings;
    char url[512];
    pthread_t thread;
    atomic_bool stopping;
    struct buffer body, answer;
    int64_t backoff_ms; /* 0: its last answer was good */
    struct log_throttle failed_throttle, refused_throttle;
};

enum outcome { OUTCOME_DONE, OUTCOME_AGAIN };

static struct log *log_of(const struct alertmanager *am)
{
    return program_log(am->settings.program);
}

static bool may_say(struct alertmanager *am, struct log_throttle *throttle, uint64_t *suppressed)
{
    return log_throttle_allows(throttle, clock_steady_ms(program_clock(am->settings.program)), SAY_EVERY_MS,
                               suppressed);
}

/* --- what it answered ---- */

static void note_accepted(struct alertmanager *am, const struct alert_table_item *items, size_t count,
                          size_t encoded)
{
    const struct forward_metrics *metrics = am->settings.metrics;
    const unsigned target = am->settings.target;
    int64_t delays[BATCH];
    const size_t delayed = alert_table_note_accepted(am->settings.table, target, items, count, delays);
    for (size_t i = 0; i < delayed; i++) {
        metric_observe(metrics->delay, (double)(delays[i] < 0 ? 0 : delays[i]) / 1000);
    }
    metric_increment(metrics->sent, encoded);
    metric_set_value(metrics->up[target], 1);
    metric_set_value(metrics->last_success[target],
                     (double)clock_wall_ms(program_clock(am->settings.program)) / 1000);
}

static void note_refused(struct alertmanager *am, const struct alert_table_item *item)
{
    struct alert_transition refused;
    uint64_t suppressed = 0;
    metric_increment(am->settings.metrics->refused, 1);
    if (alert_table_note_refused(am->settings.table, am->settings.target, item, &refused) &&
        may_say(am, &am->refused_throttle, &suppressed)) {
        char fingerprint[ALERT_FINGERPRINT_BYTES];
        alert_fingerprint_format(fingerprint, refused.fingerprint);
        log_error_with(log_of(am), "Alertmanager refused an alert, it isn't told again until it changes",
                       log_text("alertmanager", am->settings.url), log_text("rule", refused.rule),
                       log_text("service", refused.labels.service), log_text("fingerprint", fingerprint),
                       log_text("answer", buffer_text(&am->answer)),
                       log_integer("more_since_last_line", (int64_t)suppressed));
    }
}

static void note_failed(struct alertmanager *am, int status, size_t encoded, const struct error *error)
{
    char answer[64];
    uint64_t suppressed = 0;
    (void)snprintf(answer, sizeof answer, "status %d", status);
    metric_increment(am->settings.metrics->failed, encoded);
    metric_set_value(am->settings.metrics->up[am->settings.target], 0);
    if (may_say(am, &am->failed_throttle, &suppressed)) {
        log_warn_with(log_of(am), "Alertmanager took no alerts, trying again",
                      log_text("alertmanager", am->settings.url),
                      log_text("why", status < 0 ? error->message : answer),
                      log_integer("more_since_last_line", (int64_t)suppressed));
    }
}

/* --- telling ---- */

static int post(struct alertmanager *am, struct error *error)
{
    const struct http_client_request request = {.url = am->url,
                                                .content_type = "application/json",
                                                .body = am->body.data,
                                                .body_bytes = am->body.size,
                                                .timeout_ms = (int)am->settings.timeout_ms,
                                                .max_response_bytes = MOST_ANSWER_BYTES};
    buffer_clear(&am->answer);
    const int status = http_client_send(&request, &am->answer, error);
    if (am->answer.size > ANSWER_BYTES_SHOWN) {
        am->answer.size = ANSWER_BYTES_SHOWN;
    }
    return status;
}

/* Something is wrong with what was sent, not with who got it. */
static bool is_refusal(int status)
{
    return status == 400 || status == 413 || status == 422;
}

static enum outcome tell(struct alertmanager *am, struct alert_table_item *items, size_t count)
{
    struct error error;
    error_clear(&error);
    buffer_clear(&am->body);
    const size_t encoded = alert_table_encode(am->settings.table, items, count, &am->body);
    if (encoded == 0) {
        return OUTCOME_DONE;
    }
    const int status =
        am->body.failed ? error_set(&error, -1, "no memory for the request") : post(am, &error);
    if (status >= 200 && status < 300) {
        note_accepted(am, items, count, encoded);
        return OUTCOME_DONE;
    }
    if (!is_refusal(status)) {
        note_failed(am, status, encoded, &error);
        return OUTCOME_AGAIN;
    }
    if (count == 1) {
        note_refused(am, items);
        return OUTCOME_DONE;
    }
    const size_t half = count / 2;
    return tell(am, items, half) == OUTCOME_DONE && !atomic_load(&am->stopping)
               ? tell(am, items + half, count - half)
               : OUTCOME_AGAIN;
}

/* True: the program stops meanwhile. */
static bool back_off(struct alertmanager *am)
{
    am->backoff_ms = am->backoff_ms == 0 ? FIRST_BACKOFF_MS : am->backoff_ms * 2;
    if (am->backoff_ms > LAST_BACKOFF_MS) {
        am->backoff_ms = LAST_BACKOFF_MS;
    }
    return program_sleep(am->settings.program, am->backoff_ms);
}

static void *run(void *context)
{
    struct alertmanager *am = context;
    struct alert_table_item items[BATCH];
    bool is_ending = false;
    while (!is_ending && !atomic_load(&am->stopping)) {
        const size_t count =
            alert_table_collect(am->settings.table, am->settings.target, IDLE_MS, items, BATCH);
        if (count == 0) {
            continue;
        }
        if (tell(am, items, count) != OUTCOME_DONE) {
            is_ending = back_off(am);
        } else if (am->backoff_ms != 0) {
            am->backoff_ms = 0;
            log_info_with(log_of(am), "Alertmanager takes alerts again",
                          log_text("alertmanager", am->settings.url));
            alert_table_tell_again(am->settings.table, am->settings.target);
        }
    }
    return NULL;
}

int alertmanager_start(struct alertmanager **out, const struct alertmanager_settings *settings,
                       struct error *error)
{
    struct alertmanager *am = calloc(1, sizeof *am);
    *out = NULL;
    if (am == NULL) {
        return error_set(error, -1, "no memory for an Alertmanager");
    }
    const size_t size = strlen(settings->url);
    const bool has_slash = size > 0 && settings->url[size - 1] == '/';
    am->settings = *settings;
    (void)snprintf(am->url, sizeof am->url, "%s%sapi/v2/alerts", settings->url, has_slash ? "" : "/");
    buffer_init(&am->body, 0);
    buffer_init(&am->answer, 0);
    if (pthread_create(&am->thread, NULL, run, am) != 0) {
        free(am);
        return error_set(error, -1, "no thread for %s", settings->url);
    }
    *out = am;
    return 0;
}

void alertmanager_stop(struct alertmanager *am)
{
    if (am != NULL) {
        atomic_store(&am->stopping, true);
        alert_table_wake(am->settings.table);
    }
}

void alertmanager_join(struct alertmanager *am)
{
    if (am != NULL) {
        (void)pthread_join(am->thread, NULL);
        buffer_free(&am->body);
        buffer_free(&am->answer);
        free(am);
    }
}
