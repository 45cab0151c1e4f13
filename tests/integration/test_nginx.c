/* Real traffic, end to end: nginx under wrk writes its access log, the simulator replays it through the
 * platform, and then Prometheus holds exactly what the log holds. What the log holds is counted by awk, which
 * shares no code with us. */
#include "buffer/buffer.h"
#include "cmocka_all.h"
#include "pages.h"
#include "support/files.h"
#include "support/net.h"
#include "support/process.h"
#include "support/prometheus.h"
#include "support/stack.h"
#include "json/json_read.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WRK_SECONDS "4"

struct site {
    char directory[TEST_PATH_BYTES], log[TEST_PATH_BYTES];
    uint16_t port;
    struct process *nginx;
};

struct counted { /* what the log holds */
    size_t lines;
    double p99_s;
};

/* limit_req makes requests wait their turn, so even the fast ones take milliseconds; limit_rate spreads a
 * file of a few blocks over tenths of a second. try_files comes after limit_req, which "return" would not. */
static const char site_config[] =
    "daemon off;\n%sworker_processes 1;\npid nginx.pid;\nerror_log error.log;\n"
    "events { worker_connections 256; }\n"
    "http {\n"
    "  log_format timed '$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent '\n"
    "                   '\"$http_referer\" \"$http_user_agent\" $request_time';\n"
    "  access_log access.log timed;\n"
    "  limit_req_zone $server_name zone=users:1m rate=400r/s;\n"
    "  limit_req_zone $server_name zone=fail:1m rate=50r/s;\n"
    "  limit_req_zone $server_name zone=unavailable:1m rate=20r/s;\n"
    "  client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t; scgi_temp_path "
    "t;\n"
    "  sendfile off;\n  output_buffers 1 8k;\n"
    "  server {\n"
    "    listen 127.0.0.1:%u;\n    server_name site;\n    root %s;\n"
    "    location /users/ { limit_req zone=users burst=50; try_files /fast =404; }\n"
    "    location = /slow { limit_rate 80k; }\n"
    "    location = /slower { limit_rate 80k; }\n"
    "    location = /fail { limit_req zone=fail burst=50; try_files /none =500; }\n"
    "    location = /unavailable { limit_req zone=unavailable burst=50; try_files /none =503; }\n"
    "  }\n"
    "}\n";

static void write_zeros(const struct site *site, const char *name, size_t size)
{
    char path[TEST_PATH_BYTES];
    char *zeros = calloc(1, size);
    assert_non_null(zeros);
    path_join(path, site->directory, name);
    file_write(path, zeros, size);
    free(zeros);
}

static void start_site(struct site *site)
{
    char path[TEST_PATH_BYTES], text[8192], url[64];
    process_require_command("nginx");
    process_require_command("wrk");
    temp_directory_create(site->directory, "nginx");
    path_join(site->log, site->directory, "access.log");
    site->port = net_free_port();
    write_zeros(site, "fast", 100);
    write_zeros(site, "slow", 24000);
    write_zeros(site, "slower", 48000);
    snprintf(text, sizeof text, site_config, geteuid() == 0 ? "user root;\n" : "", (unsigned)site->port,
             site->directory);
    path_join(path, site->directory, "nginx.conf");
    file_write_text(path, text);
    path_join(path, site->directory, "users.lua");
    file_write_text(path, "local n = 0\n"
                          "request = function()\n"
                          "  n = n + 1\n"
                          "  return wrk.format('GET', '/users/' .. n)\n"
                          "end\n");
    path_join(path, site->directory, "nginx.log");
    const struct process_options options = {.log_path = path, .directory = site->directory};
    snprintf(text, sizeof text, "%s/nginx.conf", site->directory);
    site->nginx =
        process_start((const char *const[]){"nginx", "-p", site->directory, "-c", text, NULL}, &options);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/users/0", (unsigned)site->port);
    net_wait_for(url, 200, 10000);
}

