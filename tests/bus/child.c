/* What test_bus does as a child process: another process's view of the bus, or one to be killed. */
#include "cases.h"
#include "clock/clock.h"
#include "reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct child {
    struct bus *bus;
    struct bus_member *member;
    struct error error;
};

static int child_fail(const struct child *child)
{
    (void)fprintf(stderr, "child: %s\n", child->error.message);
    return 1;
}

static bool child_join(struct child *child, const char *url, const char *topic, const char *group,
                       const char *id)
{
    const char *const topics[] = {topic, NULL};
    const struct bus_settings settings = {.url = url, .client_id = "child", .clock = clock_system()};
    const struct bus_member_settings member = {.group = group, .member_id = id, .topics = topics};
    return bus_open(&child->bus, &settings, &child->error) == BUS_OK &&
           bus_join(child->bus, &member, &child->member, &child->error) == BUS_OK;
}

static bool child_start(struct child *child, const struct bus_turn *turn, int64_t from)
{
    return turn->kind != BUS_RESTORED ||
           bus_start(child->member, turn->partitions[0].topic, turn->partitions[0].partition, from,
                     &child->error) == BUS_OK;
}

/* Prints how many records the topic has. */
static int child_count(struct child *child, const char *url, const char *topic)
{
    size_t records = 0, partitions = 0, ended = 0;
    if (!child_join(child, url, topic, NULL, NULL)) {
        return child_fail(child);
    }
    while (partitions == 0 || ended < partitions) {
        struct bus_turn turn;
        if (bus_poll(child->member, 1000, &turn, &child->error) != BUS_OK ||
            !child_start(child, &turn, BUS_FROM_BEGINNING)) {
            return child_fail(child);
        }
        partitions += turn.kind == BUS_ASSIGNED ? turn.partition_count : 0;
        ended += turn.kind == BUS_END ? turn.partition_count : 0;
        records += turn.kind == BUS_RECORDS ? turn.record_count : 0;
    }
    (void)printf("%zu\n", records);
    (void)bus_leave(child->member, &child->error);
    bus_close(child->bus);
    return 0;
}

/* A member that reads until it is killed. */
static int child_hold(struct child *child, const char *url, const char *topic, const char *group,
                      const char *id)
{
    if (!child_join(child, url, topic, group, id)) {
        return child_fail(child);
    }
    for (;;) {
        struct bus_turn turn;
        if (bus_poll(child->member, 100, &turn, &child->error) != BUS_OK ||
            !child_start(child, &turn, BUS_FROM_COMMITTED) ||
            (turn.kind == BUS_REVOKING && bus_release(child->member, &child->error) != BUS_OK)) {
            return child_fail(child);
        }
    }
}

int run_child(int argc, char **argv)
{
    struct child child = {0};
    if (argc == 5 && strcmp(argv[2], "count") == 0) {
        return child_count(&child, argv[3], argv[4]);
    }
    if (argc == 7 && strcmp(argv[2], "hold") == 0) {
        return child_hold(&child, argv[3], argv[4], argv[5], argv[6]);
    }
    return 2;
}
