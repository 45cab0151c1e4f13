#include "topics/topics.h"

#include <string.h>

#define HOURS_MS  INT64_C(3600000)
#define DAYS_MS   (24 * HOURS_MS)
#define MIB_BYTES INT64_C(1048576)

static const struct bus_topic topics[TOPIC_COUNT] = {
    {.name = TOPIC_METRICS_RAW, .partitions = 12, .retention_ms = 24 * HOURS_MS},
    {.name = TOPIC_LOGS_RAW, .partitions = 12, .retention_ms = 24 * HOURS_MS},
    {.name = TOPIC_ALERTS_FIRED, .partitions = 3, .retention_ms = 30 * DAYS_MS},
    {.name = TOPIC_ALERTS_ACTIVE, .partitions = 3, .compacted = true},
    {.name = TOPIC_METRICS_RAW_DLQ,
     .partitions = 3,
     .retention_ms = 7 * DAYS_MS,
     .max_message_bytes = 2 * MIB_BYTES},
    {.name = TOPIC_LOGS_RAW_DLQ,
     .partitions = 3,
     .retention_ms = 7 * DAYS_MS,
     .max_message_bytes = 2 * MIB_BYTES},
    {.name = TOPIC_STREAM_PROCESSOR_STATE, .partitions = 12, .compacted = true},
    {.name = TOPIC_METRICS_BRIDGE_STATE, .partitions = 12, .compacted = true},
};

const struct bus_topic *topics_all(void)
{
    return topics;
}

const struct bus_topic *topics_find(const char *name)
{
    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        if (strcmp(topics[i].name, name) == 0) {
            return &topics[i];
        }
    }
    return NULL;
}
