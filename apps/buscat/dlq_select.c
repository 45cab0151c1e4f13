#include "dlq_select.h"

#include "clock/clock.h"
#include "command.h"
#include "event/reason.h"
#include "text/parse_value.h"
#include "topic_reader.h"
#include "topics/topics.h"

#include <stdio.h>
#include <string.h>

void dlq_selection_settings(struct dlq_selection *selection, struct setting settings[DLQ_SETTINGS])
{
    settings[0] =
        (struct setting){.name = "reason",
                         .type = SETTING_LIST,
                         .target = &selection->reasons,
                         .value_name = "CODE",
                         .help = "only those with this reason, e.g. missing_field; may be repeated"};
    settings[1] =
        (struct setting){.name = "offset",
                         .type = SETTING_LIST,
                         .target = &selection->offsets,
                         .value_name = "[P:]N",
                         .help = "only this place in the dead-letter topic: partition and offset; may be "
                                 "repeated"};
    settings[2] = (struct setting){.name = "since",
                                   .type = SETTING_DURATION,
                                   .target = &selection->since_ms,
                                   .value_name = "TIME",
                                   .help = "only those of the last so much time, e.g. 2h"};
    settings[3] = (struct setting){.name = "until",
                                   .type = SETTING_DURATION,
                                   .target = &selection->until_ms,
                                   .value_name = "TIME",
                                   .help = "only those that came longer ago than that"};
}

void dlq_selection_free(struct dlq_selection *selection)
{
    dlq_marks_free(&selection->marks);
}

/* "3:17" or "17" (any partition: -1). */
static bool parse_place(const char *text, int64_t *partition, int64_t *offset)
{
    char first[24];
    const char *colon = strchr(text, ':');
    *partition = -1;
    if (colon != NULL) {
        (void)snprintf(first, sizeof first, "%.*s", (int)(colon - text), text);
        if (!parse_integer(first, partition) || *partition < 0) {
            return false;
        }
    }
    return parse_integer(colon == NULL ? text : colon + 1, offset) && *offset >= 0;
}

int dlq_selection_check(const struct dlq_selection *selection, struct error *error)
{
    for (size_t i = 0; i < selection->offsets.count; i++) {
        int64_t partition = 0;
        int64_t offset = 0;
        if (!parse_place(selection->offsets.items[i], &partition, &offset)) {
            return error_set(error, -1, "--offset: '%s' is not allowed; give PARTITION:OFFSET or OFFSET",
                             selection->offsets.items[i]);
        }
    }
    for (size_t i = 0; i < selection->reasons.count; i++) {
        bool known = false;
        for (int reason = EVENT_OK + 1; reason < EVENT_REASON_COUNT; reason++) {
            known = known ||
                    strcmp(selection->reasons.items[i], event_reason_name((enum event_reason)reason)) == 0;
        }
        if (!known) {
            return error_set(
                error, -1,
                "--reason: '%s' is not allowed; the reasons are invalid_json, missing_field, wrong_type, "
                "out_of_range, duplicate_key, too_large, future_time and wrong_partition",
                selection->reasons.items[i]);
        }
    }
    return 0;
}

struct filter {
    struct dlq_selection *selection;
    int64_t now_ms;
    bool (*take)(void *context, const struct dlq_letter *letter);
    void *context;
    bool enough;
};

static bool has_reason(const struct dlq_selection *selection, struct bus_bytes reason)
{
    bool wanted = selection->reasons.count == 0;
    for (size_t i = 0; i < selection->reasons.count; i++) {
        const char *name = selection->reasons.items[i];
        wanted = wanted ||
                 (strlen(name) == reason.size_bytes && memcmp(name, reason.data, reason.size_bytes) == 0);
    }
    return wanted;
}

