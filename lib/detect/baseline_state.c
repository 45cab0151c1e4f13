/* What baselines have learned, as it is saved with the commits:
 *
 *   baseline|<fingerprint>   after each minute that changed it
 *     1, signal, slots (bytes), minutes (32 bits), level, ratio, spread, gap (doubles), hour (64 bits),
 * learned minutes of the hour (byte), sum of the hour, sum of what was refused in it (doubles), refused since
 * (64 bits) season|<fingerprint>     after each hour that changed it 1, slots (byte), then usual and doubted
 * value of each (16 bits each)
 *
 * Both are of the same moment as the rest of the commit, so a learner goes on exactly where it was. The names
 * are those of the rule and series, which their own records have: until these are there, what is loaded
 * rests. */
#include "detect/detector_private.h"

#include "buffer/packing.h"

#include <stdlib.h>
#include <string.h>

#define FORGOTTEN_HOURS (28 * 24) /* where room is short, what has learned nothing for so long goes first */

/* --- writing ---- */

static void write_learner(struct buffer *out, const struct baseline *baseline)
{
    buffer_clear(out);
    put_number(out, DETECTOR_BASELINE_VERSION, 1);
    put_number(out, baseline->signal, 1);
    put_number(out, baseline->terms.slots, 1);
    put_number(out, baseline->minutes, 4);
    put_real(out, baseline->level);
    put_real(out, baseline->ratio);
    put_real(out, baseline->spread);
    put_real(out, baseline->gap);
    put_number(out, (uint64_t)baseline->hour, 8);
    put_number(out, baseline->hour_minutes, 1);
    put_real(out, baseline->hour_sum);
    put_real(out, baseline->refused_sum);
    put_number(out, (uint64_t)baseline->refused_since_s, 8);
}

static void write_season(struct buffer *out, const struct baseline *baseline)
{
    buffer_clear(out);
    put_number(out, DETECTOR_BASELINE_VERSION, 1);
    put_number(out, baseline->terms.slots, 1);
    for (uint32_t slot = 0; slot < baseline->terms.slots; slot++) {
        put_number(out, baseline->usual[slot], 2);
        put_number(out, baseline->doubted[slot], 2);
    }
}

bool detector_write_baseline(struct detector *detector, struct watched_rule *watched)
{
    struct baseline *baseline = watched->baseline;
    if (baseline == NULL || (!baseline->is_changed && !baseline->is_season_changed)) {
        return false;
    }
    watched->is_baseline_saved = true;
    if (baseline->is_changed) {
        baseline->is_changed = false;
        detector_write_key(detector, DETECTOR_BASELINE_PREFIX, watched->fingerprint);
        write_learner(&detector->state_value, baseline);
    } else {
        baseline->is_season_changed = false;
        detector_write_key(detector, DETECTOR_SEASON_PREFIX, watched->fingerprint);
        write_season(&detector->state_value, baseline);
    }
    return true;
}

/* --- a series goes, and comes ---- */

static void forget_saved(struct detector *detector, uint64_t fingerprint)
{
    detector_write_key(detector, DETECTOR_BASELINE_PREFIX, fingerprint);
    detector_post(detector, false);
    detector_write_key(detector, DETECTOR_SEASON_PREFIX, fingerprint);
    detector_post(detector, false);
}

static void make_room(struct detector *detector)
{
    int64_t hour = detector->clock_ms / 3600000 - FORGOTTEN_HOURS;
    size_t at = 0;
    uint64_t gone;
    while (detector->resting.baseline_count >= detector->limits.series &&
           (gone = resting_table_drop_baseline(&detector->resting, hour, &at)) != 0) {
        forget_saved(detector, gone);
    }
}

/* Is it worth keeping? One that has learned less than it needs begins anew. */
static bool has_history(const struct baseline *baseline)
{
    bool has_season = false;
    for (uint32_t slot = 0; slot < baseline->terms.slots; slot++) {
        has_season |= baseline->usual[slot] != 0;
    }
    return has_season || baseline->minutes >= baseline->terms.min_minutes;
}

void detector_rest_baseline(struct detector *detector, struct watched_rule *watched)
{
    struct baseline *baseline = watched->baseline;
    if (baseline == NULL) {
        return;
    }
    if (has_history(baseline) && detector->resting.baseline_count >= detector->limits.series) {
        make_room(detector);
    }
    bool rests = has_history(baseline) && detector->resting.baseline_count < detector->limits.series;
    while (rests && detector_write_baseline(detector, watched)) {
        detector_post(detector, true);
    }
    watched->baseline = NULL;
    if (!rests || !resting_table_put_baseline(&detector->resting, watched->fingerprint, baseline)) {
        free(baseline);
        if (watched->is_baseline_saved) {
            forget_saved(detector, watched->fingerprint);
        }
    }
}

void detector_lay_down_baseline(struct detector *detector, struct watched_rule *watched)
{
    if (watched->is_baseline_saved && watched->baseline != NULL &&
        resting_table_put_baseline(&detector->resting, watched->fingerprint, watched->baseline)) {
        watched->baseline = NULL;
    }
}

