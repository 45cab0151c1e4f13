#include "command.h"

#include "contract_key.h"
#include "envelope.h"
#include "event/decode.h"
#include "line_reader.h"
#include "sender.h"
#include "topics/topics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS      200
#define SAID_AT_MOST 20 /* bad lines; all are counted */

struct producing {
    struct program *program;
    const char *topic, *delimiter;
    bool envelope;
    int32_t partitions;
    struct sender *sender;
    struct event_decoder *decoder;
    struct envelope_reader *envelopes; /* with --envelope */
    char key[EVENT_KEY_BYTES];
    uint64_t bad_lines;
};

static void say_bad_line(struct producing *producing, uint64_t number, const char *why)
{
    if (producing->bad_lines++ < SAID_AT_MOST) {
        (void)fprintf(stderr, "buscat: line %" PRIu64 ": %s\n", number, why);
    }
}

/* Without an envelope: the value, with --key-delimiter the key before it. */
static void read_plain(const struct producing *producing, const char *line, size_t size,
                       struct bus_record *record)
{
    record->value = (struct bus_bytes){line, size};
    size_t length = producing->delimiter == NULL ? 0 : strlen(producing->delimiter);
    const char *found = length == 0 ? NULL : memmem(line, size, producing->delimiter, length);
    if (found != NULL) {
        record->key = (struct bus_bytes){line, (size_t)(found - line)};
        record->value = (struct bus_bytes){found + length, size - (size_t)(found - line) - length};
    }
}

/* BUS_OK, also for a bad line, which is said; others end the run. */
static int produce_line(struct producing *producing, uint64_t number, const char *line, size_t size,
                        struct error *error)
{
    struct bus_record record = {.partition = BUS_PARTITION_BY_KEY};
    struct error why;
    if (!producing->envelope) {
        read_plain(producing, line, size, &record);
    } else if (envelope_read(producing->envelopes, line, size, &record, &why) != 0) {
        say_bad_line(producing, number, why.message);
        return BUS_OK;
    }
    record.topic = producing->topic;
    if (record.partition >= producing->partitions) {
        (void)error_set(&why, -1, "partition %d: %s has only 0 to %d", (int)record.partition,
                        producing->topic, (int)producing->partitions - 1);
        say_bad_line(producing, number, why.message);
        return BUS_OK;
    }
    struct bus_bytes key;
    if (record.key.data == NULL && record.value.data != NULL &&
        contract_key(producing->decoder, producing->topic, record.value, producing->key, &key)) {
        record.key = key;
    }
    int result = sender_put(producing->sender, &record, number, error);
    if (result == BUS_REFUSED) {
        say_bad_line(producing, number, error->message);
        return BUS_OK;
    }
    return result;
}

static int produce_lines(struct producing *producing, struct error *error)
{
    struct line_reader reader;
    line_reader_init(&reader, STDIN_FILENO, ENVELOPE_LINE_BYTES);
    int result = BUS_OK;
    bool more = true;
    while (result == BUS_OK && more && !program_is_stopping(producing->program)) {
        const char *line = NULL;
        size_t size = 0;
        switch (line_reader_next(&reader, WAIT_MS, &line, &size, error)) {
        case LINE_READ:
            result = produce_line(producing, reader.number, line, size, error);
            break;
        case LINE_TOO_LONG:
            say_bad_line(producing, reader.number, "longer than 16 MiB");
            break;
        case LINE_WAITING:
            sender_collect(producing->sender);
            break;
        case LINE_END:
            more = false;
            break;
        case LINE_FAILED:
            result = BUS_FATAL;
            break;
        }
    }
    line_reader_free(&reader);
    return result;
}

