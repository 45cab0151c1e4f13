/* The real workload-simulator on an embedded bus of its own. */
#include "buffer/buffer.h"
#include "bus/bus.h"
#include "event/decode.h"
#include "event/log_record.h"
#include "support/files.h"
#include "support/net.h"
#include "support/process.h"
#include "support/topic_reader.h"

#include "cmocka_all.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START    "2026-11-24T10:00:00Z"
#define START_MS INT64_C(1795514400000)
#define DATA     OBS_SOURCE_DIR "/tests/data/"

struct stage {
    char directory[TEST_PATH_BYTES], log[TEST_PATH_BYTES], truth[TEST_PATH_BYTES], bus_url[TEST_PATH_BYTES];
    char base_url[64], listen[64];
};

static int set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof *stage);
    temp_directory_create(stage->directory, "simulator");
    path_join(stage->log, stage->directory, "log");
    path_join(stage->truth, stage->directory, "truth.jsonl");
    (void)snprintf(stage->bus_url, sizeof stage->bus_url, "embedded:%.480s/bus", stage->directory);
    unsigned port = net_free_port();
    (void)snprintf(stage->listen, sizeof stage->listen, "127.0.0.1:%u", port);
    (void)snprintf(stage->base_url, sizeof stage->base_url, "http://127.0.0.1:%u", port);
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;
    temp_directory_remove(stage->directory);
    free(stage);
    return 0;
}

/* --- running ---- */

#define FLAGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct process *start_with_input(struct stage *stage, const char *const *flags, const char *input)
{
    const char *argv[40] = {process_program("workload-simulator"),
                            "--bus-url",
                            stage->bus_url,
                            "--listen",
                            stage->listen,
                            "--log-format",
                            "json"};
    size_t count = 7;
    for (size_t i = 0; flags[i] != NULL; i++) {
        assert_true(count < 39);
        argv[count++] = flags[i];
    }
    const struct process_options options = {.log_path = stage->log, .stdin_path = input};
    return process_start(argv, &options);
}

static struct process *start(struct stage *stage, const char *const *flags)
{
    return start_with_input(stage, flags, NULL);
}

static int run(struct stage *stage, const char *const *flags)
{
    struct process *process = start(stage, flags);
    int code = process_wait(process, 60000);
    process_free(process);
    return code;
}

static void wait_ready(struct stage *stage)
{
    char url[96];
    (void)snprintf(url, sizeof url, "%s/readyz", stage->base_url);
    net_wait_for(url, 200, 10000);
}

static bool log_has(struct stage *stage, const char *text)
{
    return file_count_lines(stage->log, text) > 0;
}

/* The number after "name": in the log's last line that has it; -1: none. */
static int64_t logged_number(struct stage *stage, const char *name)
{
    struct buffer log;
    char wanted[64];
    int64_t value = -1;
    buffer_init(&log, 0);
    file_read(stage->log, &log);
    (void)snprintf(wanted, sizeof wanted, "\"%s\":", name);
    for (const char *at = strstr(buffer_text(&log), wanted); at != NULL; at = strstr(at + 1, wanted)) {
        value = strtoll(at + strlen(wanted), NULL, 10);
    }
    buffer_free(&log);
    return value;
}

/* The value of one sample line of /metrics, e.g. name{result="acknowledged"}. */
static double metric(struct stage *stage, const char *sample)
{
    struct buffer page;
    char url[96];
    buffer_init(&page, 0);
    (void)snprintf(url, sizeof url, "%s/metrics", stage->base_url);
    assert_int_equal(net_get(url, &page), 200);
    const char *at = strstr(buffer_text(&page), sample);
    while (at != NULL && at != page.data && at[-1] != '\n') {
        at = strstr(at + 1, sample);
    }
    if (at == NULL) {
        fail_msg("no %s on /metrics", sample);
        return -1;
    }
    double value = strtod(at + strlen(sample), NULL);
    buffer_free(&page);
    return value;
}

