#include "bus/embedded/embedded_member.h"

#include "bus/embedded/wakeup.h"

#include <stdlib.h>
#include <string.h>

void member_drop_collected(struct embedded_member *member)
{
    buffer_clear(&member->frames);
    member->output_count = 0;
    member->advance_count = 0;
}

void member_free_collected(struct embedded_member *member)
{
    buffer_free(&member->frames);
    free(member->outputs);
    free(member->advances);
}

/* --- collecting ---- */

static const struct topic *find_output_topic(struct embedded_member *member, const char *name, int *result,
                                             struct error *error)
{
    for (size_t i = 0; i < member->output_topic_count; i++) {
        if (strcmp(member->output_topics[i].name, name) == 0) {
            return &member->output_topics[i];
        }
    }
    if (member->output_topic_count == MEMBER_TOPICS) {
        *result = error_set(error, BUS_REFUSED, "a member can put to %d topics at most", MEMBER_TOPICS);
        return NULL;
    }
    struct topic *topic = &member->output_topics[member->output_topic_count];
    MDB_txn *txn = NULL;
    *result = store_begin_read(member->bus->store, &txn, error);
    if (*result == BUS_OK) {
        *result = topic_find(member->bus->store, txn, name, topic, error);
        mdb_txn_abort(txn);
    }
    if (*result != BUS_OK) {
        return NULL;
    }
    member->output_topic_count++;
    return topic;
}

static int collect(struct embedded_member *member, const struct topic *topic, int32_t partition,
                   const struct bus_record *record, struct error *error)
{
    size_t size = record_frame_size(record);
    if ((int64_t)size > topic->max_message_bytes) {
        return error_set(error, BUS_REFUSED, "a record of %zu bytes is too large for topic %s (at most %lld)",
                         size, topic->name, (long long)topic->max_message_bytes);
    }
    if (member->frames.size > 0 && member->frames.size + size > member->bus->queue_limit_bytes) {
        return error_set(error, BUS_FULL, "the outputs since the last commit fill the queue: commit first");
    }
    if (member->output_count == member->output_capacity) {
        size_t capacity = member->output_capacity == 0 ? 64 : member->output_capacity * 2;
        struct member_output *outputs = realloc(member->outputs, capacity * sizeof *outputs);
        if (outputs == NULL) {
            return error_set(error, BUS_FULL, "no memory for outputs");
        }
        member->outputs = outputs;
        member->output_capacity = capacity;
    }
    char *room = buffer_reserve(&member->frames, size);
    if (room == NULL) {
        member->frames.failed = false;
        return error_set(error, BUS_FULL, "no memory for outputs");
    }
    member->outputs[member->output_count++] =
        (struct member_output){topic, partition, member->frames.size, size};
    member->frames.size += record_frame_write(room, record);
    return BUS_OK;
}

int embedded_put(struct bus_member *base, const struct bus_record *output, struct error *error)
{
    struct embedded_member *member = embedded_member_of(base);
    if (member->reset) {
        return error_set(error, BUS_RESET, "the partitions were lost");
    }
    int result = BUS_OK;
    const struct topic *topic = find_output_topic(member, output->topic, &result, error);
    if (topic == NULL) {
        return result;
    }
    int32_t partition = output->partition;
    if (partition == BUS_PARTITION_BY_KEY) {
        partition = output->key.data != NULL
                        ? bus_partition_for_key(output->key.data, output->key.size_bytes, topic->partitions)
                        : (int32_t)(member->round_robin++ % (uint32_t)topic->partitions);
    }
    if (partition < 0 || partition >= topic->partitions) {
        return error_set(error, BUS_REFUSED, "topic %s has no partition %d", topic->name, partition);
    }
    return collect(member, topic, partition, output, error);
}

int embedded_put_state(struct bus_member *base, int32_t partition, struct bus_bytes key,
                       struct bus_bytes value, struct error *error)
{
    struct embedded_member *member = embedded_member_of(base);
    if (member->reset) {
        return error_set(error, BUS_RESET, "the partitions were lost");
    }
    if (!member->has_state || partition < 0 || partition >= member->state_topic.partitions) {
        return error_set(error, BUS_REFUSED, "there is no state for partition %d", partition);
    }
    const struct bus_record record = {.key = key, .value = value};
    return collect(member, &member->state_topic, partition, &record, error);
}

