/* The real buscat: what goes in comes out, byte for byte, and what is wrong is said.
 *
 *   test_buscat          on the embedded bus, a fresh one for each test
 *   test_buscat kafka    on one broker; the tests that share no topic */
#include "buffer/buffer.h"
#include "support/files.h"
#include "support/kafka.h"
#include "support/process.h"

#include "cmocka_all.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVENT(id, service)                                                                                   \
    "{\"id\":\"" id "\",\"time_unix_ms\":1764025592125,\"service.name\":\"" service                          \
    "\",\"cloud.region\":\"eu\",\"http.request.method\":\"GET\",\"http.route\":\"/"                          \
    "\",\"http.response.status_code\":"                                                                      \
    "200,\"http.server.request.duration\":0.1}"

/* A dead letter as the processor writes it, of an original whose bytes are given. */
#define LETTER(reason, topic, more, value)                                                                   \
    "{\"key\":\"wrong|key\",\"headers\":{\"__connect.errors.topic\":\"" topic                                \
    "\",\"__connect.errors.partition\":\"3\",\"__connect.errors.offset\":\"17\","                            \
    "\"__connect.errors.exception.class.name\":\"" reason                                                    \
    "\",\"__connect.errors.exception.message\":\"it is " reason                                              \
    "\",\"dlq.attempts\":\"2\",\"trace\":\"kept\"" more "},\"value\":\"" value "\"}\n"

struct fixture {
    char directory[TEST_PATH_BYTES];
    char url[TEST_PATH_BYTES + 64];
    struct buffer out, err;
};

static const char *kafka_url; /* NULL: embedded */

static int make_fixture(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    temp_directory_create(f->directory, "buscat");
    if (kafka_url != NULL) {
        (void)snprintf(f->url, sizeof f->url, "--bus-url=%s", kafka_url);
    } else {
        (void)snprintf(f->url, sizeof f->url, "--bus-url=embedded:%s/bus?durability=process", f->directory);
    }
    buffer_init(&f->out, 0);
    buffer_init(&f->err, 0);
    *state = f;
    return 0;
}

static int free_fixture(void **state)
{
    struct fixture *f = *state;
    buffer_free(&f->out);
    buffer_free(&f->err);
    temp_directory_remove(f->directory);
    free(f);
    return 0;
}

/* Starts buscat with the arguments (up to 7, NULL-ended); its output goes to files in the directory. */
static struct process *start_buscat(struct fixture *f, const void *input, size_t input_size,
                                    const char *const *arguments)
{
    char in[TEST_PATH_BYTES];
    char out[TEST_PATH_BYTES];
    char err[TEST_PATH_BYTES];
    path_join(in, f->directory, "in");
    path_join(out, f->directory, "out");
    path_join(err, f->directory, "err");
    (void)unlink(err);
    file_write(in, input, input_size);
    const char *argv[10] = {process_program("buscat")};
    size_t count = 1;
    for (size_t i = 0; arguments[i] != NULL; i++) {
        argv[count++] = arguments[i];
    }
    argv[count] = f->url;
    const struct process_options options = {.log_path = err, .stdout_path = out, .stdin_path = in};
    return process_start(argv, &options);
}

static void read_output(struct fixture *f)
{
    char path[TEST_PATH_BYTES];
    buffer_clear(&f->out);
    path_join(path, f->directory, "out");
    file_read(path, &f->out);
    buffer_clear(&f->err);
    path_join(path, f->directory, "err");
    file_read(path, &f->err);
}

static int run_bytes(struct fixture *f, const void *input, size_t input_size, const char *const *arguments)
{
    struct process *process = start_buscat(f, input, input_size, arguments);
    int code = process_wait(process, 30000);
    process_free(process);
    read_output(f);
    return code;
}

static int run(struct fixture *f, const char *input, const char *const *arguments)
{
    return run_bytes(f, input, strlen(input), arguments);
}

#define RUN(f, input, ...) run((f), (input), (const char *const[]){__VA_ARGS__, NULL})

