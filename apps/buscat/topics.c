#include "command.h"

#include "output.h"
#include "topics/topics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define TOPIC_LIMIT 4096
#define RETRY_MS    200
#define RETRIES     150

static int list(struct program *program, struct bus *bus, struct bus_topic_info *topics, size_t *count,
                struct error *error)
{
    int result = bus_list_topics(bus, topics, TOPIC_LIMIT, count, error);
    for (int i = 0; result == BUS_AWAY && i < RETRIES && !program_sleep(program, RETRY_MS); i++) {
        result = bus_list_topics(bus, topics, TOPIC_LIMIT, count, error);
    }
    return result;
}

static int append_topic(struct buffer *text, struct bus *bus, const struct bus_topic_info *topic,
                        struct error *error)
{
    int64_t records = 0;
    for (int32_t partition = 0; partition < topic->partitions; partition++) {
        int64_t begin = 0;
        int64_t end = 0;
        int result = bus_read_offsets(bus, topic->name, partition, &begin, &end, error);
        if (result != BUS_OK) {
            return result;
        }
        records += end - begin;
    }
    buffer_append_format(text, "%-32s %10d %12" PRId64 "\n", topic->name, (int)topic->partitions, records);
    return BUS_OK;
}

static int print_topics(struct program *program, struct bus *bus, struct bus_topic_info *topics)
{
    size_t count = 0;
    struct error error;
    struct buffer text;
    buffer_init(&text, 0);
    int result = list(program, bus, topics, &count, &error);
    buffer_append_format(&text, "%-32s %10s %12s\n", "TOPIC", "PARTITIONS", "OFFSETS");
    for (size_t i = 0; result == BUS_OK && i < count && i < TOPIC_LIMIT; i++) {
        result = append_topic(&text, bus, &topics[i], &error);
    }
    if (result == BUS_OK && output_flush(&text, STDOUT_FILENO, &error) == OUTPUT_FAILED) {
        result = BUS_FATAL;
    }
    buffer_free(&text);
    return result == BUS_OK ? PROGRAM_DONE : command_fail(&error);
}

int command_topics(int argc, char **argv)
{
    const struct program_spec spec = {
        .name = "buscat",
        .summary = "topics: lists the topics, their partitions and how many offsets they hold",
        .usage = "topics [flags]",
        .notes = "OFFSETS is end minus beginning of all partitions: the records, and on Kafka the "
                 "transactions' marks\n"
                 "and what compaction has taken.",
    };
    struct program *program = NULL;
    struct bus *bus = NULL;
    int code = PROGRAM_DONE;
    if (!command_begin(&program, &bus, &spec, argc, argv, &code)) {
        return code;
    }
    struct bus_topic_info *topics = calloc(TOPIC_LIMIT, sizeof *topics);
    const struct error no_memory = {.message = "no memory"};
    code = topics == NULL ? command_fail(&no_memory) : print_topics(program, bus, topics);
    free(topics);
    program_end(program);
    return code;
}
