#include "child.h"

#include "buffer/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_TAIL_BYTES 4096

/* In the child. Only async-signal-safe calls; report tells the parent why exec failed. */
static _Noreturn void become(char *const *arguments, int log_fd, pid_t parent, int report)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) { /* it ended before the line above could tell us */
        _exit(1);
    }
    (void)setpgid(0, 0);
    const int null_fd = open("/dev/null", O_RDONLY);
    if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(log_fd, STDOUT_FILENO) < 0 ||
        dup2(log_fd, STDERR_FILENO) < 0) {
        _exit(126);
    }
    if (null_fd > STDERR_FILENO) {
        (void)close(null_fd);
    }
    (void)signal(SIGPIPE, SIG_DFL); /* handlers end with exec by themselves, what is ignored stays so */
    (void)execvp(arguments[0], arguments);
    const int error = errno;
    if (write(report, &error, sizeof error) < 0) {
        _exit(126);
    }
    _exit(127);
}

static int open_log(struct child *child, const char *path, struct error *error)
{
    (void)snprintf(child->log_path, sizeof child->log_path, "%s", path);
    const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0) {
        return error_set_errno(error, -1, errno, "cannot write the log %s", path);
    }
    child->log_start = lseek(fd, 0, SEEK_END);
    return fd;
}

int child_start(struct child *child, char *const *arguments, const char *log_path, struct error *error)
{
    memset(child, 0, sizeof *child);
    const int log_fd = open_log(child, log_path, error);
    if (log_fd < 0) {
        return -1;
    }
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) {
        (void)close(log_fd);
        return error_set_errno(error, -1, errno, "cannot start %s", arguments[0]);
    }
    const pid_t parent = getpid();
    const pid_t pid = fork();
    const int fork_error = errno;
    if (pid == 0) {
        become(arguments, log_fd, parent, report[1]);
    }
    (void)close(log_fd);
    (void)close(report[1]);
    int exec_error = 0;
    const bool refused = pid > 0 && read(report[0], &exec_error, sizeof exec_error) > 0;
    (void)close(report[0]);
    if (pid < 0) {
        return error_set_errno(error, -1, fork_error, "cannot start %s", arguments[0]);
    }
    if (refused) {
        (void)waitpid(pid, NULL, 0);
        return error_set_errno(error, -1, exec_error, "cannot start %s", arguments[0]);
    }
    child->pid = pid;
    return 0;
}

bool child_has_ended(struct child *child)
{
    if (child->pid == 0 || waitpid(child->pid, &child->status, WNOHANG) != child->pid) {
        return false;
    }
    child->pid = 0;
    return true;
}

void child_signal(const struct child *child, int signal_number)
{
    if (child->pid != 0) {
        (void)kill(child->pid, signal_number);
    }
}

void child_describe_end(const struct child *child, char text[CHILD_END_BYTES])
{
    if (WIFSIGNALED(child->status)) {
        const int number = WTERMSIG(child->status);
        (void)snprintf(text, CHILD_END_BYTES, "killed by signal %d (%s)", number, strsignal(number));
    } else {
        (void)snprintf(text, CHILD_END_BYTES, "exit code %d", WEXITSTATUS(child->status));
    }
}

/* The last count lines of text; a first line that is cut is left out when whole is false. */
static const char *find_last_lines(const char *text, size_t size, size_t count, bool whole)
{
    const char *begin = text + size;
    size_t lines = 0;
    while (begin > text && lines <= count) {
        begin--;
        lines += *begin == '\n' && begin + 1 < text + size;
        if (lines == count && *begin == '\n') {
            return begin + 1;
        }
    }
    if (!whole) {
        const char *newline = memchr(text, '\n', size);
        return newline != NULL ? newline + 1 : text + size;
    }
    return text;
}

void child_read_last_lines(const struct child *child, size_t count, const char *indent, struct buffer *out)
{
    char text[LOG_TAIL_BYTES];
    const int fd = open(child->log_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    const off_t end = lseek(fd, 0, SEEK_END);
    const bool whole = end - child->log_start <= LOG_TAIL_BYTES;
    const ssize_t got = pread(fd, text, sizeof text, whole ? child->log_start : end - LOG_TAIL_BYTES);
    (void)close(fd);
    if (got <= 0) {
        return;
    }
    const char *stop = text + got;
    for (const char *line = find_last_lines(text, (size_t)got, count, whole); line < stop;) {
        const char *newline = memchr(line, '\n', (size_t)(stop - line));
        const char *next = newline != NULL ? newline : stop;
        buffer_append_text(out, indent);
        buffer_append(out, line, (size_t)(next - line));
        buffer_append_char(out, '\n');
        line = next + 1;
    }
}