static bool says(struct fixture *f, const char *text)
{
    return strstr(buffer_text(&f->out), text) != NULL;
}

static bool complains(struct fixture *f, const char *text)
{
    return strstr(buffer_text(&f->err), text) != NULL;
}

static size_t count_lines(struct fixture *f)
{
    size_t lines = 0;
    for (size_t i = 0; i < f->out.size; i++) {
        lines += f->out.data[i] == '\n';
    }
    return lines;
}

/* --- the command line --- */

static void help_and_wrong_usage_are_told_apart(void **state)
{
    struct fixture *f = *state;
    const char *const words[] = {"help", "-h", "--help"};
    for (size_t i = 0; i < 3; i++) {
        const char *argv[] = {process_program("buscat"), words[i], NULL};
        buffer_clear(&f->out);
        assert_int_equal(process_run(argv, 10000, &f->out), 0);
        assert_true(says(f, "usage: buscat COMMAND"));
    }
    assert_int_equal(RUN(f, "", "consume", "--help"), 0);
    assert_true(says(f, "consume TOPIC"));
    assert_int_equal(RUN(f, "", "dlq", "replay", "-h"), 0);
    assert_true(says(f, "--dry-run"));
    assert_int_equal(RUN(f, "", "consum"), 2);
    assert_true(complains(f, "unknown command 'consum'"));
    assert_int_equal(RUN(f, "", "consume"), 2);
    assert_int_equal(RUN(f, "", "consume", "a", "b"), 2);
    assert_int_equal(RUN(f, "", "dlq"), 2);
    assert_int_equal(RUN(f, "", "dlq", "replay"), 2);
    assert_true(complains(f, "--reason, --offset or --all"));
    assert_int_equal(RUN(f, "", "dlq", "list", "--reason", "missing"), 2);
    assert_int_equal(RUN(f, "", "dlq", "list", "--offset", "x:1"), 2);
    assert_int_equal(RUN(f, "", "consume", "nope", "--from-beginning"), 1);
    assert_true(complains(f, "nope"));
}

/* --- consume and produce --- */

static void valid_events_get_the_contracts_key_and_come_back(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        RUN(f, EVENT("1", "a") "\n" EVENT("2", "a") "\n" EVENT("3", "a"), "produce", "metrics.raw"), 0);
    assert_int_equal(RUN(f, "", "consume", "metrics.raw", "--from-beginning"), 0);
    assert_string_equal(buffer_text(&f->out), EVENT("1", "a") "\n" EVENT("2", "a") "\n" EVENT("3", "a") "\n");
    assert_int_equal(RUN(f, "", "consume", "metrics.raw", "--from-beginning", "--envelope", "--count", "1"),
                     0);
    assert_int_equal(count_lines(f), 1);
    assert_true(says(f, "\"key\":\"a|eu\",\"headers\":{},\"value\":\"{\\\"id\\\":\\\"1\\\""));
    assert_int_equal(RUN(f, "", "consume", "metrics.raw"), 0);
    assert_int_equal(f->out.size, 0); /* from the end there is nothing */
    assert_int_equal(RUN(f, "", "topics"), 0);
    assert_true(says(f, "metrics.raw                              12            3"));
    assert_int_equal(RUN(f, "", "lag"), 0);
    assert_true(says(f, "stream-processor"));
}

static void log_records_get_their_key_too(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        RUN(f,
            "{\"time_unix_ms\":1,\"service.name\":\"s\",\"cloud.region\":\"r\",\"severity_text\":\"INFO\","
            "\"body\":\"\"}\n",
            "produce", "logs.raw"),
        0);
    assert_int_equal(RUN(f, "", "consume", "logs.raw", "--from-beginning", "--envelope"), 0);
    assert_true(says(f, "\"key\":\"s|r\""));
}

