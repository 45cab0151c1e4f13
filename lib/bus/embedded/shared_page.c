#include "bus/embedded/shared_page.h"

#include "bus/bus.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC   0x6567617053554231ULL /* "1BUSpage" */
#define VERSION 1

static int write_zeros(int fd, size_t size, struct error *error)
{
    char *zeros = calloc(1, size);
    if (zeros == NULL) {
        return error_set(error, BUS_FATAL, "no memory for the shared page");
    }
    ssize_t written = pwrite(fd, zeros, size, 0);
    int reason = written < 0 ? errno : ENOSPC;
    free(zeros);
    if (written != (ssize_t)size || fsync(fd) != 0) {
        return error_set_errno(error, BUS_FULL, reason, "bus.shared can't be written");
    }
    return BUS_OK;
}

/* The gate hands over in order of arrival (priority inheritance is what makes the kernel do that) and says
 * when its holder died (robust). */
static int init_gate(pthread_mutex_t *gate)
{
    pthread_mutexattr_t attributes;
    int result = pthread_mutexattr_init(&attributes);
    if (result == 0) {
        (void)pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        (void)pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
        (void)pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
        result = pthread_mutex_init(gate, &attributes);
        if (result == ENOTSUP) { /* a kernel without: no order then */
            (void)pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_NONE);
            result = pthread_mutex_init(gate, &attributes);
        }
        (void)pthread_mutexattr_destroy(&attributes);
    }
    return result;
}

static int map_page(struct shared_page **out, int fd, bool first, struct error *error)
{
    struct stat status;
    if (first && write_zeros(fd, sizeof **out, error) != BUS_OK) {
        return BUS_FULL;
    }
    if (fstat(fd, &status) != 0 || (size_t)status.st_size < sizeof **out) {
        return error_set(error, BUS_REFUSED,
                         "bus.shared is too short: written by another version, still running?");
    }
    void *address = mmap(NULL, sizeof **out, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED) {
        return error_set_errno(error, BUS_FATAL, errno, "bus.shared can't be mapped");
    }
    *out = address;
    return BUS_OK;
}

static int prepare_page(struct shared_page *page, bool first, struct error *error)
{
    if (!first) {
        bool same = page->magic == MAGIC && page->version == VERSION && page->bytes == sizeof *page;
        return same ? BUS_OK
                    : error_set(error, BUS_REFUSED,
                                "bus.shared is of another version: stop the programs of that version first");
    }
    int result = init_gate(&page->gate);
    if (result != 0) {
        return error_set_errno(error, BUS_FATAL, result, "the writers' mutex can't be made");
    }
    page->version = VERSION;
    page->bytes = sizeof *page;
    page->magic = MAGIC;
    return BUS_OK;
}

int shared_page_open(struct shared_page **out, const char *directory, bool first, struct error *error)
{
    *out = NULL;
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/bus.shared", directory);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) {
        return error_set_errno(error, BUS_REFUSED, errno, "%s can't be opened for writing", path);
    }
    int result = map_page(out, fd, first, error);
    (void)close(fd);
    if (result == BUS_OK && *out != NULL) {
        result = prepare_page(*out, first, error);
    }
    if (result != BUS_OK) {
        shared_page_close(*out);
        *out = NULL;
    }
    return result;
}

void shared_page_close(struct shared_page *page)
{
    if (page != NULL) {
        (void)munmap(page, sizeof *page);
    }
}
