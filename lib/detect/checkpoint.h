/* lib/detect/checkpoint: what windows and ids hold, in saved states, so that a restart need not read ten
 * minutes of the log again. For the detector alone; what it offers is in detector.h.
 *
 * Every CHECKPOINT_SECONDS of the partition's clock a commit carries a checkpoint: all that has changed since
 * the one before, as of one offset of the input. A window's second is saved whole each time that it was added
 * to, so its last version counts, and nothing must be known about which seconds are final. Together with the
 * checkpoints before it, as far back as anything lives, it is the whole state at that offset; from there the
 * log is read again (DETECTOR_REBUILD), which is a few seconds of records. Nothing is guessed: the detector
 * is then what it would have been without the restart.
 *
 *   key     window|<kind>|<slot>|<part>   slot: the clock's period (of CHECKPOINT_SECONDS) mod the slots of
 * the kind window|head                   what they are parts of, rewritten with each value   version, kind
 * (bytes), chain, number, period, clock (64 bits each), body, XXH3 of all that (64 bits)
 *
 * There are three kinds, because they live for different times: counts (longest window), values (durations,
 * WINDOW_VALUE_SECONDS), ids (lateness). Each is a ring of slots: a period's records replace those of as many
 * periods ago, so compaction bounds the topic. A series is named by its ordinal, which its series| record
 * has. The numbers of a kind's records have no gap; the head says which must be there. Where one isn't, or
 * its sum is wrong, or rules and limits have changed what windows hold (layout), no checkpoint is used, all
 * are forgotten, and the log is replayed as far as it matters.
 *
 * A series that goes makes the next commit carry a checkpoint, whatever the time: so all that were there at
 * its offset are still there after it, and those that came after it come again, in the same order, when the
 * log is read.
 *
 * Cost: about 12 bytes a record (8 are its id's hash), 2-3 bytes for each second of a series; a fifth to a
 * third of what observing the record costs (ADR-008). */
#ifndef OBS_DETECT_CHECKPOINT_H
#define OBS_DETECT_CHECKPOINT_H

#include "buffer/buffer.h"
#include "detect/detector.h"
#include "detect/outbox.h"

#define CHECKPOINT_SECONDS      3
#define CHECKPOINT_VERSION      2 /* 2: bins of bad records */
/* A record ends at the next second of a series beyond this. */
#define CHECKPOINT_RECORD_BYTES (160 * 1024)

enum checkpoint_kind { CHECKPOINT_COUNTS, CHECKPOINT_VALUES, CHECKPOINT_IDS, CHECKPOINT_KINDS };

struct checkpoint_slot {
    int64_t period;  /* INT64_MIN: not used yet */
    uint64_t first;  /* number of its first record */
    uint32_t parts;  /* records of this period */
    uint32_t stored; /* parts that the topic may hold, with what is left of an earlier period */
};

struct checkpoint_ring {
    struct checkpoint_slot *slots;
    uint32_t slot_count;
    uint64_t next; /* number of the next record */
};

/* A record out of the saved states, as it came. */
struct checkpoint_loaded {
    size_t key_at, key_bytes, value_at, value_bytes; /* in loaded_bytes */
    int kind;                                        /* -1: the head, or nothing known */
    uint32_t slot, part;
    uint64_t number;
};

struct checkpoint {
    uint64_t layout, chain;
    int64_t period; /* of the last one; INT64_MIN: none yet */
    int64_t clock_s;
    uint64_t records; /* observed since */
    bool is_series_gone;
    struct checkpoint_ring rings[CHECKPOINT_KINDS];
    struct outbox out; /* records that wait for the commit */
    struct checkpoint_loaded *loaded;
    size_t loaded_count, loaded_capacity;
    struct buffer loaded_bytes;
};

/* What the head says. */
struct checkpoint_head {
    uint64_t chain, layout, id_seed;
    int64_t period, clock_ms, swept_s, swept_idle_ms, next_offset;
    uint64_t last_ordinal, series;
    uint64_t next[CHECKPOINT_KINDS], oldest[CHECKPOINT_KINDS];
};

/* False: no memory. */
bool checkpoint_init(struct checkpoint *checkpoint, const struct rule_set *rules,
                     const struct detector_limits *limits, int64_t close_after_s, uint64_t seed);
void checkpoint_deinit(struct checkpoint *checkpoint);
size_t checkpoint_memory(const struct checkpoint *checkpoint);
const char *checkpoint_kind_name(enum checkpoint_kind kind);
int64_t checkpoint_period(const struct checkpoint *checkpoint, int64_t clock_s);
/* The slot of a period, emptied when it holds an earlier one. */
struct checkpoint_slot *checkpoint_use_slot(struct checkpoint_ring *ring, int64_t period);

bool checkpoint_has_key(const struct detector_state *state);
/* Keeps a copy until detector_restore_windows. False: no memory. */
bool checkpoint_load(struct checkpoint *checkpoint, const struct detector_state *state);

/* The sum at the end of a value. */
void checkpoint_seal(struct buffer *value);
/* Takes version and sum off; what is left begins with the kind. False: damaged, or another version. */
struct reader;
bool checkpoint_unseal(const void *value, size_t value_bytes, struct reader *body);

#define CHECKPOINT_HEAD_KEY  "window|head"
#define CHECKPOINT_HEAD_KIND 255

/* Flags of a series' section of counts; seconds follow each section, so do they in the other kinds:
 *
 *   section  ordinal (varint, less the one before), [flags, clocks], seconds, 0
 *   second   1 + seconds since the one before (varint; the first: since the clock less SECOND_BASE), what it
 * holds */
#define SECTION_CLOCKS       1u
#define SECTION_CPU          2u
#define SECTION_MEMORY       4u
#define SECTION_LATE         8u
#define SECOND_BASE          16384

#endif