static void keys_may_stand_in_the_line(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        RUN(f, "k1\tv1\nno delimiter\n\tempty key\n", "produce", "alerts.fired", "--key-delimiter", "\t"), 0);
    assert_int_equal(RUN(f, "", "consume", "alerts.fired", "--from-beginning", "--envelope"), 0);
    assert_true(says(f, "\"key\":\"k1\",\"headers\":{},\"value\":\"v1\"}"));
    assert_true(says(f, "\"key\":null,\"headers\":{},\"value\":\"no delimiter\"}"));
    assert_true(says(f, "\"key\":\"\",\"headers\":{},\"value\":\"empty key\"}"));
}

static void an_envelope_loses_no_byte(void **state)
{
    struct fixture *f = *state;
    static const char envelopes[] =
        "{\"partition\":0,\"key\":\"plain\",\"headers\":{},\"value\":\"line\\nbreak \\u0000 \xc3\xa4\"}\n"
        "{\"partition\":0,\"key_base64\":\"/"
        "w==\",\"headers\":{\"a\":[\"1\",null,{\"base64\":\"gIE=\"}],\"b\":\"\"},"
        "\"value_base64\":\"AP8B\"}\n"
        "{\"partition\":0,\"key\":null,\"headers\":{},\"value\":null}\n"
        "{\"partition\":0,\"key\":\"\",\"headers\":{\"n\":null},\"value\":\"\"}\n";
    static const char *const expected[] = {
        "\"key\":\"plain\",\"headers\":{},\"value\":\"line\\nbreak \\u0000 \xc3\xa4\"}\n",
        "\"key_base64\":\"/"
        "w==\",\"headers\":{\"a\":[\"1\",null,{\"base64\":\"gIE=\"}],\"b\":\"\"},\"value_base64\":"
        "\"AP8B\"}\n",
        "\"key\":null,\"headers\":{},\"value\":null}\n",
        "\"key\":\"\",\"headers\":{\"n\":null},\"value\":\"\"}\n",
    };
    assert_int_equal(RUN(f, envelopes, "produce", "alerts.fired", "--envelope"), 0);
    assert_int_equal(RUN(f, "", "consume", "alerts.fired", "--from-beginning", "--envelope"), 0);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        if (!says(f, expected[i])) {
            fail_msg("%s isn't in\n%s", expected[i], buffer_text(&f->out));
        }
    }
    /* Once more around: what consume prints, produce takes. */
    char *first = strdup(buffer_text(&f->out));
    assert_non_null(first);
    assert_int_equal(RUN(f, first, "produce", "alerts.fired", "--envelope"), 0);
    free(first);
    assert_int_equal(
        RUN(f, "", "consume", "alerts.fired", "--from-beginning", "--envelope", "--partition", "0"), 0);
    assert_int_equal(count_lines(f), 8);
    assert_int_equal(RUN(f, "", "consume", "alerts.fired", "--from-beginning", "--partition", "1"), 0);
    assert_int_equal(count_lines(f), 0);
}

static void garbage_is_published_as_it_is(void **state)
{
    struct fixture *f = *state;
    static const char garbage[] = "\0\xff{not json\n\n\x80\x81\n";
    assert_int_equal(
        run_bytes(f, garbage, sizeof garbage - 1, (const char *const[]){"produce", "metrics.raw", NULL}), 0);
    assert_int_equal(RUN(f, "", "consume", "metrics.raw", "--from-beginning", "--envelope"), 0);
    assert_int_equal(count_lines(f), 3);
    assert_true(says(f, "\"key\":null,\"headers\":{},\"value_base64\":\"AP97bm90IGpzb24=\"}"));
    assert_true(says(f, "\"value\":\"\"}"));
    assert_true(says(f, "\"value_base64\":\"gIE=\"}"));
}

