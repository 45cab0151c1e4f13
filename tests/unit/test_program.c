/* Each case runs a program of its own in a child process and looks at it from outside. */
#include "buffer/buffer.h"
#include "http/http_client.h"
#include "program/program.h"

#include "cmocka_all.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OUTPUT_BYTES 16384

struct child {
    pid_t pid;
    int output; /* its stdout and stderr */
    char text[OUTPUT_BYTES];
    size_t size;
};

/* What the child does once it is started; returns its exit code. */
typedef int run_child(struct program *program);

static const char *setting_value;

static void start_child(struct child *child, run_child *run, const char *const *arguments)
{
    int ends[2];
    *child = (struct child){0};
    assert_int_equal(pipe(ends), 0);
    (void)fflush(NULL);
    child->pid = fork();
    assert_true(child->pid >= 0);
    if (child->pid == 0) {
        const struct setting settings[] = {
            {.name = "value", .type = SETTING_TEXT, .target = &setting_value, .help = "a value"}};
        const struct program_spec spec = {.name = "testling",
                                          .summary = "a program under test",
                                          .settings = settings,
                                          .setting_count = 1,
                                          .default_port = 1,
                                          .without_bus = true};
        char *argv[8] = {strdup("testling")};
        int argc = 1;
        for (; arguments[argc - 1] != NULL; argc++) {
            argv[argc] = strdup(arguments[argc - 1]);
        }
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)dup2(ends[1], STDERR_FILENO);
        (void)close(ends[0]);
        (void)close(ends[1]);
        struct program *program = NULL;
        int code = program_start(&program, &spec, argc, argv);
        if (program != NULL) {
            code = run(program);
            program_end(program);
        }
        for (int i = 0; i < argc; i++) {
            free(argv[i]);
        }
        exit(code);
    }
    (void)close(ends[1]);
    child->output = ends[0];
}

/* Reads on until text is in the output. */
static const char *wait_for(struct child *child, const char *text)
{
    const char *found;
    while ((found = strstr(child->text, text)) == NULL) {
        struct pollfd wait = {.fd = child->output, .events = POLLIN};
        ssize_t got = poll(&wait, 1, 10000) > 0 ? read(child->output, child->text + child->size,
                                                       sizeof child->text - 1 - child->size)
                                                : -1;
        if (got <= 0) {
            fail_msg("no '%s' in: %s", text, child->text);
        }
        child->size += (size_t)got;
        child->text[child->size] = '\0';
    }
    return found;
}

