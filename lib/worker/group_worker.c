#include "worker/group_worker.h"

#include "program/program.h"
#include "worker/group_worker_commit.h"
#include "worker/group_worker_state.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS         1000
#define RETRY_MS        100 /* between tries of a put that the bus had no room for */
#define OUTPUT_LIMIT    (8 * 1048576)
#define PUT_PATIENCE_MS 5000

static struct partition *find_partition(struct group_worker *worker, const char *topic, int32_t number)
{
    for (size_t i = 0; i < worker->partition_count; i++) {
        struct partition *partition = &worker->partitions[i];
        if (partition->number == number && strcmp(partition->topic, topic) == 0) {
            return partition;
        }
    }
    return NULL;
}

static void touch_current(struct group_worker *worker)
{
    if (worker->current != NULL) {
        worker->current->touched = true;
    } else {
        worker->whole = true;
    }
}

/* The queue is bounded, and sending empties it. */
static int put_with_patience(struct group_worker *worker, const struct bus_record *output, bool is_state,
                             struct error *error)
{
    int64_t deadline_ms = group_worker_now_ms(worker) + PUT_PATIENCE_MS;
    int result = BUS_FULL;
    while (true) {
        result = is_state
                     ? bus_put_state(worker->member, output->partition, output->key, output->value, error)
                     : bus_put(worker->member, output, error);
        if (result != BUS_FULL || group_worker_now_ms(worker) >= deadline_ms ||
            program_sleep(worker->spec->program, RETRY_MS)) {
            break;
        }
    }
    worker->dirty = true;
    touch_current(worker);
    worker->output_bytes += output->key.size_bytes + output->value.size_bytes;
    if (worker->output_bytes > OUTPUT_LIMIT) {
        worker->hurry = true;
    }
    /* After a reset nothing put holds; the polls will say LOST and the work is done again. */
    return result == BUS_RESET ? 0 : result;
}

int group_worker_put(struct group_worker *worker, const struct bus_record *output, struct error *error)
{
    return put_with_patience(worker, output, false, error);
}

int group_worker_put_state(struct group_worker *worker, int32_t partition, struct bus_bytes key,
                           struct bus_bytes value, struct error *error)
{
    const struct bus_record record = {.partition = partition, .key = key, .value = value};
    return put_with_patience(worker, &record, true, error);
}

size_t group_worker_output_bytes(const struct group_worker *worker)
{
    return worker->output_bytes;
}

bool group_worker_is_early(const struct group_worker *worker)
{
    return worker->is_early;
}

void group_worker_hurry(struct group_worker *worker)
{
    worker->hurry = true;
    touch_current(worker);
}

void group_worker_leave(struct group_worker *worker)
{
    worker->leaving = true;
}

/* --- the life of a partition ---- */

static int open_partition(struct group_worker *worker, const struct bus_partition *assigned,
                          struct error *error)
{
    if (worker->partition_count == worker->partition_capacity) {
        size_t capacity = worker->partition_capacity == 0 ? 16 : worker->partition_capacity * 2;
        struct partition *partitions = realloc(worker->partitions, capacity * sizeof *partitions);
        if (partitions == NULL) {
            return error_set(error, -1, "no memory for %zu partitions", capacity);
        }
        worker->partitions = partitions;
        worker->partition_capacity = capacity;
    }
    struct partition *partition = &worker->partitions[worker->partition_count];
    *partition = (struct partition){
        .number = assigned->partition, .next = assigned->committed, .committed = assigned->committed};
    (void)snprintf(partition->topic, sizeof partition->topic, "%s", assigned->topic);
    if (worker->spec->calls->open(worker->spec->context, assigned, &partition->state, error) != 0) {
        return -1;
    }
    worker->partition_count++;
    return 0;
}

static void close_partition(struct group_worker *worker, struct partition *partition)
{
    worker->spec->calls->close(worker->spec->context, partition->state);
    *partition = worker->partitions[--worker->partition_count];
}

static void close_partitions(struct group_worker *worker, const struct bus_turn *turn)
{
    const struct group_worker_calls *calls = worker->spec->calls;
    for (size_t i = 0; i < turn->partition_count; i++) {
        struct partition *partition =
            find_partition(worker, turn->partitions[i].topic, turn->partitions[i].partition);
        if (partition != NULL && turn->kind == BUS_LOST && calls->lost != NULL) {
            calls->lost(worker->spec->context, partition->state);
        }
        if (partition != NULL) {
            close_partition(worker, partition);
        }
    }
    if (worker->partition_count == 0) {
        program_set_ready(worker->spec->program, false, "waiting for partitions");
    }
}