/* --- looking at the topics ---- */

struct seen {
    struct event_decoder *decoder;
    size_t events, errors, inside, inside_errors, wrong;
    /* counted apart: events of api-service in us-east-1 in [from_ms, to_ms) */
    int64_t from_ms, to_ms;
    int64_t first_ms, last_ms;
    size_t statuses[600];
    int32_t partitions;
};

static void take_event(void *context, const struct bus_record *record)
{
    struct seen *seen = context;
    struct event event;
    struct event_fault fault;
    char key[EVENT_KEY_BYTES];
    if (event_decode(seen->decoder, record->value.data, record->value.size_bytes, &event, &fault) !=
        EVENT_OK) {
        seen->wrong++;
        return;
    }
    size_t key_size = event_key(key, &event);
    if (record->key.size_bytes != key_size || memcmp(record->key.data, key, key_size) != 0 ||
        record->partition != bus_partition_for_key(key, key_size, 12)) {
        seen->wrong++;
    }
    bool is_error = event.status_code >= 500;
    bool is_inside = event.time_unix_ms >= seen->from_ms && event.time_unix_ms < seen->to_ms &&
                     event.service.size == 11 && memcmp(event.service.data, "api-service", 11) == 0 &&
                     event.region.size == 9 && memcmp(event.region.data, "us-east-1", 9) == 0;
    seen->events++;
    seen->statuses[event.status_code]++;
    seen->errors += is_error ? 1 : 0;
    seen->inside += is_inside ? 1 : 0;
    seen->inside_errors += is_inside && is_error ? 1 : 0;
    seen->first_ms =
        seen->first_ms == 0 || event.time_unix_ms < seen->first_ms ? event.time_unix_ms : seen->first_ms;
    seen->last_ms = event.time_unix_ms > seen->last_ms ? event.time_unix_ms : seen->last_ms;
}

