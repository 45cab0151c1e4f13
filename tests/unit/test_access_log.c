#include "access_log.h"
#include "line_reader.h"
#include "replay_line.h"
#include "json/json_read.h"

#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* 2026-11-24T23:06:32Z */
#define TIME_MS INT64_C(1795561592000)
#define TIME    "[24/Nov/2026:23:06:32 +0000]"

static enum access_log_result parse(struct access_line *line, const char *text)
{
    const char *why = "";
    enum access_log_result result = access_log_parse(line, text, strlen(text), 1, &why);
    assert_true((result == ACCESS_LOG_OK) == (why[0] == '\0'));
    return result;
}

static void assert_text(struct event_text text, const char *expected)
{
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.data, expected, text.size);
}

static void a_combined_line_is_taken_apart(void **state)
{
    (void)state;
    struct access_line line;
    assert_int_equal(parse(&line, "203.0.113.7 - frank " TIME " \"GET /a/b?c=d HTTP/1.1\" 503 512 "
                                  "\"https://example.org/\" \"Mozilla/5.0 (X11; Linux)\" 0.123"),
                     ACCESS_LOG_OK);
    assert_int_equal(line.unix_ms, TIME_MS);
    assert_int_equal(line.method, EVENT_METHOD_GET);
    assert_text(line.target, "/a/b?c=d");
    assert_int_equal(line.status, 503);
    assert_true(line.duration_s == 0.123);
    assert_null(line.service.data);
}

static void nasty_but_good_lines_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *line, *target;
        enum event_method method;
        double duration_s;
    } cases[] = {
        {"1.2.3.4 - - " TIME " \"GET / HTTP/1.1\" 200 0 \"-\" \"-\" 0.000", "/", EVENT_METHOD_GET, 0},
        {"1.2.3.4 - - " TIME " \"POST /x HTTP/2\" 201 - \"-\" \"a\" 1.5", "/x", EVENT_METHOD_POST, 1.5},
        {"1.2.3.4 - - " TIME " \"POST /x HTTP/2.0\" 201 - \"-\" \"a\" \"1.5\"", "/x", EVENT_METHOD_POST, 1.5},
        /* a name with spaces, brackets and something like a time */
        {"1.2.3.4 - John [x] Doe [24/Nov " TIME " \"GET /x HTTP/1.1\" 200 1 \"-\" \"a\" 0.1", "/x",
         EVENT_METHOD_GET, 0.1},
        /* Apache's escapes, a quote and a number inside the agent */
        {"::1 - - " TIME " \"GET /a\\\"b HTTP/1.1\" 200 1 \"-\" \"say \\\"hi\\\" 7.5\" 0.1", "/a\\\"b",
         EVENT_METHOD_GET, 0.1},
        {"::1 - - " TIME " \"GET /x HTTP/1.1\" 200 1 \"-\" \"ends with backslash \\\\\" 0.1", "/x",
         EVENT_METHOD_GET, 0.1},
        /* virtual host in front, more fields before the time, trailing blanks */
        {"www.example.org:80 1.2.3.4 - - " TIME
         " \"GET /x HTTP/1.1\" 200 1 \"-\" \"a\" \"10.0.0.9\" rt 0.25  ",
         "/x", EVENT_METHOD_GET, 0.25},
        /* the common form */
        {"1.2.3.4 - - " TIME " \"GET /x HTTP/1.0\" 200 1 3", "/x", EVENT_METHOD_GET, 3},
        /* HTTP/0.9, spaces in the path, methods nobody knows */
        {"1.2.3.4 - - " TIME " \"GET /x\" 200 1 \"-\" \"a\" 0.1", "/x", EVENT_METHOD_GET, 0.1},
        {"1.2.3.4 - - " TIME " \"GET /x y z HTTP/1.1\" 200 1 \"-\" \"a\" 0.1", "/x y z", EVENT_METHOD_GET,
         0.1},
        {"1.2.3.4 - - " TIME " \"PROPFIND /dav HTTP/1.1\" 405 1 \"-\" \"a\" 0.1", "/dav", EVENT_METHOD_OTHER,
         0.1},
        {"1.2.3.4 - - " TIME " \"get /x HTTP/1.1\" 400 1 \"-\" \"a\" 0.1", "", EVENT_METHOD_OTHER, 0.1},
        /* no request line at all: a client that went away, TLS on a plain port */
        {"1.2.3.4 - - " TIME " \"-\" 408 0 \"-\" \"-\" 60.001", "", EVENT_METHOD_OTHER, 60.001},
        {"1.2.3.4 - - " TIME " \"\" 400 0 \"-\" \"-\" 0.1", "", EVENT_METHOD_OTHER, 0.1},
        {"1.2.3.4 - - " TIME " \"GET\" 400 0 \"-\" \"-\" 0.1", "", EVENT_METHOD_OTHER, 0.1},
        /* Found by fuzzing: without a target its size was -1. */
        {"1.2.3.4 - - " TIME " \"GET HTTP/1.1\" 400 0 \"-\" \"-\" 0.1", "", EVENT_METHOD_GET, 0.1},
        {"1.2.3.4 - - " TIME " \"GET  HTTP/1.1\" 400 0 \"-\" \"-\" 0.1", "", EVENT_METHOD_GET, 0.1},
        {"1.2.3.4 - - " TIME " \"\\x16\\x03\\x01\\x02\" 400 150 \"-\" \"-\" 0.1", "", EVENT_METHOD_OTHER,
         0.1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct access_line line;
        assert_int_equal(parse(&line, cases[i].line), ACCESS_LOG_OK);
        assert_int_equal(line.unix_ms, TIME_MS);
        assert_int_equal(line.method, cases[i].method);
        assert_text(line.target, cases[i].target);
        assert_true(line.duration_s == cases[i].duration_s);
    }
}

