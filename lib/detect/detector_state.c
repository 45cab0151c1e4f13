/* What of a detector is saved with each commit. Numbers are little-endian; texts have their length in 16 bits
 * before them; the first byte of a value is the format's version.
 *
 *   rule|<fingerprint>     what a rule remembers of a series, when it has something to remember
 *     1, flags, sequence, violations, clears, for_clear (32 bits each), log_odds, share (doubles), violated,
 *     clear, fired, resolved (64-bit seconds), severity, signal, below (bytes), threshold (double), then
 * rule, runbook, service, region, route series|<fingerprint>   a series that was admitted, until it is closed
 *     2, born (64-bit second), ordinal (64 bits: which of the partition's series, counted from 1 as they are
 *     admitted), then service, region, route
 *   window|…               what windows and ids hold (checkpoint.h)
 *
 * What baselines have learned is in baseline_state.c. A fingerprint is 16 hex digits, a series' that of a
 * rule without a name. */
#include "detect/detector_private.h"

#include "buffer/packing.h"
#include "event/event.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULE_VERSION   1
#define SERIES_VERSION 2 /* 1 has no ordinal */
#define RULE_PREFIX    "rule|"
#define SERIES_PREFIX  "series|"
#define HEX_DIGITS     16
#define FLAG_FIRING    1u
#define FLAG_TOLD      2u

/* --- writing ---- */

void detector_write_key(struct detector *detector, const char *prefix, uint64_t fingerprint)
{
    buffer_clear(&detector->state_key);
    buffer_append_format(&detector->state_key, "%s%016" PRIx64, prefix, fingerprint);
}

static void write_alert(struct detector *detector, const struct saved_alert *alert)
{
    const struct rule_state *state = &alert->state;
    struct buffer *out = &detector->state_value;
    detector_write_key(detector, RULE_PREFIX, alert->fingerprint);
    buffer_clear(out);
    put_number(out, RULE_VERSION, 1);
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
    put_number(out, alert->below, 1);
    put_real(out, alert->threshold);
    put_text(out, alert->rule);
    put_text(out, alert->runbook);
    put_text(out, alert->labels.service);
    put_text(out, alert->labels.region);
    put_text(out, alert->labels.route);
}

static void write_watched(struct detector *detector, const struct series *series,
                          const struct watched_rule *watched)
{
    const struct rule *rule = &detector->rules->rules[watched->rule];
    struct saved_alert alert = {.fingerprint = watched->fingerprint,
                                .state = watched->state,
                                .severity = rule->severity,
                                .signal = rule->signal,
                                .below = rule->below,
                                .threshold = rule->is_baseline ? watched->state.share : rule->threshold};
    (void)snprintf(alert.rule, sizeof alert.rule, "%s", rule->name);
    (void)snprintf(alert.runbook, sizeof alert.runbook, "%s", rule->runbook);
    (void)snprintf(alert.labels.service, sizeof alert.labels.service, "%s", series->service);
    (void)snprintf(alert.labels.region, sizeof alert.labels.region, "%s", series->region);
    (void)snprintf(alert.labels.route, sizeof alert.labels.route, "%s",
                   series->route == NULL ? "" : series->route);
    write_alert(detector, &alert);
}

static void write_series_key(struct detector *detector, const struct series *series)
{
    const char *route = series->route == NULL ? "" : series->route;
    detector_write_key(detector, SERIES_PREFIX,
                       alert_fingerprint("", series->service, series->region, route));
}

static void write_series(struct detector *detector, const struct series *series)
{
    struct buffer *out = &detector->state_value;
    write_series_key(detector, series);
    buffer_clear(out);
    put_number(out, SERIES_VERSION, 1);
    put_number(out, (uint64_t)series->born_s, 8);
    put_number(out, series->ordinal, 8);
    put_text(out, series->service);
    put_text(out, series->region);
    put_text(out, series->route == NULL ? "" : series->route);
}

/* --- what is gone ---- */

void detector_post(struct detector *detector, bool has_value)
{
    const struct detector_state record = {.key = detector->state_key.data,
                                          .value = has_value ? detector->state_value.data : NULL,
                                          .key_bytes = detector->state_key.size,
                                          .value_bytes = detector->state_value.size};
    if (!outbox_post(&detector->outbox, &record)) {
        abort(); /* a state that isn't saved would be decided otherwise after a restart */
    }
    detector->any_changed = true;
}

/* Sequences and damping outlive the series, in rest; counts in a row begin anew. */
static void save_closed_rule(struct detector *detector, const struct series *series,
                             const struct watched_rule *watched)
{
    struct watched_rule rest = *watched;
    rest.state.violations = 0;
    rest.state.clears = 0;
    if (rest.state.sequence > 0) {
        (void)resting_table_put(&detector->resting, rest.fingerprint, &rest.state);
        write_watched(detector, series, &rest);
        detector_post(detector, true);
    } else if (watched->is_saved) {
        detector_write_key(detector, RULE_PREFIX, watched->fingerprint);
        detector_post(detector, false);
    }
}

