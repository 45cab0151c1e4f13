/* What every Alertmanager has to be told: the alerts that fire, and those that were resolved not long ago.
 *
 * A transition of alerts.fired changes the alert of its fingerprint; the table knows for each Alertmanager
 * ("target") which change it has accepted last. So a target that is slow or away piles up nothing: what it
 * missed meanwhile is the last change of each alert, and no queue stands between the others and theirs.
 *
 *   firing     told at once, then again every resend_ms: Alertmanager forgets an alert whose endsAt runs out
 *   resolved   told at once and again for resolved_for_ms, then forgotten: an Alertmanager that restarts has
 *              lost its alerts and would never tell anybody that they ended
 *   critical   firing for page_after_ms gets its second form, with the label page="true" (notification.h)
 *
 * While a partition is read up to its end after a start (alert_table_open … alert_table_caught_up), alerts of
 * alerts.active are told at once; those that only the log knows are held back until the end is reached, since
 * their resolution may follow. Offsets, and for what alerts.active says sequences, decide what is news, so
 * reading a stretch of the log twice changes nothing, and sequences that begin anew stop nothing.
 *
 * Memory: about 1.5 KiB an alert, most_alerts of them; past that a new one is refused and counted. Times:
 * wall for what people see, steady (ms) for what is due. Threads: any; one lock, held for microseconds and
 * never across I/O. */
#ifndef OBS_ALERT_FORWARDER_ALERT_TABLE_H
#define OBS_ALERT_FORWARDER_ALERT_TABLE_H

#include "alert/transition.h"
#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ALERT_TABLE_TARGETS 8

struct alert_table;
struct buffer;
struct clock;
struct notification_links;

struct alert_table_settings {
    unsigned targets; /* 1 … ALERT_TABLE_TARGETS */
    size_t most_alerts;
    int64_t resend_ms, ends_after_ms, resolved_for_ms, page_after_ms;
    const struct notification_links *links; /* borrowed, and so is the clock */
    const struct clock *clock;
};

int alert_table_create(struct alert_table **out, const struct alert_table_settings *settings,
                       struct error *error);
void alert_table_destroy(struct alert_table *table); /* NULL is fine */

/* --- what the log says; partition: of alerts.fired ---- */

void alert_table_open(struct alert_table *table, int32_t partition); /* forgets what it knew of it */
/* A record of alerts.active. False: no room. */
bool alert_table_restore(struct alert_table *table, int32_t partition,
                         const struct alert_transition *transition);
/* A record of alerts.fired. False: no room. */
bool alert_table_take(struct alert_table *table, int32_t partition, int64_t offset,
                      const struct alert_transition *transition);
void alert_table_caught_up(struct alert_table *table, int32_t partition);
/* The offset of the oldest transition that a target hasn't accepted yet; none: next. */
int64_t alert_table_position(struct alert_table *table, int32_t partition, int64_t next);
void alert_table_close(struct alert_table *table, int32_t partition);

/* --- what a target is told ---- */

struct alert_table_item {
    uint64_t fingerprint;
    uint64_t version; /* of what was encoded; 0: it was gone by then */
};

/* Waits up to wait_ms until something is due for the target; how many items, changes before repetitions. */
size_t alert_table_collect(struct alert_table *table, unsigned target, int64_t wait_ms,
                           struct alert_table_item *items, size_t limit);
/* The items as the body of POST /api/v2/alerts, as they are now; how many: those that are gone are left out.
 */
size_t alert_table_encode(struct alert_table *table, struct alert_table_item *items, size_t count,
                          struct buffer *out);

/* The target has accepted what was encoded. delays: room for count, gets the age in ms of each change that
 * the log told live, from the event to now; the result is how many. */
size_t alert_table_note_accepted(struct alert_table *table, unsigned target,
                                 const struct alert_table_item *items, size_t count, int64_t *delays);
/* The target won't have this one: it isn't told again until it changes. False: it was refused already or is
 * gone. */
bool alert_table_note_refused(struct alert_table *table, unsigned target, const struct alert_table_item *item,
                              struct alert_transition *refused);
/* It was away and may have lost all it knew: tell it everything again. */
void alert_table_tell_again(struct alert_table *table, unsigned target);
void alert_table_wake(struct alert_table *table); /* every alert_table_collect returns */

/* Drops what was resolved long enough ago; about once a second. */
void alert_table_forget(struct alert_table *table);

struct alert_table_counts {
    size_t firing, resolved, untold; /* untold: a target hasn't accepted the last change */
};
void alert_table_count(struct alert_table *table, struct alert_table_counts *counts);

#endif
