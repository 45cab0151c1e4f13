/* tests/support/outside: the platform's bus as a test sees it from outside the programs that it tests:
 * opened, with all topics, and records put on them. Functions fail the running test themselves. */
#ifndef OBS_TESTS_SUPPORT_OUTSIDE_H
#define OBS_TESTS_SUPPORT_OUTSIDE_H

struct bus;
struct bus_producer;
struct bus_record;

void outside_open(const char *url, struct bus **bus, struct bus_producer **producer);
void outside_close(struct bus *bus, struct bus_producer *producer);
/* Waits for room. */
void outside_put(struct bus_producer *producer, const struct bus_record *record);
/* Until the bus has taken all that was put. */
void outside_wait_for_acks(struct bus_producer *producer);

#endif
