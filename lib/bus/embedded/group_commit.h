/* lib/bus/embedded/group_commit: one thread a process that commits what its producers have queued: whatever
 * came while the last sync ran goes with the next one. So the sync's price is shared by all that waits, and a
 * lone record waits for no timer.
 *
 * A queue has two sets: its producer fills one while the thread commits the other. When the disk is full, or
 * a topic is (retention_policy=block), the same sets are tried again with back-off, and nothing is
 * acknowledged meanwhile; the producers' queues fill up and answer BUS_FULL. Queues belong to one producer
 * each; the thread is everybody's. */
#ifndef OBS_BUS_EMBEDDED_GROUP_COMMIT_H
#define OBS_BUS_EMBEDDED_GROUP_COMMIT_H

#include "bus/embedded/append_set.h"
#include "bus/embedded/embedded_bus.h"

struct commit_queue;

/* The first queue of a store starts the thread, the last one's end stops it. */
int commit_queue_open(struct embedded_bus *bus, struct commit_queue **out, struct error *error);
void commit_queue_close(struct commit_queue *queue); /* what isn't committed is dropped */

int commit_queue_add(struct commit_queue *queue, const struct topic *topic, const struct bus_record *record,
                     uint64_t tag, struct error *error);
size_t commit_queue_take_acks(struct commit_queue *queue, int timeout_ms, struct bus_ack *acks, size_t limit);
size_t commit_queue_pending(struct commit_queue *queue);

#endif