static void look(struct stage *stage, struct seen *seen)
{
    struct error error;
    assert_int_equal(event_decoder_create(&seen->decoder, &error), 0);
    (void)topic_read(stage->bus_url, "metrics.raw", take_event, seen);
    event_decoder_destroy(seen->decoder);
    assert_int_equal(seen->wrong, 0);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The topic's values, sorted, a line each. */
static void read_sorted(struct stage *stage, const char *topic, struct buffer *out)
{
    struct buffer lines;
    buffer_init(&lines, 0);
    size_t count = topic_read_lines(stage->bus_url, topic, &lines);
    char **sorted = calloc(count + 1, sizeof *sorted);
    char *text = strdup(buffer_text(&lines)), *rest = text;
    for (size_t i = 0; i < count; i++) {
        sorted[i] = strsep(&rest, "\n");
    }
    qsort(sorted, count, sizeof *sorted, compare_lines);
    for (size_t i = 0; i < count; i++) {
        buffer_append_format(out, "%s\n", sorted[i]);
    }
    free(text);
    free(sorted);
    buffer_free(&lines);
}

/* --- simulated traffic ---- */

static void what_is_acknowledged_is_on_the_topics(void **state)
{
    struct stage *stage = *state;
    assert_int_equal(
        run(stage, FLAGS("--target-rps", "500", "--duration", "2", "--start", START, "--instance", "a")), 0);
    struct seen seen = {0};
    struct buffer logs;
    look(stage, &seen);
    buffer_init(&logs, 0);
    assert_in_range(seen.events, 850, 1150);
    assert_int_equal(logged_number(stage, "events_acknowledged"), (int64_t)seen.events);
    assert_int_equal(logged_number(stage, "logs_acknowledged"),
                     (int64_t)topic_read_lines(stage->bus_url, "logs.raw", &logs));
    assert_int_equal(logged_number(stage, "logs_acknowledged"), (int64_t)seen.events);
    assert_true(seen.first_ms >= START_MS && seen.last_ms < START_MS + 2000);
    buffer_free(&logs);
}

static void paced_or_as_fast_as_it_can_the_events_are_the_same(void **state)
{
    struct stage *stage = *state;
    struct stage other = *stage;
    struct buffer paced, fast;
    (void)snprintf(other.bus_url, sizeof other.bus_url, "embedded:%.480s/other", stage->directory);
    const char *const flags[] = {"--target-rps", "400", "--duration", "2", "--start", START,
                                 "--instance",   "a",   "--seed",     "9", NULL,      NULL};
    const char *fast_flags[12];
    memcpy(fast_flags, flags, sizeof flags);
    fast_flags[10] = "--max";
    assert_int_equal(run(stage, flags), 0);
    assert_int_equal(run(&other, fast_flags), 0);
    buffer_init(&paced, 0);
    buffer_init(&fast, 0);
    read_sorted(stage, "metrics.raw", &paced);
    read_sorted(&other, "metrics.raw", &fast);
    assert_true(paced.size > 100000);
    assert_string_equal(buffer_text(&paced), buffer_text(&fast));
    buffer_free(&paced);
    buffer_free(&fast);
}

static void at_the_time_of_day_max_goes_as_fast_as_the_bus(void **state)
{
    struct stage *stage = *state;
    assert_int_equal(run(stage, FLAGS("--max", "--duration", "1")), 0);
    struct seen seen = {0};
    look(stage, &seen);
    assert_true(seen.events > 2000); /* ten seconds of the default pace, even under a sanitizer */
    assert_int_equal(logged_number(stage, "events_acknowledged"), (int64_t)seen.events);
    assert_true(seen.last_ms - seen.first_ms <= 1000);
}

static void sigterm_in_the_middle_keeps_every_acknowledged_event(void **state)
{
    struct stage *stage = *state;
    struct process *process = start(stage, FLAGS("--target-rps", "2000"));
    wait_ready(stage);
    process_sleep_ms(500);
    process_signal(process, SIGTERM);
    assert_int_equal(process_wait(process, 12000), 0);
    process_free(process);
    struct seen seen = {0};
    look(stage, &seen);
    assert_true(seen.events > 100);
    assert_int_equal(logged_number(stage, "events_acknowledged"), (int64_t)seen.events);
    assert_int_equal(logged_number(stage, "events_produced"), (int64_t)seen.events);
    /* Once it stops it never says again that it is ready. */
    assert_int_equal(file_count_lines(stage->log, "\"msg\":\"ready\""), 1);
}

static void kill_9_loses_no_acknowledged_event(void **state)
{
    struct stage *stage = *state;
    struct process *process = start(stage, FLAGS("--target-rps", "5000"));
    wait_ready(stage);
    process_sleep_ms(500);
    double acknowledged = metric(stage, "workload_simulator_events_total{result=\"acknowledged\"}");
    process_kill(process);
    process_free(process);
    struct seen seen = {0};
    look(stage, &seen);
    assert_true(acknowledged > 100);
    assert_true((double)seen.events >= acknowledged);
}

static void metrics_are_there_at_0_before_anything_happens(void **state)
{
    struct stage *stage = *state;
    static const char *const samples[] = {
        "workload_simulator_events_total{result=\"produced\"}",
        "workload_simulator_events_total{result=\"acknowledged\"}",
        "workload_simulator_events_total{result=\"failed\"}",
        "workload_simulator_logs_total{result=\"failed\"}",
        "workload_simulator_faults_active",
        "workload_simulator_faults_total",
        "workload_simulator_replay_lines_total{result=\"malformed\"}",
    };
    struct process *process = start(stage, FLAGS("--target-rps", "0"));
    wait_ready(stage);
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        assert_true(metric(stage, samples[i]) == 0);
    }
    assert_int_equal(process_stop(process), 0);
    process_free(process);
}

/* --- faults ---- */

