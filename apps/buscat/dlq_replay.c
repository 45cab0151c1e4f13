/* Publishing dead letters again: which ones, put right how, and never the same one twice by accident.
 *
 * The record is the original: its bytes (or what --set and --from-file make of them), its own headers, and
 * the contract's key where it has one (a wrong_partition letter is put right by that alone). What would fail
 * again is left out. dlq.attempts goes along, so that a record that fails all the same tells how often it
 * did. */
#include "clock/clock.h"
#include "command.h"
#include "contract_key.h"
#include "dlq_file.h"
#include "dlq_select.h"
#include "event/decode.h"
#include "json_text.h"
#include "output.h"
#include "replay_batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER_LIMIT 64
#define MANY         10 /* more want --yes */
#define OWN_SETTINGS 7
#define ALL_SETTINGS (DLQ_SETTINGS + OWN_SETTINGS)

struct options {
    bool all, dry_run, yes, again;
    int64_t max_attempts;
    struct setting_list sets;
    const char *from_file;
};

struct replaying {
    struct program *program;
    struct bus *bus;
    const struct options *options;
    struct replay_batch *batch;
    struct event_decoder *decoder;
    struct json_reader *reader;
    struct json_text_set sets[JSON_TEXT_SETS];
    size_t set_count;
    struct buffer text, changed;
    bool counts_only;
    uint64_t selected, skipped, replayed_before, taken;
    int result;
    struct error error;
};