static int report(const struct producing *producing)
{
    const struct sender_totals *totals = sender_read_totals(producing->sender);
    if (producing->bad_lines > SAID_AT_MOST) {
        (void)fprintf(stderr, "buscat: and %" PRIu64 " more bad lines\n",
                      producing->bad_lines - SAID_AT_MOST);
    }
    if (totals->failed > 0) {
        (void)fprintf(stderr, "buscat: line %" PRIu64 " was not acknowledged%s\n", totals->first_failed_tag,
                      totals->failed > 1 ? ", and it isn't the only one" : "");
    }
    bool all = totals->acknowledged == totals->taken && producing->bad_lines == 0;
    if (!all) {
        (void)fprintf(stderr,
                      "buscat: %" PRIu64 " records acknowledged, %" PRIu64 " not, %" PRIu64 " bad lines\n",
                      totals->acknowledged, totals->taken - totals->acknowledged, producing->bad_lines);
    } else {
        command_remark("%" PRIu64 " records acknowledged", totals->acknowledged);
    }
    return all ? PROGRAM_DONE : PROGRAM_FAILED;
}

/* One of the platform's topics is made when it is missing, as every program does. */
static int find_or_create(struct producing *producing, struct bus *bus, struct error *error)
{
    int result = command_find_topic(producing->program, bus, producing->topic, &producing->partitions, error);
    if (result != BUS_REFUSED || topics_find(producing->topic) == NULL) {
        return result;
    }
    const char *const names[] = {producing->topic, NULL};
    if (topics_create(producing->program, bus, names, error) != TOPICS_READY) {
        return BUS_FATAL;
    }
    return command_find_topic(producing->program, bus, producing->topic, &producing->partitions, error);
}

static int produce(struct producing *producing, struct bus *bus)
{
    struct error error = {0};
    int result = find_or_create(producing, bus, &error);
    if (result == BUS_OK) {
        result = sender_create(&producing->sender, producing->program, bus, &error);
    }
    if (result == BUS_OK) {
        result = event_decoder_create(&producing->decoder, &error);
    }
    if (result == BUS_OK && producing->envelope) {
        result = envelope_reader_create(&producing->envelopes, &error);
    }
    int code = PROGRAM_DONE;
    if (result == BUS_OK) {
        result = produce_lines(producing, &error);
        sender_drain(producing->sender);
        code = report(producing);
    }
    if (result != BUS_OK) {
        code = command_fail(&error);
    }
    envelope_reader_destroy(producing->envelopes);
    event_decoder_destroy(producing->decoder);
    sender_destroy(producing->sender);
    return code;
}

int command_produce(int argc, char **argv)
{
    struct producing producing = {.topic = NULL};
    const struct setting settings[] = {
        {.name = "key-delimiter",
         .type = SETTING_TEXT,
         .target = &producing.delimiter,
         .value_name = "C",
         .help = "a line is KEY C VALUE; a line without it has no key"},
        {.name = "envelope",
         .type = SETTING_BOOLEAN,
         .target = &producing.envelope,
         .help = "a line is a JSON object as consume --envelope prints it"},
    };
    const struct program_spec spec = {
        .name = "buscat",
        .summary = "produce: publishes standard input, a record a line",
        .usage = "produce TOPIC [flags]",
        .notes =
            "A valid record of metrics.raw or logs.raw that comes without a key gets the contract's key,\n"
            "service.name|cloud.region; others go to any partition. In an envelope a partition is an order,\n"
            "offset and timestamp are ignored. Bad lines are named by number, left out, and make the exit "
            "code 1.\n"
            "Exits 0 only when every line was published and acknowledged.",
        .settings = settings,
        .setting_count = sizeof settings / sizeof settings[0],
        .max_positionals = 1,
    };
    struct bus *bus = NULL;
    int code = PROGRAM_DONE;
    if (!command_begin(&producing.program, &bus, &spec, argc, argv, &code)) {
        return code;
    }
    producing.topic = settings_positional(program_settings(producing.program), 0);
    code = producing.topic == NULL ? command_refuse("produce needs a topic; buscat topics lists them")
                                   : produce(&producing, bus);
    program_end(producing.program);
    return code;
}