static bool is_at_place(const struct dlq_selection *selection, const struct bus_record *record)
{
    bool here = selection->offsets.count == 0;
    for (size_t i = 0; i < selection->offsets.count; i++) {
        int64_t partition = 0;
        int64_t offset = 0;
        here = here || (parse_place(selection->offsets.items[i], &partition, &offset) &&
                        offset == record->offset && (partition < 0 || partition == record->partition));
    }
    return here;
}

static bool is_in_time(const struct dlq_selection *selection, int64_t age_ms)
{
    return (selection->since_ms == 0 || age_ms <= selection->since_ms) &&
           (selection->until_ms == 0 || age_ms >= selection->until_ms);
}

static bool filter_record(void *context, const struct bus_record *record)
{
    struct filter *filter = context;
    struct dlq_selection *selection = filter->selection;
    if (dlq_is_mark(record)) {
        return true;
    }
    struct dlq_letter letter = {.record = record};
    dead_letter_read(&letter.view, record);
    if (has_reason(selection, letter.view.reason) && is_at_place(selection, record) &&
        is_in_time(selection, filter->now_ms - record->appended_ms)) {
        letter.was_replayed = dlq_marks_have(&selection->marks, record);
        filter->enough = !filter->take(filter->context, &letter);
    }
    return !filter->enough;
}

static bool collect_mark(void *context, const struct bus_record *record)
{
    struct filter *filter = context;
    filter->enough = dlq_is_mark(record) && !dlq_marks_take(&filter->selection->marks, record);
    return !filter->enough;
}

void dlq_name_topic(char out[BUS_TOPIC_BYTES], const char *topic)
{
    size_t length = strlen(topic);
    bool is_dlq = length > 4 && strcmp(topic + length - 4, ".dlq") == 0;
    (void)snprintf(out, BUS_TOPIC_BYTES, "%s%s", topic, is_dlq ? "" : ".dlq");
}

/* Every record of the topics, marks and letters. */
static int read_topics(struct program *program, struct bus *bus, struct filter *filter,
                       bool (*take)(void *context, const struct bus_record *record), struct error *error)
{
    static const char *const both[] = {TOPIC_METRICS_RAW_DLQ, TOPIC_LOGS_RAW_DLQ};
    const char *given = filter->selection->topic;
    size_t count = given == NULL ? 2 : 1;
    for (size_t i = 0; i < count && !filter->enough && !program_is_stopping(program); i++) {
        char topic[BUS_TOPIC_BYTES];
        dlq_name_topic(topic, given == NULL ? both[i] : given);
        int32_t partitions = 0;
        int result = command_find_topic(program, bus, topic, &partitions, error);
        if (result == BUS_REFUSED && topics_find(topic) != NULL) {
            continue; /* not made yet: nobody has had a dead letter */
        }
        const struct topic_reading reading = {
            .topic = topic, .partition = -1, .from_beginning = true, .take = take, .context = filter};
        if (result != BUS_OK || topic_read(program, bus, &reading, error) != TOPIC_READ_DONE) {
            return -1;
        }
    }
    return 0;
}

int dlq_selection_read_marks(struct program *program, struct bus *bus, struct dlq_selection *selection,
                             struct error *error)
{
    struct filter filter = {.selection = selection};
    if (selection->has_marks) {
        return 0;
    }
    selection->has_marks = true;
    if (read_topics(program, bus, &filter, collect_mark, error) != 0) {
        return -1;
    }
    return filter.enough ? error_set(error, -1, "no memory for what was replayed already") : 0;
}

int dlq_selection_read(struct program *program, struct bus *bus, struct dlq_selection *selection,
                       bool (*take)(void *context, const struct dlq_letter *letter), void *context,
                       struct error *error)
{
    struct filter filter = {.selection = selection,
                            .now_ms = clock_wall_ms(program_clock(program)),
                            .take = take,
                            .context = context};
    if (dlq_selection_read_marks(program, bus, selection, error) != 0) {
        return -1;
    }
    return read_topics(program, bus, &filter, filter_record, error);
}
