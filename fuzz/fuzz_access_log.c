/* A line of an access log, of any form, through everything that a replay does with it before the bus. What is
 * taken must be a valid record of metrics.raw: it is encoded and decoded again. */
#include "buffer/buffer.h"
#include "event/decode.h"
#include "event/encode.h"
#include "replay_line.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct replay_parser *parser;
static struct event_decoder *decoder;
static struct buffer record;

static void create(void)
{
    const struct replay_parser_settings settings = {
        .source = "fuzz", .service = "web", .region = "local", .units_per_s = 1};
    if (replay_parser_create(&parser, &settings, NULL) != 0 || event_decoder_create(&decoder, NULL) != 0) {
        abort();
    }
    buffer_init(&record, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct event event, again;
    struct event_fault fault;
    struct error error;
    if (parser == NULL) {
        create();
    }
    if (replay_parser_read(parser, 1, (const char *)data, size, &event, &error) != REPLAY_LINE_EVENT) {
        return 0;
    }
    buffer_clear(&record);
    event_encode(&record, &event);
    if (record.size > EVENT_RECORD_BYTES) {
        return 0; /* the publisher refuses it */
    }
    if (event_decode(decoder, record.data, record.size, &again, &fault) != EVENT_OK ||
        again.time_unix_ms != event.time_unix_ms || again.status_code != event.status_code ||
        again.duration_s != event.duration_s) {
        abort();
    }
    return 0;
}
