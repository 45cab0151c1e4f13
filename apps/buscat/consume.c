#include "command.h"

#include "envelope.h"
#include "output.h"
#include "topic_reader.h"

#include <unistd.h>

#define OUTPUT_BYTES 65536

struct consuming {
    struct buffer text;
    bool envelope;
    int64_t wanted, taken; /* wanted 0: no limit */
    enum output_result result;
    struct error error;
};

static bool flush(void *context)
{
    struct consuming *consuming = context;
    consuming->result = output_flush(&consuming->text, STDOUT_FILENO, &consuming->error);
    return consuming->result == OUTPUT_OK;
}

static bool print_record(void *context, const struct bus_record *record)
{
    struct consuming *consuming = context;
    if (consuming->envelope) {
        envelope_write(&consuming->text, record);
    } else {
        buffer_append(&consuming->text, record->value.data, record->value.size_bytes);
    }
    buffer_append_char(&consuming->text, '\n');
    consuming->taken++;
    bool more = consuming->wanted == 0 || consuming->taken < consuming->wanted;
    return (consuming->text.size < OUTPUT_BYTES || flush(consuming)) && more;
}

static int consume(struct program *program, struct bus *bus, struct consuming *consuming,
                   struct topic_reading *reading)
{
    reading->take = print_record;
    reading->end_turn = flush;
    reading->context = consuming;
    if (!reading->from_beginning && !reading->follow) {
        command_remark("nothing to do: --from-beginning prints what is there, --follow what comes");
    }
    struct error error;
    if (topic_read(program, bus, reading, &error) != TOPIC_READ_DONE) {
        return command_fail(&error);
    }
    if (consuming->result == OUTPUT_OK) {
        (void)flush(consuming);
    }
    return consuming->result == OUTPUT_FAILED ? command_fail(&consuming->error) : PROGRAM_DONE;
}

int command_consume(int argc, char **argv)
{
    struct consuming consuming = {.result = OUTPUT_OK};
    struct topic_reading reading = {.partition = -1};
    int64_t partition = -1;
    const struct setting settings[] = {
        {.name = "from-beginning",
         .type = SETTING_BOOLEAN,
         .target = &reading.from_beginning,
         .help = "begin with the oldest record that is kept, not at the end"},
        {.name = "follow",
         .type = SETTING_BOOLEAN,
         .target = &reading.follow,
         .help = "wait for more at the end; Ctrl-C ends it"},
        {.name = "count",
         .type = SETTING_INTEGER,
         .target = &consuming.wanted,
         .default_text = "0",
         .value_name = "N",
         .help = "stop after so many records; 0: no limit",
         .maximum = 9e15},
        {.name = "partition",
         .type = SETTING_INTEGER,
         .target = &partition,
         .default_text = "-1",
         .value_name = "P",
         .help = "this partition alone; -1: all",
         .minimum = -1,
         .maximum = 100000},
        {.name = "envelope",
         .type = SETTING_BOOLEAN,
         .target = &consuming.envelope,
         .help = "a JSON object a line: partition, offset, timestamp, key, headers, value"},
    };
    const struct program_spec spec = {
        .name = "buscat",
        .summary = "consume: prints a topic's records to standard output, the values a line each",
        .usage = "consume TOPIC [flags]",
        .notes = "Ends at the end of the topic unless --follow is given. Only what is committed is read.\n"
                 "With --envelope, key_base64 and value_base64 stand for key and value that are no UTF-8, "
                 "null for "
                 "none.",
        .settings = settings,
        .setting_count = sizeof settings / sizeof settings[0],
        .max_positionals = 1,
    };
    struct program *program = NULL;
    struct bus *bus = NULL;
    int code = PROGRAM_DONE;
    if (!command_begin(&program, &bus, &spec, argc, argv, &code)) {
        return code;
    }
    reading.topic = settings_positional(program_settings(program), 0);
    reading.partition = (int32_t)partition;
    buffer_init(&consuming.text, 0);
    code = reading.topic == NULL ? command_refuse("consume needs a topic; buscat topics lists them")
                                 : consume(program, bus, &consuming, &reading);
    buffer_free(&consuming.text);
    program_end(program);
    return code;
}
