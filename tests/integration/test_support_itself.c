/* The helpers that other integration tests stand on. */
#include "buffer/buffer.h"
#include "cmocka_all.h"
#include "support/files.h"
#include "support/net.h"
#include "support/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void a_command_gives_its_output_and_exit_code(void **state)
{
    (void)state;
    struct buffer output;
    buffer_init(&output, 0);
    assert_int_equal(process_run((const char *[]){"sh", "-c", "echo out; exit 3", NULL}, 5000, &output), 3);
    assert_string_equal(buffer_text(&output), "out\n");
    buffer_free(&output);
}

static void a_killed_command_says_by_which_signal(void **state)
{
    (void)state;
    struct process *process = process_start((const char *[]){"sleep", "60", NULL}, NULL);
    assert_true(process_is_running(process));
    assert_int_equal(process_stop(process), 128 + SIGTERM);
    assert_false(process_is_running(process));
    process_free(process);
}

static void a_child_dies_with_the_test_that_started_it(void **state)
{
    (void)state;
    int ids[2];
    assert_int_equal(pipe(ids), 0);
    const pid_t other = fork();
    if (other == 0) { /* another test program, which starts a child and is killed */
        struct process *child = process_start((const char *[]){"sleep", "60", NULL}, NULL);
        const pid_t id = process_id(child);
        if (write(ids[1], &id, sizeof id) != (ssize_t)sizeof id) {
            _exit(1);
        }
        raise(SIGKILL);
    }
    pid_t child = 0;
    assert_int_equal(read(ids[0], &child, sizeof child), sizeof child);
    for (int i = 0; i < 250 && kill(child, 0) == 0; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/stat", (int)child);
        if (file_count_lines(path, ") Z ") == 1) {
            break; /* dead; init hasn't collected it yet */
        }
        assert_true(i < 249);
        process_sleep_ms(20);
    }
    close(ids[0]);
    close(ids[1]);
}

static void output_and_log_go_where_they_were_sent(void **state)
{
    (void)state;
    char directory[TEST_PATH_BYTES], out[TEST_PATH_BYTES], log[TEST_PATH_BYTES];
    temp_directory_create(directory, "support");
    path_join(out, directory, "out");
    path_join(log, directory, "log");
    const struct process_options options = {
        .stdout_path = out, .log_path = log, .environment = (const char *[]){"WORD=hello", NULL}};
    struct process *process =
        process_start((const char *[]){"sh", "-c", "echo $WORD; echo bad >&2", NULL}, &options);
    assert_int_equal(process_wait(process, 5000), 0);
    process_free(process);
    assert_int_equal(file_count_lines(out, "hello"), 1);
    assert_int_equal(file_count_lines(log, "bad"), 1);
    temp_directory_remove(directory);
    assert_false(file_exists(directory));
}

static void free_ports_are_free_and_given_once(void **state)
{
    (void)state;
    const uint16_t first = net_free_port();
    assert_false(net_port_is_taken(first));
    for (int i = 0; i < 50; i++) {
        assert_int_not_equal(net_free_port(), first);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_gives_its_output_and_exit_code),
        cmocka_unit_test(a_killed_command_says_by_which_signal),
        cmocka_unit_test(a_child_dies_with_the_test_that_started_it),
        cmocka_unit_test(output_and_log_go_where_they_were_sent),
        cmocka_unit_test(free_ports_are_free_and_given_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