static void load_site(const struct site *site)
{
    static const struct {
        const char *path, *connections;
    } loads[] = {{"/users/", "8"}, {"/slow", "4"}, {"/slower", "2"}, {"/fail", "2"}, {"/unavailable", "1"}};
    struct process *wrk[5];
    char url[5][64], script[TEST_PATH_BYTES], output[TEST_PATH_BYTES];
    path_join(script, site->directory, "users.lua");
    path_join(output, site->directory, "wrk.log");
    const struct process_options options = {.log_path = output};
    for (size_t i = 0; i < 5; i++) {
        snprintf(url[i], sizeof url[i], "http://127.0.0.1:%u%s", (unsigned)site->port, loads[i].path);
        wrk[i] = process_start((const char *const[]){"wrk", "-t1", "-c", loads[i].connections, "-d",
                                                     WRK_SECONDS, url[i], i == 0 ? "-s" : NULL, script, NULL},
                               &options);
    }
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(process_wait(wrk[i], 30000), 0);
        process_free(wrk[i]);
    }
}

/* Its log is whole once it has ended. */
static void stop_site(struct site *site)
{
    process_signal(site->nginx, SIGQUIT);
    assert_int_equal(process_wait(site->nginx, 15000), 0);
    process_free(site->nginx);
    site->nginx = NULL;
}

/* --- what the log says ---- */