/* The exit code; its output is whole then. */
static int end_child(struct child *child)
{
    ssize_t got;
    while ((got = read(child->output, child->text + child->size, sizeof child->text - 1 - child->size)) > 0) {
        child->size += (size_t)got;
        child->text[child->size] = '\0';
    }
    int status = 0;
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    (void)close(child->output);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int port_of(struct child *child)
{
    wait_for(child, "\"msg\":\"listening\"");
    return atoi(wait_for(child, "\"port\":") + strlen("\"port\":"));
}

static int get(int port, const char *path, struct buffer *body)
{
    char url[128];
    struct error error;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
    const struct http_client_request request = {.url = url};
    buffer_clear(body);
    int status = http_client_send(&request, body, &error);
    (void)buffer_text(body);
    return status;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- programs ---- */

static void say(const char *line)
{
    (void)printf("%s", line);
    (void)fflush(stdout);
}

static int do_nothing(struct program *program)
{
    (void)program;
    return PROGRAM_DONE;
}

static int serve_until_stopped(struct program *program)
{
    struct error error;
    if (program_serve(program, &error) != 0) {
        return program_fail(program, "cannot serve HTTP", &error);
    }
    program_set_ready(program, false, "waiting for a file");
    bool stopping = program_sleep(program, 60000);
    return stopping && program_is_stopping(program) ? PROGRAM_DONE : PROGRAM_FAILED;
}

static int become_ready(struct program *program)
{
    struct error error;
    program_set_ready(program, true, "");
    if (program_serve(program, &error) != 0) {
        return program_fail(program, "cannot serve HTTP", &error);
    }
    (void)program_sleep(program, 60000);
    return PROGRAM_DONE;
}

static int hang(struct program *program)
{
    say("hanging\n");
    while (!program_is_stopping(program)) {
        (void)usleep(1000);
    }
    say("stopping\n");
    (void)sleep(60);
    return PROGRAM_DONE;
}

static int stop_by_itself(struct program *program)
{
    program_stop(program);
    (void)program_sleep(program, 60000); /* returns at once */
    say("stopping\n");
    (void)usleep(300000); /* where the first signal comes */
    return PROGRAM_DONE;
}

static int look_at_itself(struct program *program)
{
    (void)program;
    struct rlimit core = {1, 1};
    (void)getrlimit(RLIMIT_CORE, &core);
    struct sigaction pipe_action;
    (void)sigaction(SIGPIPE, NULL, &pipe_action);
    mode_t mask = umask(0);
    bool good = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && core.rlim_max == 0 &&
                pipe_action.sa_handler == SIG_IGN && (mask & 027) == 027;
    return good ? PROGRAM_DONE : PROGRAM_FAILED;
}

static void say_own(void *context, const struct http_request *request, struct http_response *response)
{
    (void)request;
    buffer_append_text(http_response_body(response), context);
}

static int replace_metrics(struct program *program)
{
    static char own[] = "its own";
    program_add_route(program, "GET", "/metrics", say_own, own);
    return become_ready(program);
}

/* --- cases ---- */

static void help_and_version_are_answered_at_once(void **state)
{
    (void)state;
    struct child child;
    const char *const help[] = {"--help", NULL};
    start_child(&child, hang, help);
    assert_int_equal(end_child(&child), PROGRAM_DONE);
    static const char *const parts[] = {"a program under test", "--value",      "--listen ADDR:PORT",
                                        "127.0.0.1:1",          "--log-format", "--log-level"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        assert_non_null(strstr(child.text, parts[i]));
    }
    assert_null(strstr(child.text, "--bus-url"));
    const char *const version[] = {"--version", NULL};
    start_child(&child, hang, version);
    assert_int_equal(end_child(&child), PROGRAM_DONE);
    assert_string_equal(child.text, "testling " OBS_VERSION "\n");
}

static void wrong_usage_is_refused_with_exit_2(void **state)
{
    (void)state;
    const struct {
        const char *argument, *part;
    } cases[] = {
        {"--nope", "testling: unknown flag '--nope'"},
        {"--listen=8080", "--listen: '8080' is not allowed; give ADDR:PORT, e.g. 127.0.0.1:1"},
        {"--listen=127.0.0.1:65536", "--listen: '127.0.0.1:65536' is not allowed"},
        {"--listen=:80", "--listen: ':80' is not allowed"},
        {"--log-level=loud", "--log-level: 'loud' is not allowed; give one of debug|info|warn|error"},
        {"extra", "unexpected argument 'extra'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct child child;
        const char *const arguments[] = {cases[i].argument, NULL};
        start_child(&child, do_nothing, arguments);
        assert_int_equal(end_child(&child), PROGRAM_USAGE);
        assert_non_null(strstr(child.text, cases[i].part));
    }
}

static void a_signal_stops_a_sleeping_program_at_once_and_cleanly(void **state)
{
    (void)state;
    static const int signals[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < 2; i++) {
        struct child child;
        const char *const arguments[] = {"--listen=127.0.0.1:0", "--log-format=json", NULL};
        start_child(&child, serve_until_stopped, arguments);
        (void)port_of(&child);
        int64_t begun = now_ms();
        assert_int_equal(kill(child.pid, signals[i]), 0);
        assert_int_equal(end_child(&child), PROGRAM_DONE);
        assert_in_range(now_ms() - begun, 0, 5000);
    }
}

static void a_second_signal_exits_at_once(void **state)
{
    (void)state;
    struct child child;
    const char *const none[] = {NULL};
    start_child(&child, hang, none);
    wait_for(&child, "hanging");
    assert_int_equal(kill(child.pid, SIGTERM), 0);
    wait_for(&child, "stopping");
    int64_t begun = now_ms();
    assert_int_equal(kill(child.pid, SIGINT), 0);
    assert_int_equal(end_child(&child), PROGRAM_FAILED);
    assert_in_range(now_ms() - begun, 0, 5000);
}

static void a_program_that_does_not_end_after_a_signal_is_ended_within_10_s(void **state)
{
    (void)state;
    struct child child;
    const char *const none[] = {NULL};
    start_child(&child, hang, none);
    wait_for(&child, "hanging");
    int64_t begun = now_ms();
    assert_int_equal(kill(child.pid, SIGTERM), 0);
    assert_int_equal(end_child(&child), PROGRAM_FAILED);
    assert_in_range(now_ms() - begun, 0, 10000);
    assert_non_null(strstr(child.text, "not ended in time"));
}

static void the_same_signal_twice_in_a_row_is_one(void **state)
{
    (void)state;
    struct child child;
    const char *const arguments[] = {"--listen=127.0.0.1:0", "--log-format=json", NULL};
    start_child(&child, serve_until_stopped, arguments);
    (void)port_of(&child);
    assert_int_equal(kill(child.pid, SIGTERM), 0);
    (void)kill(child.pid, SIGTERM);
    assert_int_equal(end_child(&child), PROGRAM_DONE);
}

static void the_first_signal_to_a_program_that_is_stopping_by_itself_is_not_the_second(void **state)
{
    (void)state;
    struct child child;
    const char *const none[] = {NULL};
    start_child(&child, stop_by_itself, none);
    wait_for(&child, "stopping");
    assert_int_equal(kill(child.pid, SIGTERM), 0);
    assert_int_equal(end_child(&child), PROGRAM_DONE);
}

static void health_readiness_and_metrics_are_served(void **state)
{
    (void)state;
    struct child child;
    struct buffer body;
    buffer_init(&body, 0);
    const char *const arguments[] = {"--listen=127.0.0.1:0", "--log-format=json", NULL};
    start_child(&child, serve_until_stopped, arguments);
    int port = port_of(&child);
    usleep(20000);
    assert_int_equal(get(port, "/healthz", &body), 200);
    assert_int_equal(get(port, "/readyz", &body), 503);
    assert_non_null(strstr(buffer_text(&body), "waiting for a file"));
    assert_int_equal(get(port, "/metrics", &body), 200);
    assert_non_null(
        strstr(buffer_text(&body), "obs_build_info{program=\"testling\",version=\"" OBS_VERSION "\"} 1\n"));
    (void)kill(child.pid, SIGTERM);
    assert_int_equal(end_child(&child), PROGRAM_DONE);

    start_child(&child, replace_metrics, arguments);
    port = port_of(&child);
    assert_int_equal(get(port, "/readyz", &body), 200);
    assert_int_equal(get(port, "/metrics", &body), 200);
    assert_string_equal(buffer_text(&body), "its own");
    (void)kill(child.pid, SIGTERM);
    assert_int_equal(end_child(&child), PROGRAM_DONE);
    buffer_free(&body);
}

/* The exit code of --ready, asked of the port of the program that runs; what it says is in asking. */
static int ask_ready(struct child *asking, int port)
{
    char listen[64];
    const char *const arguments[] = {listen, "--ready", NULL};
    (void)snprintf(listen, sizeof listen, "--listen=0.0.0.0:%d", port); /* as in a container */
    start_child(asking, serve_until_stopped, arguments);
    return end_child(asking);
}

static void ready_asks_the_program_that_runs(void **state)
{
    (void)state;
    struct child serving, asking;
    const char *const arguments[] = {"--listen=0.0.0.0:0", "--log-format=json", NULL};
    start_child(&serving, serve_until_stopped, arguments);
    int port = port_of(&serving);
    assert_int_equal(ask_ready(&asking, port), PROGRAM_FAILED);
    assert_non_null(strstr(asking.text, "testling: not ready: "));
    assert_non_null(strstr(asking.text, " (503)\n"));
    (void)kill(serving.pid, SIGTERM);
    assert_int_equal(end_child(&serving), PROGRAM_DONE);
    assert_int_equal(ask_ready(&asking, port), PROGRAM_FAILED);
    assert_non_null(strstr(asking.text, "testling: nothing answers on 0.0.0.0, port "));

    start_child(&serving, become_ready, arguments);
    port = port_of(&serving);
    assert_int_equal(ask_ready(&asking, port), PROGRAM_DONE);
    assert_string_equal(asking.text, "");
    (void)kill(serving.pid, SIGTERM);
    assert_int_equal(end_child(&serving), PROGRAM_DONE);
}

static void a_taken_port_is_exit_1_and_names_port_and_setting(void **state)
{
    (void)state;
    struct child first;
    struct child second;
    const char *const any[] = {"--listen=127.0.0.1:0", "--log-format=json", NULL};
    start_child(&first, serve_until_stopped, any);
    char listen[64];
    int port = port_of(&first);
    (void)snprintf(listen, sizeof listen, "--listen=127.0.0.1:%d", port);
    const char *const taken[] = {listen, "--log-format=text", NULL};
    start_child(&second, serve_until_stopped, taken);
    assert_int_equal(end_child(&second), PROGRAM_FAILED);
    char part[64];
    (void)snprintf(part, sizeof part, "port %d on 127.0.0.1 is taken", port);
    assert_non_null(strstr(second.text, part));
    assert_non_null(strstr(second.text, "--listen"));
    (void)kill(first.pid, SIGTERM);
    assert_int_equal(end_child(&first), PROGRAM_DONE);
}

static void the_process_gives_up_what_it_does_not_need(void **state)
{
    (void)state;
    struct child child;
    const char *const none[] = {NULL};
    start_child(&child, look_at_itself, none);
    assert_int_equal(end_child(&child), PROGRAM_DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_and_version_are_answered_at_once),
        cmocka_unit_test(wrong_usage_is_refused_with_exit_2),
        cmocka_unit_test(a_signal_stops_a_sleeping_program_at_once_and_cleanly),
        cmocka_unit_test(a_second_signal_exits_at_once),
        cmocka_unit_test(a_program_that_does_not_end_after_a_signal_is_ended_within_10_s),
        cmocka_unit_test(the_same_signal_twice_in_a_row_is_one),
        cmocka_unit_test(the_first_signal_to_a_program_that_is_stopping_by_itself_is_not_the_second),
        cmocka_unit_test(health_readiness_and_metrics_are_served),
        cmocka_unit_test(ready_asks_the_program_that_runs),
        cmocka_unit_test(a_taken_port_is_exit_1_and_names_port_and_setting),
        cmocka_unit_test(the_process_gives_up_what_it_does_not_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
