#include "notifications.h"

#include "live.h"

#include "buffer/buffer.h"
#include "clock/clock.h"
#include "http/http_server.h"
#include "json/json_read.h"
#include "json/json_write.h"

#define BODY_BYTES 65536 /* as the server's own limit */

void notifications_take(void *context, const struct http_request *request, struct http_response *response)
{
    struct json_reader *reader = NULL;
    struct error error;
    size_t size = 0;
    error_clear(&error);
    const void *body = http_request_body(request, &size);
    const bool is_good = json_reader_create(&reader, BODY_BYTES, &error) == 0 &&
                         json_read(reader, body, size, NULL, NULL, &error) == JSON_OK;
    json_reader_destroy(reader);
    if (!is_good) {
        http_response_fail(response, 400, "no notification: %s", error.message);
        return;
    }
    struct buffer text;
    struct json_writer w;
    buffer_init(&text, 2 * BODY_BYTES);
    json_writer_init(&w, &text);
    json_object_begin(&w);
    json_key(&w, "received_unix_ms");
    json_integer(&w, clock_wall_ms(clock_system()));
    json_key(&w, "webhook");
    json_raw(&w, body, size);
    json_object_end(&w);
    if (!text.failed) {
        live_take_notification(context, text.data, text.size);
    }
    buffer_free(&text);
    http_response_set_type(response, "application/json");
    buffer_append_text(http_response_body(response), "{}\n");
}