static void a_line_without_request_time_is_told_from_a_broken_one(void **state)
{
    (void)state;
    static const char *const without[] = {
        "1.2.3.4 - - " TIME " \"GET / HTTP/1.1\" 200 0 \"-\" \"curl/8\"",
        "1.2.3.4 - - " TIME " \"GET / HTTP/1.1\" 200 0 \"-\" \"0.5\"",
        "1.2.3.4 - - " TIME " \"GET / HTTP/1.1\" 200 0 \"-\" \"curl/8\" \"-\"",
        "1.2.3.4 - - " TIME " \"GET / HTTP/1.1\" 200 0 \"-\" \"curl/8\" -",
        "1.2.3.4 - - " TIME " \"GET / HTTP/1.1\" 200 0",
    };
    static const char *const broken[] = {
        "",
        "-",
        "hello world",
        "1.2.3.4 - - [24/Nov/2026:23:06 +0000] \"GET / HTTP/1.1\" 200 0 \"-\" \"-\" 0.1",
        "1.2.3.4 - - [32/Nov/2026:23:06:32 +0000] \"GET / HTTP/1.1\" 200 0 \"-\" \"-\" 0.1",
        "1.2.3.4 - - [24/Nix/2026:23:06:32 +0000] \"GET / HTTP/1.1\" 200 0 \"-\" \"-\" 0.1",
        "1.2.3.4 - - " TIME,
        "1.2.3.4 - - " TIME " GET / 200",
        "1.2.3.4 - - " TIME " \"GET / HTTP/1.1",
        "1.2.3.4 - - " TIME " \"GET / HTTP/1.1\\",
        "1.2.3.4 - - " TIME " \"GET / HTTP/1.1\" 2000 0 \"-\" \"-\" 0.1",
        "1.2.3.4 - - " TIME " \"GET / HTTP/1.1\" 099 0 \"-\" \"-\" 0.1",
        "1.2.3.4 - - " TIME " \"GET / HTTP/1.1\" 700 0 \"-\" \"-\" 0.1",
        "1.2.3.4 - - " TIME " \"GET / HTTP/1.1\" 200 many \"-\" \"-\" 0.1",
        "1.2.3.4 - - " TIME " \"GET / HTTP/1.1\" 200 0 \"-\" \"-\" 86400",
        "1.2.3.4 - - " TIME " \"GET / HTTP/1.1\" 200 0 \"-\" \"-\" 0.1s",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    };
    struct access_line line;
    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++) {
        assert_int_equal(parse(&line, without[i]), ACCESS_LOG_NO_DURATION);
    }
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        assert_int_equal(parse(&line, broken[i]), ACCESS_LOG_MALFORMED);
    }
}

