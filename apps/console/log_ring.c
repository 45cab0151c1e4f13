#include "log_ring.h"

#include "bus/bus.h"
#include "event/decode.h"
#include "json/json_write.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A line's own allocation: the record, then NUL-ended service, region, body and trace id. */
struct line {
    char *json;
    uint32_t json_size, bytes;
    const char *service, *region, *body, *trace;
    int64_t time_ms, appended_ms;
    enum log_severity severity;
};

struct log_ring {
    pthread_mutex_t lock;
    struct event_decoder *decoder; /* of the thread that takes */
    struct line lines[LOG_RING_LINES];
    uint64_t first, next; /* numbers of the oldest line and of the next one */
    size_t bytes;
};

int log_ring_create(struct log_ring **out, struct error *error)
{
    struct log_ring *ring = calloc(1, sizeof *ring);
    *out = NULL;
    if (ring == NULL) {
        return error_set(error, -1, "no memory for the log's lines");
    }
    ring->first = ring->next = 1;
    (void)pthread_mutex_init(&ring->lock, NULL);
    if (event_decoder_create(&ring->decoder, error) != 0) {
        log_ring_destroy(ring);
        return -1;
    }
    *out = ring;
    return 0;
}

static struct line *line_of(struct log_ring *ring, uint64_t number)
{
    return &ring->lines[number % LOG_RING_LINES];
}

static void drop_oldest(struct log_ring *ring)
{
    struct line *line = line_of(ring, ring->first++);
    ring->bytes -= line->bytes;
    free(line->json);
    line->json = NULL;
}

void log_ring_destroy(struct log_ring *ring)
{
    if (ring != NULL) {
        while (ring->first < ring->next) {
            drop_oldest(ring);
        }
        event_decoder_destroy(ring->decoder);
        (void)pthread_mutex_destroy(&ring->lock);
        free(ring);
    }
}

static const char *put_text(char **at, const struct event_text *text)
{
    char *begin = *at;
    if (text->size > 0) {
        memcpy(begin, text->data, text->size);
    }
    begin[text->size] = '\0';
    *at = begin + text->size + 1;
    return begin;
}

static bool make_line(struct line *line, const struct bus_record *record, const struct log_record *log)
{
    const size_t size = record->value.size_bytes;
    const size_t bytes =
        size + log->service.size + log->region.size + log->body.size + log->trace_id.size + 4;
    char *at = malloc(bytes);
    if (at == NULL) {
        return false;
    }
    *line = (struct line){.json = at,
                          .json_size = (uint32_t)size,
                          .bytes = (uint32_t)bytes,
                          .time_ms = log->time_unix_ms,
                          .appended_ms = record->appended_ms,
                          .severity = log->severity};
    memcpy(at, record->value.data, size);
    at += size;
    line->service = put_text(&at, &log->service);
    line->region = put_text(&at, &log->region);
    line->body = put_text(&at, &log->body);
    line->trace = put_text(&at, &log->trace_id);
    return true;
}

void log_ring_take(void *context, const struct bus_record *record)
{
    struct log_ring *ring = context;
    struct log_record log;
    struct event_fault fault;
    struct line line;
    if (record->value.data == NULL || log_record_decode(ring->decoder, record->value.data,
                                                        record->value.size_bytes, &log, &fault) != EVENT_OK) {
        return;
    }
    (void)pthread_mutex_lock(&ring->lock);
    if (make_line(&line, record, &log)) {
        while (ring->next - ring->first == LOG_RING_LINES ||
               (ring->first < ring->next && ring->bytes + line.bytes > LOG_RING_BYTES)) {
            drop_oldest(ring);
        }
        *line_of(ring, ring->next++) = line;
        ring->bytes += line.bytes;
    }
    (void)pthread_mutex_unlock(&ring->lock);
}

/* --- asked for ---- */

static bool is_service(const struct log_filter *filter, const char *service)
{
    for (size_t i = 0; i < filter->service_count; i++) {
        if (strcmp(filter->services[i], service) == 0) {
            return true;
        }
    }
    return filter->service_count == 0;
}