static void bad_lines_are_named_and_the_rest_is_published(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        RUN(f,
            "{\"key\":\"a\",\"value\":\"1\"}\n{\"value\":\n{\"valu\":\"x\"}\n{\"value_base64\":\"*\"}\n"
            "{\"value\":1}\n{\"partition\":3,\"value\":\"x\"}\n{\"headers\":{\"a\":{\"b\":1}},\"value\":\"\"}"
            "\n"
            "[]\n{\"key\":\"b\",\"value\":\"2\"}\n",
            "produce", "alerts.fired", "--envelope"),
        1);
    for (int line = 2; line <= 8; line++) {
        char expected[32];
        (void)snprintf(expected, sizeof expected, "buscat: line %d: ", line);
        if (!complains(f, expected)) {
            fail_msg("'%s' isn't in\n%s", expected, buffer_text(&f->err));
        }
    }
    assert_true(complains(f, "2 records acknowledged, 0 not, 7 bad lines"));
    assert_int_equal(RUN(f, "", "consume", "alerts.fired", "--from-beginning"), 0);
    assert_int_equal(count_lines(f), 2);
}

static void a_record_that_is_too_large_is_refused_by_line(void **state)
{
    struct fixture *f = *state;
    size_t size = (size_t)3 << 20;
    char *line = malloc(size + 8);
    assert_non_null(line);
    memcpy(line, "small\n", 6);
    memset(line + 6, 'x', size);
    line[size + 6] = '\n';
    assert_int_equal(run_bytes(f, line, size + 7, (const char *const[]){"produce", "metrics.raw", NULL}), 1);
    free(line);
    assert_true(complains(f, "line 2"));
    assert_int_equal(RUN(f, "", "consume", "metrics.raw", "--from-beginning"), 0);
    assert_string_equal(buffer_text(&f->out), "small\n");
}

static void many_records_go_through(void **state)
{
    struct fixture *f = *state;
    enum { RECORDS = 20000 };
    struct buffer lines;
    buffer_init(&lines, 0);
    for (int i = 0; i < RECORDS; i++) {
        buffer_append_format(&lines, "key%d,value %d\n", i % 100, i);
    }
    const char *const produce[] = {"produce", "metrics.raw", "--key-delimiter", ",", NULL};
    assert_int_equal(run_bytes(f, lines.data, lines.size, produce), 0);
    buffer_free(&lines);
    assert_int_equal(RUN(f, "", "consume", "metrics.raw", "--from-beginning"), 0);
    assert_int_equal(count_lines(f), RECORDS);
    assert_int_equal(RUN(f, "", "consume", "metrics.raw", "--from-beginning", "--count", "777"), 0);
    assert_int_equal(count_lines(f), 777);
}

/* --- following, and ends --- */

static bool has_two_lines(void *context)
{
    struct fixture *f = context;
    read_output(f);
    return count_lines(f) == 2;
}

static void following_shows_what_comes_until_ctrl_c(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(RUN(f, "k,old\n", "produce", "alerts.fired", "--key-delimiter", ","), 0);
    struct process *follower = start_buscat(
        f, "", 0, (const char *const[]){"consume", "alerts.fired", "--from-beginning", "--follow", NULL});
    char in[TEST_PATH_BYTES];
    path_join(in, f->directory, "in2");
    file_write_text(in, "k,new\n");
    const char *argv[] = {
        process_program("buscat"), "produce", "alerts.fired", "--key-delimiter", ",", f->url, NULL};
    const struct process_options options = {.stdin_path = in};
    struct process *producer = process_start(argv, &options);
    assert_int_equal(process_wait(producer, 20000), 0);
    process_free(producer);
    assert_true(process_wait_until(has_two_lines, f, 10000));
    assert_string_equal(buffer_text(&f->out), "old\nnew\n");
    assert_true(process_is_running(follower));
    process_signal(follower, SIGINT);
    assert_int_equal(process_wait(follower, 5000), 0);
    process_free(follower);
}

static void a_reader_that_goes_ends_it_quietly(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(RUN(f, "a,1\na,2\na,3\n", "produce", "alerts.fired", "--key-delimiter", ","), 0);
    char fifo[TEST_PATH_BYTES];
    path_join(fifo, f->directory, "out");
    (void)unlink(fifo);
    char command[3 * TEST_PATH_BYTES];
    (void)snprintf(command, sizeof command,
                   "set -o pipefail; '%s' consume alerts.fired --from-beginning --follow '%s' | head -n 1",
                   process_program("buscat"), f->url);
    /* The first write fills the pipe of a reader that is there; a follower notices that it left at the next
     * one. */
    const char *argv[] = {"bash", "-c", command, NULL};
    const struct process_options options = {.stdout_path = fifo};
    struct process *pipeline = process_start(argv, &options);
    process_sleep_ms(500);
    assert_int_equal(RUN(f, "a,4\n", "produce", "alerts.fired", "--key-delimiter", ","), 0);
    int code = process_wait(pipeline, 10000);
    process_free(pipeline);
    assert_int_equal(code, 0);
    assert_false(complains(f, "pipe"));
}

