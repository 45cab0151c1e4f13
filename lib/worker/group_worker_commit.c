#include "worker/group_worker_commit.h"

#include "bus/bus.h"
#include "program/program.h"
#include "worker/group_worker_state.h"

#define RETRY_MS     100   /* between tries of a commit that the bus had no room for */
#define SAY_EVERY_MS 60000 /* the same trouble is logged once a minute */
#define MOST_SHARES  4
#define SHARE_MS     300 /* commits of two shares are at least so far apart */

/* A committed position never goes back. */
static int64_t find_done(const struct group_worker *worker, const struct partition *partition)
{
    const struct group_worker_calls *calls = worker->spec->calls;
    int64_t done = calls->position == NULL
                       ? partition->next
                       : calls->position(worker->spec->context, partition->state, partition->next);
    return done > partition->committed ? done : partition->committed;
}

static int save_partitions(struct group_worker *worker, bool all, struct error *error)
{
    const struct group_worker_calls *calls = worker->spec->calls;
    for (size_t i = 0; i < worker->partition_count; i++) {
        struct partition *partition = &worker->partitions[i];
        partition->saved = all || partition->touched;
        if (!partition->saved) {
            continue;
        }
        worker->current = partition;
        int saved =
            calls->save == NULL ? 0 : calls->save(worker->spec->context, worker, partition->state, error);
        worker->current = NULL;
        if (saved != 0) {
            return -1;
        }
        partition->done = find_done(worker, partition);
        if (partition->done != partition->committed) {
            int result = bus_advance(worker->member, partition->topic, partition->number, partition->done,
                                     NULL, error);
            if (result != BUS_OK && result != BUS_RESET) {
                return -1;
            }
            worker->dirty = true;
        }
    }
    return 0;
}

/* The bus has no room (a full disk, a full topic): nothing was taken, so the same commit is tried again. */
static int commit_with_patience(struct group_worker *worker, struct error *error)
{
    int result = bus_commit(worker->member, error);
    while ((result == BUS_FULL || result == BUS_AWAY) && !program_is_stopping(worker->spec->program)) {
        uint64_t suppressed = 0;
        if (log_throttle_allows(&worker->full_throttle, group_worker_now_ms(worker), SAY_EVERY_MS,
                                &suppressed)) {
            log_warn_with(worker->log, "cannot commit, trying again", log_text("why", error->message),
                          log_integer("retries", (int64_t)suppressed));
        }
        (void)program_sleep(worker->spec->program, RETRY_MS);
        result = bus_commit(worker->member, error);
    }
    return result;
}

static void note_committed(struct group_worker *worker)
{
    for (size_t i = 0; i < worker->partition_count; i++) {
        struct partition *partition = &worker->partitions[i];
        if (!partition->saved) {
            continue;
        }
        partition->touched = false;
        partition->committed = partition->done;
        if (worker->spec->calls->committed != NULL) {
            worker->spec->calls->committed(worker->spec->context, partition->state);
        }
    }
}

/* They had nothing to say after all. */
static void forget_touched(struct group_worker *worker)
{
    for (size_t i = 0; i < worker->partition_count; i++) {
        worker->partitions[i].touched &= !worker->partitions[i].saved;
    }
}

/* What is saved now, and whatever was put, in one transaction. all: of every partition; otherwise of those
 * that are touched. What a partition put and its position are always of one commit. */
static int commit(struct group_worker *worker, bool all, struct error *error)
{
    worker->hurry = false;
    worker->whole &= !all;
    if (save_partitions(worker, all, error) != 0) {
        return -1;
    }
    if (!worker->dirty) {
        forget_touched(worker);
        return 0;
    }
    int result = commit_with_patience(worker, error);
    worker->dirty = false;
    worker->output_bytes = 0;
    worker->is_refused = result != BUS_OK;
    if (result == BUS_OK) {
        note_committed(worker);
    } else if (result == BUS_RESET) {
        log_warn_with(worker->log, "commit refused, starting again from what is committed",
                      log_text("why", error->message));
        result = 0;
    }
    return result;
}

int group_worker_commit_all(struct group_worker *worker, struct error *error)
{
    worker->is_early = false;
    return commit(worker, true, error);
}

/* Of those that put something or hurry, so that an alert doesn't wait for the states of all others: a
 * transaction's time grows with the partitions it writes to. */
int group_worker_commit_early(struct group_worker *worker, struct error *error)
{
    worker->is_early = true;
    return commit(worker, worker->whole, error);
}

static size_t count_shares(const struct group_worker *worker)
{
    int64_t fitting = worker->spec->commit_interval_ms / SHARE_MS;
    return fitting < 1 ? 1 : fitting > MOST_SHARES ? MOST_SHARES : (size_t)fitting;
}

/* Every partition once in an interval, a share of them at a time: an alert that comes meanwhile waits for a
 * commit of a few. */
int group_worker_commit_share(struct group_worker *worker, struct error *error)
{
    size_t shares = count_shares(worker);
    for (size_t i = worker->share; i < worker->partition_count; i += shares) {
        worker->partitions[i].touched = true;
    }
    worker->share = (worker->share + 1) % shares;
    worker->next_commit_ms = group_worker_now_ms(worker) + worker->spec->commit_interval_ms / (int64_t)shares;
    worker->is_early = false;
    return commit(worker, worker->whole || shares == 1, error);
}
