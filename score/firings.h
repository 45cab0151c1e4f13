/* firings: what the three detectors said in a scenario. */
#ifndef SCORE_FIRINGS_H
#define SCORE_FIRINGS_H

#include "plan.h"

struct firing {
    int side; /* SIDE_OURS … */
    enum watch watch;
    int series;
    int64_t fired_ms, ended_ms; /* when it was said, in the traffic's time; ended -1: not yet */
    bool is_false, is_repeat;   /* filled in by matcher_match */
};

struct firings {
    struct firing *list; /* in order of time */
    size_t count, capacity;
    long open[SIDE_COUNT][WATCH_COUNT][12]; /* index of the one that fires; -1: none */
};

void firings_init(struct firings *firings);
void firings_free(struct firings *firings);
/* Says what is so at now_ms; only what is new is noted. */
void firings_note(struct firings *firings, int side, enum watch watch, int series, bool is_firing,
                  int64_t now_ms);

#endif
