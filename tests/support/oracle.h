/* tests/support/oracle: what the processor must have published, computed from the log alone, and whether it
 * did.
 *
 * Reads metrics.raw as it lies there (offset order, append times, and the ticks that were committed) into
 * lib/detect, one detector a partition, one record a call, from the first to the last, as if nothing had ever
 * gone wrong. Then it reads what a
 * committed reader sees of alerts.fired, alerts.active and metrics.raw.dlq, and compares: per fingerprint the
 * sequences 1, 2, 3 … n in order, each once and equal in every field but detected_at; the last word of
 * alerts.active; one dead letter for each malformed record, by partition and offset, with its reason. It
 * shares nothing with the processor but lib/detect, lib/event and the encoding of an alert.
 *
 * Nobody may be writing to the topics. Fails the running test only when it can't read. */
#ifndef OBS_TESTS_SUPPORT_ORACLE_H
#define OBS_TESTS_SUPPORT_ORACLE_H

#include <stddef.h>
#include <stdint.h>

struct buffer;
struct bus_record;
struct event;

struct oracle_settings {
    const char *bus_url, *rules_path, *runbook_base;
    uint32_t max_series; /* of a partition */
    int64_t lateness_ms, idle_after_ms;
    /* Sees every record of metrics.raw; event NULL: malformed. NULL: nobody. */
    void (*watch)(void *context, const struct bus_record *record, const struct event *event);
    void *context;
};

struct oracle_report {
    uint64_t records, counted, duplicate, late, refused, malformed; /* as they must have been counted */
    size_t ticks;
    size_t expected, seen;                /* transitions */
    size_t firing;                        /* alerts that must be active */
    size_t lost, extra, twice, different; /* transitions that are wrong */
    size_t active_wrong, letters_lost, letters_extra;
};

/* How many things are wrong: 0 is what must be. The first of them are told in text. */
size_t oracle_check(const struct oracle_settings *settings, struct oracle_report *report, struct buffer *text,
                    struct buffer *series);

#endif
