/* lib/bus/embedded/topic_table: the topics of a store, remembered in the process: they are made once, never
 * changed and never deleted. A struct topic lives as long as its store. Any thread.
 *
 * Row 'T' name: id, partitions, compacted, retention ms, retention bytes, max message bytes. */
#ifndef OBS_BUS_EMBEDDED_TOPIC_TABLE_H
#define OBS_BUS_EMBEDDED_TOPIC_TABLE_H

#include "bus/bus.h"
#include "bus/embedded/store.h"

struct topic {
    uint32_t id; /* 1, 2, 3 … in the order of creation */
    char name[BUS_TOPIC_BYTES];
    int32_t partitions;
    bool compacted;
    int64_t retention_ms, retention_bytes, max_message_bytes;
};

struct topic_table *topic_table_create(void); /* NULL: no memory */
void topic_table_destroy(struct topic_table *table);

/* BUS_REFUSED: there is no such topic. */
int topic_table_find(struct store *store, const char *name, const struct topic **out, struct error *error);
/* Inside a transaction, whose view counts too. NULL in *out: none. */
int topic_table_find_id(const struct store_txn *txn, uint32_t id, const struct topic **out,
                        struct error *error);

/* Creates what is missing and checks what is there. names of the created ones go to the log. */
int topic_table_ensure(struct store *store, const struct bus_topic *topics, size_t count,
                       bool survive_power_cut, struct log *log, struct error *error);
/* Calls visit for each, in order of name. */
int topic_table_each(struct store *store, void (*visit)(void *context, const struct topic *topic),
                     void *context, struct error *error);

#endif
