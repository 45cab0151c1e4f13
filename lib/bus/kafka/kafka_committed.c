/* What groups have committed, asked by clients that bear their names and never join: such a client only finds
 * the group's coordinator and asks it. The admin call for the same (ListConsumerGroupOffsets) isn't used,
 * because librdkafka up to 2.10 aborts the process in it when a coordinator's connection is lost between the
 * look-up and the question: "Assertion `eonce->refcnt > 0' failed", its issue 3663 and pull request 5397. */
#include "bus/kafka/kafka_bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STABLE_MS 500

struct kafka_group_asker {
    struct kafka_group_asker *next;
    char group[128];
    bool stable;          /* asks for what no open transaction can still change */
    atomic_bool answered; /* it has found its coordinator */
    rd_kafka_t *client;
};

static struct kafka_group_asker *create_asker(struct kafka_bus *bus, const char *group, bool stable,
                                              struct error *error)
{
    const char *const settings[] = {"group.id",
                                    group,
                                    "enable.auto.commit",
                                    "false",
                                    "isolation.level",
                                    stable ? "read_committed" : "read_uncommitted",
                                    NULL};
    struct kafka_group_asker *asker = calloc(1, sizeof *asker);
    if (asker == NULL) {
        (void)error_set(error, BUS_FATAL, "no memory for a client");
        return NULL;
    }
    (void)snprintf(asker->group, sizeof asker->group, "%s", group);
    asker->stable = stable;
    if (kafka_client_create(bus, RD_KAFKA_CONSUMER, settings, NULL, &bus->asker_opaque, &asker->client,
                            error) != BUS_OK) {
        free(asker);
        return NULL;
    }
    return asker;
}

/* Lives as long as the bus. NULL: none could be made. */
static struct kafka_group_asker *find_asker(struct kafka_bus *bus, const char *group, bool stable,
                                            struct error *error)
{
    (void)pthread_mutex_lock(&bus->lock);
    struct kafka_group_asker *asker = bus->group_askers;
    while (asker != NULL && (asker->stable != stable || strcmp(asker->group, group) != 0)) {
        asker = asker->next;
    }
    if (asker == NULL) {
        asker = create_asker(bus, group, stable, error);
        if (asker != NULL) {
            asker->next = bus->group_askers;
            bus->group_askers = asker;
        }
    }
    (void)pthread_mutex_unlock(&bus->lock);
    return asker;
}

void kafka_group_askers_destroy(struct kafka_bus *bus)
{
    while (bus->group_askers != NULL) {
        struct kafka_group_asker *asker = bus->group_askers;
        bus->group_askers = asker->next;
        rd_kafka_destroy(asker->client);
        free(asker);
    }
}

static rd_kafka_resp_err_t ask(struct kafka_group_asker *asker, rd_kafka_topic_partition_list_t *places,
                               int timeout_ms)
{
    rd_kafka_resp_err_t code = rd_kafka_committed(asker->client, places, timeout_ms);
    for (int i = 0; i < places->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        code = places->elems[i].err;
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        atomic_store(&asker->answered, true);
    }
    return code;
}

/* A commit that was answered is in the group's offsets only when its marker has been written there, some
 * milliseconds later: without asking for stable offsets a lag would be seen that isn't there. A transaction
 * that stays open (its owner is dead) isn't waited for longer than STABLE_MS. */
int kafka_ask_committed(struct kafka_bus *bus, const char *group, rd_kafka_topic_partition_list_t *places,
                        struct error *error)
{
    const int patience_ms = kafka_ask_ms(bus);
    struct kafka_group_asker *asker = find_asker(bus, group, true, error);
    if (asker == NULL) {
        return BUS_REFUSED;
    }
    rd_kafka_resp_err_t code = ask(asker, places, atomic_load(&asker->answered) ? STABLE_MS : patience_ms);
    if (code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT) {
        asker = find_asker(bus, group, false, error);
        if (asker == NULL) {
            return BUS_REFUSED;
        }
        code = ask(asker, places, patience_ms);
    }
    return kafka_result(bus, code, "asking for committed offsets", error);
}
