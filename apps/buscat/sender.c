#include "sender.h"

#include "clock/clock.h"
#include "program/program.h"

#include <stdlib.h>

#define ACKS           256
#define WAIT_MS        100
#define LAST_CHANCE_MS 8000 /* a program has 10 s to stop */

struct sender {
    struct program *program;
    struct bus_producer *producer;
    struct sender_totals totals;
};

int sender_create(struct sender **out, struct program *program, struct bus *bus, struct error *error)
{
    struct sender *sender = calloc(1, sizeof *sender);
    if (sender == NULL) {
        return error_set(error, BUS_FATAL, "no memory for a sender");
    }
    sender->program = program;
    int result = bus_producer_create(bus, &sender->producer, error);
    if (result != BUS_OK) {
        free(sender);
        return result;
    }
    *out = sender;
    return BUS_OK;
}

void sender_destroy(struct sender *sender)
{
    if (sender != NULL) {
        bus_producer_destroy(sender->producer);
        free(sender);
    }
}

static void wait_for_acks(struct sender *sender, int timeout_ms)
{
    struct bus_ack acks[ACKS];
    size_t count = bus_producer_poll(sender->producer, timeout_ms, acks, ACKS);
    for (size_t i = 0; i < count; i++) {
        if (acks[i].status == BUS_OK) {
            sender->totals.acknowledged++;
        } else if (sender->totals.failed++ == 0) {
            sender->totals.first_failed_tag = acks[i].tag;
        }
    }
}

void sender_collect(struct sender *sender)
{
    wait_for_acks(sender, 0);
}

int sender_put(struct sender *sender, const struct bus_record *record, uint64_t tag, struct error *error)
{
    int result = bus_produce(sender->producer, record, tag, error);
    while ((result == BUS_FULL || result == BUS_AWAY) && !program_is_stopping(sender->program)) {
        wait_for_acks(sender, WAIT_MS);
        result = bus_produce(sender->producer, record, tag, error);
    }
    sender->totals.taken += result == BUS_OK;
    return result;
}

void sender_drain(struct sender *sender)
{
    int64_t deadline_ms = 0;
    while (bus_producer_pending(sender->producer) > 0) {
        wait_for_acks(sender, WAIT_MS);
        int64_t now_ms = clock_steady_ms(program_clock(sender->program));
        if (program_is_stopping(sender->program) && deadline_ms == 0) {
            deadline_ms = now_ms + LAST_CHANCE_MS;
        }
        if (deadline_ms != 0 && now_ms >= deadline_ms) {
            return;
        }
    }
}

const struct sender_totals *sender_read_totals(const struct sender *sender)
{
    return &sender->totals;
}