void detector_save_closed(struct detector *detector, struct series *series)
{
    for (size_t i = 0; i < series->rule_count; i++) {
        save_closed_rule(detector, series, &series->rules[i]);
        detector_rest_baseline(detector, &series->rules[i]);
    }
    write_series_key(detector, series);
    detector_post(detector, false);
}

void detector_save_orphan(struct detector *detector, const struct saved_alert *alert)
{
    write_alert(detector, alert);
    detector_post(detector, true);
}

/* --- draining ---- */

static bool hand_out(const struct detector *detector, struct detector_state *out)
{
    *out = (struct detector_state){
        .key = detector->state_key.data,
        .value = detector->state_value.data,
        .key_bytes = detector->state_key.size,
        .value_bytes = detector->state_value.size,
    };
    return true;
}

static bool next_of_series(struct detector *detector, struct series *series, struct detector_state *out)
{
    if (series->is_new) {
        series->is_new = false;
        write_series(detector, series);
        return hand_out(detector, out);
    }
    while (detector->drain_rule < series->rule_count) {
        struct watched_rule *watched = &series->rules[detector->drain_rule];
        if (watched->changed) {
            watched->changed = false;
            watched->is_saved = true;
            write_watched(detector, series, watched);
            return hand_out(detector, out);
        }
        if (detector_write_baseline(detector, watched)) {
            return hand_out(detector, out);
        }
        detector->drain_rule++;
    }
    return false;
}

static bool next_changed(struct detector *detector, struct detector_state *out)
{
    if (!detector->any_changed) {
        return false;
    }
    /* What is gone goes first: the same series may be there again. */
    if (outbox_take(&detector->outbox, out)) {
        return true;
    }
    while (detector->drain_series < detector->table.count) {
        if (next_of_series(detector, detector->table.all[detector->drain_series], out)) {
            return true;
        }
        detector->drain_series++;
        detector->drain_rule = 0;
    }
    detector->drain_series = 0;
    detector->any_changed = false;
    return false;
}

bool detector_next_state(struct detector *detector, struct detector_state *out)
{
    return next_changed(detector, out) || outbox_take(&detector->checkpoint.out, out);
}

/* --- reading ---- */

static void take_labels(struct reader *reader, struct alert_labels *labels)
{
    take_text(reader, labels->service, sizeof labels->service);
    take_text(reader, labels->region, sizeof labels->region);
    take_text(reader, labels->route, sizeof labels->route);
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
    uint64_t severity = take_number(reader, 1);
    uint64_t signal = take_number(reader, 1);
    uint64_t below = take_number(reader, 1);
    alert->threshold = take_real(reader);
    take_text(reader, alert->rule, sizeof alert->rule);
    take_text(reader, alert->runbook, sizeof alert->runbook);
    take_labels(reader, &alert->labels);
    if (reader->failed || reader->left > 0 || severity > RULE_CRITICAL || signal > RULE_MEMORY || below > 1) {
        return false;
    }
    alert->severity = (enum rule_severity)severity;
    alert->signal = (enum rule_signal)signal;
    alert->below = below == 1;
    alert->fingerprint =
        alert_fingerprint(alert->rule, alert->labels.service, alert->labels.region, alert->labels.route);
    return true;
}

static struct event_text text_of(const char *text)
{
    return (struct event_text){text, strlen(text)};
}

/* NULL: no memory. A series that was admitted once has its place, whatever the limit is now. */
static struct series *find_or_add(struct detector *detector, const struct alert_labels *labels)
{
    const struct event_text service = text_of(labels->service);
    const struct event_text region = text_of(labels->region);
    const struct event_text route = text_of(labels->route);
    const struct event_text *route_or_none = route.size == 0 ? NULL : &route;
    uint64_t hash = series_table_hash(&detector->table, &service, &region, route_or_none);
    struct series *series = series_table_find(&detector->table, hash, &service, &region, route_or_none);
    if (series == NULL) {
        series = detector_add_series(detector, hash, &service, &region, route_or_none, 0);
    }
    if (series != NULL && !series->is_loaded) {
        series->is_loaded = true;
        series->is_new = false;
        series->born_s = INT64_MIN;
        series->ordinal = 0;
        detector->is_numbered = false;
    }
    return series;
}

static bool is_watched(const struct detector *detector, const struct saved_alert *alert)
{
    const struct event_text service = text_of(alert->labels.service);
    const struct event_text region = text_of(alert->labels.region);
    const struct event_text route = text_of(alert->labels.route);
    for (size_t i = 0; i < detector->rules->count; i++) {
        const struct rule *rule = &detector->rules->rules[i];
        if (strcmp(rule->name, alert->rule) == 0) {
            return series_is_watched(rule, &service, &region, route.size == 0 ? NULL : &route);
        }
    }
    return false;
}

