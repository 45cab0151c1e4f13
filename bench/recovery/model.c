#include "recovery/model.h"

#include "alert/transition.h"
#include "clock/clock.h"
#include "detect/detector.h"
#include "rule/rule_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH        128
#define STEADY_AFTER 40 /* seconds: ids are full, and the first checkpoints, which hold more, are past */
#define KEPT_PARTS   4096

struct kept {
    char key[64];
    size_t key_bytes, value_bytes;
    char *value;
};

struct partition {
    struct detector *detector;
    struct stream_event events[BATCH];
    struct detector_input inputs[BATCH];
    size_t batch;
    struct kept *kept; /* open addressing by key */
    size_t slots;
};

struct model {
    const struct stream *stream;
    const struct rule_set *rules;
    struct partition partitions[STREAM_PARTITIONS];
    struct model_costs costs;
    int64_t observe_ns, checkpoint_ns;
    double steady_s;
    bool is_steady;
};

static int64_t now_ns(void)
{
    return clock_steady_ns(clock_system());
}

static void fail(const char *what)
{
    (void)fprintf(stderr, "bench_recovery: %s\n", what);
    exit(1);
}

static struct detector *open_detector(const struct rule_set *rules, uint64_t seed)
{
    const struct detector_limits limits = {.series = 100000, .lateness_ms = 15000, .idle_after_ms = 15000};
    struct detector *detector = NULL;
    if (detector_create(&detector, rules, &limits, seed, NULL) != 0) {
        fail("no memory");
    }
    return detector;
}

static int64_t observe(struct partition *partition, enum detector_mode mode)
{
    struct alert_transition transition;
    int64_t begin_ns = now_ns();
    detector_observe(partition->detector, mode, partition->inputs, partition->batch);
    int64_t spent_ns = now_ns() - begin_ns;
    while (detector_next_transition(partition->detector, &transition)) {
    }
    partition->batch = 0;
    return spent_ns;
}

/* Returns what the detector spent, when a batch was full. */
static int64_t feed(struct model *model, uint64_t number, enum detector_mode mode)
{
    struct stream_event event;
    stream_make(model->stream, number, &event);
    struct partition *partition = &model->partitions[event.series % STREAM_PARTITIONS];
    struct stream_event *slot = &partition->events[partition->batch];
    *slot = event;
    slot->event.id.data = slot->id;
    slot->event.service.data = slot->service;
    partition->inputs[partition->batch++] =
        (struct detector_input){.event = &slot->event,
                                .offset = (int64_t)number,
                                .appended_ms = stream_time_ms(model->stream, number) + 5};
    return partition->batch == BATCH ? observe(partition, mode) : 0;
}

static int64_t feed_rest(struct model *model, enum detector_mode mode)
{
    int64_t spent_ns = 0;
    for (int p = 0; p < STREAM_PARTITIONS; p++) {
        spent_ns += observe(&model->partitions[p], mode);
    }
    return spent_ns;
}

/* --- states ---- */

