/* buscat: the bus's command-line client, as kcat is Kafka's, the same on both kinds of bus. */
#include "command.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *group, *name;
    command_run *run;
} commands[] = {
    {NULL, "topics", command_topics},      {NULL, "lag", command_lag},
    {NULL, "consume", command_consume},    {NULL, "produce", command_produce},
    {"dlq", "list", command_dlq_list},     {"dlq", "show", command_dlq_show},
    {"dlq", "replay", command_dlq_replay},
};

static const char usage[] =
    "buscat: the bus's command-line client, for Kafka and the embedded bus alike\n"
    "\n"
    "usage: buscat COMMAND [flags]\n"
    "\n"
    "  topics           the topics, their partitions and how many records they hold\n"
    "  lag              how far the platform's groups are behind\n"
    "  consume TOPIC    print a topic's records, a line each\n"
    "  produce TOPIC    publish standard input, a record a line\n"
    "  dlq list         the dead letters, counted by reason\n"
    "  dlq show         the dead letters with their headers\n"
    "  dlq replay       publish dead letters again, after their cause has gone\n"
    "\n"
    "buscat COMMAND --help tells the command's flags. The bus is --bus-url or OBS_BUS_URL, by default\n"
    "embedded:var/bus; -X property=value passes any librdkafka property.\n"
    "\n"
    "  buscat consume metrics.raw --follow\n"
    "  buscat consume alerts.fired --from-beginning | jq .summary\n"
    "  buscat produce metrics.raw < events.jsonl\n"
    "  buscat dlq list\n"
    "  buscat dlq replay --reason wrong_partition --dry-run\n";

static bool is_one_of(const char *text, const char *a, const char *b)
{
    return strcmp(text, a) == 0 || strcmp(text, b) == 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fputs(usage, stderr);
        return PROGRAM_USAGE;
    }
    if (is_one_of(argv[1], "--help", "-h") || strcmp(argv[1], "help") == 0) {
        (void)fputs(usage, stdout);
        return PROGRAM_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("buscat %s\n", OBS_VERSION);
        return PROGRAM_DONE;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        int words = commands[i].group == NULL ? 1 : 2;
        bool is_group = words == 1 || strcmp(argv[1], commands[i].group) == 0;
        if (is_group && argc > words && strcmp(argv[words], commands[i].name) == 0) {
            argv[words] = argv[0];
            return commands[i].run(argc - words, argv + words);
        }
    }
    if (strcmp(argv[1], "dlq") == 0) {
        bool asks = argc > 2 && is_one_of(argv[2], "--help", "-h");
        (void)fputs(asks ? usage : "buscat: dlq needs one of list, show, replay\n", asks ? stdout : stderr);
        return asks ? PROGRAM_DONE : PROGRAM_USAGE;
    }
    return command_refuse("unknown command '%s'; buscat --help lists them", argv[1]);
}
