/* lib/detect/outbox: state records that wait for the next commit, in order. For the detector alone.
 *
 * One piece of memory: the sizes of key and value (32 bits each), key, value; and so on. */
#ifndef OBS_DETECT_OUTBOX_H
#define OBS_DETECT_OUTBOX_H

#include "buffer/buffer.h"
#include "detect/detector.h"

struct outbox {
    struct buffer bytes;
    size_t at; /* what was taken */
};

void outbox_init(struct outbox *outbox);
void outbox_free(struct outbox *outbox);
/* False: no memory; nothing is added. */
bool outbox_post(struct outbox *outbox, const struct detector_state *record);
/* The next record, borrowed until the next call. False: there is none, and the memory of many is given back.
 */
bool outbox_take(struct outbox *outbox, struct detector_state *out);
size_t outbox_memory(const struct outbox *outbox);

#endif
