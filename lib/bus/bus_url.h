/* lib/bus/bus_url: which bus, and where, out of one line.
 *
 *   kafka://host:port[,host:port…]     a host may be an IPv6 address in brackets
 *   embedded:DIR[?name=value[&name=value…]]
 *
 *     durability=power|process         acknowledged means: survives a power cut (default) | kill -9 of any
 * process retention_hard_bytes=8GiB        a topic never grows past this … retention_policy=block|drop_oldest
 * … what then happens to records that a group still needs lease_ms=5000                    a member silent
 * for so long loses its partitions store_limit_bytes=0              the store's file never grows past this;
 * 0: as large as the disk
 *
 * DIR can't contain '?'. Everything else is refused with a sentence that says what is allowed. */
#ifndef OBS_BUS_BUS_URL_H
#define OBS_BUS_BUS_URL_H

#include "error/error.h"

#include <stdbool.h>
#include <stdint.h>

enum bus_url_kind { BUS_URL_KAFKA, BUS_URL_EMBEDDED };

struct bus_url {
    enum bus_url_kind kind;
    char *location; /* "host:port,host:port" or DIR; owned */
    bool survive_power_cut;
    bool drop_oldest;
    int64_t retention_hard_bytes;
    int64_t lease_ms;
    int64_t store_limit_bytes;
};

/* 0, or BUS_REFUSED with nothing to free. */
int bus_url_parse(struct bus_url *out, const char *text, struct error *error);
void bus_url_free(struct bus_url *url); /* safe on a zeroed one */

#endif
