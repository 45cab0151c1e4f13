/* lib/rule/rule_state_private: what rule_state.c, judge_share.c and judge_baseline.c share. */
#ifndef OBS_RULE_RULE_STATE_PRIVATE_H
#define OBS_RULE_RULE_STATE_PRIVATE_H

#include "rule/rule_state.h"

/* rule_state.c */
/* Without the seconds of an earlier incident. */
void rule_read_counts(const struct rule_state *state, const struct rule_view *view, uint32_t window,
                      struct window_counts *counts);
/* Since the last record, or sample for utilisation. */
int64_t rule_silent_seconds(const struct rule *rule, const struct rule_view *view);
bool rule_is_window_full(const struct rule *rule, const struct rule_state *state,
                         const struct rule_view *view);

/* Seconds up to this one don't count: an earlier incident's. */
int64_t rule_forgotten_until(const struct rule_state *state);
uint64_t rule_bad_records(const struct rule *rule, const struct window_counts *counts);

/* judge_share.c */
void rule_judge_share(const struct rule *rule, const struct rule_state *state, const struct rule_view *view,
                      struct rule_evidence *evidence);

/* judge_baseline.c */
void rule_judge_baseline(const struct rule *rule, const struct rule_state *state,
                         const struct rule_view *view, struct rule_evidence *evidence);
/* After the step was judged: once a minute the learner is told. True: that changed it. */
bool rule_learn_baseline(const struct rule *rule, const struct rule_state *state,
                         const struct rule_view *view, const struct rule_evidence *evidence);

#endif