static void every_cut_of_a_good_line_is_answered(void **state)
{
    (void)state;
    static const char good[] =
        "1.2.3.4 - - " TIME " \"GET /x HTTP/1.1\" 200 512 \"-\" \"curl \\\"8\\\"\" 0.004";
    for (size_t size = 0; size < sizeof good; size++) {
        char *copy = malloc(size + 1); /* of its own, so that a sanitizer sees a read past the end */
        struct access_line line;
        const char *why = NULL;
        memcpy(copy, good, size);
        (void)access_log_parse(&line, copy, size, 1, &why);
        free(copy);
    }
}

static void times_with_zones_and_fractions_are_utc(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t unix_ms;
    } cases[] = {
        {"24/Nov/2026:23:06:32 +0000", TIME_MS},
        {"25/Nov/2026:00:06:32 +0100", TIME_MS},
        {"24/Nov/2026:15:36:32 -0730", TIME_MS},
        {"24/Nov/2026:23:06:32.125 +0000", TIME_MS + 125},
        {"29/Feb/2024:00:00:00 +0000", INT64_C(1709164800000)},
        {"01/Jan/1970:00:00:00 +0000", 0},
        {"31/Dec/1999:23:59:60 +0000", INT64_C(946684800000)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t unix_ms = -1;
        assert_true(access_log_parse_time(cases[i].text, strlen(cases[i].text), &unix_ms));
        assert_int_equal(unix_ms, cases[i].unix_ms);
    }
    static const char *const bad[] = {"01/Jan/1970:00:00:00 +0100", "24/Nov/2026:24:06:32 +0000",
                                      "24/Nov/2026:23:06:32 00000", "24/Nov/2026:23:06:32 +00000",
                                      "24/11/2026"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t unix_ms = -1;
        assert_false(access_log_parse_time(bad[i], strlen(bad[i]), &unix_ms));
    }
}

static void durations_may_be_in_smaller_units(void **state)
{
    (void)state;
    double duration_s = 0;
    assert_true(access_log_parse_duration("123456", 6, 1e6, &duration_s));
    assert_true(duration_s == 0.123456);
    assert_true(access_log_parse_duration("250", 3, 1e3, &duration_s));
    assert_true(duration_s == 0.25);
    assert_false(access_log_parse_duration("-1", 2, 1, &duration_s));
    assert_false(access_log_parse_duration("1e9", 3, 1, &duration_s));
    assert_false(access_log_parse_duration("", 0, 1, &duration_s));
}

/* --- JSON ---- */

static struct json_reader *create_reader(void)
{
    struct json_reader *reader = NULL;
    struct error error;
    assert_int_equal(json_reader_create(&reader, 65536, &error), 0);
    return reader;
}

