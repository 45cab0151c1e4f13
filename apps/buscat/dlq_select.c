#include "dlq_select.h"

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
    const struct dlq_selection *selection;
    bool (*take)(void *context, const struct bus_record *record, const struct dead_letter_view *view);
    void *context;
    bool enough;
};

static bool is_selected(const struct dlq_selection *selection, const struct bus_record *record,
                        const struct dead_letter_view *view)
{
    bool wanted = selection->reasons.count == 0;
    for (size_t i = 0; i < selection->reasons.count; i++) {
        const char *reason = selection->reasons.items[i];
        wanted = wanted || (strlen(reason) == view->reason.size_bytes &&
                            memcmp(reason, view->reason.data, view->reason.size_bytes) == 0);
    }
    bool here = selection->offsets.count == 0;
    for (size_t i = 0; i < selection->offsets.count; i++) {
        int64_t partition = 0;
        int64_t offset = 0;
        here = here || (parse_place(selection->offsets.items[i], &partition, &offset) &&
                        offset == record->offset && (partition < 0 || partition == record->partition));
    }
    return wanted && here;
}

static bool filter_record(void *context, const struct bus_record *record)
{
    struct filter *filter = context;
    struct dead_letter_view view;
    dead_letter_read(&view, record);
    if (is_selected(filter->selection, record, &view)) {
        filter->enough = !filter->take(filter->context, record, &view);
    }
    return !filter->enough;
}

/* metrics.raw is short for metrics.raw.dlq. */
static void name_topic(char out[BUS_TOPIC_BYTES], const char *topic)
{
    size_t length = strlen(topic);
    bool is_dlq = length > 4 && strcmp(topic + length - 4, ".dlq") == 0;
    (void)snprintf(out, BUS_TOPIC_BYTES, "%s%s", topic, is_dlq ? "" : ".dlq");
}

int dlq_selection_read(struct program *program, struct bus *bus, const struct dlq_selection *selection,
                       bool (*take)(void *context, const struct bus_record *record,
                                    const struct dead_letter_view *view),
                       void *context, struct error *error)
{
    static const char *const both[] = {TOPIC_METRICS_RAW_DLQ, TOPIC_LOGS_RAW_DLQ};
    struct filter filter = {selection, take, context, false};
    size_t count = selection->topic == NULL ? 2 : 1;
    for (size_t i = 0; i < count && !filter.enough && !program_is_stopping(program); i++) {
        char topic[BUS_TOPIC_BYTES];
        name_topic(topic, selection->topic == NULL ? both[i] : selection->topic);
        int32_t partitions = 0;
        int result = command_find_topic(program, bus, topic, &partitions, error);
        if (result == BUS_REFUSED && topics_find(topic) != NULL) {
            continue; /* not made yet: nobody has had a dead letter */
        }
        const struct topic_reading reading = {.topic = topic,
                                              .partition = -1,
                                              .from_beginning = true,
                                              .take = filter_record,
                                              .context = &filter};
        if (result != BUS_OK || topic_read(program, bus, &reading, error) != TOPIC_READ_DONE) {
            return -1;
        }
    }
    return 0;
}