static void a_scenario_s_faults_are_in_the_events_and_in_the_truth(void **state)
{
    struct stage *stage = *state;
    char scenario[TEST_PATH_BYTES];
    path_join(scenario, stage->directory, "scenario.yaml");
    file_write_text(
        scenario,
        "seed: 42\nduration: 60s\ntarget_rps: 1000\ninstance: s\nstart: " START "\n"
        "faults:\n"
        "  - {type: error_burst, service: api-service, region: us-east-1, start: 20s, duration: 10s, "
        "magnitude: 0.3}\n"
        "  - {type: latency_spike, service: payment-service, start: 50s, duration: 60s, magnitude: 5}\n");
    assert_int_equal(run(stage, FLAGS("--scenario", scenario, "--max", "--truth", stage->truth)), 0);
    struct seen seen = {.from_ms = START_MS + 20000, .to_ms = START_MS + 30000};
    look(stage, &seen);
    double share = (double)seen.inside_errors / (double)seen.inside;
    assert_true(seen.inside > 500);
    assert_true(share > 0.25 && share < 0.35);
    assert_true(seen.errors - seen.inside_errors < seen.events / 200);
    assert_int_equal(file_count_lines(stage->truth, ""), 4);
    assert_int_equal(file_count_lines(stage->truth, "\"change\":\"begin\""), 2);
    assert_int_equal(
        file_count_lines(stage->truth,
                         "\"change\":\"end\",\"time\":\"2026-11-24T10:00:30.000Z\",\"time_unix_ms\":"
                         "1795514430000,\"id\":\"1\",\"type\":\"error_burst\","
                         "\"service\":\"api-service\",\"region\":\"us-east-1\",\"magnitude\":0.3,"
                         "\"begin_unix_ms\":1795514420000,\"end_unix_ms\":1795514430000}"),
        1);
    /* The run was over before the second fault: its true end is the run's. */
    assert_int_equal(file_count_lines(stage->truth,
                                      "\"region\":null,\"magnitude\":5,\"begin_unix_ms\":1795514450000,"
                                      "\"end_unix_ms\":1795514460000}"),
                     1);
}

static int post(struct stage *stage, const char *body, struct buffer *answer)
{
    char url[96];
    (void)snprintf(url, sizeof url, "%s/faults", stage->base_url);
    buffer_clear(answer);
    return net_send("POST", url, "application/json", body, answer);
}

static int ask(struct stage *stage, const char *method, const char *path, struct buffer *answer)
{
    char url[96];
    (void)snprintf(url, sizeof url, "%s%s", stage->base_url, path);
    buffer_clear(answer);
    return net_send(method, url, NULL, NULL, answer);
}

static bool has(struct buffer *answer, const char *text)
{
    return strstr(buffer_text(answer), text) != NULL;
}

static void faults_come_and_go_over_http(void **state)
{
    struct stage *stage = *state;
    struct buffer answer;
    buffer_init(&answer, 0);
    struct process *process = start(stage, FLAGS("--target-rps", "1000", "--truth", stage->truth));
    wait_ready(stage);
    assert_int_equal(post(stage,
                          "{\"type\":\"error_burst\",\"service\":\"api-service\",\"duration\":\"60s\","
                          "\"magnitude\":0.5}",
                          &answer),
                     201);
    assert_true(has(&answer, "\"id\":\"1\""));
    assert_true(has(&answer, "\"state\":\"active\""));
    assert_int_equal(
        post(stage, "{\"type\":\"region_outage\",\"region\":\"eu-west-1\",\"start\":\"30s\"}", &answer), 201);
    assert_true(has(&answer, "\"state\":\"scheduled\""));
    process_sleep_ms(1000);
    assert_true(metric(stage, "workload_simulator_faults_active") == 1);
    assert_int_equal(ask(stage, "GET", "/faults", &answer), 200);
    assert_true(has(&answer, "error_burst") && has(&answer, "region_outage"));
    assert_int_equal(ask(stage, "GET", "/faults/2", &answer), 200);
    assert_int_equal(ask(stage, "DELETE", "/faults/1", &answer), 200);
    assert_int_equal(ask(stage, "DELETE", "/faults/1", &answer), 409);
    assert_int_equal(ask(stage, "DELETE", "/faults/2", &answer), 200);
    assert_true(has(&answer, "\"state\":\"cancelled\""));
    assert_int_equal(ask(stage, "DELETE", "/faults/99", &answer), 404);
    assert_int_equal(ask(stage, "DELETE", "/faults/one", &answer), 404);
    process_sleep_ms(300);
    assert_int_equal(process_stop(process), 0);
    process_free(process);
    assert_int_equal(file_count_lines(stage->truth, "\"change\":\"begin\""), 1);
    assert_int_equal(file_count_lines(stage->truth, "\"change\":\"end\""), 1);
    struct seen seen = {0};
    look(stage, &seen);
    assert_true(seen.errors > 100);
    buffer_free(&answer);
}