static void nginx_json_lines_are_read(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "{\"time_iso8601\":\"2026-11-24T23:06:32+00:00\",\"request_method\":\"GET\",\"request_uri\":\"/a?b\","
        "\"status\":\"200\",\"request_time\":\"0.004\"}",
        "{\"msec\":\"1795561592.000\",\"request\":\"GET /a?b "
        "HTTP/1.1\",\"status\":200,\"request_time\":0.004}",
        "{\"msec\":1795561592.000,\"time_iso8601\":\"rubbish\",\"method\":\"GET\",\"uri\":\"/"
        "a?b\",\"status\":200,"
        "\"request_time\":0.004,\"upstream\":{\"status\":500,\"request_time\":9},\"list\":[1,{\"status\":1}]"
        "}",
        " {\"time_local\":\"24/Nov/2026:23:06:32 +0000\",\"uri\":\"/other\",\"request_uri\":\"/a?b\","
        "\"request_method\":\"GET\",\"status\":200,\"request_time\":\"0.004\"} ",
        "{\"@timestamp\":\"2026-11-25T00:06:32+01:00\",\"method\":\"GET\",\"path\":\"/a?b\",\"status\":200,"
        "\"duration\":0.004}",
        "{\"time\":1795561592000,\"method\":\"GET\",\"path\":\"/a?b\",\"status\":200,\"duration\":0.004}",
    };
    struct json_reader *reader = create_reader();
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct access_line line;
        const char *why = "";
        assert_int_equal(json_log_parse(&line, reader, lines[i], strlen(lines[i]), 1, &why), ACCESS_LOG_OK);
        assert_int_equal(line.unix_ms, TIME_MS);
        assert_int_equal(line.method, EVENT_METHOD_GET);
        assert_text(line.target, "/a?b");
        assert_int_equal(line.status, 200);
        assert_true(line.duration_s == 0.004);
    }
    json_reader_destroy(reader);
}

static void json_lines_may_name_service_region_route_and_trace(void **state)
{
    (void)state;
    static const char text[] =
        "{\"msec\":\"1795561592.000\",\"request\":\"GET /a HTTP/1.1\",\"status\":200,\"request_time\":0.004,"
        "\"service\":\"shop\",\"cloud.region\":\"eu\",\"route\":\"/a/{x}\","
        "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span_id\":\"NOT HEX\"}";
    struct json_reader *reader = create_reader();
    struct access_line line;
    const char *why = "";
    assert_int_equal(json_log_parse(&line, reader, text, sizeof text - 1, 1, &why), ACCESS_LOG_OK);
    assert_text(line.service, "shop");
    assert_text(line.region, "eu");
    assert_text(line.route, "/a/{x}");
    assert_text(line.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_null(line.span_id.data);
    json_reader_destroy(reader);
}

static void bad_json_lines_say_what_is_missing(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum access_log_result result;
        const char *why;
    } cases[] = {
        {"{", ACCESS_LOG_MALFORMED, "JSON"},
        {"{} trailing", ACCESS_LOG_MALFORMED, "JSON"},
        {"[1]", ACCESS_LOG_MALFORMED, "JSON"},
        {"{\"status\":200}", ACCESS_LOG_MALFORMED, "time"},
        {"{\"time\":\"noon\",\"status\":200}", ACCESS_LOG_MALFORMED, "time"},
        /* Found by fuzzing: a year that RFC 3339 has and the contract hasn't became an event. */
        {"{\"time\":\"1013-11-25T00:24:50Z\",\"status\":200,\"request_time\":0.1}", ACCESS_LOG_MALFORMED,
         "time"},
        {"{\"msec\":1795561592.0,\"status\":\"2OO\"}", ACCESS_LOG_MALFORMED, "status"},
        {"{\"msec\":1795561592.0,\"status\":200}", ACCESS_LOG_NO_DURATION, "request_time"},
        {"{\"msec\":1795561592.0,\"status\":200,\"request_time\":\"-\"}", ACCESS_LOG_NO_DURATION,
         "request_time"},
        {"{\"msec\":1795561592.0,\"status\":200,\"request_time\":\"fast\"}", ACCESS_LOG_MALFORMED,
         "request_time"},
    };
    struct json_reader *reader = create_reader();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct access_line line;
        const char *why = "";
        assert_int_equal(json_log_parse(&line, reader, cases[i].text, strlen(cases[i].text), 1, &why),
                         cases[i].result);
        assert_non_null(strstr(why, cases[i].why));
    }
    json_reader_destroy(reader);
}

/* --- lines as events ---- */

static struct replay_parser *create_parser(const char *source)
{
    const struct replay_parser_settings settings = {
        .source = source, .service = "web", .region = "local", .units_per_s = 1};
    struct replay_parser *parser = NULL;
    struct error error;
    assert_int_equal(replay_parser_create(&parser, &settings, &error), 0);
    return parser;
}

