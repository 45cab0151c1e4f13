/* Stories about what is under the processors: a disk, a broker, a network. */
#include "chaos/stories.h"

#include "chaos/chaos_world.h"
#include "support/kafka.h"
#include "support/process.h"
#include "support/tcp_proxy.h"

#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

/* --- a disk ---- */

/* Producers are refused when an eighth is left (lib/bus/embedded/store_room.h). */
static bool is_full(void *context)
{
    struct statvfs disk;
    return statvfs(context, &disk) == 0 && disk.f_bavail < disk.f_blocks / 8 + 256;
}

void story_full_disk(struct chaos_world *world, const char *disk)
{
    chaos_traffic_start(world);
    chaos_member_start(world, 0, NULL);
    if (!process_wait_until(is_full, (void *)(uintptr_t)disk, 60000)) {
        fail_msg("the disk never filled up");
    }
    for (unsigned i = 0; i < 5; i++) { /* on a full disk, restarts too */
        (void)chaos_pause(world, 600);
        chaos_member_start(world, 0, NULL);
    }
    process_sleep_ms(500);
    int64_t before = chaos_progress(world);
    assert_int_equal(mount("tmpfs", disk, "tmpfs", MS_REMOUNT, "size=256m"), 0);
    chaos_wait_for_progress(world, before, "a full disk");
    process_sleep_ms(1000);
    chaos_check(world, "a full disk");
}

/* --- a broker ---- */

static void restart_broker(struct chaos_world *world, bool kill)
{
    if (kill) {
        kafka_broker_kill(world->broker);
    } else {
        kafka_broker_stop(world->broker, true);
    }
    (void)chaos_pause(world, 3000);
    chaos_member_leave_without_bus(world, 1);
    assert_int_equal(kafka_broker_start_again(world->broker), 0);
    chaos_member_start(world, 1, NULL);
}

void story_broker_restarts(struct chaos_world *world)
{
    unsigned rounds = world->is_long ? 3 : 1;
    chaos_traffic_start(world);
    chaos_member_start(world, 0, NULL);
    chaos_member_start(world, 1, NULL);
    chaos_wait_for_progress(world, chaos_progress(world), "a start");
    for (unsigned i = 0; i < rounds; i++) {
        (void)chaos_pause(world, 3000);
        restart_broker(world, random_below(&world->random, 2) == 0);
        chaos_wait_for_progress(world, chaos_progress(world), "a broker's restart");
    }
    chaos_check(world, "a broker's restarts");
    chaos_member_leave(world, 1);
}

/* --- a network ---- */

static void disturb(struct chaos_world *world, unsigned how)
{
    switch (how) {
    case 0:
        tcp_proxy_cut(world->proxy);
        break;
    case 1:
        tcp_proxy_half_close(world->proxy);
        break;
    case 2:
        tcp_proxy_delay(world->proxy, 20 + (int)random_below(&world->random, 300));
        (void)chaos_pause(world, 3000);
        tcp_proxy_delay(world->proxy, 0);
        break;
    case 3:
        tcp_proxy_stall(world->proxy, true); /* past the transaction's time-out, at times */
        (void)chaos_pause(world, world->is_long ? 8000 : 3000);
        tcp_proxy_stall(world->proxy, false);
        break;
    default:
        tcp_proxy_refuse(world->proxy, true);
        tcp_proxy_cut(world->proxy);
        (void)chaos_pause(world, 2000);
        tcp_proxy_refuse(world->proxy, false);
        break;
    }
}

void story_bad_network(struct chaos_world *world)
{
    unsigned rounds = world->is_long ? 16 : 5;
    chaos_traffic_start(world);
    chaos_member_start(world, 0, NULL);
    chaos_member_start(world, 1, NULL);
    chaos_wait_for_progress(world, chaos_progress(world), "a start");
    for (unsigned i = 0; i < rounds; i++) {
        disturb(world, world->is_long ? (unsigned)random_below(&world->random, 5) : i);
        (void)chaos_pause(world, 1500);
        chaos_mend(world);
    }
    chaos_wait_for_progress(world, chaos_progress(world), "a bad network");
    chaos_check(world, "a bad network");
    chaos_member_leave(world, 1);
}

/* --- three brokers ---- */

void story_leader_is_killed(struct chaos_world *world, struct kafka_cluster *cluster)
{
    unsigned rounds = world->is_long ? 3 : 1;
    chaos_traffic_start(world);
    chaos_member_start(world, 0, NULL);
    chaos_member_start(world, 1, NULL);
    chaos_wait_for_progress(world, chaos_progress(world), "a start");
    for (unsigned i = 0; i < rounds; i++) {
        /* Each of the three leads partitions, coordinates or controls. */
        unsigned broker = (unsigned)random_below(&world->random, KAFKA_CLUSTER_BROKERS);
        (void)chaos_pause(world, 3000);
        kafka_broker_kill(&cluster->brokers[broker]);
        chaos_wait_for_progress(world, chaos_progress(world), "a leader's kill");
        (void)chaos_pause(world, 3000);
        assert_int_equal(kafka_cluster_start_again(cluster, broker), 0);
        chaos_wait_for_progress(world, chaos_progress(world), "a leader's return");
    }
    chaos_check(world, "kills of leaders");
}
