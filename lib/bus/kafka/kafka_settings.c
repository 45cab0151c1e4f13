/* What every client is made with. Queues are bounded, or a client would take the memory of all programs
 * together; checksums are checked; topics are never made by asking for them. */
#include "bus/kafka/kafka_bus.h"

#include "clock/clock.h"

#include <stdio.h>
#include <string.h>

#define FETCHED_KBYTES 65536 /* read ahead by one member, at most */

/* Properties that would break what this driver promises. */
static const char *const reserved[] = {
    "acks",
    "allow.auto.create.topics",
    "auto.offset.reset",
    "bootstrap.servers",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "group.instance.id",
    "isolation.level",
    "metadata.broker.list",
    "partition.assignment.strategy",
    "request.required.acks",
    "transactional.id",
    NULL,
};

static int set_property(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *error)
{
    char reason[256];
    if (rd_kafka_conf_set(conf, name, value, reason, sizeof reason) != RD_KAFKA_CONF_OK) {
        return error_set(error, BUS_REFUSED, "the Kafka property '%s' cannot be '%s': %s", name, value,
                         reason);
    }
    return BUS_OK;
}

static int set_given_property(rd_kafka_conf_t *conf, const char *property, struct error *error)
{
    const char *equals = strchr(property, '=');
    char name[128];
    size_t length = equals == NULL ? 0 : (size_t)(equals - property);
    if (length == 0 || length >= sizeof name) {
        return error_set(error, BUS_REFUSED, "-X '%s' must be PROPERTY=VALUE", property);
    }
    memcpy(name, property, length);
    name[length] = '\0';
    for (const char *const *word = reserved; *word != NULL; word++) {
        if (strcmp(*word, name) == 0) {
            return error_set(error, BUS_REFUSED,
                             "-X %s cannot be given: the bus depends on its own setting of it", name);
        }
    }
    return set_property(conf, name, equals + 1, error);
}

int kafka_check_properties(const struct kafka_bus *bus, struct error *error)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int result = BUS_OK;
    for (char **property = bus->properties; *property != NULL && result == BUS_OK; property++) {
        result = set_given_property(conf, *property, error);
    }
    rd_kafka_conf_destroy(conf);
    return result;
}

static struct kafka_bus *bus_of_opaque(const rd_kafka_t *client)
{
    struct kafka_client *opaque = rd_kafka_opaque(client);
    return opaque == NULL ? NULL : opaque->bus;
}

static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    struct kafka_bus *bus = client == NULL ? NULL : bus_of_opaque(client);
    /* What matters comes back as an error of a call; these lines are for who looks closer (-X debug=…). */
    if (bus != NULL) {
        log_debug_with(bus->log, "librdkafka", log_integer("severity", level), log_text("facility", facility),
                       log_text("text", text));
    }
}

static void on_error(rd_kafka_t *client, int code, const char *reason, void *opaque)
{
    (void)client;
    struct kafka_client *owner = opaque;
    if (owner != NULL &&
        (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || code == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
         code == RD_KAFKA_RESP_ERR__SSL || code == RD_KAFKA_RESP_ERR__RESOLVE)) {
        kafka_note_away(owner->bus, reason);
    }
}

static int set_all(const struct kafka_bus *bus, rd_kafka_conf_t *conf, rd_kafka_type_t type,
                   const char *const *settings, struct error *error)
{
    char kbytes[24];
    char fetched_kbytes[24];
    size_t limit_kbytes = bus->queue_limit_bytes / 1024 == 0 ? 1 : bus->queue_limit_bytes / 1024;
    (void)snprintf(kbytes, sizeof kbytes, "%zu", limit_kbytes);
    (void)snprintf(fetched_kbytes, sizeof fetched_kbytes, "%zu",
                   FETCHED_KBYTES > limit_kbytes * 2 ? limit_kbytes * 2 : FETCHED_KBYTES);
    const char *const common[] = {
        "bootstrap.servers", bus->brokers, "client.id", bus->client_id, "allow.auto.create.topics",
        "false", /* A client hears of a dead leader's successor at its next look: the
                  * brokers take seconds to elect one. */
        "topic.metadata.refresh.interval.ms", "3000", "log_level", "4", "reconnect.backoff.max.ms", "2000",
        /* A transaction that begins right after another is told to wait for its
         * markers; they take milliseconds. */
        "retry.backoff.ms", "10", "socket.nagle.disable", "true", NULL};
    const char *const producing[] = {"queue.buffering.max.kbytes",
                                     kbytes,
                                     "compression.codec",
                                     "lz4",
                                     "message.max.bytes",
                                     "2200000",
                                     NULL};
    const char *const consuming[] = {"queued.max.messages.kbytes",
                                     fetched_kbytes,
                                     "queued.min.messages",
                                     "1000000",
                                     "fetch.message.max.bytes",
                                     "1048576",
                                     "fetch.max.bytes",
                                     "4194304",
                                     "check.crcs",
                                     "true",
                                     "fetch.wait.max.ms",
                                     "100",
                                     NULL};
    const char *const *const lists[] = {common, type == RD_KAFKA_PRODUCER ? producing : consuming, settings};
    for (size_t l = 0; l < sizeof lists / sizeof lists[0]; l++) {
        for (const char *const *item = lists[l]; *item != NULL; item += 2) {
            if (set_property(conf, item[0], item[1], error) != BUS_OK) {
                return BUS_REFUSED;
            }
        }
    }
    for (char **property = bus->properties; *property != NULL; property++) {
        if (set_given_property(conf, *property, error) != BUS_OK) {
            return BUS_REFUSED;
        }
    }
    return BUS_OK;
}

int kafka_client_create(struct kafka_bus *bus, rd_kafka_type_t type, const char *const *settings,
                        void (*callbacks)(rd_kafka_conf_t *conf), struct kafka_client *opaque,
                        rd_kafka_t **out, struct error *error)
{
    char reason[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    *out = NULL;
    if (set_all(bus, conf, type, settings, error) != BUS_OK) {
        rd_kafka_conf_destroy(conf);
        return BUS_REFUSED;
    }
    rd_kafka_conf_set_opaque(conf, opaque);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (callbacks != NULL) {
        callbacks(conf);
    }
    *out = rd_kafka_new(type, conf, reason, sizeof reason); /* takes conf, unless it fails */
    if (*out == NULL) {
        rd_kafka_conf_destroy(conf);
        return error_set(error, BUS_REFUSED, "no Kafka client: %s", reason);
    }
    return BUS_OK;
}

void kafka_note_connected(struct kafka_bus *bus)
{
    if (!atomic_exchange(&bus->connected, true)) {
        log_info_with(bus->log, "connected to Kafka", log_text("brokers", bus->brokers));
    }
}

void kafka_note_away(struct kafka_bus *bus, const char *why)
{
    uint64_t suppressed = 0;
    atomic_store(&bus->connected, false);
    (void)pthread_mutex_lock(&bus->lock);
    bool say = log_throttle_allows(&bus->away_throttle, clock_steady_ms(clock_system()), 60000, &suppressed);
    (void)pthread_mutex_unlock(&bus->lock);
    if (say) {
        log_warn_with(bus->log, "Kafka cannot be reached, trying again", log_text("brokers", bus->brokers),
                      log_text("why", why));
    }
}