static int start_partition(struct group_worker *worker, const struct bus_partition *restored,
                           struct error *error)
{
    const struct group_worker_calls *calls = worker->spec->calls;
    struct partition *partition = find_partition(worker, restored->topic, restored->partition);
    if (partition == NULL) {
        return 0;
    }
    int64_t from = calls->start_offset == NULL
                       ? BUS_FROM_COMMITTED
                       : calls->start_offset(worker->spec->context, partition->state, restored);
    int result = bus_start(worker->member, restored->topic, restored->partition, from, error);
    if (result == BUS_OK) {
        program_set_ready(worker->spec->program, true, "");
    }
    return result == BUS_RESET ? 0 : result;
}

/* --- the turns ---- */

static int process_records(struct group_worker *worker, const struct bus_turn *turn, struct error *error)
{
    size_t first = 0;
    while (first < turn->record_count) {
        const struct bus_record *records = &turn->records[first];
        size_t count = 1;
        while (first + count < turn->record_count && records[count].partition == records[0].partition &&
               strcmp(records[count].topic, records[0].topic) == 0) {
            count++;
        }
        first += count;
        struct partition *partition = find_partition(worker, records[0].topic, records[0].partition);
        if (partition == NULL) {
            continue; /* lost in the meantime */
        }
        worker->current = partition;
        int result = worker->spec->calls->process(worker->spec->context, worker, partition->state, records,
                                                  count, error);
        worker->current = NULL;
        if (result != 0) {
            return result;
        }
        int64_t next = records[count - 1].offset + 1;
        if (next > partition->next) { /* replayed records are behind it */
            partition->next = next;
        }
    }
    return 0;
}

static int note_ends(struct group_worker *worker, const struct bus_turn *turn, struct error *error)
{
    for (size_t i = 0; i < turn->partition_count; i++) {
        struct partition *partition =
            find_partition(worker, turn->partitions[i].topic, turn->partitions[i].partition);
        if (partition == NULL) {
            continue;
        }
        if (turn->partitions[i].position > partition->next) {
            partition->next = turn->partitions[i].position;
        }
        worker->current = partition;
        int result =
            worker->spec->calls->reached_end == NULL
                ? 0
                : worker->spec->calls->reached_end(worker->spec->context, worker, partition->state, error);
        worker->current = NULL;
        if (result != 0) {
            return -1;
        }
    }
    return 0;
}

static int restore_partition(struct group_worker *worker, const struct bus_turn *turn, struct error *error)
{
    struct partition *partition =
        find_partition(worker, turn->partitions[0].topic, turn->partitions[0].partition);
    if (partition == NULL || worker->spec->calls->restore == NULL) {
        return 0;
    }
    return worker->spec->calls->restore(worker->spec->context, partition->state, turn->records,
                                        turn->record_count, error);
}

static int give_up_partitions(struct group_worker *worker, const struct bus_turn *turn, struct error *error)
{
    /* A commit polls nothing, so the turn stays valid. */
    if (group_worker_commit_all(worker, error) != 0) {
        return -1;
    }
    close_partitions(worker, turn);
    int result = bus_release(worker->member, error);
    return result == BUS_RESET ? 0 : result;
}

static int open_partitions(struct group_worker *worker, const struct bus_turn *turn, struct error *error)
{
    for (size_t i = 0; i < turn->partition_count; i++) {
        if (open_partition(worker, &turn->partitions[i], error) != 0) {
            return -1;
        }
    }
    log_info_with(worker->log, "partitions assigned", log_integer("count", (int64_t)turn->partition_count),
                  log_text("first", turn->partitions[0].topic),
                  log_integer("partition", turn->partitions[0].partition));
    return 0;
}

static int handle_turn(struct group_worker *worker, const struct bus_turn *turn, struct error *error)
{
    switch (turn->kind) {
    case BUS_IDLE:
        return 0;
    case BUS_ASSIGNED:
        return open_partitions(worker, turn, error);
    case BUS_STATE:
        return restore_partition(worker, turn, error);
    case BUS_RESTORED:
        return start_partition(worker, &turn->partitions[0], error);
    case BUS_RECORDS:
        return process_records(worker, turn, error);
    case BUS_END:
        return note_ends(worker, turn, error);
    case BUS_REVOKING:
        return give_up_partitions(worker, turn, error);
    case BUS_LOST:
        worker->dirty = false;
        close_partitions(worker, turn);
        return 0;
    }
    return 0;
}

