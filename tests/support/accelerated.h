/* tests/support/accelerated: the platform's own Prometheus rules with time running faster, so that a test
 * sees in a minute what takes an hour. Never a second copy of the rules: they are read from rules/ and every
 * duration in them is divided by one factor, together with the scrape and evaluation interval.
 *
 * Divided: ranges "[5m]", "[1h:1m]", "offset 1d", and the keys for, keep_firing_for, interval; of
 * Alertmanager group_wait, group_interval, repeat_interval. Left as they are: names
 * (slo:sli_error:ratio_rate5m is then over 5m / factor), thresholds, counts of events and of samples; seconds
 * written as plain numbers ("time() - x > 600") are not found, so a test that needs such a rule says so.
 * Functions fail the running test themselves. */
#ifndef OBS_TESTS_SUPPORT_ACCELERATED_H
#define OBS_TESTS_SUPPORT_ACCELERATED_H

struct buffer;
struct stack;

/* The text of a rule file or of Alertmanager's configuration, divided. */
void accelerated_text(const char *text, int factor, struct buffer *out);

/* A folder for local-stack's --source in the stack's directory: rules/ divided by factor, config/ as it is.
 * Its path is static and valid until the next call. */
const char *accelerated_source(const struct stack *stack, int factor);

/* The flag --scrape-interval that goes with it (15 s / factor). As above. */
const char *accelerated_scrape_interval(int factor);

#endif
