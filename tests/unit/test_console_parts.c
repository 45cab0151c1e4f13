/* The console's parts that are plain functions of their input. */
#include "backfill.h"
#include "event_stream.h"
#include "folder.h"
#include "log_ring.h"
#include "proxies.h"
#include "record_ring.h"
#include "series_event.h"
#include "series_table.h"

#include "buffer/buffer.h"
#include "bus/bus.h"
#include "support/files.h"
#include "json/json_read.h"
#include "json/json_write.h"

#include "cmocka_all.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- event_stream ---- */

static void note_event(void *context, const char *event, const char *data, size_t size)
{
    struct buffer *out = context;
    buffer_append_format(out, "[%s|%.*s]", event, (int)size, data);
}

static void a_stream_is_taken_apart_wherever_its_bytes_are_cut(void **state)
{
    static const char text[] =
        ": comment\nretry: 3000\n\nevent: series\r\nid: 7\r\ndata: {\"a\":1}\r\n\r\n"
        "data: one\ndata:two\n\nevent: transition\rdata: x\r\rdata\n\nevent: cut\ndata: never ended";
    static const char wanted[] = "[series|{\"a\":1}][message|one\ntwo][transition|x]";
    (void)state;
    for (size_t step = 1; step < sizeof text; step++) {
        struct event_stream stream;
        struct buffer out;
        buffer_init(&out, 0);
        event_stream_init(&stream, 1000, note_event, &out);
        for (size_t at = 0; at < sizeof text - 1; at += step) {
            const size_t left = sizeof text - 1 - at;
            event_stream_feed(&stream, text + at, left < step ? left : step);
        }
        assert_string_equal(buffer_text(&out), wanted);
        event_stream_deinit(&stream);
        buffer_free(&out);
    }
}

static void an_event_that_is_too_long_is_dropped_and_the_next_one_read(void **state)
{
    struct event_stream stream;
    struct buffer out;
    char line[300];
    (void)state;
    memset(line, 'x', sizeof line);
    buffer_init(&out, 0);
    event_stream_init(&stream, 100, note_event, &out);
    event_stream_feed(&stream, "data: ", 6);
    event_stream_feed(&stream, line, sizeof line);
    event_stream_feed(&stream, "\n\ndata: good\n\n", 14);
    assert_string_equal(buffer_text(&out), "[message|good]");
    assert_int_equal(stream.dropped, 1);
    event_stream_deinit(&stream);
    buffer_free(&out);
}

/* --- series ---- */

static void update(void *table, const struct series_tile *tile)
{
    assert_true(series_table_update(table, tile));
}

static void an_event_of_a_processor_becomes_rows(void **state)
{
    static const char text[] =
        "{\"time_unix_ms\":1000,\"lag_seconds\":1.5,\"series\":["
        "{\"service.name\":\"a\",\"cloud.region\":\"x\",\"time_unix_ms\":900000,\"window_seconds\":10,"
        "\"request_rate\":12.5,"
        "\"error_ratio\":0.25,\"p99\":0.5,\"minute\":{\"request_rate\":10,\"error_ratio\":null,\"p99\":0.75},"
        "\"firing\":[\"HighErrorRate\"]},"
        "{\"service.name\":\"a\",\"cloud.region\":\"x\",\"http.route\":\"/"
        "r\",\"time_unix_ms\":900001,\"request_rate\":1,"
        "\"error_ratio\":null,\"p99\":null,\"firing\":[]}]}";
    struct json_reader *reader = NULL;
    struct series_table *table = series_table_create();
    struct series_event event;
    (void)state;
    assert_int_equal(json_reader_create(&reader, 4096, NULL), 0);
    assert_int_equal(series_event_read(reader, text, sizeof text - 1, &event, update, table, NULL), 0);
    assert_int_equal(event.time_unix_ms, 1000);
    assert_true(event.lag_seconds == 1.5);
    assert_int_equal(series_table_count(table), 2);
    const struct series_row *row = series_table_row(table, 0);
    assert_string_equal(row->service, "a");
    assert_string_equal(row->region, "x");
    assert_true(row->window.rate == 12.5F && row->window.error_ratio == 0.25F && row->window.p99 == 0.5F);
    assert_true(row->minute.rate == 10 && isnan(row->minute.error_ratio) && row->minute.p99 == 0.75F);
    assert_int_equal(row->firing_count, 1);
    assert_string_equal(series_table_rule(table, row->firing[0]), "HighErrorRate");
    assert_string_equal(series_table_row(table, 1)->route, "/r");
    assert_int_equal(series_table_newest_ms(table), 900001);
    assert_int_equal(series_event_read(reader, "{\"series\":[", 11, &event, update, table, NULL), -1);
    series_table_destroy(table);
    json_reader_destroy(reader);
}

