/* The figures for programs: one object a scenario and side. */
#include "report.h"

#include "json/json_write.h"

static void write_tally(struct json_writer *w, const char *scenario, const char *side, const struct tally *t)
{
    json_object_begin(w);
    json_key(w, "scenario");
    json_string(w, scenario);
    json_key(w, "detector");
    json_string(w, side);
    json_key(w, "faults");
    json_unsigned(w, t->faults);
    json_key(w, "found");
    json_unsigned(w, t->found);
    json_key(w, "false");
    json_unsigned(w, t->wrong);
    json_key(w, "repeats");
    json_unsigned(w, t->repeats);
    json_key(w, "precision");
    json_real(w, tally_precision(t));
    json_key(w, "recall");
    json_real(w, tally_recall(t));
    json_key(w, "f1");
    json_real(w, tally_f1(t));
    json_key(w, "median_seconds");
    json_real(w, t->median_s);
    json_key(w, "worst_seconds");
    json_real(w, t->worst_s);
    json_object_end(w);
}

void report_write_json(struct buffer *out, const struct result *results, size_t count, uint64_t seed)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_object_begin(&w);
    json_key(&w, "seed");
    json_unsigned(&w, seed);
    json_key(&w, "results");
    json_array_begin(&w);
    for (size_t i = 0; i <= count; i++) {
        for (int side = 0; side < SIDE_COUNT; side++) {
            struct selection s = SELECT_ALL;
            struct tally t;
            s.scenario = i < count ? results[i].scenario : NULL;
            matcher_sum(&t, results, count, side, &s);
            write_tally(&w, i < count ? results[i].scenario->name : "all", report_sides[side], &t);
        }
    }
    json_array_end(&w);
    json_object_end(&w);
}
