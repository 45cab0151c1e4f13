#include "command.h"

#include "clock/clock.h"
#include "clock/rfc3339.h"
#include "output.h"
#include "topics/topics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROW_LIMIT 16384
#define RETRY_MS  200
#define RETRIES   150

struct request {
    struct setting_list groups, topics;
    bool partitions;
};

/* Who reads what in the platform; asked for when no --group or --topic is given. */
static const struct reads {
    const char *group, *topic;
} platform[] = {
    {"stream-processor", TOPIC_METRICS_RAW},
    {"metrics-bridge", TOPIC_METRICS_RAW},
    {"metrics-bridge", TOPIC_LOGS_RAW},
    {"alert-forwarder", TOPIC_ALERTS_FIRED},
};

static bool is_of_platform(const struct bus_lag *row)
{
    for (size_t i = 0; i < sizeof platform / sizeof platform[0]; i++) {
        if (strcmp(row->group, platform[i].group) == 0 && strcmp(row->topic, platform[i].topic) == 0) {
            return true;
        }
    }
    return false;
}

static void append_row(struct buffer *text, const struct bus_lag *row, const char *partition)
{
    char committed[24] = "-";
    char time[RFC3339_BYTES] = "-";
    if (row->committed >= 0) {
        (void)snprintf(committed, sizeof committed, "%" PRId64, row->committed);
    }
    if (row->last_commit_ms > 0) {
        rfc3339_format(time, row->last_commit_ms);
    }
    buffer_append_format(text, "%-18s %-16s %9s %12s %12" PRId64 " %10" PRId64 " %10.1f  %s\n", row->group,
                         row->topic, partition, committed, row->end, row->lag, (double)row->lag_ms / 1000.0,
                         time);
}

/* Rows of one group and topic as one: sums, the oldest record that waits, the newest commit. */
static void add_up(struct bus_lag *sum, const struct bus_lag *row)
{
    if (row->committed >= 0) {
        sum->committed = (sum->committed < 0 ? 0 : sum->committed) + row->committed;
    }
    sum->end += row->end;
    sum->lag += row->lag;
    sum->lag_ms = row->lag_ms > sum->lag_ms ? row->lag_ms : sum->lag_ms;
    sum->last_commit_ms =
        row->last_commit_ms > sum->last_commit_ms ? row->last_commit_ms : sum->last_commit_ms;
}

static bool is_same(const struct bus_lag *a, const struct bus_lag *b)
{
    return strcmp(a->group, b->group) == 0 && strcmp(a->topic, b->topic) == 0;
}

static void append_rows(struct buffer *text, struct bus_lag *rows, size_t count,
                        const struct request *request)
{
    buffer_append_format(text, "%-18s %-16s %9s %12s %12s %10s %10s  %s\n", "GROUP", "TOPIC",
                         request->partitions ? "PARTITION" : "", "COMMITTED", "END", "LAG", "LAG-S",
                         "LAST-COMMIT");
    size_t kept = 0; /* one row a group and topic, gathered at the array's begin */
    for (size_t i = 0; i < count; i++) {
        if (request->groups.count == 0 && request->topics.count == 0 && !is_of_platform(&rows[i])) {
            continue;
        }
        if (request->partitions) {
            char partition[16];
            (void)snprintf(partition, sizeof partition, "%d", (int)rows[i].partition);
            append_row(text, &rows[i], partition);
            continue;
        }
        size_t at = 0;
        while (at < kept && !is_same(&rows[at], &rows[i])) {
            at++;
        }
        if (at < kept) {
            add_up(&rows[at], &rows[i]);
        } else {
            rows[kept++] = rows[i];
        }
    }
    for (size_t i = 0; i < kept; i++) {
        append_row(text, &rows[i], "");
    }
}

static int read_lag(struct program *program, struct bus *bus, const struct request *request,
                    struct bus_lag *rows, size_t *count, struct error *error)
{
    static const char *const groups[] = {"stream-processor", "metrics-bridge", "alert-forwarder"};
    static const char *const topics[] = {TOPIC_METRICS_RAW, TOPIC_LOGS_RAW, TOPIC_ALERTS_FIRED};
    bool own_groups = request->groups.count > 0;
    bool own_topics = request->topics.count > 0;
    int result = BUS_AWAY;
    for (int i = 0; result == BUS_AWAY && i < RETRIES; i++) {
        result =
            bus_read_lag(bus, own_groups ? request->groups.items : groups,
                         own_groups ? request->groups.count : 3, own_topics ? request->topics.items : topics,
                         own_topics ? request->topics.count : 3, rows, ROW_LIMIT, count, error);
        if (result == BUS_AWAY && program_sleep(program, RETRY_MS)) {
            break;
        }
    }
    return result;
}

static int print_lag(struct program *program, struct bus *bus, const struct request *request,
                     struct bus_lag *rows)
{
    size_t count = 0;
    struct error error;
    int result = read_lag(program, bus, request, rows, &count, &error);
    if (result != BUS_OK) {
        return command_fail(&error);
    }
    struct buffer text;
    buffer_init(&text, 0);
    append_rows(&text, rows, count < ROW_LIMIT ? count : ROW_LIMIT, request);
    enum output_result written = output_flush(&text, STDOUT_FILENO, &error);
    buffer_free(&text);
    return written == OUTPUT_FAILED ? command_fail(&error) : PROGRAM_DONE;
}

int command_lag(int argc, char **argv)
{
    struct request request = {.partitions = false};
    const struct setting settings[] = {
        {.name = "group",
         .type = SETTING_LIST,
         .target = &request.groups,
         .value_name = "NAME",
         .help = "a group to ask about; may be repeated; the platform's own otherwise"},
        {.name = "topic",
         .type = SETTING_LIST,
         .target = &request.topics,
         .value_name = "NAME",
         .help = "a topic to ask about; may be repeated; the platform's own otherwise"},
        {.name = "partitions",
         .type = SETTING_BOOLEAN,
         .target = &request.partitions,
         .help = "a row for each partition, not their sum"},
    };
    const struct program_spec spec = {
        .name = "buscat",
        .summary = "lag: how far groups are behind, asked of the bus itself, so it works when they are down",
        .usage = "lag [flags]",
        .notes = "LAG-S is the age of the oldest record that waits, in seconds. COMMITTED - means never.",
        .settings = settings,
        .setting_count = sizeof settings / sizeof settings[0],
    };
    struct program *program = NULL;
    struct bus *bus = NULL;
    int code = PROGRAM_DONE;
    if (!command_begin(&program, &bus, &spec, argc, argv, &code)) {
        return code;
    }
    struct bus_lag *rows = calloc(ROW_LIMIT, sizeof *rows);
    const struct error no_memory = {.message = "no memory"};
    code = rows == NULL ? command_fail(&no_memory) : print_lag(program, bus, &request, rows);
    free(rows);
    program_end(program);
    return code;
}
