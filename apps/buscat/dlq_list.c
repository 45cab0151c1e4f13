#include "command.h"

#include "clock/rfc3339.h"
#include "dlq_select.h"
#include "output.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROW_LIMIT 128 /* topics × reasons; foreign tools may bring reasons of their own */

struct row {
    char topic[BUS_TOPIC_BYTES], reason[64], message[256];
    uint64_t count, replayed;
    int64_t oldest_ms, newest_ms;
};

struct table {
    struct row rows[ROW_LIMIT];
    size_t count;
    uint64_t left_out;
};

static void copy(char *out, size_t room, struct bus_bytes bytes)
{
    size_t size = bytes.size_bytes < room ? bytes.size_bytes : room - 1;
    if (size > 0) {
        memcpy(out, bytes.data, size);
    }
    out[size] = '\0';
}

static bool count_letter(void *context, const struct dlq_letter *letter)
{
    const struct bus_record *record = letter->record;
    const struct dead_letter_view *view = &letter->view;
    struct table *table = context;
    char reason[64];
    copy(reason, sizeof reason, view->reason);
    size_t at = 0;
    while (at < table->count && (strcmp(table->rows[at].topic, record->topic) != 0 ||
                                 strcmp(table->rows[at].reason, reason) != 0)) {
        at++;
    }
    if (at == ROW_LIMIT) {
        table->left_out++;
        return true;
    }
    struct row *row = &table->rows[at];
    if (at == table->count) {
        table->count++;
        *row = (struct row){.oldest_ms = record->appended_ms, .newest_ms = record->appended_ms};
        (void)snprintf(row->topic, sizeof row->topic, "%s", record->topic);
        memcpy(row->reason, reason, sizeof row->reason);
    }
    row->count++;
    row->replayed += letter->was_replayed;
    row->oldest_ms = record->appended_ms < row->oldest_ms ? record->appended_ms : row->oldest_ms;
    if (record->appended_ms >= row->newest_ms) {
        row->newest_ms = record->appended_ms;
        copy(row->message, sizeof row->message, view->message);
    }
    return true;
}

static void append_table(struct buffer *text, const struct table *table)
{
    buffer_append_format(text, "%-18s %-18s %8s  %8s  %-24s  %-24s  %s\n", "TOPIC", "REASON", "COUNT",
                         "REPLAYED", "OLDEST", "NEWEST", "THE NEWEST ONE'S MESSAGE");
    for (size_t i = 0; i < table->count; i++) {
        const struct row *row = &table->rows[i];
        char oldest[RFC3339_BYTES];
        char newest[RFC3339_BYTES];
        rfc3339_format(oldest, row->oldest_ms);
        rfc3339_format(newest, row->newest_ms);
        buffer_append_format(text, "%-18s %-18s %8" PRIu64 "  %8" PRIu64 "  %-24s  %-24s  ", row->topic,
                             row->reason[0] == '\0' ? "(none)" : row->reason, row->count, row->replayed,
                             oldest, newest);
        output_append_readable(text, row->message, strlen(row->message));
        buffer_append_char(text, '\n');
    }
    if (table->left_out > 0) {
        buffer_append_format(text, "and %" PRIu64 " with still other reasons\n", table->left_out);
    }
}

int command_dlq_list(int argc, char **argv)
{
    struct dlq_selection selection = {.topic = NULL};
    struct setting settings[DLQ_SETTINGS];
    dlq_selection_settings(&selection, settings);
    const struct program_spec spec = {
        .name = "buscat",
        .summary = "dlq list: the dead letters, counted by reason",
        .usage = "dlq list [TOPIC] [flags]",
        .notes = "TOPIC: metrics.raw.dlq, logs.raw.dlq (or the name without .dlq); both without one.",
        .settings = settings,
        .setting_count = DLQ_SETTINGS,
        .max_positionals = 1,
    };
    struct program *program = NULL;
    struct bus *bus = NULL;
    int code = PROGRAM_DONE;
    if (!command_begin(&program, &bus, &spec, argc, argv, &code)) {
        return code;
    }
    selection.topic = settings_positional(program_settings(program), 0);
    static struct table table;
    struct error error;
    struct buffer text;
    buffer_init(&text, 0);
    if (dlq_selection_check(&selection, &error) != 0) {
        code = command_refuse("%s", error.message);
    } else if (dlq_selection_read(program, bus, &selection, count_letter, &table, &error) != 0) {
        code = command_fail(&error);
    } else if (table.count == 0) {
        command_remark("no dead letters");
    } else {
        append_table(&text, &table);
        code =
            output_flush(&text, STDOUT_FILENO, &error) == OUTPUT_FAILED ? command_fail(&error) : PROGRAM_DONE;
    }
    buffer_free(&text);
    dlq_selection_free(&selection);
    program_end(program);
    return code;
}