static void input_that_stops_in_the_middle_is_flushed_on_a_signal(void **state)
{
    struct fixture *f = *state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    char in[64];
    (void)snprintf(in, sizeof in, "/proc/self/fd/%d", ends[0]);
    char out[TEST_PATH_BYTES];
    path_join(out, f->directory, "out");
    const char *argv[] = {
        process_program("buscat"), "produce", "alerts.fired", "--key-delimiter", ",", f->url, NULL};
    const struct process_options options = {.stdin_path = in, .stdout_path = out};
    struct process *producer = process_start(argv, &options);
    assert_int_equal(write(ends[1], "k,one\nk,tw", 10), 10);
    process_sleep_ms(1500);
    process_signal(producer, SIGTERM);
    assert_int_equal(process_wait(producer, 10000), 0);
    process_free(producer);
    (void)close(ends[0]);
    (void)close(ends[1]);
    assert_int_equal(RUN(f, "", "consume", "alerts.fired", "--from-beginning"), 0);
    assert_string_equal(buffer_text(&f->out), "one\n");
}

/* --- dead letters --- */

static void produce_letters(struct fixture *f)
{
    static const char letters[] = LETTER("wrong_partition", "metrics.raw", "",
                                         "{\\\"id\\\":\\\"9\\\",\\\"time_unix_ms\\\":1,\\\"service.name\\\":"
                                         "\\\"a\\\",\\\"cloud.region\\\":\\\"eu\\\","
                                         "\\\"http.request.method\\\":\\\"GET\\\",\\\"http.route\\\":\\\"/"
                                         "\\\",\\\"http.response.status_code\\\":200,"
                                         "\\\"http.server.request.duration\\\":1}")
        LETTER("invalid_json", "metrics.raw", "", "garbage 1")
            LETTER("invalid_json", "metrics.raw", "", "garbage 2\\u001b[2J")
                LETTER("too_large", "metrics.raw", ",\"dlq.truncated\":\"true\"", "begin")
                    LETTER("missing_field", "alerts.fired", "", "forged");
    assert_int_equal(RUN(f, letters, "produce", "metrics.raw.dlq", "--envelope"), 0);
    assert_int_equal(RUN(f, "", "produce", "metrics.raw"), 0); /* the topic is there */
}

static void dead_letters_are_counted_by_reason(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(RUN(f, "", "dlq", "list"), 0);
    assert_int_equal(f->out.size, 0);
    produce_letters(f);
    assert_int_equal(RUN(f, "", "dlq", "list"), 0);
    assert_int_equal(count_lines(f), 5);
    assert_true(says(f, "metrics.raw.dlq    invalid_json              2  "));
    assert_true(says(f, "metrics.raw.dlq    wrong_partition           1  "));
    assert_true(says(f, "  it is wrong_partition\n"));
    assert_int_equal(RUN(f, "", "dlq", "list", "metrics.raw", "--reason", "too_large"), 0);
    assert_int_equal(count_lines(f), 2);
}

static void dead_letters_are_shown_with_their_headers(void **state)
{
    struct fixture *f = *state;
    produce_letters(f);
    assert_int_equal(RUN(f, "", "dlq", "show", "--reason", "invalid_json"), 0);
    assert_true(says(f, "  __connect.errors.exception.class.name: invalid_json\n"));
    assert_true(says(f, "  key: wrong|key\n  value: garbage 1\n"));
    assert_true(says(f, "  value: garbage 2\\x1b[2J\n"));
    assert_false(says(f, "wrong_partition"));
    assert_int_equal(RUN(f, "", "dlq", "show", "--reason", "wrong_partition"), 0);
    assert_true(says(f, "  value:\n    {\n      \"id\": \"9\",\n      \"time_unix_ms\": 1,\n"));
    assert_int_equal(RUN(f, "", "dlq", "show", "metrics.raw.dlq", "--count", "1", "--envelope"), 0);
    assert_int_equal(count_lines(f), 1);
}