/* What rested takes the place of the one that was made with the series, if the rule is still of its kind. */
static void take_over(struct watched_rule *watched, struct baseline *rested)
{
    struct baseline *made = watched->baseline;
    watched->is_baseline_saved = true;
    if (made == NULL || rested->signal != made->signal || rested->terms.slots != made->terms.slots) {
        free(rested);
        return;
    }
    baseline_set_terms(rested, &made->terms);
    free(made);
    watched->baseline = rested;
}

void detector_wake_rule(struct detector *detector, struct watched_rule *watched)
{
    struct resting_rule rested;
    if (!resting_table_take(&detector->resting, watched->fingerprint, &rested)) {
        return;
    }
    if (rested.has_state) {
        watched->state = rested.state;
        watched->is_saved = true;
        detector->totals.firing += watched->state.firing;
    }
    if (rested.baseline != NULL) {
        take_over(watched, rested.baseline);
    }
}

void detector_wake_all(struct detector *detector)
{
    for (size_t i = 0; i < detector->table.count; i++) {
        struct series *series = detector->table.all[i];
        for (size_t r = 0; r < series->rule_count; r++) {
            detector_wake_rule(detector, &series->rules[r]);
        }
    }
}

/* --- reading ---- */

static bool is_finite_and_not_below_0(double value)
{
    return value >= 0 && value <= 1e300;
}

static bool read_learner(struct reader *reader, struct baseline *baseline)
{
    baseline->signal = (uint8_t)take_number(reader, 1);
    uint64_t slots = take_number(reader, 1);
    baseline->minutes = (uint32_t)take_number(reader, 4);
    baseline->level = take_real(reader);
    baseline->ratio = take_real(reader);
    baseline->spread = take_real(reader);
    baseline->gap = take_real(reader);
    baseline->hour = (int64_t)take_number(reader, 8);
    baseline->hour_minutes = (uint32_t)take_number(reader, 1);
    baseline->hour_sum = take_real(reader);
    baseline->refused_sum = take_real(reader);
    baseline->refused_since_s = (int64_t)take_number(reader, 8);
    baseline->terms.slots = (uint32_t)slots;
    return !reader->failed && reader->left == 0 && baseline->signal <= RULE_MEMORY &&
           (slots == BASELINE_HOURS_OF_DAY || slots == BASELINE_HOURS_OF_WEEK) &&
           is_finite_and_not_below_0(baseline->level) && is_finite_and_not_below_0(baseline->ratio) &&
           is_finite_and_not_below_0(baseline->spread) && is_finite_and_not_below_0(baseline->gap) &&
           is_finite_and_not_below_0(baseline->hour_sum) && is_finite_and_not_below_0(baseline->refused_sum);
}

static bool read_season(struct reader *reader, struct baseline *baseline)
{
    uint64_t slots = take_number(reader, 1);
    if (slots > BASELINE_HOURS_OF_WEEK || reader->left != slots * 4) {
        return false;
    }
    for (uint64_t slot = 0; slot < slots; slot++) {
        baseline->usual[slot] = (uint16_t)take_number(reader, 2);
        baseline->doubted[slot] = (uint16_t)take_number(reader, 2);
    }
    return !reader->failed;
}

/* The two records of one baseline come in any order. */
static struct baseline *find_or_rest(struct detector *detector, uint64_t fingerprint)
{
    struct baseline *baseline = resting_table_baseline(&detector->resting, fingerprint);
    if (baseline != NULL) {
        return baseline;
    }
    static const struct baseline_terms terms = {.slots = BASELINE_HOURS_OF_WEEK};
    baseline = malloc(sizeof *baseline);
    if (baseline != NULL) {
        baseline_init(baseline, &terms, 0);
        if (!resting_table_put_baseline(&detector->resting, fingerprint, baseline)) {
            free(baseline);
            baseline = NULL;
        }
    }
    return baseline;
}

int detector_load_baseline(struct detector *detector, uint64_t fingerprint, struct reader *reader,
                           bool is_season, const char *name, struct error *error)
{
    struct baseline read;
    memset(&read, 0, sizeof read);
    if (!(is_season ? read_season(reader, &read) : read_learner(reader, &read)) || fingerprint == 0) {
        return error_set(error, -1, "state record '%s' is damaged", name);
    }
    struct baseline *baseline = find_or_rest(detector, fingerprint);
    if (baseline == NULL) {
        return error_set(error, -1, "no memory for loaded baselines");
    }
    if (is_season) {
        memcpy(baseline->usual, read.usual, sizeof read.usual);
        memcpy(baseline->doubted, read.doubted, sizeof read.doubted);
    } else {
        memcpy(read.usual, baseline->usual, sizeof read.usual);
        memcpy(read.doubted, baseline->doubted, sizeof read.doubted);
        *baseline = read;
    }
    return 0;
}