static bool has_text(const struct line *line, const char *text)
{
    return strcasestr(line->body, text) != NULL || strncmp(line->trace, text, strlen(text)) == 0;
}

static bool matches(const struct line *line, const struct log_filter *filter)
{
    return line->severity >= filter->at_least && (filter->from_ms == 0 || line->time_ms >= filter->from_ms) &&
           (filter->until_ms == 0 || line->time_ms <= filter->until_ms) &&
           is_service(filter, line->service) &&
           (filter->region == NULL || strcmp(filter->region, line->region) == 0) &&
           (filter->trace == NULL || strcmp(filter->trace, line->trace) == 0) &&
           (filter->text == NULL || has_text(line, filter->text));
}

struct bars {
    int64_t first_slot;
    uint32_t counts[LOG_BARS][3]; /* errors, warnings, others */
};

static void count_in_bar(struct bars *bars, const struct line *line)
{
    const int64_t bar = line->time_ms / LOG_BAR_MS - bars->first_slot;
    if (bar >= 0 && bar < LOG_BARS) {
        const int kind = line->severity >= LOG_SEVERITY_ERROR  ? 0
                         : line->severity == LOG_SEVERITY_WARN ? 1
                                                               : 2;
        bars->counts[bar][kind]++;
    }
}

static void write_bars(struct json_writer *w, const struct bars *bars)
{
    json_key(w, "bars");
    json_array_begin(w);
    for (int64_t i = 0; i < LOG_BARS; i++) {
        json_array_begin(w);
        json_integer(w, (bars->first_slot + i) * LOG_BAR_MS);
        for (int kind = 0; kind < 3; kind++) {
            json_unsigned(w, bars->counts[i][kind]);
        }
        json_array_end(w);
    }
    json_array_end(w);
}

static void write_line(struct json_writer *w, const struct line *line, uint64_t number)
{
    json_object_begin(w);
    json_key(w, "n");
    json_unsigned(w, number);
    json_key(w, "appended_unix_ms");
    json_integer(w, line->appended_ms);
    json_key(w, "record");
    json_raw(w, line->json, line->json_size);
    json_object_end(w);
}

static void write_integer(struct json_writer *w, const char *key, int64_t value)
{
    json_key(w, key);
    json_integer(w, value);
}

void log_ring_write(struct log_ring *ring, const struct log_filter *filter, struct buffer *out)
{
    struct json_writer w;
    struct bars bars = {0};
    uint64_t matched = 0;
    json_writer_init(&w, out);
    json_object_begin(&w);
    json_key(&w, "lines");
    json_array_begin(&w);
    (void)pthread_mutex_lock(&ring->lock);
    const uint64_t oldest = ring->first;
    const uint64_t newest = ring->next;
    const int64_t newest_ms = newest > oldest ? line_of(ring, newest - 1)->time_ms : 0;
    const int64_t until_ms = filter->until_ms != 0 ? filter->until_ms : newest_ms;
    bars.first_slot = until_ms / LOG_BAR_MS - LOG_BARS + 1;
    for (uint64_t n = newest; n-- > oldest;) {
        const struct line *line = line_of(ring, n);
        if (!filter->with_bars && (n <= filter->after || matched >= filter->most)) {
            break;
        }
        if (!matches(line, filter)) {
            continue;
        }
        count_in_bar(&bars, line);
        if (n > filter->after && matched++ < filter->most) {
            write_line(&w, line, n);
        }
    }
    const int64_t oldest_ms = newest > oldest ? line_of(ring, oldest)->time_ms : 0;
    (void)pthread_mutex_unlock(&ring->lock);
    json_array_end(&w);
    write_integer(&w, "last", (int64_t)newest - 1);
    write_integer(&w, "matched", (int64_t)matched);
    write_integer(&w, "kept", (int64_t)(newest - oldest));
    write_integer(&w, "oldest_unix_ms", oldest_ms);
    if (filter->with_bars) {
        write_bars(&w, &bars);
    }
    json_object_end(&w);
}