static void replayed_letters_get_the_contracts_key_and_keep_their_own_headers(void **state)
{
    struct fixture *f = *state;
    produce_letters(f);
    assert_int_equal(RUN(f, "", "dlq", "replay", "--reason", "wrong_partition", "--dry-run"), 0);
    assert_true(says(f, " -> metrics.raw  wrong_partition  key a|eu\n"));
    assert_int_equal(RUN(f, "", "consume", "metrics.raw", "--from-beginning"), 0);
    assert_int_equal(count_lines(f), 0);

    assert_int_equal(RUN(f, "", "dlq", "replay", "--reason", "wrong_partition"), 0);
    assert_true(says(f, "1 dead letters published again"));
    assert_int_equal(RUN(f, "", "consume", "metrics.raw", "--from-beginning", "--envelope"), 0);
    assert_int_equal(count_lines(f), 1);
    assert_true(says(
        f, "\"key\":\"a|eu\",\"headers\":{\"dlq.attempts\":\"2\",\"trace\":\"kept\"},\"value\":\"{\\\"id"));
}

static void letters_that_cannot_be_put_right_are_left_out_and_said(void **state)
{
    struct fixture *f = *state;
    produce_letters(f);
    assert_int_equal(RUN(f, "", "dlq", "replay", "metrics.raw", "--all"), 1);
    assert_true(says(f, "1 dead letters published again, 0 not acknowledged, 4 left out"));
    assert_true(complains(f, "only its beginning was kept"));
    assert_true(complains(f, "doesn't name the topic it came from"));
    assert_true(complains(f, "it would fail again, invalid_json: "));
    assert_int_equal(RUN(f, "", "consume", "metrics.raw", "--from-beginning", "--envelope"), 0);
    assert_int_equal(count_lines(f), 1);
}

static void letters_are_chosen_by_their_time(void **state)
{
    struct fixture *f = *state;
    produce_letters(f);
    assert_int_equal(RUN(f, "", "dlq", "list", "--since", "1h"), 0);
    assert_int_equal(count_lines(f), 5);
    assert_int_equal(RUN(f, "", "dlq", "list", "--until", "1h"), 0);
    assert_int_equal(f->out.size, 0);
}

static void a_letter_that_was_published_is_not_published_again(void **state)
{
    struct fixture *f = *state;
    produce_letters(f);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(RUN(f, "", "dlq", "replay", "--reason", "wrong_partition"), 0);
        assert_true(says(f, i == 0 ? "1 dead letters published again, 0 not acknowledged, 0 left out\n"
                                   : "0 dead letters published again, 0 not acknowledged, 0 left out, 1 "
                                     "published before (--again)\n"));
    }
    assert_int_equal(RUN(f, "", "consume", "metrics.raw", "--from-beginning"), 0);
    assert_int_equal(count_lines(f), 1);
    assert_int_equal(RUN(f, "", "dlq", "list"), 0);
    assert_int_equal(count_lines(f), 5); /* the mark is no letter */
    assert_true(says(f, "metrics.raw.dlq    wrong_partition           1         1  "));
    assert_int_equal(RUN(f, "", "dlq", "show", "--reason", "wrong_partition"), 0);
    assert_true(says(f, "  (replayed)\n"));
    assert_int_equal(RUN(f, "", "dlq", "replay", "--reason", "wrong_partition", "--again"), 0);
    assert_int_equal(RUN(f, "", "consume", "metrics.raw", "--from-beginning"), 0);
    assert_int_equal(count_lines(f), 2);
}

