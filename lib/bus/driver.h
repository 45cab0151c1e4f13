/* lib/bus/driver: what a kind of bus must be able to do: one function per call of bus.h, same meaning, same
 * answers. Private to lib/bus.
 *
 * A driver embeds struct bus, struct bus_member and struct bus_producer as the FIRST field of its own types,
 * fills in `driver`, and converts back by a cast. bus.c has then checked what is the same for all: arguments
 * that must be there, topic names, the length of a note; and has replaced every 0 that means "default" in
 * settings. */
#ifndef OBS_BUS_DRIVER_H
#define OBS_BUS_DRIVER_H

#include "bus/bus.h"
#include "bus/bus_url.h"
#include "failpoint/failpoint.h"

struct bus_driver;

struct bus {
    const struct bus_driver *driver;
};

struct bus_member {
    const struct bus_driver *driver;
};

struct bus_producer {
    const struct bus_driver *driver;
};

#define BUS_DEFAULT_QUEUE_BYTES   ((size_t)32 * 1024 * 1024)
#define BUS_DEFAULT_BATCH_RECORDS 1000
#define BUS_DEFAULT_BATCH_BYTES   ((size_t)4 * 1024 * 1024)
#define BUS_DEFAULT_MESSAGE_BYTES ((int64_t)1024 * 1024)
#define BUS_NOTE_BYTES            1024 /* the longest note, without NUL */
#define BUS_MEMBER_ID_BYTES       128  /* with NUL */

struct bus_driver {
    int (*open)(struct bus **out, const struct bus_url *url, const struct bus_settings *settings,
                struct error *error);
    bool (*is_connected)(const struct bus *bus);
    void (*close)(struct bus *bus);

    int (*create_topics)(struct bus *bus, const struct bus_topic *topics, size_t count, struct error *error);
    int (*partition_count)(struct bus *bus, const char *topic, int32_t *count, struct error *error);
    int (*read_offsets)(struct bus *bus, const char *topic, int32_t partition, int64_t *begin, int64_t *end,
                        struct error *error);
    int (*list_topics)(struct bus *bus, struct bus_topic_info *topics, size_t limit, size_t *count,
                       struct error *error);
    int (*read_lag)(struct bus *bus, const char *const *groups, size_t group_count, const char *const *topics,
                    size_t topic_count, struct bus_lag *rows, size_t limit, size_t *count,
                    struct error *error);

    int (*producer_create)(struct bus *bus, struct bus_producer **out, struct error *error);
    int (*produce)(struct bus_producer *producer, const struct bus_record *record, uint64_t tag,
                   struct error *error);
    size_t (*producer_poll)(struct bus_producer *producer, int timeout_ms, struct bus_ack *acks,
                            size_t limit);
    size_t (*producer_pending)(const struct bus_producer *producer);
    void (*producer_destroy)(struct bus_producer *producer);

    int (*join)(struct bus *bus, const struct bus_member_settings *settings, struct bus_member **out,
                struct error *error);
    int (*poll)(struct bus_member *member, int timeout_ms, struct bus_turn *turn, struct error *error);
    int (*start)(struct bus_member *member, const char *topic, int32_t partition, int64_t from,
                 struct error *error);
    int (*release)(struct bus_member *member, struct error *error);
    void (*hold)(struct bus_member *member, bool held);
    void (*wake)(struct bus_member *member);
    int (*put)(struct bus_member *member, const struct bus_record *output, struct error *error);
    int (*put_state)(struct bus_member *member, int32_t partition, struct bus_bytes key,
                     struct bus_bytes value, struct error *error);
    int (*advance)(struct bus_member *member, const char *topic, int32_t partition, int64_t next,
                   const char *note, struct error *error);
    int (*commit)(struct bus_member *member, struct error *error);
    int (*leave)(struct bus_member *member, struct error *error);
};

/* What a failpoint makes a call answer; BUS_OK: nothing, go on. */
static inline int bus_answer_for_test(enum failpoint_answer answer, struct error *error)
{
    int result = answer == FAILPOINT_FULL    ? BUS_FULL
                 : answer == FAILPOINT_RESET ? BUS_RESET
                 : answer == FAILPOINT_AWAY  ? BUS_AWAY
                                             : BUS_OK;
    return result == BUS_OK ? BUS_OK : error_set(error, result, "a test says so");
}

extern const struct bus_driver bus_driver_embedded;
extern const struct bus_driver bus_driver_kafka;

#endif
