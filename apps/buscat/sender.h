/* Publishing one record after the other and counting what is acknowledged: what buscat produce and dlq replay
 * do. */
#ifndef BUSCAT_SENDER_H
#define BUSCAT_SENDER_H

#include "bus/bus.h"
#include "error/error.h"

#include <stdint.h>

struct program;
struct sender;

struct sender_totals {
    uint64_t taken, acknowledged, failed;
    uint64_t first_failed_tag;
};

int sender_create(struct sender **out, struct program *program, struct bus *bus, struct error *error);
void sender_destroy(struct sender *sender);

/* BUS_OK: taken, the bus will answer. BUS_REFUSED: this record can't be published (error says why). Others:
 * it is over, or the program is asked to stop while the queue is full. */
int sender_put(struct sender *sender, const struct bus_record *record, uint64_t tag, struct error *error);
/* Waits until the bus has answered for all that was taken; once a stop is asked for, 8 s at most. */
void sender_drain(struct sender *sender);
void sender_collect(struct sender *sender); /* takes the answers that are there, without waiting */
const struct sender_totals *sender_read_totals(const struct sender *sender);

#endif