/* A log record without its body. */
static const char no_body[] = LETTER("missing_field", "logs.raw", "",
                                     "{\\\"time_unix_ms\\\":1,\\\"service.name\\\":\\\"mended\\\","
                                     "\\\"cloud.region\\\":\\\"eu\\\",\\\"severity_text\\\":\\\"INFO\\\"}");

static void a_field_is_put_right_and_the_record_published_once(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(RUN(f, no_body, "produce", "logs.raw.dlq", "--envelope"), 0);
    assert_int_equal(RUN(f, "", "produce", "logs.raw"), 0);
    assert_int_equal(RUN(f, "", "dlq", "replay", "logs.raw", "--all"), 1);
    assert_true(complains(f, "it would fail again, missing_field: "));
    assert_int_equal(RUN(f, "", "dlq", "replay", "logs.raw", "--all", "--set", "body=GET / 200", "--dry-run"),
                     0);
    assert_true(says(f, " -> logs.raw  missing_field  key mended|eu\n    {\"time_unix_ms\":1,"));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(RUN(f, "", "dlq", "replay", "logs.raw", "--all", "--set", "body=GET / 200"), 0);
        assert_true(says(f, i == 0 ? "1 dead letters published" : "0 dead letters published"));
    }
    assert_int_equal(RUN(f, "", "consume", "logs.raw", "--from-beginning"), 0);
    const char *mended =
        strstr(buffer_text(&f->out), "\"mended\",\"cloud.region\":\"eu\",\"severity_text\":\"INFO\","
                                     "\"body\":\"GET / 200\"}\n");
    assert_non_null(mended);
    assert_null(strstr(mended + 1, "\"mended\""));
}

static void a_letter_is_put_right_in_a_file(void **state)
{
    struct fixture *f = *state;
    char path[TEST_PATH_BYTES];
    produce_letters(f);
    assert_int_equal(RUN(f, "", "dlq", "show", "--reason", "invalid_json", "--envelope"), 0);
    assert_int_equal(count_lines(f), 2);
    static const char fixed[] =
        "\"value\":\"{\\\"id\\\":\\\"8\\\",\\\"time_unix_ms\\\":1,\\\"service.name\\\":\\\"b\\\","
        "\\\"cloud.region\\\":\\\"eu\\\",\\\"kind\\\":\\\"resource\\\",\\\"system.cpu.utilization\\\":0.5}\"}"
        "\n";
    struct buffer edited;
    buffer_init(&edited, 0);
    const char *line = buffer_text(&f->out);
    const char *value = strstr(line, "\"value\":\"garbage 1\"}\n");
    assert_non_null(value);
    const char *begin = value;
    while (begin > line && begin[-1] != '\n') {
        begin--;
    }
    buffer_append(&edited, begin, (size_t)(value - begin));
    buffer_append_text(&edited, fixed);
    path_join(path, f->directory, "edited.jsonl");
    file_write(path, edited.data, edited.size);
    buffer_free(&edited);
    assert_int_equal(RUN(f, "", "dlq", "replay", "--from-file", path), 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(RUN(f, "", "dlq", "replay", "metrics.raw", "--from-file", path), 0);
        assert_true(says(f, i == 0 ? "1 dead letters published" : "0 dead letters published"));
    }
    assert_int_equal(RUN(f, "", "consume", "metrics.raw", "--from-beginning", "--envelope"), 0);
    assert_int_equal(count_lines(f), 1);
    assert_true(says(f, "\"key\":\"b|eu\""));
}

static void many_letters_want_a_yes(void **state)
{
    struct fixture *f = *state;
    struct buffer letters;
    buffer_init(&letters, 0);
    for (int i = 0; i < 11; i++) {
        buffer_append_text(&letters, LETTER("wrong_partition", "logs.raw", "",
                                            "{\\\"time_unix_ms\\\":1,"
                                            "\\\"service.name\\\":\\\"a\\\",\\\"cloud.region\\\":\\\"eu\\\","
                                            "\\\"severity_text\\\":\\\"INFO\\\",\\\"body\\\":\\\"x\\\"}"));
    }
    assert_int_equal(RUN(f, buffer_text(&letters), "produce", "logs.raw.dlq", "--envelope"), 0);
    assert_int_equal(RUN(f, "", "produce", "logs.raw"), 0);
    assert_int_equal(RUN(f, "", "dlq", "replay", "logs.raw", "--all"), 2);
    assert_true(complains(f, "11 dead letters would be published: look with --dry-run, then add --yes"));
    assert_int_equal(RUN(f, "", "dlq", "replay", "logs.raw", "--all", "--yes"), 0);
    assert_true(says(f, "11 dead letters published again"));
    buffer_free(&letters);
}

