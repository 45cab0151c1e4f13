/* slow_share: which share of a series' requests is slower than a limit when its durations are multiplied:
 * drawn from the simulator's own requests, so that the truth is the simulator's. */
#ifndef SCORE_SLOW_SHARE_H
#define SCORE_SLOW_SHARE_H

/* load as catalog_day_curve gives it; it is rounded to a tenth. Remembers what it has drawn: one thread. */
double slow_share(int service, double factor, double load, double limit_s);

#endif