/* --- one letter ---- */

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool skip(struct replaying *replaying, const struct bus_record *letter, const char *why)
{
    replaying->skipped++;
    if (!replaying->counts_only) {
        (void)fprintf(stderr, "buscat: %s %d:%" PRId64 " is left out: %s\n", letter->topic,
                      (int)letter->partition, letter->offset, why);
    }
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

static int64_t attempts_of(const struct dead_letter_view *view)
{
    char digits[12] = "";
    if (view->attempts.size_bytes > 0 && view->attempts.size_bytes < sizeof digits) {
        memcpy(digits, view->attempts.data, view->attempts.size_bytes);
    }
    return strtoll(digits, NULL, 10); /* nonsense is 0 */
}

/* NULL: nothing that the letter itself says is against it. */
static const char *find_obstacle(const struct replaying *replaying, const struct dlq_letter *letter,
                                 const char *topic)
{
    const struct dead_letter_view *view = &letter->view;
    if (view->truncated) {
        return "only its beginning was kept";
    }
    /* The header names the topic, but it may not send the record just anywhere. */
    if (view->topic.size_bytes != strlen(topic) || memcmp(view->topic.data, topic, strlen(topic)) != 0) {
        return "its header __connect.errors.topic doesn't name the topic it came from";
    }
    if (attempts_of(view) >= replaying->options->max_attempts) {
        return "it has failed too often already (--max-attempts)";
    }
    return NULL;
}

static bool publish(struct replaying *replaying, const struct bus_record *record,
                    const struct dlq_letter *letter)
{
    const struct bus_record *old = letter->record;
    replaying->taken++;
    if (replaying->counts_only) {
        return true;
    }
    if (replaying->batch != NULL) {
        replaying->result = replay_batch_put(replaying->batch, record, old, &replaying->error);
        return replaying->result == BUS_OK;
    }
    buffer_append_format(&replaying->text, "%s %d:%" PRId64 " -> %s  ", old->topic, (int)old->partition,
                         old->offset, record->topic);
    output_append_readable(&replaying->text, letter->view.reason.data, letter->view.reason.size_bytes);
    buffer_append_text(&replaying->text, "  key ");
    output_append_readable(&replaying->text, record->key.data, record->key.size_bytes);
    if (replaying->set_count > 0 || replaying->options->from_file != NULL) {
        buffer_append_text(&replaying->text, "\n    ");
        output_append_readable(&replaying->text, record->value.data, record->value.size_bytes);
    }
    buffer_append_char(&replaying->text, '\n');
    return output_flush(&replaying->text, STDOUT_FILENO, &replaying->error) == OUTPUT_OK;
}

static bool replay_letter(void *context, const struct dlq_letter *letter)
{
    struct replaying *replaying = context;
    const struct bus_record *old = letter->record;
    replaying->selected++;
    if (letter->was_replayed && !replaying->options->again) {
        replaying->replayed_before++;
        return true;
    }
    char topic[BUS_TOPIC_BYTES];
    (void)snprintf(topic, sizeof topic, "%.*s", (int)(strlen(old->topic) - strlen(".dlq")), old->topic);
    const char *obstacle = find_obstacle(replaying, letter, topic);
    if (obstacle != NULL) {
        return skip(replaying, old, obstacle);
    }
    struct bus_header headers[HEADER_LIMIT];
    char storage[EVENT_KEY_BYTES];
    struct bus_record record = {
        .topic = topic, .partition = BUS_PARTITION_BY_KEY, .key = old->key, .value = old->value};
    keep_headers(headers, &record, old);
    buffer_clear(&replaying->changed);
    if (replaying->set_count > 0) {
        if (!json_text_change(&replaying->changed, replaying->reader, old->value.data, old->value.size_bytes,
                              replaying->sets, replaying->set_count)) {
            return skip(replaying, old, "--set needs a JSON object; put it right in a file (--from-file)");
        }
        record.value = (struct bus_bytes){replaying->changed.data, replaying->changed.size};
    }
    struct bus_bytes key;
    struct event_fault fault;
    char why[512];
    if (contract_check(replaying->decoder, topic, record.value,
                       clock_wall_ms(program_clock(replaying->program)), storage, &key, &fault) != EVENT_OK) {
        (void)snprintf(why, sizeof why, "it would fail again, %s: %s", event_reason_name(fault.reason),
                       fault.message);
        return skip(replaying, old, why);
    }
    record.key = key.size_bytes > 0 ? key : record.key;
    return publish(replaying, &record, letter);
}

/* --- all letters ---- */

static int read_letters(struct replaying *replaying, struct dlq_selection *selection, struct error *error)
{
    replaying->selected = replaying->skipped = replaying->replayed_before = replaying->taken = 0;
    int result = replaying->options->from_file != NULL
                     ? dlq_file_read(replaying->program, replaying->bus, selection,
                                     replaying->options->from_file, replay_letter, replaying, error)
                     : dlq_selection_read(replaying->program, replaying->bus, selection, replay_letter,
                                          replaying, error);
    if (replaying->result != BUS_OK) {
        *error = replaying->error;
        return -1;
    }
    return result;
}

static int report(const struct replaying *replaying, const struct replay_totals *totals)
{
    char before[64] = "";
    if (replaying->replayed_before > 0) {
        (void)snprintf(before, sizeof before, ", %" PRIu64 " published before (--again)",
                       replaying->replayed_before);
    }
    if (replaying->batch == NULL) {
        command_remark("%" PRIu64 " dead letters would be published again, %" PRIu64 " left out%s",
                       replaying->taken, replaying->skipped, before);
        return PROGRAM_DONE;
    }
    (void)printf("%" PRIu64 " dead letters published again, %" PRIu64 " not acknowledged, %" PRIu64
                 " left out%s\n",
                 totals->acknowledged, totals->taken - totals->acknowledged, replaying->skipped, before);
    bool all = totals->acknowledged == totals->taken && replaying->skipped == 0;
    return all && !program_is_stopping(replaying->program) ? PROGRAM_DONE : PROGRAM_FAILED;
}

/* Many want a look first. */
static int count_first(struct replaying *replaying, struct dlq_selection *selection, struct error *error)
{
    if (replaying->options->yes || replaying->options->dry_run) {
        return PROGRAM_DONE;
    }
    replaying->counts_only = true;
    int result = read_letters(replaying, selection, error);
    replaying->counts_only = false;
    if (result != 0) {
        return command_fail(error);
    }
    return replaying->taken <= MANY
               ? PROGRAM_DONE
               : command_refuse("%" PRIu64 " dead letters would be published: look with --dry-run, then add "
                                "--yes",
                                replaying->taken);
}

static int replay(struct replaying *replaying, struct dlq_selection *selection)
{
    struct error error;
    struct replay_totals totals = {0};
    int code = count_first(replaying, selection, &error);
    if (code != PROGRAM_DONE) {
        return code;
    }
    if (!replaying->options->dry_run &&
        replay_batch_create(&replaying->batch, replaying->program, replaying->bus, &error) != BUS_OK) {
        return command_fail(&error);
    }
    int result = read_letters(replaying, selection, &error);
    if (replaying->batch != NULL &&
        replay_batch_end(replaying->batch, &totals, &replaying->error) != BUS_OK) {
        error = replaying->error;
        result = -1;
    }
    code = report(replaying, &totals);
    replay_batch_destroy(replaying->batch);
    return result == 0 ? code : command_fail(&error);
}

static int parse_sets(struct replaying *replaying)
{
    const struct setting_list *sets = &replaying->options->sets;
    if (sets->count > JSON_TEXT_SETS) {
        return command_refuse("--set may be given %d times", JSON_TEXT_SETS);
    }
    for (size_t i = 0; i < sets->count; i++) {
        if (!json_text_parse_set(&replaying->sets[replaying->set_count++], replaying->reader,
                                 sets->items[i])) {
            return command_refuse("--set: '%s' is not allowed; give FIELD=VALUE", sets->items[i]);
        }
    }
    return PROGRAM_DONE;
}

static int check_usage(const struct options *options, const struct dlq_selection *selection)
{
    struct error error;
    if (dlq_selection_check(selection, &error) != 0) {
        return command_refuse("%s", error.message);
    }
    bool selects = options->all || selection->reasons.count > 0 || selection->offsets.count > 0;
    if (options->from_file != NULL && (selects || selection->topic == NULL)) {
        return command_refuse("dlq replay --from-file needs the TOPIC, and takes all that the file holds");
    }
    return selects || options->from_file != NULL
               ? PROGRAM_DONE
               : command_refuse("dlq replay needs --reason, --offset or --all");
}

static int run(struct replaying *replaying, struct dlq_selection *selection)
{
    struct error error;
    int code = check_usage(replaying->options, selection);
    if (code != PROGRAM_DONE) {
        return code;
    }
    if (event_decoder_create(&replaying->decoder, &error) != 0 ||
        json_reader_create(&replaying->reader, DEAD_LETTER_VALUE_BYTES, &error) != JSON_OK) {
        return command_fail(&error);
    }
    code = parse_sets(replaying);
    return code == PROGRAM_DONE ? replay(replaying, selection) : code;
}

static void add_settings(struct options *options, struct setting settings[OWN_SETTINGS])
{
    const struct setting own[OWN_SETTINGS] = {
        {.name = "all",
         .type = SETTING_BOOLEAN,
         .target = &options->all,
         .help = "every dead letter of the topics"},
        {.name = "dry-run",
         .type = SETTING_BOOLEAN,
         .target = &options->dry_run,
         .help = "print what would be published, publish nothing"},
        {.name = "yes",
         .type = SETTING_BOOLEAN,
         .target = &options->yes,
         .help = "publish more than 10 without a look"},
        {.name = "again",
         .type = SETTING_BOOLEAN,
         .target = &options->again,
         .help = "those too that were published again before"},
        {.name = "max-attempts",
         .type = SETTING_INTEGER,
         .target = &options->max_attempts,
         .default_text = "3",
         .value_name = "N",
         .minimum = 1,
         .maximum = 1000000,
         .help = "not those that have failed so often"},
        {.name = "set",
         .type = SETTING_LIST,
         .target = &options->sets,
         .value_name = "FIELD=VALUE",
         .help = "puts a field right, e.g. count=1; may be repeated"},
        {.name = "from-file",
         .type = SETTING_TEXT,
         .target = &options->from_file,
         .value_name = "FILE",
         .help = "letters as dlq show --envelope prints them, put right by hand"},
    };
    memcpy(settings, own, sizeof own);
}

int command_dlq_replay(int argc, char **argv)
{
    struct dlq_selection selection = {.topic = NULL};
    struct options options = {.all = false};
    struct replaying replaying = {.options = &options, .result = BUS_OK};
    struct setting settings[ALL_SETTINGS];
    dlq_selection_settings(&selection, settings);
    add_settings(&options, settings + DLQ_SETTINGS);
    const struct program_spec spec = {
        .name = "buscat",
        .summary = "dlq replay: publishes dead letters again to the topic they came from",
        .usage = "dlq replay [TOPIC] (--reason CODE | --offset [P:]N | --all | --from-file FILE) [flags]",
        .notes =
            "A record gets the contract's key (service.name|cloud.region), keeps its own headers, and "
            "carries\n"
            "dlq.attempts. Left out is what would fail again, what has failed --max-attempts times, and "
            "letters\n"
            "of which only the beginning was kept. The letters stay in their topic; a mark behind each tells "
            "that\n"
            "it was published, so that it isn't published twice (--again).\n"
            "Exits 0 only when all that were selected are published and acknowledged.",
        .settings = settings,
        .setting_count = ALL_SETTINGS,
        .max_positionals = 1,
    };
    int code = PROGRAM_DONE;
    if (!command_begin(&replaying.program, &replaying.bus, &spec, argc, argv, &code)) {
        return code;
    }
    selection.topic = settings_positional(program_settings(replaying.program), 0);
    buffer_init(&replaying.text, 0);
    buffer_init(&replaying.changed, 0);
    code = run(&replaying, &selection);
    for (size_t i = 0; i < replaying.set_count; i++) {
        buffer_free(&replaying.sets[i].value);
    }
    buffer_free(&replaying.changed);
    buffer_free(&replaying.text);
    json_reader_destroy(replaying.reader);
    event_decoder_destroy(replaying.decoder);
    dlq_selection_free(&selection);
    program_end(replaying.program);
    return code;
}