static uint64_t hash_of(const char *key, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (unsigned char)key[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static void keep(struct partition *partition, const struct detector_state *state)
{
    size_t at = hash_of(state->key, state->key_bytes) & (partition->slots - 1);
    struct kept *kept = &partition->kept[at];
    while (kept->key_bytes > 0 &&
           (kept->key_bytes != state->key_bytes || memcmp(kept->key, state->key, state->key_bytes) != 0)) {
        at = (at + 1) & (partition->slots - 1);
        kept = &partition->kept[at];
    }
    memcpy(kept->key, state->key, state->key_bytes);
    kept->key_bytes = state->key_bytes;
    free(kept->value);
    kept->value = NULL;
    kept->value_bytes = state->value == NULL ? 0 : state->value_bytes;
    if (state->value != NULL) {
        kept->value = malloc(state->value_bytes);
        if (kept->value == NULL) {
            fail("no memory");
        }
        memcpy(kept->value, state->value, state->value_bytes);
    }
}

static void count_bytes(struct model *model, const struct detector_state *state)
{
    double bytes = (double)(state->key_bytes + state->value_bytes);
    const char *kind = (const char *)state->key + 7;
    if (!model->is_steady || state->key_bytes < 8 || memcmp(state->key, "window|", 7) != 0) {
        return;
    }
    model->costs.bytes_a_second += bytes;
    model->costs.counts_bytes += kind[0] == 'c' ? bytes : 0;
    model->costs.values_bytes += kind[0] == 'v' ? bytes : 0;
    model->costs.ids_bytes += kind[0] == 'i' ? bytes : 0;
}

static void commit(struct model *model)
{
    int64_t whole_ns = 0;
    for (int p = 0; p < STREAM_PARTITIONS; p++) {
        struct partition *partition = &model->partitions[p];
        struct detector_state state;
        int64_t begin_ns = now_ns();
        detector_take_checkpoint(partition->detector, false);
        bool more = detector_next_state(partition->detector, &state);
        whole_ns += now_ns() - begin_ns;
        while (more) {
            count_bytes(model, &state);
            keep(partition, &state);
            begin_ns = now_ns();
            more = detector_next_state(partition->detector, &state);
            whole_ns += now_ns() - begin_ns;
        }
    }
    if (model->is_steady) {
        double ms = (double)whole_ns / 1e6;
        model->checkpoint_ns += whole_ns;
        model->costs.commit_ms += ms;
        model->costs.worst_commit_ms = ms > model->costs.worst_commit_ms ? ms : model->costs.worst_commit_ms;
        model->steady_s++;
    }
}

/* --- restart ---- */

static int64_t restore(struct model *model, struct partition *partition, uint64_t end, uint64_t *from)
{
    detector_destroy(partition->detector);
    partition->detector = open_detector(model->rules, 99);
    int64_t offset = -1;
    struct error error;
    int64_t begin_ns = now_ns();
    for (size_t i = 0; i < partition->slots; i++) {
        const struct kept *kept = &partition->kept[i];
        const struct detector_state state = {kept->key, kept->value, kept->key_bytes, kept->value_bytes};
        if (kept->value != NULL && detector_load_state(partition->detector, &state, &error) != 0) {
            fail(error.message);
        }
    }
    if (detector_restore_windows(partition->detector, 0, (int64_t)end, &offset, &error) !=
        DETECTOR_START_CHECKPOINT) {
        fail(error.message);
    }
    *from = (uint64_t)offset < *from ? (uint64_t)offset : *from;
    return now_ns() - begin_ns;
}

static void measure_kept(struct model *model)
{
    for (int p = 0; p < STREAM_PARTITIONS; p++) {
        for (size_t i = 0; i < model->partitions[p].slots; i++) {
            const struct kept *kept = &model->partitions[p].kept[i];
            bool is_window = kept->key_bytes > 7 && memcmp(kept->key, "window|", 7) == 0;
            double mb = kept->value == NULL ? 0 : (double)(kept->key_bytes + kept->value_bytes) / 1e6;
            model->costs.live_mb += is_window ? mb : 0;
            model->costs.other_mb += is_window ? 0 : mb;
        }
    }
}

static void restart(struct model *model, uint64_t end)
{
    uint64_t from = end;
    int64_t restore_ns = 0;
    for (int p = 0; p < STREAM_PARTITIONS; p++) {
        restore_ns += restore(model, &model->partitions[p], end, &from);
    }
    model->costs.restore_ms = (double)restore_ns / 1e6;
    model->costs.replayed_records = (double)(end - from);
    int64_t rebuild_ns = 0;
    for (uint64_t number = from; number < end; number++) {
        rebuild_ns += feed(model, number, DETECTOR_REBUILD);
    }
    rebuild_ns += feed_rest(model, DETECTOR_REBUILD);
    model->costs.rebuild_ns = (double)rebuild_ns / (double)(end - from);
}

/* --- all of it ---- */

static void begin(struct model *model)
{
    for (int p = 0; p < STREAM_PARTITIONS; p++) {
        struct partition *partition = &model->partitions[p];
        partition->detector = open_detector(model->rules, (uint64_t)p + 1);
        partition->slots = KEPT_PARTS;
        while (partition->slots < model->stream->series) {
            partition->slots *= 2;
        }
        partition->kept = calloc(partition->slots, sizeof *partition->kept);
        if (partition->kept == NULL) {
            fail("no memory");
        }
    }
}

static void end(struct model *model)
{
    for (int p = 0; p < STREAM_PARTITIONS; p++) {
        for (size_t i = 0; i < model->partitions[p].slots; i++) {
            free(model->partitions[p].kept[i].value);
        }
        free(model->partitions[p].kept);
        detector_destroy(model->partitions[p].detector);
    }
    free(model);
}

void model_run(const struct stream *stream, const struct rule_set *rules, uint32_t seconds,
               struct model_costs *out)
{
    struct model *model = calloc(1, sizeof *model);
    if (model == NULL) {
        fail("no memory");
    }
    model->stream = stream;
    model->rules = rules;
    begin(model);
    uint64_t number = 0;
    for (uint32_t second = 0; second < seconds; second++) {
        for (uint64_t last = number + stream->rate; number < last; number++) {
            model->observe_ns += feed(model, number, DETECTOR_DECIDE);
        }
        model->observe_ns += feed_rest(model, DETECTOR_DECIDE);
        model->is_steady = second >= STEADY_AFTER;
        commit(model);
    }
    struct model_costs *costs = &model->costs;
    double steady_records = model->steady_s * stream->rate;
    costs->records = number;
    costs->observe_ns = (double)model->observe_ns / (double)number;
    costs->checkpoint_ns = (double)model->checkpoint_ns / steady_records;
    costs->bytes_a_record = costs->bytes_a_second / steady_records;
    costs->bytes_a_second /= model->steady_s;
    costs->counts_bytes /= model->steady_s;
    costs->values_bytes /= model->steady_s;
    costs->ids_bytes /= model->steady_s;
    costs->commit_ms /= model->steady_s;
    measure_kept(model);
    restart(model, number);
    *out = *costs;
    end(model);
}
