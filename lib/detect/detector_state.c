/* What of a detector is saved with each commit: the state of every rule that has something to remember, one
 * key an alert.
 *
 *   key    rule|<fingerprint, 16 hex digits>
 *   value  1 (version), then little-endian: flags, sequence, violations, clears, for_clear (32 bits each),
 * log_odds, share (doubles), violated, clear, fired, resolved (64-bit seconds), severity, signal (bytes),
 * threshold (double), then rule, service, region, route, each with its length in 16 bits before it
 *
 * Windows and ids are not saved: they are filled again from the log (detector_replay_from, DETECTOR_REBUILD).
 */
#include "detect/detector_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION     1
#define KEY_PREFIX  "rule|"
#define FLAG_FIRING 1u
#define FLAG_TOLD   2u
#define FIRST_SLOTS 64

/* --- alerts at rest ---- */

static struct resting_alert *resting_slot(const struct resting_table *table, uint64_t fingerprint)
{
    size_t mask = table->slot_count - 1;
    size_t at = fingerprint & mask;
    while (table->slots[at].fingerprint != 0 && table->slots[at].fingerprint != fingerprint) {
        at = (at + 1) & mask;
    }
    return &table->slots[at];
}

void resting_table_free(struct resting_table *table)
{
    for (size_t i = 0; i < table->slot_count; i++) {
        free(table->slots[i].labels);
    }
    free(table->slots);
    *table = (struct resting_table){0};
}

static bool resting_grow(struct resting_table *table)
{
    struct resting_table larger = {.slot_count = table->slot_count == 0 ? FIRST_SLOTS : table->slot_count * 2,
                                   .count = table->count};
    larger.slots = calloc(larger.slot_count, sizeof *larger.slots);
    if (larger.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < table->slot_count; i++) {
        if (table->slots[i].fingerprint != 0) {
            *resting_slot(&larger, table->slots[i].fingerprint) = table->slots[i];
        }
    }
    free(table->slots);
    *table = larger;
    return true;
}

bool resting_table_put(struct resting_table *table, const struct resting_alert *alert)
{
    if ((table->count + 1) * 2 > table->slot_count && !resting_grow(table)) {
        return false;
    }
    struct resting_alert *slot = resting_slot(table, alert->fingerprint);
    table->count += slot->fingerprint == 0;
    free(slot->labels);
    *slot = *alert;
    return true;
}

bool resting_table_take(struct resting_table *table, uint64_t fingerprint, struct rule_state *state)
{
    if (table->count == 0) {
        return false;
    }
    struct resting_alert *slot = resting_slot(table, fingerprint);
    if (slot->fingerprint != fingerprint) {
        return false;
    }
    *state = slot->state;
    free(slot->labels);
    *slot = (struct resting_alert){0};
    table->count--;
    /* Members of the probe run behind the hole are put in again. */
    size_t mask = table->slot_count - 1;
    for (size_t at = ((size_t)(slot - table->slots) + 1) & mask; table->slots[at].fingerprint != 0;
         at = (at + 1) & mask) {
        struct resting_alert moved = table->slots[at];
        table->slots[at] = (struct resting_alert){0};
        *resting_slot(table, moved.fingerprint) = moved;
    }
    return true;
}

/* --- writing ---- */

static void put_number(struct buffer *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        buffer_append_char(out, (char)(value >> (8 * i) & 0xff));
    }
}

static void put_real(struct buffer *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_number(out, bits, 8);
}

static void put_text(struct buffer *out, const char *text)
{
    size_t size = strlen(text);
    put_number(out, size, 2);
    buffer_append(out, text, size);
}

struct saved_alert {
    uint64_t fingerprint;
    struct rule_state state;
    uint8_t severity, signal;
    double threshold;
    char rule[RULE_NAME_BYTES];
    struct alert_labels labels;
};

