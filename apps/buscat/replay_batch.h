/* Records published for dead letters, and the letters marked once the bus has taken them: a batch at a time.
 *
 * Marks follow the acknowledgements, so a kill in between may leave up to REPLAY_BATCH letters published but
 * not marked; never marked but not published. */
#ifndef BUSCAT_REPLAY_BATCH_H
#define BUSCAT_REPLAY_BATCH_H

#include "bus/bus.h"
#include "error/error.h"

#include <stdint.h>

#define REPLAY_BATCH 200

struct program;
struct replay_batch;

struct replay_totals {
    uint64_t taken, acknowledged;
};

int replay_batch_create(struct replay_batch **out, struct program *program, struct bus *bus,
                        struct error *error);
void replay_batch_destroy(struct replay_batch *batch);
/* BUS_OK, or what is wrong. */
int replay_batch_put(struct replay_batch *batch, const struct bus_record *record,
                     const struct bus_record *letter, struct error *error);
/* Waits for the rest. BUS_OK, or what is wrong; totals are filled either way. */
int replay_batch_end(struct replay_batch *batch, struct replay_totals *totals, struct error *error);

#endif