static void each_line_s_form_is_seen(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum replay_line_result result;
        const char *service, *route;
    } cases[] = {
        {"1.2.3.4 - - " TIME " \"GET /u/12 HTTP/1.1\" 200 0 \"-\" \"a\" 0.1", REPLAY_LINE_EVENT, "web",
         "/u/{id}"},
        {"{\"msec\":1795561592.0,\"request\":\"GET /u/12 HTTP/1.1\",\"status\":200,\"request_time\":0.1}",
         REPLAY_LINE_EVENT, "web", "/u/{id}"},
        {"{\"id\":\"1\",\"time_unix_ms\":1795561592000,\"service.name\":\"s\",\"cloud.region\":\"r\","
         "\"http.request.method\":\"GET\",\"http.route\":\"/u/12\",\"http.response.status_code\":200,"
         "\"http.server.request.duration\":0.1}",
         REPLAY_LINE_EVENT, "s", "/u/12"},
        {"{\"id\":\"1\",\"time_unix_ms\":1795561592000}", REPLAY_LINE_MALFORMED, NULL, NULL},
        {"", REPLAY_LINE_EMPTY, NULL, NULL},
        {"  \t", REPLAY_LINE_EMPTY, NULL, NULL},
        {"# comment", REPLAY_LINE_MALFORMED, NULL, NULL},
        {"1.2.3.4 - - " TIME " \"GET /u/12 HTTP/1.1\" 200 0 \"-\" \"a\"", REPLAY_LINE_NO_DURATION, NULL,
         NULL},
    };
    struct replay_parser *parser = create_parser("a.log");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct event event;
        struct error error;
        error_clear(&error);
        assert_int_equal(
            replay_parser_read(parser, i + 1, cases[i].text, strlen(cases[i].text), &event, &error),
            cases[i].result);
        if (cases[i].result == REPLAY_LINE_EVENT) {
            assert_int_equal(event.time_unix_ms, TIME_MS);
            assert_text(event.service, cases[i].service);
            assert_text(event.route, cases[i].route);
        }
    }
    assert_int_equal(replay_parser_count(parser, REPLAY_COMBINED), 1);
    assert_int_equal(replay_parser_count(parser, REPLAY_JSON), 1);
    assert_int_equal(replay_parser_count(parser, REPLAY_METRICS), 1);
    replay_parser_destroy(parser);
}

static void read_id(const char *source, uint64_t number, const char *text, char id[32])
{
    struct replay_parser *parser = create_parser(source);
    struct event event;
    struct error error;
    assert_int_equal(replay_parser_read(parser, number, text, strlen(text), &event, &error),
                     REPLAY_LINE_EVENT);
    assert_int_equal(event.id.size, 32);
    memcpy(id, event.id.data, 32);
    replay_parser_destroy(parser);
}

static void an_id_is_made_of_source_line_number_and_bytes(void **state)
{
    (void)state;
    static const char text[] = "1.2.3.4 - - " TIME " \"GET / HTTP/1.1\" 200 0 \"-\" \"a\" 0.1";
    static const char other[] = "1.2.3.5 - - " TIME " \"GET / HTTP/1.1\" 200 0 \"-\" \"a\" 0.1";
    char first[32], again[32], changed[32];
    read_id("a.log", 1, text, first);
    read_id("a.log", 1, text, again);
    assert_memory_equal(first, again, 32);
    read_id("b.log", 1, text, changed);
    assert_memory_not_equal(first, changed, 32);
    read_id("a.log", 2, text, changed);
    assert_memory_not_equal(first, changed, 32);
    read_id("a.log", 1, other, changed);
    assert_memory_not_equal(first, changed, 32);
}

/* --- the reader of lines ---- */

