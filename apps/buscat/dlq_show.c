#include "command.h"

#include "clock/rfc3339.h"
#include "dlq_select.h"
#include "envelope.h"
#include "output.h"

#include <inttypes.h>
#include <unistd.h>

struct showing {
    struct buffer text;
    bool envelope;
    int64_t wanted, shown;
    enum output_result result;
    struct error error;
};

static void append_bytes(struct buffer *text, const char *name, struct bus_bytes bytes)
{
    buffer_append_format(text, "  %s: ", name);
    if (bytes.data == NULL) {
        buffer_append_text(text, "(none)");
    } else {
        output_append_readable(text, bytes.data, bytes.size_bytes);
    }
    buffer_append_char(text, '\n');
}

static void append_letter(struct buffer *text, const struct bus_record *record)
{
    char time[RFC3339_BYTES];
    rfc3339_format(time, record->appended_ms);
    buffer_append_format(text, "%s %d:%" PRId64 "  %s\n", record->topic, (int)record->partition,
                         record->offset, time);
    for (size_t i = 0; i < record->header_count; i++) {
        append_bytes(text, record->headers[i].name, record->headers[i].value);
    }
    append_bytes(text, "key", record->key);
    append_bytes(text, "value", record->value);
    buffer_append_char(text, '\n');
}

static bool show_letter(void *context, const struct bus_record *record, const struct dead_letter_view *view)
{
    (void)view;
    struct showing *showing = context;
    if (showing->envelope) {
        envelope_write(&showing->text, record);
        buffer_append_char(&showing->text, '\n');
    } else {
        append_letter(&showing->text, record);
    }
    showing->shown++;
    showing->result = output_flush(&showing->text, STDOUT_FILENO, &showing->error);
    return showing->result == OUTPUT_OK && (showing->wanted == 0 || showing->shown < showing->wanted);
}

int command_dlq_show(int argc, char **argv)
{
    struct dlq_selection selection = {.topic = NULL};
    struct showing showing = {.result = OUTPUT_OK};
    struct setting settings[DLQ_SETTINGS + 2];
    dlq_selection_settings(&selection, settings);
    settings[DLQ_SETTINGS] = (struct setting){.name = "count",
                                              .type = SETTING_INTEGER,
                                              .target = &showing.wanted,
                                              .default_text = "0",
                                              .value_name = "N",
                                              .help = "stop after so many; 0: no limit",
                                              .maximum = 9e15};
    settings[DLQ_SETTINGS + 1] =
        (struct setting){.name = "envelope",
                         .type = SETTING_BOOLEAN,
                         .target = &showing.envelope,
                         .help = "a JSON object a line, as consume --envelope prints it"};
    const struct program_spec spec = {
        .name = "buscat",
        .summary = "dlq show: the dead letters with their headers, key and value",
        .usage = "dlq show [TOPIC] [flags]",
        .notes = "Each begins with its topic, partition:offset and time. Control characters and what is no "
                 "UTF-8 are shown as \\xNN;\n"
                 "--envelope keeps every byte.",
        .settings = settings,
        .setting_count = DLQ_SETTINGS + 2,
        .max_positionals = 1,
    };
    struct program *program = NULL;
    struct bus *bus = NULL;
    int code = PROGRAM_DONE;
    if (!command_begin(&program, &bus, &spec, argc, argv, &code)) {
        return code;
    }
    selection.topic = settings_positional(program_settings(program), 0);
    struct error error;
    buffer_init(&showing.text, 0);
    if (dlq_selection_check(&selection, &error) != 0) {
        code = command_refuse("%s", error.message);
    } else if (dlq_selection_read(program, bus, &selection, show_letter, &showing, &error) != 0) {
        code = command_fail(&error);
    } else if (showing.result == OUTPUT_FAILED) {
        code = command_fail(&showing.error);
    } else if (showing.shown == 0) {
        command_remark("no such dead letters");
    }
    buffer_free(&showing.text);
    program_end(program);
    return code;
}