static void times_past_all_bounds_become_the_nearest_bound(void **state)
{
    static const char text[] = "{\"time_unix_ms\":1e300,\"series\":[{\"service.name\":\"a\","
                               "\"cloud.region\":\"x\",\"time_unix_ms\":1e300}]}";
    struct json_reader *reader = NULL;
    struct series_table *table = series_table_create();
    struct series_event event;
    (void)state;
    assert_int_equal(json_reader_create(&reader, 4096, NULL), 0);
    assert_int_equal(series_event_read(reader, text, sizeof text - 1, &event, update, table, NULL), 0);
    assert_true(event.time_unix_ms == INT64_MAX);
    series_table_destroy(table);
    json_reader_destroy(reader);
}

static struct series_tile tile_of(const char *service, int64_t time_ms, float rate)
{
    struct series_tile tile = {.time_unix_ms = time_ms, .window = {rate, 0, 0}};
    (void)snprintf(tile.service, sizeof tile.service, "%s", service);
    (void)snprintf(tile.region, sizeof tile.region, "r");
    return tile;
}

/* A page that came in the console's first second had the names of no tick, and no tile, until it was
 * reloaded. */
static void what_comes_before_the_first_turn_is_told_with_it(void **state)
{
    (void)state;
    struct series_table *table = series_table_create();
    const struct series_tile tile = tile_of("a", 1000, 1);
    const uint64_t told_turn = 0; /* nothing yet */
    assert_true(series_table_update(table, &tile));
    assert_true(series_table_row(table, 0)->born > told_turn);
    assert_true(series_table_row(table, 0)->changed > told_turn);
    const uint64_t turn = series_table_turn(table);
    assert_false(series_table_row(table, 0)->born > turn);
    series_table_destroy(table);
}

static void of_two_processors_the_newer_word_wins(void **state)
{
    struct series_table *table = series_table_create();
    const struct series_tile newer = tile_of("a", 2000000, 2);
    const struct series_tile older = tile_of("a", 1000000, 1);
    (void)state;
    assert_true(series_table_update(table, &newer));
    assert_true(series_table_update(table, &older));
    assert_int_equal(series_table_count(table), 1);
    assert_true(series_table_row(table, 0)->window.rate == 2);
    series_table_destroy(table);
}

static void bars_that_nobody_spoke_of_are_gaps(void **state)
{
    struct series_table *table = series_table_create();
    const int64_t begin = INT64_C(1800000000000);
    struct series_tile tile = tile_of("a", begin, 1);
    (void)state;
    assert_true(series_table_update(table, &tile));
    tile = tile_of("a", begin + 3 * (int64_t)SERIES_BAR_MS, 4);
    assert_true(series_table_update(table, &tile));
    const struct series_row *row = series_table_row(table, 0);
    const int64_t slot = begin / SERIES_BAR_MS;
    assert_int_equal(row->bar_slot, slot + 3);
    assert_true(row->bars[slot % SERIES_BARS].rate == 1);
    assert_true(isnan(row->bars[(slot + 1) % SERIES_BARS].rate) &&
                isnan(row->bars[(slot + 2) % SERIES_BARS].rate));
    assert_true(row->bars[(slot + 3) % SERIES_BARS].rate == 4);
    /* A day later nothing of it is left. */
    tile = tile_of("a", begin + INT64_C(86400000), 5);
    assert_true(series_table_update(table, &tile));
    size_t known = 0;
    for (size_t i = 0; i < SERIES_BARS; i++) {
        known += isnan(row->bars[i].rate) ? 0 : 1;
    }
    assert_int_equal(known, 1);
    series_table_destroy(table);
}

