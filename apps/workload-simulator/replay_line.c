#include "replay_line.h"

#include "access_log.h"
#include "event/decode.h"
#include "line_reader.h"
#include "route_fold.h"
#include "json/json_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct replay_parser {
    struct replay_parser_settings settings;
    uint64_t source_hash;
    struct json_reader *json;
    struct event_decoder *decoder;
    struct route_fold *routes;
    uint64_t counts[REPLAY_FORMATS];
    char id[32];
};

int replay_parser_create(struct replay_parser **out, const struct replay_parser_settings *settings,
                         struct error *error)
{
    struct replay_parser *parser = calloc(1, sizeof *parser);
    *out = parser;
    if (parser == NULL) {
        return error_set(error, -1, "no memory for the replay");
    }
    parser->settings = *settings;
    parser->source_hash = XXH64(settings->source, strlen(settings->source), 0);
    parser->routes = route_fold_create();
    if (parser->routes == NULL) {
        (void)error_set(error, -1, "no memory for the routes");
    } else if (json_reader_create(&parser->json, LINE_READER_BYTES, error) == 0 &&
               event_decoder_create(&parser->decoder, error) == 0) {
        return 0;
    }
    replay_parser_destroy(parser);
    *out = NULL;
    return -1;
}

void replay_parser_destroy(struct replay_parser *parser)
{
    if (parser != NULL) {
        event_decoder_destroy(parser->decoder);
        json_reader_destroy(parser->json);
        route_fold_destroy(parser->routes);
        free(parser);
    }
}

uint64_t replay_parser_count(const struct replay_parser *parser, enum replay_format format)
{
    return parser->counts[format];
}

uint64_t replay_parser_other_routes(const struct replay_parser *parser)
{
    return route_fold_others(parser->routes);
}

/* --- access logs ---- */

static void write_hex(char *out, uint64_t value)
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 15; i >= 0; i--) {
        out[i] = digits[value & 15];
        value >>= 4;
    }
}

static struct event_text make_id(struct replay_parser *parser, uint64_t number, const char *text, size_t size)
{
    const uint64_t parts[3] = {parser->source_hash, number, XXH3_64bits(text, size)};
    XXH128_hash_t hash = XXH3_128bits(parts, sizeof parts);
    write_hex(parser->id, hash.high64);
    write_hex(parser->id + 16, hash.low64);
    return (struct event_text){parser->id, sizeof parser->id};
}

static struct event_text text_or(struct event_text text, const char *otherwise)
{
    return text.data != NULL ? text : (struct event_text){otherwise, strlen(otherwise)};
}

static void fill_event(struct replay_parser *parser, uint64_t number, const char *text, size_t size,
                       const struct access_line *line, struct event *event)
{
    *event = (struct event){
        .id = make_id(parser, number, text, size),
        .time_unix_ms = line->unix_ms,
        .service = text_or(line->service, parser->settings.service),
        .region = text_or(line->region, parser->settings.region),
        .kind = EVENT_REQUEST,
        .method = line->method,
        .route = line->route.data != NULL
                     ? line->route
                     : route_fold_apply(parser->routes, line->target.data, line->target.size),
        .status_code = line->status,
        .duration_s = line->duration_s,
        .count = 1,
        .cpu_utilization = NAN,
        .memory_utilization = NAN,
        .trace_id = line->trace_id,
        .span_id = line->span_id,
    };
}

static enum replay_line_result read_access_line(struct replay_parser *parser, enum replay_format format,
                                                uint64_t number, const char *text, size_t size,
                                                struct event *event, struct error *error)
{
    struct access_line line;
    const char *why = "";
    double units = parser->settings.units_per_s;
    enum access_log_result result = format == REPLAY_JSON
                                        ? json_log_parse(&line, parser->json, text, size, units, &why)
                                        : access_log_parse(&line, text, size, units, &why);
    if (result != ACCESS_LOG_OK) {
        (void)error_set(error, -1, "%s", why);
        return result == ACCESS_LOG_NO_DURATION ? REPLAY_LINE_NO_DURATION : REPLAY_LINE_MALFORMED;
    }
    fill_event(parser, number, text, size, &line, event);
    return REPLAY_LINE_EVENT;
}

/* --- all ---- */

static enum replay_line_result read_metrics_line(struct replay_parser *parser, const char *text, size_t size,
                                                 struct event *event, struct error *error)
{
    struct event_fault fault;
    if (event_decode(parser->decoder, text, size, event, &fault) != EVENT_OK) {
        (void)error_set(error, -1, "%s%s%s", fault.message, fault.field[0] == '\0' ? "" : ", field ",
                        fault.field);
        return REPLAY_LINE_MALFORMED;
    }
    return REPLAY_LINE_EVENT;
}

enum replay_line_result replay_parser_read(struct replay_parser *parser, uint64_t number, const char *text,
                                           size_t size, struct event *event, struct error *error)
{
    static const char mark[] = "\"time_unix_ms\"";
    while (size > 0 && (text[0] == ' ' || text[0] == '\t')) {
        text++;
        size--;
    }
    if (size == 0) {
        return REPLAY_LINE_EMPTY;
    }
    enum replay_format format = text[0] != '{'                                      ? REPLAY_COMBINED
                                : memmem(text, size, mark, sizeof mark - 1) != NULL ? REPLAY_METRICS
                                                                                    : REPLAY_JSON;
    enum replay_line_result result = format == REPLAY_METRICS
                                         ? read_metrics_line(parser, text, size, event, error)
                                         : read_access_line(parser, format, number, text, size, event, error);
    parser->counts[format] += result == REPLAY_LINE_EVENT ? 1 : 0;
    return result;
}