static void write_alert(struct detector *detector, const struct saved_alert *alert)
{
    const struct rule_state *state = &alert->state;
    struct buffer *out = &detector->state_value;
    buffer_clear(&detector->state_key);
    buffer_append_format(&detector->state_key, KEY_PREFIX "%016" PRIx64, alert->fingerprint);
    buffer_clear(out);
    put_number(out, VERSION, 1);
    put_number(out, (state->firing ? FLAG_FIRING : 0) | (state->announced ? FLAG_TOLD : 0), 4);
    put_number(out, state->sequence, 4);
    put_number(out, state->violations, 4);
    put_number(out, state->clears, 4);
    put_number(out, state->for_clear, 4);
    put_real(out, state->log_odds);
    put_real(out, state->share);
    put_number(out, (uint64_t)state->violated_s, 8);
    put_number(out, (uint64_t)state->clear_s, 8);
    put_number(out, (uint64_t)state->fired_s, 8);
    put_number(out, (uint64_t)state->resolved_s, 8);
    put_number(out, alert->severity, 1);
    put_number(out, alert->signal, 1);
    put_real(out, alert->threshold);
    put_text(out, alert->rule);
    put_text(out, alert->labels.service);
    put_text(out, alert->labels.region);
    put_text(out, alert->labels.route);
}

static void hand_out(const struct detector *detector, struct detector_state *out)
{
    *out = (struct detector_state){
        .key = detector->state_key.data,
        .key_bytes = detector->state_key.size,
        .value = detector->state_value.data,
        .value_bytes = detector->state_value.size,
    };
}

static void write_watched(struct detector *detector, const struct series *series,
                          const struct watched_rule *watched)
{
    const struct rule *rule = &detector->rules->rules[watched->rule];
    struct saved_alert alert = {.fingerprint = watched->fingerprint,
                                .state = watched->state,
                                .severity = (uint8_t)rule->severity,
                                .signal = (uint8_t)rule->signal,
                                .threshold = rule->threshold};
    (void)snprintf(alert.rule, sizeof alert.rule, "%s", rule->name);
    (void)snprintf(alert.labels.service, sizeof alert.labels.service, "%s", series->service);
    (void)snprintf(alert.labels.region, sizeof alert.labels.region, "%s", series->region);
    (void)snprintf(alert.labels.route, sizeof alert.labels.route, "%s",
                   series->route == NULL ? "" : series->route);
    write_alert(detector, &alert);
}

static bool next_resting_state(struct detector *detector, struct detector_state *out)
{
    for (size_t i = 0; i < detector->resting.slot_count; i++) {
        struct resting_alert *resting = &detector->resting.slots[i];
        if (resting->fingerprint != 0 && resting->changed) {
            struct saved_alert alert = {.fingerprint = resting->fingerprint, .state = resting->state};
            (void)snprintf(alert.rule, sizeof alert.rule, "%s", resting->rule);
            alert.labels = *resting->labels;
            write_alert(detector, &alert);
            resting->changed = false;
            hand_out(detector, out);
            return true;
        }
    }
    return false;
}

bool detector_next_state(struct detector *detector, struct detector_state *out)
{
    if (!detector->any_changed) {
        return false;
    }
    for (; detector->drain_series < detector->table.count;
         detector->drain_series++, detector->drain_rule = 0) {
        struct series *series = detector->table.all[detector->drain_series];
        while (detector->drain_rule < series->rule_count) {
            struct watched_rule *watched = &series->rules[detector->drain_rule++];
            if (watched->changed) {
                watched->changed = false;
                write_watched(detector, series, watched);
                hand_out(detector, out);
                return true;
            }
        }
    }
    if (next_resting_state(detector, out)) {
        return true;
    }
    detector->drain_series = 0;
    detector->drain_rule = 0;
    detector->any_changed = false;
    return false;
}

/* --- reading ---- */

struct reader {
    const unsigned char *at;
    size_t left;
    bool failed;
};

static uint64_t take_number(struct reader *reader, size_t bytes)
{
    if (reader->left < bytes) {
        reader->failed = true;
        return 0;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value |= (uint64_t)reader->at[i] << (8 * i);
    }
    reader->at += bytes;
    reader->left -= bytes;
    return value;
}