/* "route method status count" a line, sorted. */
static void count_by_awk(const struct site *site, struct buffer *lines)
{
    char command[2 * TEST_PATH_BYTES];
    snprintf(command, sizeof command,
             "awk '{ method = substr($6, 2); path = $7; sub(/^\\/users\\/[0-9]+$/, \"/users/{id}\", path);"
             "       n[path \" \" method \" \" $9]++ }"
             "     END { for (k in n) print k, n[k] }' %s | LC_ALL=C sort",
             site->log);
    assert_int_equal(process_run((const char *const[]){"sh", "-c", command, NULL}, 30000, lines), 0);
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The nearest rank of all request times. */
static struct counted count_times(const struct site *site)
{
    FILE *file = fopen(site->log, "re");
    assert_non_null(file);
    double *times = NULL;
    size_t count = 0, room = 0, line_room = 0;
    char *line = NULL;
    while (getline(&line, &line_room, file) >= 0) {
        if (count == room) {
            room = room > 0 ? 2 * room : 4096;
            times = realloc(times, room * sizeof *times);
            assert_non_null(times);
        }
        times[count++] = strtod(strrchr(line, ' ') + 1, NULL);
    }
    fclose(file);
    free(line);
    assert_true(count >= 1000);
    qsort(times, count, sizeof *times, compare_doubles);
    const struct counted counted = {.lines = count, .p99_s = times[(size_t)ceil(0.99 * (double)count) - 1]};
    free(times);
    return counted;
}

/* --- what the platform says ---- */

static void replay(const struct stack *stack, const struct site *site)
{
    char output[TEST_PATH_BYTES];
    path_join(output, stack->directory, "replay.log");
    const struct process_options options = {.log_path = output};
    struct process *simulator = process_start(
        (const char *const[]){process_program("workload-simulator"), "--replay", site->log, "--replay-speed",
                              "0", "--replay-service", "site", "--replay-region", "here", "--bus-url",
                              stack->bus_url, "--listen", "127.0.0.1:0", NULL},
        &options);
    assert_int_equal(process_wait(simulator, 60000), 0);
    process_free(simulator);
}

struct awaited {
    const char *base;
    double requests;
};

static bool has_arrived(void *context)
{
    const struct awaited *awaited = context;
    return prometheus_value(awaited->base, "sum(http_server_requests_total)") >= awaited->requests &&
           prometheus_value(awaited->base, "sum(http_server_request_duration_seconds_count)") >=
               awaited->requests;
}

static void append_series(void *context, const struct prometheus_sample *sample)
{
    assert_string_equal(prometheus_label(sample, "service_name"), "site");
    assert_string_equal(prometheus_label(sample, "cloud_region"), "here");
    buffer_append_format(context, "%s %s %s %.0f\n", prometheus_label(sample, "http_route"),
                         prometheus_label(sample, "http_request_method"),
                         prometheus_label(sample, "http_response_status_code"), sample->value);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_lines(struct buffer *lines)
{
    char *all[256], *rest = NULL;
    size_t count = 0;
    char *copy = strdup(buffer_text(lines));
    assert_non_null(copy);
    for (char *line = strtok_r(copy, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        assert_true(count < 256);
        all[count++] = line;
    }
    qsort(all, count, sizeof all[0], compare_texts);
    buffer_clear(lines);
    for (size_t i = 0; i < count; i++) {
        buffer_append_format(lines, "%s\n", all[i]);
    }
    free(copy);
}

static void counts_are_the_logs(const struct stack *stack, const struct site *site, size_t lines)
{
    const char *prometheus = stack_url(stack, STACK_PROMETHEUS, "");
    struct buffer expected, found;
    buffer_init(&expected, 0);
    buffer_init(&found, 0);
    count_by_awk(site, &expected);
    prometheus_query(prometheus, "http_server_request_duration_seconds_count", append_series, &found);
    sort_lines(&found);
    assert_string_equal(buffer_text(&found), buffer_text(&expected));
    assert_non_null(strstr(buffer_text(&found), "/fail GET 500"));
    assert_non_null(strstr(buffer_text(&found), "/unavailable GET 503"));
    assert_true(prometheus_value(prometheus, "sum(http_server_requests_total)") == (double)lines);
    buffer_clear(&expected);
    buffer_append_format(&expected, "awk '$9 ~ /^5/' %s | wc -l", site->log);
    buffer_clear(&found);
    assert_int_equal(
        process_run((const char *const[]){"sh", "-c", buffer_text(&expected), NULL}, 30000, &found), 0);
    assert_true(prometheus_value(prometheus, "sum(http_server_requests_total{status_class=\"5xx\"})") ==
                strtod(buffer_text(&found), NULL));
    buffer_free(&found);
    buffer_free(&expected);
}

/* The stream-processor's own P99 of the last minute: 1 %, or half a millisecond where the log's resolution
 * ends. */
static void stream_p99_is_within_1_percent(const struct stack *stack, struct counted counted)
{
    struct buffer page;
    struct series_totals totals;
    struct json_reader *reader = NULL;
    buffer_init(&page, 0);
    assert_int_equal(net_get(stack_url(stack, STACK_PROCESSOR, "/series"), &page), 200);
    assert_int_equal(json_reader_create(&reader, page.size, NULL), 0);
    assert_int_equal(pages_read_series(reader, page.data, page.size, 60, &totals), 0);
    assert_int_equal(totals.series, 1);
    assert_true(totals.requests == (double)counted.lines);
    print_message("%zu lines; P99 exact %.4f s, stream-processor %.4f s\n", counted.lines, counted.p99_s,
                  totals.worst_p99_s);
    assert_true(fabs(totals.worst_p99_s - counted.p99_s) <= 0.01 * counted.p99_s);
    json_reader_destroy(reader);
    buffer_free(&page);
}

/* Prometheus can't know better than its buckets: the estimate lies in the bucket that holds the exact one. */
static void prometheus_p99_is_in_the_same_bucket(const struct stack *stack, struct counted counted)
{
    static const double bounds[] = {0,   0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                    0.5, 0.75,  1,    2.5,   5,    7.5,   10,  1e9};
    const double estimate = prometheus_value(
        stack_url(stack, STACK_PROMETHEUS, ""),
        "histogram_quantile(0.99, sum by (le) (http_server_request_duration_seconds_bucket))");
    size_t i = 1;
    while (bounds[i] < counted.p99_s) {
        i++;
    }
    print_message("P99 of Prometheus %.4f s, bucket %g to %g s\n", estimate, bounds[i - 1], bounds[i]);
    assert_true(estimate > bounds[i - 1] && estimate <= bounds[i]);
}

static void prometheus_and_processor_agree_with_the_access_log(void **state)
{
    (void)state;
    struct site site = {0};
    struct stack stack;
    stack_create(&stack);
    start_site(&site);
    load_site(&site);
    stop_site(&site);
    const struct counted counted = count_times(&site);

    stack_start(&stack, (const char *const[]){"--target-rps=0", "--scrape-interval=1s", NULL});
    stack_wait_until_up(&stack, 30000);
    replay(&stack, &site);
    struct awaited awaited = {stack_url(&stack, STACK_PROMETHEUS, ""), (double)counted.lines};
    assert_true(process_wait_until(has_arrived, &awaited, 30000));
    stream_p99_is_within_1_percent(&stack, counted);
    counts_are_the_logs(&stack, &site, counted.lines);
    prometheus_p99_is_in_the_same_bucket(&stack, counted);
    assert_int_equal(stack_stop(&stack), 0);

    stack_destroy(&stack);
    temp_directory_remove(site.directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prometheus_and_processor_agree_with_the_access_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