static void bad_faults_are_refused_with_the_field_named(void **state)
{
    struct stage *stage = *state;
    static const struct {
        const char *body, *named;
    } cases[] = {
        {"", "JSON"},
        {"error_burst", "JSON"},
        {"[]", "mapping"},
        {"{\"type\":\"error_burst\",\"magnitude\":0.5,}", "JSON"},
        {"{\"type\":\"earthquake\",\"magnitude\":0.5}", "'type'"},
        {"{\"type\":\"error_burst\"}", "'magnitude'"},
        {"{\"type\":\"error_burst\",\"magnitude\":30}", "'magnitude'"},
        {"{\"type\":\"error_burst\",\"magnitude\":\"0.5\"}", "'magnitude'"},
        {"{\"type\":\"error_burst\",\"magnitude\":0.5,\"service\":\"shop\"}", "'service'"},
        {"{\"type\":\"error_burst\",\"magnitude\":0.5,\"region\":\"moon\"}", "'region'"},
        {"{\"type\":\"error_burst\",\"magnitude\":0.5,\"duration\":\"-1s\"}", "'duration'"},
        {"{\"type\":\"error_burst\",\"magnitude\":0.5,\"start\":\"2020-01-01T00:00:00Z\"}", "'start'"},
        {"{\"type\":\"error_burst\",\"magnitude\":0.5,\"color\":\"red\"}", "color"},
    };
    struct buffer answer;
    buffer_init(&answer, 0);
    struct process *process = start(stage, FLAGS("--target-rps", "10"));
    wait_ready(stage);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(post(stage, cases[i].body, &answer), 400);
        if (!has(&answer, cases[i].named)) {
            fail_msg("%s: %s doesn't name %s", cases[i].body, buffer_text(&answer), cases[i].named);
        }
    }
    assert_true(metric(stage, "workload_simulator_faults_total") == 0);
    assert_int_equal(process_stop(process), 0);
    process_free(process);
    buffer_free(&answer);
}

/* --- replay ---- */

/* The log's own counts by status: the number after the request's closing quote. */
static size_t count_statuses(const char *path, size_t statuses[600])
{
    struct buffer log;
    size_t lines = 0;
    buffer_init(&log, 0);
    file_read(path, &log);
    char *text = strdup(buffer_text(&log)), *rest = text;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        const char *status = strstr(line, "] \"") == NULL ? NULL : strstr(strstr(line, "] \"") + 3, "\" ");
        if (status != NULL) {
            statuses[atoi(status + 2)]++;
            lines++;
        }
    }
    free(text);
    buffer_free(&log);
    return lines;
}

static void assert_replayed(struct stage *stage, size_t statuses[600], size_t lines)
{
    struct seen seen = {0};
    look(stage, &seen);
    assert_int_equal(seen.events, lines);
    assert_memory_equal(seen.statuses, statuses, 600 * sizeof statuses[0]);
}