static int add_orphan(struct detector *detector, const struct saved_alert *alert)
{
    struct saved_alert *orphans = realloc(detector->orphans, (detector->orphan_count + 1) * sizeof *orphans);
    if (orphans == NULL) {
        return -1;
    }
    detector->orphans = orphans;
    detector->orphans[detector->orphan_count++] = *alert;
    return 0;
}

/* To the series if it is there, else into rest until it comes. */
static int place_alert(struct detector *detector, const struct saved_alert *alert)
{
    const struct event_text service = text_of(alert->labels.service);
    const struct event_text region = text_of(alert->labels.region);
    const struct event_text route = text_of(alert->labels.route);
    const struct event_text *route_or_none = route.size == 0 ? NULL : &route;
    uint64_t hash = series_table_hash(&detector->table, &service, &region, route_or_none);
    struct series *series = series_table_find(&detector->table, hash, &service, &region, route_or_none);
    for (size_t i = 0; series != NULL && i < series->rule_count; i++) {
        struct watched_rule *watched = &series->rules[i];
        if (watched->fingerprint == alert->fingerprint) {
            detector->totals.firing -= watched->state.firing;
            detector->totals.firing += alert->state.firing;
            watched->state = alert->state;
            watched->is_saved = true;
            return 0;
        }
    }
    return resting_table_put(&detector->resting, alert->fingerprint, &alert->state) ? 0 : -1;
}

static int load_alert(struct detector *detector, struct reader *reader, const char *name, struct error *error)
{
    struct saved_alert alert = {0};
    if (!read_alert(reader, &alert)) {
        return error_set(error, -1, "state record '%s' is damaged", name);
    }
    int result = 0;
    if (alert.state.firing && !is_watched(detector, &alert)) {
        result = add_orphan(detector, &alert);
    } else if (alert.state.firing && find_or_add(detector, &alert.labels) == NULL) {
        result = -1;
    } else {
        result = place_alert(detector, &alert);
    }
    return result == 0 ? 0 : error_set(error, -1, "no memory for loaded alerts");
}

static int load_series(struct detector *detector, struct reader *reader, uint64_t version, const char *name,
                       struct error *error)
{
    struct alert_labels labels = {0};
    int64_t born_s = (int64_t)take_number(reader, 8);
    uint64_t ordinal = version == 1 ? 0 : take_number(reader, 8);
    take_labels(reader, &labels);
    if (reader->failed || reader->left > 0 || labels.service[0] == '\0' || labels.region[0] == '\0') {
        return error_set(error, -1, "state record '%s' is damaged", name);
    }
    struct series *series = find_or_add(detector, &labels);
    if (series == NULL) {
        return error_set(error, -1, "no memory for loaded series");
    }
    series->born_s = born_s;
    series->ordinal = ordinal;
    return 0;
}

static bool has_prefix(const struct detector_state *state, const char *prefix)
{
    size_t size = strlen(prefix);
    return state->key != NULL && state->key_bytes == size + HEX_DIGITS &&
           memcmp(state->key, prefix, size) == 0;
}

static uint64_t fingerprint_of_key(const struct detector_state *state)
{
    char digits[HEX_DIGITS + 1];
    memcpy(digits, (const char *)state->key + state->key_bytes - HEX_DIGITS, HEX_DIGITS);
    digits[HEX_DIGITS] = '\0';
    return strtoull(digits, NULL, 16);
}

int detector_load_state(struct detector *detector, const struct detector_state *state, struct error *error)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%.*s", state->key_bytes < 60 ? (int)state->key_bytes : 60,
                   state->key == NULL ? "" : (const char *)state->key);
    if (checkpoint_has_key(state)) {
        return checkpoint_load(&detector->checkpoint, state)
                   ? 0
                   : error_set(error, -1, "no memory for '%s'", name);
    }
    bool is_rule = has_prefix(state, RULE_PREFIX);
    bool is_season = has_prefix(state, DETECTOR_SEASON_PREFIX);
    bool is_baseline = has_prefix(state, DETECTOR_BASELINE_PREFIX) || is_season;
    if (!is_rule && !is_baseline && !has_prefix(state, SERIES_PREFIX)) {
        return error_set(error, -1, "a state record with the unknown key '%s'", name);
    }
    struct reader reader = {.at = state->value, .left = state->value_bytes};
    uint64_t version = take_number(&reader, 1);
    unsigned newest = is_rule ? RULE_VERSION : is_baseline ? DETECTOR_BASELINE_VERSION : SERIES_VERSION;
    if (!reader.failed && (version == 0 || version > newest)) {
        return error_set(error, -1, "state record '%s' has format version %u, this program reads %u", name,
                         (unsigned)version, newest);
    }
    if (is_baseline) {
        return detector_load_baseline(detector, fingerprint_of_key(state), &reader, is_season, name, error);
    }
    return is_rule ? load_alert(detector, &reader, name, error)
                   : load_series(detector, &reader, version, name, error);
}