static void series_past_the_bound_are_refused_and_the_others_unharmed(void **state)
{
    struct series_table *table = series_table_create();
    char name[32];
    (void)state;
    for (int i = 0; i < SERIES_MOST + 10; i++) {
        (void)snprintf(name, sizeof name, "s%d", i);
        const struct series_tile tile = tile_of(name, 1000 + i, 1);
        assert_int_equal(series_table_update(table, &tile), i < SERIES_MOST);
    }
    assert_int_equal(series_table_count(table), SERIES_MOST);
    assert_int_equal(series_table_refused(table), 10);
    const struct series_tile again = tile_of("s0", 5000000, 9);
    assert_true(series_table_update(table, &again));
    assert_true(series_table_row(table, 0)->window.rate == 9);
    series_table_destroy(table);
}

static void only_what_changed_since_a_turn_is_new(void **state)
{
    struct series_table *table = series_table_create();
    const struct series_tile a = tile_of("a", 1000, 1);
    const struct series_tile b = tile_of("b", 1000, 1);
    (void)state;
    assert_true(series_table_update(table, &a));
    const uint64_t turn = series_table_turn(table);
    assert_true(series_table_update(table, &b));
    assert_true(series_table_row(table, 0)->changed <= turn);
    assert_true(series_table_row(table, 1)->changed > turn);
    series_table_destroy(table);
}

static void fill(void *context, int64_t slot, const struct series_values *values)
{
    struct buffer *out = context;
    buffer_append_format(out, "[%lld %g %g %g]", (long long)slot, (double)values->rate,
                         (double)values->error_ratio, isnan(values->p99) ? -1 : (double)values->p99);
}

static void a_history_becomes_bars_of_five_seconds(void **state)
{
    static const char text[] = "{\"service.name\":\"a\",\"windows\":[10,60],\"rules\":[\"R\"],\"rows\":["
                               "{\"time_unix_ms\":10000,\"requests\":3,\"errors\":0,\"error_ratio\":[0,0.5],"
                               "\"p99\":[0.1,0.2],\"evaluations\":[\"clear\"]},"
                               "{\"time_unix_ms\":14000,\"requests\":7,\"errors\":1,\"error_ratio\":[0.25,0."
                               "5],\"p99\":[null,0.2],\"evaluations\":[]},"
                               "{\"time_unix_ms\":20000,\"requests\":5,\"errors\":0,\"error_ratio\":[0.5],"
                               "\"p99\":[0.75],\"evaluations\":[]}]}";
    struct json_reader *reader = NULL;
    struct buffer out;
    (void)state;
    buffer_init(&out, 0);
    assert_int_equal(json_reader_create(&reader, 4096, NULL), 0);
    assert_int_equal(backfill_read(reader, text, sizeof text - 1, fill, &out), 0);
    assert_string_equal(buffer_text(&out), "[2 2 0.25 -1][4 1 0.5 0.75]");
    assert_int_equal(backfill_read(reader, "[", 1, fill, &out), -1);
    json_reader_destroy(reader);
    buffer_free(&out);
}

/* --- rings ---- */