static void what_has_failed_too_often_is_left_out(void **state)
{
    struct fixture *f = *state;
    produce_letters(f);
    assert_int_equal(RUN(f, "", "dlq", "replay", "--reason", "wrong_partition", "--max-attempts", "2"), 1);
    assert_true(complains(f, "it has failed too often already (--max-attempts)"));
    assert_int_equal(RUN(f, "", "consume", "metrics.raw", "--from-beginning"), 0);
    assert_int_equal(count_lines(f), 0);
}

static void one_letter_is_replayed_by_its_place(void **state)
{
    struct fixture *f = *state;
    produce_letters(f);
    assert_int_equal(RUN(f, "", "dlq", "show", "--reason", "wrong_partition"), 0);
    const char *place = strchr(buffer_text(&f->out), ' ');
    assert_non_null(place);
    char offset[64];
    (void)snprintf(offset, sizeof offset, "%.*s", (int)strcspn(place + 1, " "), place + 1);
    assert_int_equal(RUN(f, "", "dlq", "replay", "metrics.raw", "--offset", offset), 0);
    assert_int_equal(RUN(f, "", "consume", "metrics.raw", "--from-beginning"), 0);
    assert_int_equal(count_lines(f), 1);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, make_fixture, free_fixture)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASE(help_and_wrong_usage_are_told_apart),
        CASE(valid_events_get_the_contracts_key_and_come_back),
        CASE(log_records_get_their_key_too),
        CASE(keys_may_stand_in_the_line),
        CASE(an_envelope_loses_no_byte),
        CASE(garbage_is_published_as_it_is),
        CASE(bad_lines_are_named_and_the_rest_is_published),
        CASE(a_record_that_is_too_large_is_refused_by_line),
        CASE(many_records_go_through),
        CASE(following_shows_what_comes_until_ctrl_c),
        CASE(a_reader_that_goes_ends_it_quietly),
        CASE(input_that_stops_in_the_middle_is_flushed_on_a_signal),
        CASE(dead_letters_are_counted_by_reason),
        CASE(dead_letters_are_shown_with_their_headers),
        CASE(replayed_letters_get_the_contracts_key_and_keep_their_own_headers),
        CASE(letters_that_cannot_be_put_right_are_left_out_and_said),
        CASE(one_letter_is_replayed_by_its_place),
        CASE(letters_are_chosen_by_their_time),
        CASE(a_letter_that_was_published_is_not_published_again),
        CASE(a_field_is_put_right_and_the_record_published_once),
        CASE(a_letter_is_put_right_in_a_file),
        CASE(many_letters_want_a_yes),
        CASE(what_has_failed_too_often_is_left_out),
    };
    const struct CMUnitTest on_kafka[] = {
        CASE(log_records_get_their_key_too),
        CASE(an_envelope_loses_no_byte),
        CASE(replayed_letters_get_the_contracts_key_and_keep_their_own_headers),
        CASE(a_field_is_put_right_and_the_record_published_once),
    };
    if (argc < 2 || strcmp(argv[1], "kafka") != 0) {
        return cmocka_run_group_tests(tests, NULL, NULL);
    }
    struct kafka_broker broker;
    int code = kafka_broker_require(&broker);
    if (code != 0) {
        return code;
    }
    kafka_url = broker.url;
    code = cmocka_run_group_tests_name("buscat on Kafka", on_kafka, NULL, NULL);
    kafka_broker_stop(&broker, false);
    return code;
}