static void a_log_of_nginx_is_replayed_line_for_line(void **state)
{
    struct stage *stage = *state;
    size_t statuses[600] = {0};
    size_t lines = count_statuses(DATA "nginx-access.log", statuses);
    assert_int_equal(lines, 150);
    assert_int_equal(run(stage, FLAGS("--replay", DATA "nginx-access.log", "--replay-speed", "0")), 0);
    assert_replayed(stage, statuses, lines);
    assert_int_equal(logged_number(stage, "malformed"), 0);
}

static void the_json_log_of_the_same_requests_gives_the_same_counts(void **state)
{
    struct stage *stage = *state;
    size_t statuses[600] = {0};
    size_t lines = count_statuses(DATA "nginx-access.log", statuses);
    assert_int_equal(run(stage, FLAGS("--replay", DATA "nginx-access.json.log", "--replay-speed", "0")), 0);
    assert_replayed(stage, statuses, lines);
}

static void standard_input_is_replayed_too(void **state)
{
    struct stage *stage = *state;
    size_t statuses[600] = {0};
    size_t lines = count_statuses(DATA "nginx-access.log", statuses);
    struct process *process =
        start_with_input(stage, FLAGS("--replay", "-", "--replay-speed", "0"), DATA "nginx-access.log");
    assert_int_equal(process_wait(process, 30000), 0);
    process_free(process);
    assert_replayed(stage, statuses, lines);
}

static void original_times_are_refused_on_a_topic_with_later_events(void **state)
{
    struct stage *stage = *state;
    const char *const first[] = {
        "--replay", DATA "nginx-access.log", "--replay-speed", "0", "--replay-time", "original", NULL};
    const char *forced[] = {
        "--replay", DATA "nginx-access.log", "--replay-speed", "0", "--replay-time", "original", "--force",
        NULL};
    struct buffer once, twice;
    buffer_init(&once, 0);
    buffer_init(&twice, 0);
    assert_int_equal(run(stage, first), 0);
    read_sorted(stage, "metrics.raw", &once);
    assert_int_equal(run(stage, first), 1);
    assert_true(log_has(stage, "already holds events up to 2026-11-25T00:24:51.000Z"));
    assert_true(log_has(stage, "--force"));
    /* Forced, the very same events come again: ids and times are the log's, so they count once. */
    assert_int_equal(run(stage, forced), 0);
    read_sorted(stage, "metrics.raw", &twice);
    assert_int_equal(twice.size, 2 * once.size);
    const char *a = buffer_text(&once), *b = buffer_text(&twice);
    while (*a != '\0') {
        size_t size = strcspn(a, "\n") + 1;
        assert_memory_equal(a, b, size);
        assert_memory_equal(a, b + size, size);
        a += size;
        b += 2 * size;
    }
    buffer_free(&once);
    buffer_free(&twice);
}

static void simulated_events_can_be_replayed_as_they_were(void **state)
{
    struct stage *stage = *state;
    char path[TEST_PATH_BYTES];
    struct buffer lines, again;
    buffer_init(&lines, 0);
    buffer_init(&again, 0);
    assert_int_equal(run(stage, FLAGS("--target-rps", "300", "--duration", "1", "--start", START, "--max",
                                      "--instance", "a")),
                     0);
    read_sorted(stage, "metrics.raw", &lines);
    path_join(path, stage->directory, "events");
    file_write(path, lines.data, lines.size);
    (void)snprintf(stage->bus_url, sizeof stage->bus_url, "embedded:%.480s/other", stage->directory);
    assert_int_equal(run(stage, FLAGS("--replay", path, "--replay-speed", "0", "--replay-time", "original")),
                     0);
    read_sorted(stage, "metrics.raw", &again);
    assert_string_equal(buffer_text(&lines), buffer_text(&again));
    buffer_free(&lines);
    buffer_free(&again);
}