int embedded_advance(struct bus_member *base, const char *topic, int32_t partition, int64_t next,
                     const char *note, struct error *error)
{
    struct embedded_member *member = embedded_member_of(base);
    if (member->reset) {
        return error_set(error, BUS_RESET, "the partitions were lost");
    }
    const struct member_partition *mine = member_find(member, topic, partition);
    if (mine == NULL || !member->has_group) {
        return error_set(error, BUS_REFUSED, "topic %s partition %d is not this member's", topic, partition);
    }
    size_t at = 0;
    while (at < member->advance_count &&
           (member->advances[at].topic != mine->topic || member->advances[at].partition != partition)) {
        at++;
    }
    if (at == member->advance_capacity) {
        size_t capacity = member->advance_capacity == 0 ? 32 : member->advance_capacity * 2;
        struct member_advance *advances = realloc(member->advances, capacity * sizeof *advances);
        if (advances == NULL) {
            return error_set(error, BUS_FATAL, "no memory for positions");
        }
        member->advances = advances;
        member->advance_capacity = capacity;
    }
    struct member_advance *advance = &member->advances[at];
    member->advance_count = at == member->advance_count ? at + 1 : member->advance_count;
    *advance = (struct member_advance){.topic = mine->topic, .partition = partition, .next = next};
    if (note != NULL) {
        size_t length = strlen(note);
        memcpy(advance->note, note, length < BUS_NOTE_BYTES ? length + 1 : BUS_NOTE_BYTES);
    }
    return BUS_OK;
}

/* --- the commit ---- */

/* Every partition that the commit speaks for must still be this member's: who came back from a long stop has
 * lost them. */
static int check_ownership(struct embedded_member *member, MDB_txn *txn, struct error *error)
{
    bool is_member = false;
    int result = group_is_member(member->bus->store, txn, &member->identity, &is_member, error);
    if (result == BUS_OK && !is_member) {
        return error_set(error, BUS_RESET, "another member has taken over from '%s'", member->member_id);
    }
    for (size_t i = 0; i < member->advance_count && result == BUS_OK; i++) {
        uint64_t owner = 0;
        result = group_read_owner(member->bus->store, txn, member->group, member->advances[i].topic->name,
                                  member->advances[i].partition, &owner, error);
        if (result == BUS_OK && owner != member->identity.token) {
            return error_set(error, BUS_RESET, "topic %s partition %d has another owner now",
                             member->advances[i].topic->name, member->advances[i].partition);
        }
    }
    return result;
}

/* Outputs of one partition that follow each other become one batch. */
static int append_outputs(struct embedded_member *member, MDB_txn *txn, uint32_t *mask, struct error *error)
{
    size_t i = 0;
    while (i < member->output_count) {
        const struct member_output *first = &member->outputs[i];
        size_t bytes = 0;
        uint32_t count = 0;
        while (i < member->output_count && member->outputs[i].topic == first->topic &&
               member->outputs[i].partition == first->partition && bytes < (size_t)1048576) {
            bytes += member->outputs[i].frame_bytes;
            count++;
            i++;
        }
        int result = embedded_append(member->bus, txn, first->topic, first->partition,
                                     member->frames.data + first->frame_at, bytes, count, error);
        if (result != BUS_OK) {
            return result;
        }
        *mask |= wakeup_topic_mask(first->topic->id);
    }
    return BUS_OK;
}

static int write_offsets(struct embedded_member *member, MDB_txn *txn, struct error *error)
{
    struct group_offset offset = {.commit_ms = embedded_now_ms(member->bus)};
    for (size_t i = 0; i < member->advance_count; i++) {
        const struct member_advance *advance = &member->advances[i];
        offset.committed = advance->next;
        memcpy(offset.note, advance->note, sizeof offset.note);
        int result = group_write_offset(member->bus->store, txn, member->group, advance->topic->name,
                                        advance->partition, &offset, error);
        if (result != BUS_OK) {
            return result;
        }
    }
    return BUS_OK;
}

static int write_commit(struct embedded_member *member, MDB_txn *txn, uint32_t *mask, struct error *error)
{
    int result = check_ownership(member, txn, error);
    if (result == BUS_OK) {
        result = append_outputs(member, txn, mask, error);
    }
    return result == BUS_OK ? write_offsets(member, txn, error) : result;
}

int embedded_commit(struct bus_member *base, struct error *error)
{
    struct embedded_member *member = embedded_member_of(base);
    struct store *store = member->bus->store;
    if (member->reset) {
        return error_set(error, BUS_RESET, "the partitions were lost");
    }
    if (member->output_count == 0 && member->advance_count == 0) {
        return BUS_OK;
    }
    if (!member->has_group) {
        return error_set(error, BUS_REFUSED, "a member without a group commits nothing");
    }
    MDB_txn *txn = NULL;
    uint32_t mask = 0;
    group_beat(member->slot);
    int result = store_begin(store, &txn, error);
    if (result != BUS_OK) {
        return result;
    }
    result = write_commit(member, txn, &mask, error);
    if (result != BUS_OK) {
        store_abort(store, txn);
    } else {
        result = store_commit(store, txn, error);
    }
    if (result == BUS_OK) {
        for (size_t i = 0; i < member->advance_count; i++) {
            struct member_partition *mine =
                member_find(member, member->advances[i].topic->name, member->advances[i].partition);
            if (mine != NULL) {
                mine->committed = member->advances[i].next;
            }
        }
        wakeup_signal(store->page, mask);
        member_drop_collected(member);
    } else if (result == BUS_RESET) {
        member->reset = true;
        member_drop_collected(member);
    }
    group_beat(member->slot);
    return result;
}