static void a_ring_of_records_forgets_the_oldest_and_keeps_each_on_a_line(void **state)
{
    struct record_ring ring;
    struct buffer out;
    struct json_writer w;
    (void)state;
    record_ring_init(&ring, 2, 20);
    assert_non_null(record_ring_add(&ring, "1", 1));
    assert_non_null(record_ring_add(&ring, "[2,\n2]", 6));
    assert_non_null(record_ring_add(&ring, "\"three\"", 7));
    assert_null(record_ring_add(&ring, "\"much too long for such a ring\"", 31));
    buffer_init(&out, 0);
    json_writer_init(&w, &out);
    record_ring_write(&ring, &w);
    assert_string_equal(buffer_text(&out), "[[2, 2],\"three\"]");
    buffer_free(&out);
    record_ring_deinit(&ring);
}

static void add_line(struct log_ring *ring, const char *service, const char *severity, const char *body,
                     int64_t ms)
{
    char text[512];
    const int size = snprintf(
        text, sizeof text,
        "{\"time_unix_ms\":%lld,\"service.name\":\"%s\",\"cloud.region\":\"r\",\"severity_text\":\"%s\","
        "\"body\":\"%s\",\"trace_id\":\"%032d\"}",
        (long long)ms, service, severity, body, 7);
    const struct bus_record record = {.value = {text, (size_t)size}, .appended_ms = ms + 5};
    log_ring_take(ring, &record);
}

static const char *ask(struct log_ring *ring, const struct log_filter *filter, struct buffer *out)
{
    buffer_clear(out);
    log_ring_write(ring, filter, out);
    return buffer_text(out);
}

static void lines_are_found_by_service_severity_text_and_trace(void **state)
{
    struct log_ring *ring = NULL;
    struct buffer out;
    (void)state;
    buffer_init(&out, 0);
    assert_int_equal(log_ring_create(&ring, NULL), 0);
    add_line(ring, "api", "INFO", "GET /a 200", 1000000);
    add_line(ring, "api", "ERROR", "Upstream timed OUT", 1001000);
    add_line(ring, "auth", "WARN", "slow", 1002000);
    const struct bus_record broken = {.value = {"{", 1}};
    log_ring_take(ring, &broken);
    struct log_filter filter = {.most = 10};
    assert_non_null(strstr(ask(ring, &filter, &out), "\"matched\":3,\"kept\":3"));
    filter.at_least = LOG_SEVERITY_WARN;
    assert_non_null(strstr(ask(ring, &filter, &out), "\"matched\":2"));
    filter.services[0] = "api";
    filter.service_count = 1;
    assert_non_null(strstr(ask(ring, &filter, &out), "\"matched\":1"));
    filter = (struct log_filter){.most = 10, .text = "timed out"};
    assert_non_null(strstr(ask(ring, &filter, &out), "Upstream timed OUT"));
    filter = (struct log_filter){.most = 10, .trace = "00000000000000000000000000000007"};
    assert_non_null(strstr(ask(ring, &filter, &out), "\"matched\":3"));
    filter = (struct log_filter){.most = 10, .after = 2};
    assert_non_null(strstr(ask(ring, &filter, &out), "\"matched\":1"));
    assert_non_null(strstr(buffer_text(&out), "\"slow\""));
    filter = (struct log_filter){.most = 1, .with_bars = true};
    assert_non_null(strstr(ask(ring, &filter, &out), "\"matched\":3"));
    assert_non_null(strstr(buffer_text(&out), "[999000,1,0,1]"));
    assert_non_null(strstr(buffer_text(&out), "[1002000,0,1,0]"));
    log_ring_destroy(ring);
    buffer_free(&out);
}

/* --- what is passed on ---- */

