#include "support/process.h"

#include "buffer/buffer.h"
#include "clock/clock.h"
#include "cmocka_all.h"
#include "support/files.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

struct process {
    pid_t pid;
    bool ended;
    int code;
    char name[TEST_PATH_BYTES];
    char log_path[TEST_PATH_BYTES];
};

const char *process_program(const char *name)
{
    static char paths[16][TEST_PATH_BYTES]; /* a ring: a test's argv holds a few of them at most */
    static unsigned next;
    char *path = paths[next++ % 16];
    path_join(path, OBS_BIN_DIR, name);
    return path;
}

static bool find_command(const char *name, char path[TEST_PATH_BYTES])
{
    if (strchr(name, '/') != NULL) {
        snprintf(path, TEST_PATH_BYTES, "%s", name);
        return access(path, X_OK) == 0;
    }
    const char *search = getenv("PATH");
    char directories[4096];
    snprintf(directories, sizeof directories, "%s:/usr/sbin:/sbin", search != NULL ? search : "/usr/bin");
    char *rest = NULL;
    for (char *d = strtok_r(directories, ":", &rest); d != NULL; d = strtok_r(NULL, ":", &rest)) {
        if (snprintf(path, TEST_PATH_BYTES, "%s/%s", d, name) < TEST_PATH_BYTES && access(path, X_OK) == 0) {
            return true;
        }
    }
    return false;
}

bool process_has_command(const char *name)
{
    char path[TEST_PATH_BYTES];
    return find_command(name, path);
}

void process_require_command(const char *name)
{
    if (process_has_command(name)) {
        return;
    }
    if (getenv("CI") != NULL) {
        fail_msg("%s isn't installed (make install)", name);
    }
    print_message("skipped: %s isn't installed (make install)\n", name);
    skip();
}

static void redirect(int fd, const char *path, int flags)
{
    const int file = open(path, flags, 0666);
    if (file < 0 || dup2(file, fd) < 0) {
        _exit(126);
    }
    if (file != fd) {
        close(file);
    }
}

static void become(const char *path, const char *const *argv, const struct process_options *options,
                   pid_t parent, int report)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) { /* it died before the line above */
        _exit(126);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (options->directory != NULL && chdir(options->directory) != 0) {
        _exit(126);
    }
    redirect(0, options->stdin_path != NULL ? options->stdin_path : "/dev/null", O_RDONLY);
    if (options->log_path != NULL) {
        redirect(2, options->log_path, O_WRONLY | O_CREAT | O_APPEND);
        dup2(2, 1);
    }
    if (options->stdout_path != NULL) {
        redirect(1, options->stdout_path, O_WRONLY | O_CREAT | O_TRUNC);
    }
    for (const char *const *e = options->environment; e != NULL && *e != NULL; e++) {
        putenv((char *)(uintptr_t)*e);
    }
    execv(path, (char *const *)(uintptr_t)argv);
    const int error = errno;
    if (write(report, &error, sizeof error) < 0) {
        _exit(127);
    }
    _exit(127);
}

struct process *process_start(const char *const *argv, const struct process_options *options)
{
    static const struct process_options defaults = {0};
    options = options != NULL ? options : &defaults;
    char path[TEST_PATH_BYTES];
    if (!find_command(argv[0], path)) {
        fail_msg("no such program: %s", argv[0]);
    }
    int report[2];
    assert_return_code(pipe2(report, O_CLOEXEC), errno);
    fflush(NULL);
    const pid_t parent = getpid();
    const pid_t pid = fork();
    assert_return_code(pid, errno);
    if (pid == 0) {
        become(path, argv, options, parent, report[1]);
    }
    close(report[1]);
    int error = 0;
    const ssize_t got = read(report[0], &error, sizeof error);
    close(report[0]);
    if (got > 0) {
        waitpid(pid, NULL, 0);
        fail_msg("can't run %s: %s", path, strerror(error));
    }
    struct process *process = calloc(1, sizeof *process);
    assert_non_null(process);
    process->pid = pid;
    const char *slash = strrchr(path, '/');
    snprintf(process->name, sizeof process->name, "%s", slash != NULL ? slash + 1 : path);
    snprintf(process->log_path, sizeof process->log_path, "%s", options->log_path ? options->log_path : "");
    return process;
}