static void gaps_are_kept_at_the_replay_s_speed(void **state)
{
    struct stage *stage = *state;
    char path[TEST_PATH_BYTES];
    path_join(path, stage->directory, "access.log");
    file_write_text(path,
                    "1.1.1.1 - - [24/Nov/2026:10:00:00 +0000] \"GET /a HTTP/1.1\" 200 1 \"-\" \"a\" 0.1\n"
                    "1.1.1.1 - - [24/Nov/2026:10:01:40 +0000] \"GET /b HTTP/1.1\" 200 1 \"-\" \"a\" 0.1\n");
    assert_int_equal(run(stage, FLAGS("--replay", path, "--replay-speed", "100")), 0);
    struct seen seen = {0};
    look(stage, &seen);
    assert_int_equal(seen.last_ms - seen.first_ms, 1000);
}

static void lines_that_are_none_are_counted_and_the_run_goes_on(void **state)
{
    struct stage *stage = *state;
    char path[TEST_PATH_BYTES];
    struct buffer text;
    buffer_init(&text, 0);
    buffer_append_text(&text, "garbage\n");
    file_read(DATA "nginx-access.log", &text);
    for (int i = 0; i < 100000; i++) {
        buffer_append_char(&text, (char)(i * 7 % 251 == 10 ? 11 : i * 7 % 251));
    }
    buffer_append_text(
        &text, "\n{\"id\":3,\"time_unix_ms\":1}\n{\n\n"
               "1.1.1.1 - - [24/Nov/2026:10:00:00 +0000] \"GET /last HTTP/1.1\" 200 1 \"-\" \"a\" 0.1");
    path_join(path, stage->directory, "access.log");
    file_write(path, text.data, text.size);
    buffer_free(&text);
    assert_int_equal(run(stage, FLAGS("--replay", path, "--replay-speed", "0")), 0);
    struct seen seen = {0};
    look(stage, &seen);
    assert_int_equal(seen.events, 151);
    assert_int_equal(logged_number(stage, "malformed"), 4);
    assert_int_equal(logged_number(stage, "first_malformed_line"), 1);
    assert_true(log_has(stage, "\"line\":152"));
    assert_true(log_has(stage, "over 64 KiB"));
}

static void a_log_without_request_times_is_refused_with_what_to_add(void **state)
{
    struct stage *stage = *state;
    assert_int_equal(run(stage, FLAGS("--replay", DATA "nginx-without-times.log")), 1);
    assert_true(log_has(stage, "has no request times"));
    assert_true(log_has(stage, "log_format obs '$remote_addr - $remote_user [$time_local]"));
    assert_true(log_has(stage, "$request_time';"));
    assert_int_equal(file_count_lines(stage->log, "a line can't be read"), 1);
}

static void a_file_in_which_nothing_can_be_read_is_an_error(void **state)
{
    struct stage *stage = *state;
    assert_int_equal(
        run(stage, FLAGS("--replay", process_program("workload-simulator"), "--replay-speed", "0")), 1);
    assert_true(log_has(stage, "can be read"));
}

static void a_replay_has_no_faults(void **state)
{
    struct stage *stage = *state;
    struct buffer answer;
    char path[TEST_PATH_BYTES];
    buffer_init(&answer, 0);
    path_join(path, stage->directory, "access.log");
    file_write_text(path,
                    "1.1.1.1 - - [24/Nov/2026:10:00:00 +0000] \"GET /a HTTP/1.1\" 200 1 \"-\" \"a\" 0.1\n"
                    "1.1.1.1 - - [24/Nov/2026:11:00:00 +0000] \"GET /b HTTP/1.1\" 200 1 \"-\" \"a\" 0.1\n");
    struct process *process = start(stage, FLAGS("--replay", path));
    wait_ready(stage);
    assert_int_equal(post(stage, "{\"type\":\"error_burst\",\"magnitude\":0.5}", &answer), 409);
    assert_int_equal(ask(stage, "GET", "/faults", &answer), 200);
    assert_int_equal(process_stop(process), 0); /* in the hour between the lines */
    process_free(process);
    buffer_free(&answer);
}