static void only_named_paths_are_passed_on(void **state)
{
    static const struct {
        const char *method, *path;
        bool prometheus, alertmanager, simulator;
    } cases[] = {
        {"GET", "query", true, false, false},
        {"HEAD", "query", true, false, false},
        {"POST", "query_range", true, false, false},
        {"GET", "label/service_name/values", true, false, false},
        {"GET", "label//values", false, false, false},
        {"GET", "label/../values", false, false, false},
        {"GET", "label/a/b/values", false, false, false},
        {"GET", "status/config", false, false, false},
        {"GET", "status/flags", false, false, false},
        {"GET", "admin/tsdb/snapshot", false, false, false},
        {"POST", "admin/tsdb/delete_series", false, false, false},
        {"GET", "query/../admin/tsdb/snapshot", false, false, false},
        {"GET", "", false, false, false},
        {"PUT", "query", false, false, false},
        {"GET", "alerts", true, true, false},
        {"POST", "alerts", false, false, false},
        {"GET", "silences", false, true, false},
        {"POST", "silences", false, true, false},
        {"DELETE", "silence/0f6b-1", false, true, false},
        {"DELETE", "silence/..", false, false, false},
        {"DELETE", "silences", false, false, false},
        {"GET", "faults", false, false, true},
        {"DELETE", "faults/12", false, false, true},
        {"DELETE", "faults/1/2", false, false, false},
        {"GET", "metrics", false, false, false},
    };
    struct proxies proxies;
    (void)state;
    proxies_init(&proxies, NULL, "http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *method = cases[i].method;
        const char *path = cases[i].path;
        if (proxy_allows(&proxies.prometheus, method, path) != cases[i].prometheus ||
            proxy_allows(&proxies.alertmanager, method, path) != cases[i].alertmanager ||
            proxy_allows(&proxies.simulator, method, path) != cases[i].simulator) {
            fail_msg("%s '%s'", method, path);
        }
    }
}

static void a_folder_gives_only_the_files_that_it_holds(void **state)
{
    char directory[TEST_PATH_BYTES];
    char path[TEST_PATH_BYTES];
    struct folder folder;
    (void)state;
    temp_directory_create(directory, "console-folder");
    path_join(path, directory, "b.md");
    file_write_text(path, "second");
    path_join(path, directory, "a.md");
    file_write_text(path, "first");
    path_join(path, directory, ".hidden.md");
    file_write_text(path, "no");
    path_join(path, directory, "c.txt");
    file_write_text(path, "no");
    assert_int_equal(folder_read(&folder, directory, ".md", NULL), 0);
    assert_int_equal(folder.count, 2);
    assert_string_equal(folder.files[0].name, "a");
    assert_memory_equal(folder_find(&folder, "b", 1)->data, "second", 6);
    assert_null(folder_find(&folder, "../a", 4));
    assert_null(folder_find(&folder, "", 0));
    assert_null(folder_find(&folder, ".hidden", 7));
    folder_free(&folder);
    assert_int_equal(folder_read(&folder, "/nowhere/at/all", ".md", NULL), 0);
    assert_int_equal(folder.count, 0);
    temp_directory_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_before_the_first_turn_is_told_with_it),
        cmocka_unit_test(a_stream_is_taken_apart_wherever_its_bytes_are_cut),
        cmocka_unit_test(an_event_that_is_too_long_is_dropped_and_the_next_one_read),
        cmocka_unit_test(an_event_of_a_processor_becomes_rows),
        cmocka_unit_test(times_past_all_bounds_become_the_nearest_bound),
        cmocka_unit_test(of_two_processors_the_newer_word_wins),
        cmocka_unit_test(bars_that_nobody_spoke_of_are_gaps),
        cmocka_unit_test(series_past_the_bound_are_refused_and_the_others_unharmed),
        cmocka_unit_test(only_what_changed_since_a_turn_is_new),
        cmocka_unit_test(a_history_becomes_bars_of_five_seconds),
        cmocka_unit_test(a_ring_of_records_forgets_the_oldest_and_keeps_each_on_a_line),
        cmocka_unit_test(lines_are_found_by_service_severity_text_and_trace),
        cmocka_unit_test(only_named_paths_are_passed_on),
        cmocka_unit_test(a_folder_gives_only_the_files_that_it_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
