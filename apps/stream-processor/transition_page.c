#include "transition_page.h"

#include "partition.h"
#include "transition_ring.h"

#include "alert/encode.h"
#include "http/http_server.h"
#include "json/json_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "FINGERPRINT/SEQUENCE" */
static bool read_name(const char *name, uint64_t *fingerprint, uint32_t *sequence)
{
    char *end = NULL;
    if (strspn(name, "0123456789abcdef") != ALERT_FINGERPRINT_BYTES - 1 ||
        name[ALERT_FINGERPRINT_BYTES - 1] != '/') {
        return false;
    }
    *fingerprint = strtoull(name, NULL, 16);
    const char *number = name + ALERT_FINGERPRINT_BYTES;
    unsigned long long value = strtoull(number, &end, 10);
    *sequence = (uint32_t)value;
    return *number >= '1' && *number <= '9' && *end == '\0' && value <= UINT32_MAX;
}

static void write_needed(struct buffer *out, const struct kept_transition *kept)
{
    struct json_writer w;
    bool is_firing = kept->transition.state == ALERT_FIRING;
    json_writer_init(&w, out);
    json_object_begin(&w);
    json_key(&w, "min_samples");
    json_unsigned(&w, kept->min_samples);
    json_key(&w, "min_bad");
    json_unsigned(&w, kept->min_bad);
    json_key(&w, "confidence");
    json_real(&w, kept->confidence);
    json_key(&w, "clear_odds");
    json_real(&w, kept->clear_odds);
    json_key(&w, "evaluations");
    json_unsigned(&w, is_firing ? kept->for_violations : kept->for_clear);
    json_object_end(&w);
}

void transition_page_show(void *context, const struct http_request *request, struct http_response *response)
{
    struct detection_worker *worker = context;
    struct kept_transition kept;
    uint64_t fingerprint = 0;
    uint32_t sequence = 0;
    const char *name = http_request_rest(request);
    if (!read_name(name, &fingerprint, &sequence)) {
        http_response_fail(response, 400,
                           "'%s' names no transition; give /alerts/FINGERPRINT/SEQUENCE, 16 hex digits and a "
                           "number, as GET /alerts and alerts.fired have them",
                           name);
        return;
    }
    if (!transition_ring_find(worker->ring, fingerprint, sequence, &kept)) {
        http_response_fail(response, 404,
                           "no such transition among the last %d that this processor published since it "
                           "started; all that are kept: buscat consume alerts.fired",
                           TRANSITION_RING_COUNT);
        return;
    }
    struct buffer *body = http_response_body(response);
    http_response_set_type(response, "application/json");
    buffer_append_text(body, "{\"transition\":");
    alert_encode(body, &kept.transition, worker->settings.runbook_base);
    buffer_append_text(body, ",\"needed\":");
    write_needed(body, &kept);
    buffer_append_text(body, "}");
}
