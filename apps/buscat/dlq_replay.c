/* Publishing dead letters again. The record is the original: its bytes, its own headers, and the contract's
 * key where the value has one now (a wrong_partition letter is put right by that alone). dlq.attempts goes
 * along, so that a record that fails again tells how often it did. The letter stays where it is until its
 * topic's retention takes it. */
#include "command.h"

#include "contract_key.h"
#include "dlq_select.h"
#include "event/decode.h"
#include "output.h"
#include "sender.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HEADER_LIMIT 64

struct replaying {
    struct program *program;
    struct sender *sender; /* NULL: a dry run */
    struct event_decoder *decoder;
    struct buffer text;
    uint64_t selected, skipped;
    int result;
    struct error error;
};

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool has_name(struct bus_bytes topic, const char *name, size_t length)
{
    return topic.size_bytes == length && memcmp(topic.data, name, length) == 0;
}

static bool skip(struct replaying *replaying, const struct bus_record *letter, const char *why)
{
    replaying->skipped++;
    (void)fprintf(stderr, "buscat: %s %d:%" PRId64 " is left out: %s\n", letter->topic,
                  (int)letter->partition, letter->offset, why);
    return true;
}

static void keep_headers(struct bus_header headers[HEADER_LIMIT], struct bus_record *record,
                         const struct bus_record *letter)
{
    record->headers = headers;
    for (size_t i = 0; i < letter->header_count && record->header_count < HEADER_LIMIT; i++) {
        const char *name = letter->headers[i].name;
        bool is_ours = starts_with(name, "__connect.errors.") || starts_with(name, "dlq.");
        if (!is_ours || strcmp(name, "dlq.attempts") == 0) {
            headers[record->header_count++] = letter->headers[i];
        }
    }
}

static bool publish(struct replaying *replaying, const struct bus_record *record,
                    const struct bus_record *letter, const struct dead_letter_view *view)
{
    if (replaying->sender != NULL) {
        replaying->result = sender_put(replaying->sender, record, replaying->selected, &replaying->error);
        return replaying->result == BUS_OK;
    }
    buffer_append_format(&replaying->text, "%s %d:%" PRId64 " -> %s  ", letter->topic, (int)letter->partition,
                         letter->offset, record->topic);
    output_append_readable(&replaying->text, view->reason.data, view->reason.size_bytes);
    buffer_append_text(&replaying->text, "  key ");
    output_append_readable(&replaying->text, record->key.data, record->key.size_bytes);
    buffer_append_char(&replaying->text, '\n');
    return output_flush(&replaying->text, STDOUT_FILENO, &replaying->error) == OUTPUT_OK;
}

static bool replay_letter(void *context, const struct bus_record *letter, const struct dead_letter_view *view)
{
    struct replaying *replaying = context;
    replaying->selected++;
    if (view->truncated) {
        return skip(replaying, letter, "only its beginning was kept");
    }
    /* The header names the topic, but it may not send the record just anywhere. */
    char topic[BUS_TOPIC_BYTES];
    size_t length = strlen(letter->topic) - strlen(".dlq");
    (void)snprintf(topic, sizeof topic, "%.*s", (int)length, letter->topic);
    if (!has_name(view->topic, topic, length)) {
        return skip(replaying, letter,
                    "its header __connect.errors.topic doesn't name the topic it came from");
    }
    struct bus_header headers[HEADER_LIMIT];
    char storage[EVENT_KEY_BYTES];
    struct bus_record record = {
        .topic = topic, .partition = BUS_PARTITION_BY_KEY, .key = letter->key, .value = letter->value};
    keep_headers(headers, &record, letter);
    struct bus_bytes key;
    if (contract_key(replaying->decoder, topic, letter->value, storage, &key)) {
        record.key = key;
    }
    return publish(replaying, &record, letter, view);
}

static int report(const struct replaying *replaying)
{
    if (replaying->sender == NULL) {
        command_remark("%" PRIu64 " dead letters would be published again, %" PRIu64 " left out",
                       replaying->selected - replaying->skipped, replaying->skipped);
        return PROGRAM_DONE;
    }
    const struct sender_totals *totals = sender_read_totals(replaying->sender);
    (void)printf("%" PRIu64 " dead letters published again, %" PRIu64 " not acknowledged, %" PRIu64
                 " left out\n",
                 totals->acknowledged, totals->taken - totals->acknowledged, replaying->skipped);
    bool all = totals->acknowledged == totals->taken && replaying->skipped == 0;
    return all && !program_is_stopping(replaying->program) ? PROGRAM_DONE : PROGRAM_FAILED;
}

static int replay(struct replaying *replaying, struct bus *bus, const struct dlq_selection *selection,
                  bool dry_run)
{
    struct error error;
    int code = PROGRAM_FAILED;
    buffer_init(&replaying->text, 0);
    if (event_decoder_create(&replaying->decoder, &error) != 0 ||
        (!dry_run && sender_create(&replaying->sender, replaying->program, bus, &error) != BUS_OK) ||
        dlq_selection_read(replaying->program, bus, selection, replay_letter, replaying, &error) != 0) {
        code = command_fail(&error);
    } else {
        if (replaying->sender != NULL) {
            sender_drain(replaying->sender);
        }
        code = report(replaying);
        if (replaying->result != BUS_OK) {
            code = command_fail(&replaying->error);
        }
    }
    sender_destroy(replaying->sender);
    event_decoder_destroy(replaying->decoder);
    buffer_free(&replaying->text);
    return code;
}

int command_dlq_replay(int argc, char **argv)
{
    struct dlq_selection selection = {.topic = NULL};
    struct replaying replaying = {.result = BUS_OK};
    bool dry_run = false;
    bool all = false;
    struct setting settings[DLQ_SETTINGS + 2];
    dlq_selection_settings(&selection, settings);
    settings[DLQ_SETTINGS] = (struct setting){
        .name = "all", .type = SETTING_BOOLEAN, .target = &all, .help = "every dead letter of the topics"};
    settings[DLQ_SETTINGS + 1] = (struct setting){.name = "dry-run",
                                                  .type = SETTING_BOOLEAN,
                                                  .target = &dry_run,
                                                  .help = "print what would be published, publish nothing"};
    const struct program_spec spec = {
        .name = "buscat",
        .summary = "dlq replay: publishes dead letters again to the topic they came from",
        .usage = "dlq replay [TOPIC] (--reason CODE | --offset [P:]N | --all) [flags]",
        .notes =
            "A record gets the contract's key (service.name|cloud.region) where it is valid now, else the "
            "one it\n"
            "had, keeps its own headers, and carries dlq.attempts. Letters of which only the beginning was "
            "kept\n"
            "are left out. The letters stay in their topic, so what is replayed twice is published twice.\n"
            "Exits 0 only when all that were selected are published and acknowledged.",
        .settings = settings,
        .setting_count = DLQ_SETTINGS + 2,
        .max_positionals = 1,
    };
    struct bus *bus = NULL;
    int code = PROGRAM_DONE;
    if (!command_begin(&replaying.program, &bus, &spec, argc, argv, &code)) {
        return code;
    }
    selection.topic = settings_positional(program_settings(replaying.program), 0);
    struct error error;
    if (dlq_selection_check(&selection, &error) != 0) {
        code = command_refuse("%s", error.message);
    } else if (!all && selection.reasons.count == 0 && selection.offsets.count == 0) {
        code = command_refuse("dlq replay needs --reason, --offset or --all");
    } else {
        code = replay(&replaying, bus, &selection, dry_run);
    }
    program_end(replaying.program);
    return code;
}
