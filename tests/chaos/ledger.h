/* What the traffic says of itself, in a file that both it and the test map: so it survives its own kill.
 *
 * Every well-formed record has a number of its own, in its id ("c-" and 8 hex digits). A record that was
 * acknowledged must be on the topic, and none may be there more often than it was sent. */
#ifndef TESTS_CHAOS_LEDGER_H
#define TESTS_CHAOS_LEDGER_H

#include <stdatomic.h>
#include <stdint.h>

#define LEDGER_RECORDS (UINT32_C(1) << 23)
#define LEDGER_SERIES  24

struct ledger_series {
    int32_t mode, seconds_left; /* what goes on in it, and for how long yet */
};

struct ledger {
    _Atomic uint64_t produced, acked, malformed, refused;
    _Atomic uint32_t next_number;
    _Atomic uint32_t listening; /* starts of the traffic that hear SIGTERM by now */
    _Atomic int64_t event_ms;   /* event time of the next second */
    struct ledger_series series[LEDGER_SERIES];
    _Atomic uint8_t sent[LEDGER_RECORDS]; /* how often a number was given to the bus */
    _Atomic uint8_t acks[LEDGER_RECORDS]; /* and acknowledged */
};

#endif