static struct line_reader *open_text(const void *text, size_t size, char path[32])
{
    struct line_reader *reader = NULL;
    struct error error;
    (void)snprintf(path, 32, "/tmp/lines-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), (ssize_t)size);
    (void)close(fd);
    assert_int_equal(line_reader_open(&reader, path, &error), 0);
    return reader;
}

static void assert_line(struct line_reader *reader, const char *expected, uint64_t number)
{
    struct line_reader_line line;
    struct error error;
    assert_int_equal(line_reader_next(reader, 1000, &line, &error), LINE_READER_LINE);
    assert_int_equal(line.size, strlen(expected));
    assert_memory_equal(line.text, expected, line.size);
    assert_int_equal(line.number, number);
}

static void lines_come_with_numbers_whatever_their_ends(void **state)
{
    (void)state;
    static const char text[] = "\xef\xbb\xbfone\ntwo\r\n\nfour";
    char path[32];
    struct line_reader_line line;
    struct error error;
    struct line_reader *reader = open_text(text, sizeof text - 1, path);
    assert_line(reader, "one", 1);
    assert_line(reader, "two", 2);
    assert_line(reader, "", 3);
    assert_line(reader, "four", 4);
    assert_int_equal(line_reader_next(reader, 0, &line, &error), LINE_READER_END);
    assert_int_equal(line_reader_next(reader, 0, &line, &error), LINE_READER_END);
    assert_true(line_reader_share(reader) == 1);
    line_reader_close(reader);
    (void)unlink(path);
}

static void lines_that_are_too_long_are_skipped_whole(void **state)
{
    (void)state;
    enum { LONG = 5 * LINE_READER_BYTES };
    char path[32];
    char *text = malloc(LONG + 100);
    memset(text, 'x', LONG + 100);
    memcpy(text, "a\n", 2);
    text[LONG] = '\n';
    memset(text + LONG + 1, 'y', LINE_READER_BYTES > 64 ? 64 : 0);
    memcpy(text + LONG + 65, "\nz", 2);
    struct line_reader *reader = open_text(text, LONG + 67, path);
    struct line_reader_line line;
    struct error error;
    assert_line(reader, "a", 1);
    assert_int_equal(line_reader_next(reader, 1000, &line, &error), LINE_READER_TOO_LONG);
    assert_int_equal(line.number, 2);
    assert_int_equal(line_reader_next(reader, 1000, &line, &error), LINE_READER_LINE);
    assert_int_equal(line.size, 64);
    assert_line(reader, "z", 4);
    assert_int_equal(line_reader_next(reader, 0, &line, &error), LINE_READER_END);
    line_reader_close(reader);
    (void)unlink(path);
    free(text);
}

static void what_is_no_text_is_refused_with_what_to_do(void **state)
{
    (void)state;
    char path[32];
    struct line_reader_line line;
    struct error error;
    struct line_reader *reader = open_text("\x1f\x8b\x08xxxx", 7, path);
    assert_int_equal(line_reader_next(reader, 0, &line, &error), LINE_READER_FAILED);
    assert_non_null(strstr(error.message, "zcat"));
    line_reader_close(reader);
    (void)unlink(path);
    assert_int_equal(line_reader_open(&reader, "/tmp", &error), -1);
    assert_non_null(strstr(error.message, "directory"));
    assert_int_equal(line_reader_open(&reader, "/nonexistent", &error), -1);
    assert_non_null(strstr(error.message, "/nonexistent"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_combined_line_is_taken_apart),
        cmocka_unit_test(nasty_but_good_lines_are_read),
        cmocka_unit_test(a_line_without_request_time_is_told_from_a_broken_one),
        cmocka_unit_test(every_cut_of_a_good_line_is_answered),
        cmocka_unit_test(times_with_zones_and_fractions_are_utc),
        cmocka_unit_test(durations_may_be_in_smaller_units),
        cmocka_unit_test(nginx_json_lines_are_read),
        cmocka_unit_test(json_lines_may_name_service_region_route_and_trace),
        cmocka_unit_test(bad_json_lines_say_what_is_missing),
        cmocka_unit_test(each_line_s_form_is_seen),
        cmocka_unit_test(an_id_is_made_of_source_line_number_and_bytes),
        cmocka_unit_test(lines_come_with_numbers_whatever_their_ends),
        cmocka_unit_test(lines_that_are_too_long_are_skipped_whole),
        cmocka_unit_test(what_is_no_text_is_refused_with_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
