#include "requirements.h"

#include "options.h"
#include "plan.h"
#include "port_owner.h"

#include "buffer/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int make_folder(const char *path, struct error *error)
{
    if (mkdir(path, 0750) != 0 && errno != EEXIST) {
        return error_set_errno(error, -1, errno, "cannot make the directory %s", path);
    }
    return 0;
}

int requirements_make_folders(const struct options *options, struct error *error)
{
    static const char *const names[] = {"log", "prometheus", "alertmanager"};
    char path[600];
    int result = make_folder(options->data, error);
    for (size_t i = 0; result == 0 && i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", options->data, names[i]);
        result = make_folder(path, error);
    }
    return result;
}

int requirements_lock(const struct options *options, int *fd, struct error *error)
{
    char path[600];
    char text[32] = "";
    (void)snprintf(path, sizeof path, "%s/local.lock", options->data);
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (*fd < 0) {
        return error_set_errno(error, -1, errno, "cannot open %s", path);
    }
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        const ssize_t got = pread(*fd, text, sizeof text - 1, 0);
        text[got > 0 ? (size_t)got : 0] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return error_set(
            error, -1,
            "the local stack is running already: process %s holds %s. Stop it with Ctrl-C there, or with: "
            "kill %s",
            text, path, text);
    }
    const int length = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(*fd, 0) != 0 || pwrite(*fd, text, (size_t)length, 0) != length) {
        return error_set_errno(error, -1, errno, "cannot write %s", path);
    }
    return 0;
}

static bool is_in_path(const char *name)
{
    const char *search = getenv("PATH");
    char path[1024];
    while (search != NULL && *search != '\0') {
        const size_t length = strcspn(search, ":");
        (void)snprintf(path, sizeof path, "%.*s/%s", (int)length, search, name);
        if (access(path, X_OK) == 0) {
            return true;
        }
        search += length + (search[length] == ':');
    }
    return false;
}

int requirements_check_programs(const struct options *options, const struct plan *plan, struct error *error)
{
    static const char *const files[] = {"config/prometheus.yml", "config/alertmanager.yml",
                                        "config/anomaly-rules.yaml", "rules"};
    char path[600];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", options->source, files[i]);
        if (access(path, R_OK) != 0) {
            return error_set_errno(error, -1, errno,
                                   "cannot read %s (run it in the repository's folder, or say --source DIR)",
                                   path);
        }
    }
    for (int i = 0; i < PART_COUNT; i++) {
        const char *command = plan->parts[i].command;
        if (strchr(command, '/') != NULL && access(command, X_OK) != 0) {
            return error_set(error, -1, "%s isn't built: make build-native", command);
        }
        if (strchr(command, '/') == NULL && !is_in_path(command)) {
            return error_set(error, -1, "the package %s isn't installed: make install", command);
        }
    }
    return 0;
}

/* A line a port that is taken. */
static size_t list_taken(const struct plan *plan, struct buffer *lines)
{
    char owner[128];
    size_t taken = 0;
    for (int i = 0; i < PART_COUNT; i++) {
        const struct part *part = &plan->parts[i];
        if (port_is_taken(part->port)) {
            port_describe_owner(part->port, owner, sizeof owner);
            buffer_append_format(lines, "%sport %u, which %s needs, is taken by %s", taken > 0 ? "; " : "",
                                 (unsigned)part->port, part->name, owner);
            taken++;
        }
    }
    return taken;
}

int requirements_check_ports(const struct plan *plan, struct error *error)
{
    char text[600];
    size_t taken = 1;
    struct buffer lines;
    for (int attempt = 0; attempt < 16 && taken > 0; attempt++) {
        if (attempt > 0) {
            const struct timespec pause = {.tv_nsec = 200000000};
            (void)nanosleep(&pause, NULL);
        }
        buffer_init_fixed(&lines, text, sizeof text);
        taken = list_taken(plan, &lines);
    }
    if (taken == 0) {
        return 0;
    }
    return error_set(error, -1, "%s. Stop that program, or use other ports with --port-offset N",
                     buffer_text(&lines));
}
