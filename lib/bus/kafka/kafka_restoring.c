/* The turns of a member that gets its state back: whichever partition has come whole is handed over while the
 * client reads the others. */
#include "bus/kafka/kafka_member.h"

#include <stdlib.h>

void kafka_member_add_to_turn(struct kafka_member *member, struct bus_turn *turn,
                              const struct kafka_partition *partition)
{
    turn->partitions = member->turn_partitions;
    member->turn_partitions[turn->partition_count++] =
        (struct bus_partition){.topic = partition->topic,
                               .partition = partition->number,
                               .committed = partition->committed,
                               .position = partition->committed,
                               .note = partition->note};
}

static bool has_restoring(const struct kafka_member *member)
{
    for (size_t i = 0; i < member->partition_count; i++) {
        if (member->partitions[i].phase == KAFKA_RESTORING) {
            return true;
        }
    }
    return false;
}

/* Of another input topic, which has its state under the same number. */
static bool is_wanted_again(const struct kafka_member *member, const struct kafka_partition *done)
{
    for (size_t i = 0; i < member->partition_count; i++) {
        const struct kafka_partition *other = &member->partitions[i];
        if (other != done && other->number == done->number && other->phase == KAFKA_RESTORING) {
            return true;
        }
    }
    return false;
}

/* All that wait for their state, at once. */
static int begin_restore(struct kafka_member *member, struct error *error)
{
    int32_t *numbers = calloc(member->partition_count, sizeof *numbers);
    size_t count = 0;
    if (numbers == NULL) {
        return error_set(error, BUS_FATAL, "no memory to restore state");
    }
    for (size_t i = 0; i < member->partition_count; i++) {
        if (member->partitions[i].phase == KAFKA_RESTORING) {
            numbers[count++] = member->partitions[i].number;
        }
    }
    int result =
        kafka_restore_begin(&member->restore, member->bus, member->state_topic, numbers, count, error);
    free(numbers);
    return result;
}

/* One that came later isn't in a restore under way: then a new one is begun. */
static bool restore_has_all(const struct kafka_member *member)
{
    for (size_t i = 0; i < member->partition_count; i++) {
        const struct kafka_partition *partition = &member->partitions[i];
        if (partition->phase == KAFKA_RESTORING && !kafka_restore_has(member->restore, partition->number)) {
            return false;
        }
    }
    return true;
}

static int prepare_restore(struct kafka_member *member, struct error *error)
{
    if (member->restore != NULL && !restore_has_all(member)) {
        kafka_restore_end(member->restore);
        member->restore = NULL;
    }
    if (member->restore != NULL) {
        return BUS_OK;
    }
    int result = bus_answer_for_test(FAILPOINT(KAFKA_RESTORE_BEFORE), error);
    if (result == BUS_OK) {
        result = begin_restore(member, error);
        (void)FAILPOINT(KAFKA_RESTORE_AFTER);
    }
    if (result == BUS_OK && member->records == NULL) {
        member->records = calloc(member->batch_records, sizeof *member->records);
        member->messages = calloc(member->batch_records, sizeof(rd_kafka_message_t *));
        if (member->records == NULL || member->messages == NULL) {
            result = error_set(error, BUS_FATAL, "no memory for records");
        }
    }
    return result;
}

/* Whichever has come whole; the caller puts it in place while the client reads the others. */
static struct kafka_partition *find_restored(struct kafka_member *member)
{
    for (size_t i = 0; i < member->partition_count; i++) {
        struct kafka_partition *partition = &member->partitions[i];
        if (partition->phase == KAFKA_RESTORING &&
            (member->restore == NULL || kafka_restore_is_done(member->restore, partition->number))) {
            return partition;
        }
    }
    return NULL;
}

static void restored_turn(struct kafka_member *member, struct kafka_partition *partition,
                          struct bus_turn *turn)
{
    size_t count =
        kafka_restore_take(member->restore, partition->number, member->records, member->batch_records);
    *turn = (struct bus_turn){
        .kind = count > 0 ? BUS_STATE : BUS_RESTORED, .records = member->records, .record_count = count};
    kafka_member_add_to_turn(member, turn, partition);
    if (count == 0) {
        partition->phase = KAFKA_WAITING;
        if (is_wanted_again(member, partition)) {
            kafka_restore_rewind(member->restore, partition->number);
        } else {
            kafka_restore_done_with(member->restore, partition->number);
        }
    }
    if (count == 0 && !has_restoring(member)) {
        kafka_restore_end(member->restore);
        member->restore = NULL;
    }
}

int kafka_member_restoring_turn(struct kafka_member *member, struct bus_turn *turn, bool *any,
                                struct error *error)
{
    bool has_state = member->state_topic[0] != '\0';
    int result = BUS_OK;
    if (!has_restoring(member)) {
        return BUS_OK;
    }
    if (has_state) {
        result = prepare_restore(member, error);
    }
    struct kafka_partition *partition = result == BUS_OK ? find_restored(member) : NULL;
    if (result == BUS_OK && partition == NULL) {
        result = kafka_restore_read(member->restore, KAFKA_SLICE_MS, error);
        partition = result == BUS_OK ? find_restored(member) : NULL;
    }
    if (partition == NULL) {
        return result;
    }
    *any = true;
    if (has_state) {
        restored_turn(member, partition, turn);
    } else {
        partition->phase = KAFKA_WAITING;
        *turn = (struct bus_turn){.kind = BUS_RESTORED};
        kafka_member_add_to_turn(member, turn, partition);
    }
    return BUS_OK;
}