static int tick_partitions(struct group_worker *worker, struct error *error)
{
    worker->next_tick_ms = group_worker_now_ms(worker) + TICK_MS;
    for (size_t i = 0; worker->spec->calls->tick != NULL && i < worker->partition_count; i++) {
        worker->current = &worker->partitions[i];
        int result =
            worker->spec->calls->tick(worker->spec->context, worker, worker->partitions[i].state, error);
        worker->current = NULL;
        if (result != 0) {
            return -1;
        }
    }
    return 0;
}

static int time_to_wait_ms(const struct group_worker *worker)
{
    int64_t now = group_worker_now_ms(worker);
    int64_t until =
        worker->next_tick_ms < worker->next_commit_ms ? worker->next_tick_ms : worker->next_commit_ms;
    return until <= now ? 0 : (int)(until - now);
}

/* Of a program that ends: 0 says that its work is committed. What isn't is done again at the next start. */
static int commit_the_last(struct group_worker *worker, struct error *error)
{
    int result = group_worker_commit_all(worker, error);
    if (result == 0 && !worker->leaving && (worker->is_refused || !bus_is_connected(worker->spec->bus))) {
        result = error_set(error, BUS_AWAY,
                           "the bus didn't take the last commit; the next start does that work again");
    }
    return result;
}

static int run_loop(struct group_worker *worker, struct error *error)
{
    const struct group_worker_calls *calls = worker->spec->calls;
    while (!program_is_stopping(worker->spec->program) && !worker->leaving) {
        struct bus_turn turn;
        int result = bus_poll(worker->member, time_to_wait_ms(worker), &turn, error);
        if (result == BUS_OK) {
            result = handle_turn(worker, &turn, error);
        }
        if (result == 0 && group_worker_now_ms(worker) >= worker->next_tick_ms) {
            result = tick_partitions(worker, error);
        }
        if (result == 0 && calls->between_turns != NULL) {
            result = calls->between_turns(worker->spec->context, worker, error);
        }
        bool is_due = group_worker_now_ms(worker) >= worker->next_commit_ms;
        if (result == 0 && (worker->hurry || is_due)) {
            result =
                is_due ? group_worker_commit_share(worker, error) : group_worker_commit_early(worker, error);
        }
        if (result != 0) {
            return result;
        }
    }
    return commit_the_last(worker, error);
}

/* A member keeps its name over restarts: the one it was given, else the host's. */
static const char *name_member(const struct group_worker_spec *spec, char *room, size_t room_bytes)
{
    if (spec->member_id != NULL) {
        return spec->member_id;
    }
    return gethostname(room, room_bytes) == 0 ? room : spec->group;
}

int group_worker_run(const struct group_worker_spec *spec)
{
    char host[256] = "";
    struct error error;
    error_clear(&error);
    struct group_worker worker = {
        .spec = spec, .clock = program_clock(spec->program), .log = program_log(spec->program)};
    const struct bus_member_settings settings = {.group = spec->group,
                                                 .member_id = name_member(spec, host, sizeof host - 1),
                                                 .topics = spec->topics,
                                                 .state_topic = spec->state_topic};
    program_set_ready(spec->program, false, "waiting for partitions");
    if (bus_join(spec->bus, &settings, &worker.member, &error) != BUS_OK) {
        return program_fail(spec->program, "cannot join the group", &error);
    }
    program_wake_on_stop(spec->program, worker.member);
    int result = run_loop(&worker, &error);
    program_set_ready(spec->program, false, "stopping");
    program_wake_on_stop(spec->program, NULL);
    while (worker.partition_count > 0) {
        close_partition(&worker, &worker.partitions[0]);
    }
    free(worker.partitions);
    struct error leave_error;
    error_clear(&leave_error);
    if (bus_leave(worker.member, &leave_error) != BUS_OK) {
        log_warn_with(worker.log, "left the group with an error", log_text("why", leave_error.message));
    }
    return result != 0 ? program_fail(spec->program, "stopped", &error)
           : worker.leaving && !program_is_stopping(spec->program) ? GROUP_WORKER_AGAIN
                                                                   : PROGRAM_DONE;
}