/* --- wrong use ---- */

static void wrong_use_is_refused_and_named(void **state)
{
    struct stage *stage = *state;
    char scenario[TEST_PATH_BYTES];
    path_join(scenario, stage->directory, "scenario.yaml");
    file_write_text(scenario, "seed: 1\nfaults:\n  - {type: error_burst, magnitude: 7}\n");
    const struct {
        const char *const *flags;
        const char *named;
    } cases[] = {
        {FLAGS("--target-rps", "many"), "--target-rps"},
        {FLAGS("--target-rps", "-1"), "--target-rps"},
        {FLAGS("--error-rate", "1.5"), "--error-rate"},
        {FLAGS("--start", "noon"), "--start"},
        {FLAGS("--speed", "3"), "--speed"},
        {FLAGS("--scenario", scenario), ":3:"},
        {FLAGS("--scenario", "/nonexistent"), "/nonexistent"},
        {FLAGS("--truth", "/nonexistent/truth"), "--truth"},
        {FLAGS("--replay", "/nonexistent"), "/nonexistent"},
        {FLAGS("--replay", "/tmp"), "directory"},
        {FLAGS("--replay", "-", "--max"), "--max"},
        {FLAGS("--replay-speed", "2"), "--replay-speed"},
        {FLAGS("--replay", "-", "--replay-time", "later"), "--replay-time"},
        {FLAGS("--replay", "-", "--replay-service", ""), "--replay-service"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        file_write_text(stage->log, "");
        assert_int_equal(run(stage, cases[i].flags), 2);
        if (!log_has(stage, cases[i].named)) {
            fail_msg("case %zu doesn't name %s", i, cases[i].named);
        }
    }
}

static void a_port_that_is_taken_is_named_with_its_setting(void **state)
{
    struct stage *stage = *state;
    struct process *first = start(stage, FLAGS("--target-rps", "1"));
    wait_ready(stage);
    file_write_text(stage->log, "");
    assert_int_equal(run(stage, FLAGS("--target-rps", "1")), 1);
    assert_true(log_has(stage, "--listen"));
    assert_true(log_has(stage, strrchr(stage->listen, ':') + 1));
    assert_int_equal(process_stop(first), 0);
    process_free(first);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_acknowledged_is_on_the_topics),
        CASE(paced_or_as_fast_as_it_can_the_events_are_the_same),
        CASE(at_the_time_of_day_max_goes_as_fast_as_the_bus),
        CASE(sigterm_in_the_middle_keeps_every_acknowledged_event),
        CASE(kill_9_loses_no_acknowledged_event),
        CASE(metrics_are_there_at_0_before_anything_happens),
        CASE(a_scenario_s_faults_are_in_the_events_and_in_the_truth),
        CASE(faults_come_and_go_over_http),
        CASE(bad_faults_are_refused_with_the_field_named),
        CASE(a_log_of_nginx_is_replayed_line_for_line),
        CASE(the_json_log_of_the_same_requests_gives_the_same_counts),
        CASE(standard_input_is_replayed_too),
        CASE(original_times_are_refused_on_a_topic_with_later_events),
        CASE(simulated_events_can_be_replayed_as_they_were),
        CASE(gaps_are_kept_at_the_replay_s_speed),
        CASE(lines_that_are_none_are_counted_and_the_run_goes_on),
        CASE(a_log_without_request_times_is_refused_with_what_to_add),
        CASE(a_file_in_which_nothing_can_be_read_is_an_error),
        CASE(a_replay_has_no_faults),
        CASE(wrong_use_is_refused_and_named),
        CASE(a_port_that_is_taken_is_named_with_its_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