static double take_real(struct reader *reader)
{
    uint64_t bits = take_number(reader, 8);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void take_text(struct reader *reader, char *out, size_t room)
{
    size_t size = take_number(reader, 2);
    if (size >= room || size > reader->left) {
        reader->failed = true;
        return;
    }
    memcpy(out, reader->at, size);
    out[size] = '\0';
    reader->at += size;
    reader->left -= size;
}

static bool read_alert(struct reader *reader, struct saved_alert *alert)
{
    struct rule_state *state = &alert->state;
    uint64_t flags = take_number(reader, 4);
    state->firing = (flags & FLAG_FIRING) != 0;
    state->announced = (flags & FLAG_TOLD) != 0;
    state->sequence = (uint32_t)take_number(reader, 4);
    state->violations = (uint32_t)take_number(reader, 4);
    state->clears = (uint32_t)take_number(reader, 4);
    state->for_clear = (uint32_t)take_number(reader, 4);
    state->log_odds = take_real(reader);
    state->share = take_real(reader);
    state->violated_s = (int64_t)take_number(reader, 8);
    state->clear_s = (int64_t)take_number(reader, 8);
    state->fired_s = (int64_t)take_number(reader, 8);
    state->resolved_s = (int64_t)take_number(reader, 8);
    alert->severity = (uint8_t)take_number(reader, 1);
    alert->signal = (uint8_t)take_number(reader, 1);
    alert->threshold = take_real(reader);
    take_text(reader, alert->rule, sizeof alert->rule);
    take_text(reader, alert->labels.service, sizeof alert->labels.service);
    take_text(reader, alert->labels.region, sizeof alert->labels.region);
    take_text(reader, alert->labels.route, sizeof alert->labels.route);
    return !reader->failed && reader->left == 0 && alert->severity <= RULE_CRITICAL &&
           alert->signal <= RULE_MEMORY;
}

static bool has_rule(const struct rule_set *rules, const char *name)
{
    for (size_t i = 0; i < rules->count; i++) {
        if (strcmp(rules->rules[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Nobody will judge it again: it ends here, and readers are told why. */
static void resolve_removed(struct detector *detector, struct saved_alert *alert,
                            struct resting_alert *resting)
{
    resting->changed = true;
    detector->any_changed = true;
    resting->state.firing = false;
    if (!alert->state.announced) {
        return;
    }
    resting->state.announced = false;
    struct alert_transition *t = detector_extend_queue(detector);
    *t = (struct alert_transition){
        .fingerprint = alert->fingerprint,
        .sequence = ++resting->state.sequence,
        .state = ALERT_RESOLVED,
        .reason = ALERT_REASON_RULE_REMOVED,
        .severity = (enum rule_severity)alert->severity,
        .signal = (enum rule_signal)alert->signal,
        .threshold = alert->threshold,
        .labels = alert->labels,
        .starts_ms = alert->state.fired_s * 1000,
        .ends_ms = alert->state.fired_s * 1000,
    };
    memcpy(t->rule, alert->rule, sizeof t->rule);
}

int detector_load_state(struct detector *detector, const struct detector_state *state, struct error *error)
{
    size_t prefix = strlen(KEY_PREFIX);
    if (state->value_bytes == 0 || state->key_bytes != prefix + 16 ||
        memcmp(state->key, KEY_PREFIX, prefix) != 0) {
        return error_set(error, -1, "a state record with the unknown key '%.*s'", (int)state->key_bytes,
                         (const char *)state->key);
    }
    struct reader reader = {.at = state->value, .left = state->value_bytes};
    uint64_t version = take_number(&reader, 1);
    if (version != VERSION) {
        return error_set(error, -1, "state record '%.*s' has format version %u, this program reads %d",
                         (int)state->key_bytes, (const char *)state->key, (unsigned)version, VERSION);
    }
    struct saved_alert alert = {0};
    if (!read_alert(&reader, &alert)) {
        return error_set(error, -1, "state record '%.*s' is damaged", (int)state->key_bytes,
                         (const char *)state->key);
    }
    alert.fingerprint =
        alert_fingerprint(alert.rule, alert.labels.service, alert.labels.region, alert.labels.route);
    struct resting_alert resting = {.fingerprint = alert.fingerprint, .state = alert.state};
    resting.labels = malloc(sizeof *resting.labels);
    if (resting.labels == NULL) {
        return error_set(error, -1, "no memory for loaded alerts");
    }
    *resting.labels = alert.labels;
    memcpy(resting.rule, alert.rule, sizeof resting.rule);
    if (alert.state.firing && !has_rule(detector->rules, alert.rule)) {
        resolve_removed(detector, &alert, &resting);
    }
    if (!resting_table_put(&detector->resting, &resting)) {
        free(resting.labels);
        return error_set(error, -1, "no memory for loaded alerts");
    }
    return 0;
}
