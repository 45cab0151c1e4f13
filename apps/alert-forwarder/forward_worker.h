/* The reader: alerts.active as the state of each partition of alerts.fired, then alerts.fired itself, into
 * the alert table; and how far every Alertmanager has accepted, out of it, as the group's position. ADR-015
 * says why nothing is lost and nothing told falsely. */
#ifndef OBS_ALERT_FORWARDER_FORWARD_WORKER_H
#define OBS_ALERT_FORWARDER_FORWARD_WORKER_H

#include "error/error.h"
#include "worker/group_worker.h"

struct alert_table;
struct bus;
struct forward_metrics;
struct forward_worker;
struct program;

int forward_worker_create(struct forward_worker **out, struct program *program, struct bus *bus,
                          struct alert_table *table, const struct forward_metrics *metrics,
                          struct error *error);
void forward_worker_destroy(struct forward_worker *worker); /* NULL is fine */
const struct group_worker_calls *forward_worker_calls(void);

#endif
