#include "event_stream.h"

#include <stdio.h>
#include <string.h>

void event_stream_init(struct event_stream *stream, size_t most_bytes, event_stream_take *take, void *context)
{
    *stream = (struct event_stream){.take = take, .context = context};
    buffer_init(&stream->line, most_bytes);
    buffer_init(&stream->data, most_bytes);
}

void event_stream_deinit(struct event_stream *stream)
{
    buffer_free(&stream->line);
    buffer_free(&stream->data);
}

static void begin_event(struct event_stream *stream)
{
    buffer_clear(&stream->data);
    stream->event[0] = '\0';
    stream->is_too_long = false;
}

void event_stream_reset(struct event_stream *stream)
{
    begin_event(stream);
    buffer_clear(&stream->line);
    stream->skip_line_feed = false;
}

static void end_event(struct event_stream *stream)
{
    if (stream->is_too_long || stream->data.failed) {
        stream->dropped++;
    } else if (stream->data.size > 0) {
        const char *data = buffer_text(&stream->data);
        stream->take(stream->context, stream->event[0] == '\0' ? "message" : stream->event, data,
                     stream->data.size);
    }
    begin_event(stream);
}

static void take_field(struct event_stream *stream, const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size);
    const size_t name_size = colon == NULL ? size : (size_t)(colon - line);
    const char *value = line + name_size + (colon == NULL ? 0 : 1);
    size_t value_size = size - (size_t)(value - line);
    if (value_size > 0 && *value == ' ') {
        value++;
        value_size--;
    }
    if (name_size == 4 && memcmp(line, "data", 4) == 0) {
        if (stream->data.size > 0) {
            buffer_append_char(&stream->data, '\n');
        }
        buffer_append(&stream->data, value, value_size);
    } else if (name_size == 5 && memcmp(line, "event", 5) == 0) {
        (void)snprintf(stream->event, sizeof stream->event, "%.*s", (int)value_size, value);
    }
}

static void end_line(struct event_stream *stream)
{
    if (stream->line.failed) {
        stream->is_too_long = true;
    } else if (stream->line.size == 0) {
        end_event(stream);
    } else if (stream->line.data[0] != ':') {
        take_field(stream, stream->line.data, stream->line.size);
    }
    buffer_clear(&stream->line);
}

void event_stream_feed(struct event_stream *stream, const char *bytes, size_t size)
{
    const char *end = bytes + size;
    while (bytes < end) {
        if (stream->skip_line_feed && *bytes == '\n') {
            bytes++;
            stream->skip_line_feed = false;
            continue;
        }
        stream->skip_line_feed = false;
        const char *at = bytes;
        while (at < end && *at != '\n' && *at != '\r') {
            at++;
        }
        buffer_append(&stream->line, bytes, (size_t)(at - bytes));
        bytes = at;
        if (at < end) {
            stream->skip_line_feed = *at == '\r';
            end_line(stream);
            bytes++;
        }
    }
}
