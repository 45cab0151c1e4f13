/* One Alertmanager, told by a thread of its own what the table has for it; so one that is slow or away holds
 * up nobody else.
 *
 * What it doesn't answer is tried again after 0.5 s, doubling to 30 s; what it missed meanwhile waits in the
 * table as the last change of each alert. When it is back it is told everything, since it may have lost all.
 * A request that it refuses (400, 413, 422) is split in halves until the bad alert stands alone: the good
 * ones are accepted, the bad one is counted, logged and not told again until it changes. */
#ifndef OBS_ALERT_FORWARDER_ALERTMANAGER_H
#define OBS_ALERT_FORWARDER_ALERTMANAGER_H

#include "error/error.h"

#include <stdint.h>

struct alert_table;
struct alertmanager;
struct forward_metrics;
struct program;

struct alertmanager_settings {
    struct program *program;
    struct alert_table *table;
    struct forward_metrics *metrics;
    unsigned target;    /* its number in the table */
    const char *url;    /* "http://127.0.0.1:9093"; borrowed */
    int64_t timeout_ms; /* of one request */
};

int alertmanager_start(struct alertmanager **out, const struct alertmanager_settings *settings,
                       struct error *error);
/* Asks it to end; then alertmanager_join waits for the request under way, at most timeout_ms. */
void alertmanager_stop(struct alertmanager *alertmanager);
void alertmanager_join(struct alertmanager *alertmanager); /* frees it; NULL is fine in both */

#endif
