#include "bus/embedded/presence.h"

#include "bus/bus.h"
#include "random/random.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define PROCESS_BASE ((uint64_t)1 << 20)
#define TRY_EVERY_MS 5
#define PATIENCE_MS  10000

static int lock_byte(int fd, short type, uint64_t byte)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1};
    return fcntl(fd, F_SETLK, &lock) == 0 ? 0 : errno;
}

static bool is_held_elsewhere(int error_number)
{
    return error_number == EACCES || error_number == EAGAIN;
}

static int lock_failed(int error_number, struct error *error)
{
    return error_set_errno(error, BUS_REFUSED, error_number, "bus.lock can't be locked");
}

/* First: exclusive. Else: shared, which is to be had as soon as the first one has prepared the files. */
static int enter(struct presence *presence, bool *first, struct error *error)
{
    for (int waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += TRY_EVERY_MS) {
        int result = lock_byte(presence->fd, F_WRLCK, 0);
        *first = result == 0;
        if (is_held_elsewhere(result)) {
            result = lock_byte(presence->fd, F_RDLCK, 0);
            /* Unless the first one gave up just now: then this one prepares. */
            *first = result == 0 && lock_byte(presence->fd, F_WRLCK, 0) == 0;
        }
        if (result == 0) {
            return BUS_OK;
        }
        if (!is_held_elsewhere(result)) {
            return lock_failed(result, error);
        }
        struct timespec pause = {.tv_nsec = TRY_EVERY_MS * 1000000L};
        (void)nanosleep(&pause, NULL);
    }
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    (void)fcntl(presence->fd, F_GETLK, &lock);
    return error_set(error, BUS_AWAY, "process %d has been preparing the store for %d s: is it stopped?",
                     lock.l_type == F_UNLCK ? 0 : (int)lock.l_pid, PATIENCE_MS / 1000);
}

static int take_number(struct presence *presence, struct error *error)
{
    for (;;) {
        presence->process =
            (random_seed_from_system() >> 2) | 1; /* stays below off_t's end with the base added */
        int result = lock_byte(presence->fd, F_WRLCK, PROCESS_BASE + presence->process);
        if (result == 0) {
            return BUS_OK;
        }
        if (!is_held_elsewhere(result)) {
            return lock_failed(result, error);
        }
    }
}

int presence_open(struct presence *presence, const char *directory, bool *first, struct error *error)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/bus.lock", directory);
    presence->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (presence->fd < 0) {
        return error_set_errno(error, BUS_REFUSED, errno, "%s can't be opened for writing", path);
    }
    int result = enter(presence, first, error);
    if (result == BUS_OK) {
        result = take_number(presence, error);
    }
    if (result != BUS_OK) {
        presence_close(presence);
    }
    return result;
}

int presence_share(struct presence *presence, struct error *error)
{
    int result = lock_byte(presence->fd, F_RDLCK, 0);
    return result == 0 ? BUS_OK : lock_failed(result, error);
}

void presence_close(struct presence *presence)
{
    if (presence->fd >= 0) {
        (void)close(presence->fd);
        presence->fd = -1;
    }
}

bool presence_is_alive(const struct presence *presence, uint64_t process)
{
    if (process == presence->process) {
        return true;
    }
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)(PROCESS_BASE + process), .l_len = 1};
    /* In doubt alive: the lease decides then. */
    return fcntl(presence->fd, F_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}
