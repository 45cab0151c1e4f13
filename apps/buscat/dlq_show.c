#include "command.h"

#include "clock/rfc3339.h"
#include "dlq_select.h"
#include "envelope.h"
#include "json_text.h"
#include "output.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

struct showing {
    struct buffer text, indented;
    struct json_reader *reader;
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

/* JSON indented, a line after the other; anything else in one line. */
static void append_value(struct showing *showing, struct bus_bytes value)
{
    buffer_clear(&showing->indented);
    if (value.data == NULL ||
        !json_text_indent(&showing->indented, showing->reader, value.data, value.size_bytes)) {
        append_bytes(&showing->text, "value", value);
        return;
    }
    buffer_append_text(&showing->text, "  value:\n");
    const char *end = showing->indented.data + showing->indented.size;
    for (const char *line = showing->indented.data; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        stop = stop == NULL ? end : stop;
        buffer_append_text(&showing->text, "    ");
        output_append_readable(&showing->text, line, (size_t)(stop - line));
        buffer_append_char(&showing->text, '\n');
        line = stop + 1;
    }
}

static void append_letter(struct showing *showing, const struct dlq_letter *letter)
{
    struct buffer *text = &showing->text;
    const struct bus_record *record = letter->record;
    char time[RFC3339_BYTES];
    rfc3339_format(time, record->appended_ms);
    buffer_append_format(text, "%s %d:%" PRId64 "  %s%s\n", record->topic, (int)record->partition,
                         record->offset, time, letter->was_replayed ? "  (replayed)" : "");
    for (size_t i = 0; i < record->header_count; i++) {
        append_bytes(text, record->headers[i].name, record->headers[i].value);
    }
    append_bytes(text, "key", record->key);
    append_value(showing, record->value);
    buffer_append_char(text, '\n');
}

static bool show_letter(void *context, const struct dlq_letter *letter)
{
    struct showing *showing = context;
    if (showing->envelope) {
        envelope_write(&showing->text, letter->record);
        buffer_append_char(&showing->text, '\n');
    } else {
        append_letter(showing, letter);
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
        .notes = "Each begins with its topic, partition:offset and time. JSON is indented; control "
                 "characters\nand what is no UTF-8 are shown as \\xNN; --envelope keeps every byte, for "
                 "dlq replay --from-file too.",
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
    buffer_init(&showing.indented, 0);
    if (dlq_selection_check(&selection, &error) != 0) {
        code = command_refuse("%s", error.message);
    } else if (json_reader_create(&showing.reader, DEAD_LETTER_VALUE_BYTES, &error) != JSON_OK ||
               dlq_selection_read(program, bus, &selection, show_letter, &showing, &error) != 0) {
        code = command_fail(&error);
    } else if (showing.result == OUTPUT_FAILED) {
        code = command_fail(&showing.error);
    } else if (showing.shown == 0) {
        command_remark("no such dead letters");
    }
    buffer_free(&showing.text);
    buffer_free(&showing.indented);
    json_reader_destroy(showing.reader);
    dlq_selection_free(&selection);
    program_end(program);
    return code;
}