pid_t process_id(const struct process *process)
{
    return process->pid;
}

static void note_end(struct process *process, int status)
{
    process->ended = true;
    process->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool process_is_running(struct process *process)
{
    int status = 0;
    if (!process->ended && waitpid(process->pid, &status, WNOHANG) == process->pid) {
        note_end(process, status);
    }
    return !process->ended;
}

void process_signal(struct process *process, int signal_number)
{
    if (process_is_running(process)) {
        kill(process->pid, signal_number);
    }
}

static bool has_ended(void *context)
{
    return !process_is_running(context);
}

static void print_log_end(const struct process *process)
{
    if (process->log_path[0] == '\0' || !file_exists(process->log_path)) {
        return;
    }
    struct buffer log;
    buffer_init(&log, 0);
    file_read(process->log_path, &log);
    const size_t shown = log.size < 3000 ? log.size : 3000;
    if (shown > 0) {
        print_error("--- end of %s:\n%.*s\n", process->log_path, (int)shown, log.data + log.size - shown);
    }
    buffer_free(&log);
}

int process_wait(struct process *process, int timeout_ms)
{
    if (!process_wait_until(has_ended, process, timeout_ms)) {
        print_log_end(process);
        fail_msg("%s still runs after %d ms", process->name, timeout_ms);
    }
    return process->code;
}

int process_stop(struct process *process)
{
    process_signal(process, SIGTERM);
    return process_wait(process, 15000);
}

void process_kill(struct process *process)
{
    if (process_is_running(process)) {
        int status = 0;
        kill(process->pid, SIGKILL);
        while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR) {
        }
        note_end(process, status);
    }
}

void process_free(struct process *process)
{
    if (process != NULL) {
        process_kill(process);
        free(process);
    }
}

int process_run(const char *const *argv, int timeout_ms, struct buffer *output)
{
    char directory[TEST_PATH_BYTES], path[TEST_PATH_BYTES];
    temp_directory_create(directory, "run");
    path_join(path, directory, "stdout");
    const struct process_options options = {.stdout_path = path};
    struct process *process = process_start(argv, &options);
    const int code = process_wait(process, timeout_ms);
    if (output != NULL) {
        file_read(path, output);
    }
    process_free(process);
    temp_directory_remove(directory);
    return code;
}

static bool mentions(const char *pid, const char *text)
{
    char path[64], line[8192];
    snprintf(path, sizeof path, "/proc/%.32s/cmdline", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    const size_t size = fread(line, 1, sizeof line, file);
    fclose(file);
    return memmem(line, size, text, strlen(text)) != NULL;
}

static size_t find_mentioning(const char *text, pid_t *last)
{
    size_t count = 0;
    DIR *processes = opendir("/proc");
    assert_non_null(processes);
    for (struct dirent *entry = readdir(processes); entry != NULL; entry = readdir(processes)) {
        const pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? (pid_t)atoi(entry->d_name) : 0;
        if (pid > 0 && pid != getpid() && mentions(entry->d_name, text)) {
            *last = pid;
            count++;
        }
    }
    closedir(processes);
    return count;
}

size_t process_count_mentioning(const char *text)
{
    pid_t last = 0;
    return find_mentioning(text, &last);
}

pid_t process_find(const char *text)
{
    pid_t last = 0;
    (void)find_mentioning(text, &last);
    return last;
}

bool process_wait_until(bool (*holds)(void *context), void *context, int timeout_ms)
{
    const int64_t end_ms = clock_steady_ms(clock_system()) + timeout_ms;
    while (!holds(context)) {
        if (clock_steady_ms(clock_system()) >= end_ms) {
            return false;
        }
        process_sleep_ms(20);
    }
    return true;
}

void process_sleep_ms(int ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}
