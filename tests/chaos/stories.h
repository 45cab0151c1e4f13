/* What can happen to a running platform, a story each; test_chaos.c lists them. Every story leaves the bus
 * and the processors whole and ends with chaos_check. */
#ifndef TESTS_CHAOS_STORIES_H
#define TESTS_CHAOS_STORIES_H

struct chaos_world;

/* Processes. */
void story_random_kills(struct chaos_world *world);
void story_members_join_and_leave(struct chaos_world *world);
void story_stops_longer_than_the_lease(struct chaos_world *world);
void story_two_of_one_name(struct chaos_world *world);
void story_silences(struct chaos_world *world); /* ends with no member running */
void story_producer_stopped_and_killed(struct chaos_world *world);
/* The embedded bus: `disk` is a small file system that holds the store. */
void story_full_disk(struct chaos_world *world, const char *disk);
/* Kafka. */
void story_broker_restarts(struct chaos_world *world);
void story_bad_network(struct chaos_world *world);
struct kafka_cluster;
void story_leader_is_killed(struct chaos_world *world, struct kafka_cluster *cluster);

#endif
