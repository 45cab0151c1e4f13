#include "topic_tail.h"

#include "bus/bus.h"
#include "log/log.h"
#include "program/program.h"
#include "topics/topics.h"
#include "worker/topic_scan.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#define PAUSE_MS 2000

struct topic_tail {
    struct topic_tail_settings settings;
    int64_t *next; /* of each partition; NULL: nothing read yet */
    int32_t partitions;
    pthread_t thread;
};

static int take_records(void *context, const struct bus_record *records, size_t count, struct error *error)
{
    (void)error;
    struct topic_tail *tail = context;
    for (size_t i = 0; i < count; i++) {
        tail->settings.take(tail->settings.context, &records[i]);
    }
    tail->next[records[0].partition] = records[count - 1].offset + 1;
    return 0;
}

/* Where to begin, the first time. */
static int find_places(struct topic_tail *tail, struct error *error)
{
    const struct topic_tail_settings *settings = &tail->settings;
    int32_t partitions = 0;
    if (bus_partition_count(settings->bus, settings->topic, &partitions, error) != BUS_OK) {
        return -1;
    }
    int64_t *begin = calloc((size_t)partitions * 2, sizeof *begin);
    if (begin == NULL) {
        return error_set(error, -1, "no memory for %d partitions", (int)partitions);
    }
    const int64_t *end = begin + partitions;
    if (topic_read_bounds(settings->bus, settings->topic, partitions, begin, begin + partitions, error) !=
        0) {
        free(begin);
        return -1;
    }
    for (int32_t p = 0; p < partitions; p++) {
        const bool is_long = settings->last >= 0 && end[p] - begin[p] > settings->last;
        begin[p] = is_long ? end[p] - settings->last : begin[p];
    }
    tail->next = begin;
    tail->partitions = partitions;
    return 0;
}

static int follow(struct topic_tail *tail, struct error *error)
{
    if (tail->next == NULL && find_places(tail, error) != 0) {
        return -1;
    }
    const struct topic_scan scan = {.topic = tail->settings.topic,
                                    .partition_count = tail->partitions,
                                    .from = tail->next,
                                    .until = tail->next,
                                    .follow = true,
                                    .take = take_records,
                                    .context = tail};
    return topic_scan_run(tail->settings.program, tail->settings.bus, &scan, error);
}

static void *run(void *context)
{
    struct topic_tail *tail = context;
    const struct topic_tail_settings *settings = &tail->settings;
    while (!program_is_stopping(settings->program)) {
        struct error error;
        error_clear(&error);
        if (follow(tail, &error) != 0) {
            log_warn_with(program_log(settings->program), "a topic isn't followed, trying again",
                          log_text("topic", settings->topic), log_text("why", error.message));
            free(tail->next); /* retention may have taken what comes next: begin near the end again */
            tail->next = NULL;
            (void)program_sleep(settings->program, PAUSE_MS);
        }
    }
    return NULL;
}

int topic_tail_start(struct topic_tail **out, const struct topic_tail_settings *settings, struct error *error)
{
    struct topic_tail *tail = calloc(1, sizeof *tail);
    *out = NULL;
    if (tail == NULL) {
        return error_set(error, -1, "no memory to follow %s", settings->topic);
    }
    tail->settings = *settings;
    if (pthread_create(&tail->thread, NULL, run, tail) != 0) {
        free(tail);
        return error_set(error, -1, "no thread to follow %s", settings->topic);
    }
    *out = tail;
    return 0;
}

void topic_tail_join(struct topic_tail *tail)
{
    if (tail != NULL) {
        (void)pthread_join(tail->thread, NULL);
        free(tail->next);
        free(tail);
    }
}
