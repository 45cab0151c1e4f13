/* lib/log: one line an event to a stream (stderr), as text for people or JSON for machines.
 *
 *   text   23:06:32.125 INFO  partition assigned topic=metrics.raw partition=3
 *   json {"time":"2026-11-24T23:06:32.125Z","level":"info","app":"stream-processor","msg":"…","partition":3}
 *
 * Each line is one write(2) of at most LOG_LINE_BYTES, so lines of several processes don't mix; what doesn't
 * fit is cut and marked ("…", in JSON "cut":true). Control characters and bad UTF-8 in values are escaped: a
 * hostile field can't forge a line. Threads: any thread may write. Errors of the stream are ignored: there is
 * nowhere to report them to. */
#ifndef OBS_LOG_LOG_H
#define OBS_LOG_LOG_H

#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;
struct log;

#define LOG_LINE_BYTES 4096

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_settings {
    const char *app; /* borrowed for the log's life */
    int fd;          /* not closed by log_close */
    enum log_level level;
    enum log_format format;
    const struct clock *clock;
};

int log_open(struct log **out, const struct log_settings *settings, struct error *error);
void log_close(struct log *log);
bool log_is_enabled(const struct log *log, enum log_level level);

enum log_field_type { LOG_FIELD_TEXT, LOG_FIELD_INTEGER, LOG_FIELD_REAL, LOG_FIELD_BOOLEAN };

struct log_field {
    const char *name;
    enum log_field_type type;
    const char *text; /* with size_bytes; need not be NUL-ended */
    size_t size_bytes;
    int64_t integer;
    double real;
};

struct log_field log_text(const char *name, const char *value); /* NULL: "" */
struct log_field log_bytes(const char *name, const char *value, size_t size_bytes);
struct log_field log_integer(const char *name, int64_t value);
struct log_field log_real(const char *name, double value);
struct log_field log_boolean(const char *name, bool value);

/* A NULL log swallows everything: library code logs without asking whether somebody listens. */
void log_write(struct log *log, enum log_level level, const char *message, const struct log_field *fields,
               size_t count);

#define LOG_FIELDS_(...)                                                                                     \
    (const struct log_field[]){__VA_ARGS__},                                                                 \
        sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field)

/* log_info(log, "listening") or, with fields, log_info_with(log, "listening", log_text("address", a),
 * log_integer(…)). */
#define log_debug(log, message)           log_write((log), LOG_DEBUG, (message), NULL, 0)
#define log_info(log, message)            log_write((log), LOG_INFO, (message), NULL, 0)
#define log_warn(log, message)            log_write((log), LOG_WARN, (message), NULL, 0)
#define log_error(log, message)           log_write((log), LOG_ERROR, (message), NULL, 0)
#define log_debug_with(log, message, ...) log_write((log), LOG_DEBUG, (message), LOG_FIELDS_(__VA_ARGS__))
#define log_info_with(log, message, ...)  log_write((log), LOG_INFO, (message), LOG_FIELDS_(__VA_ARGS__))
#define log_warn_with(log, message, ...)  log_write((log), LOG_WARN, (message), LOG_FIELDS_(__VA_ARGS__))
#define log_error_with(log, message, ...) log_write((log), LOG_ERROR, (message), LOG_FIELDS_(__VA_ARGS__))

/* Sparse logging of what may happen a million times: true at most once per interval; *suppressed is how many
 * calls said false since. Zero-initialise; one thread. */
struct log_throttle {
    int64_t next_ms;
    uint64_t suppressed;
};
bool log_throttle_allows(struct log_throttle *throttle, int64_t steady_ms, int64_t interval_ms,
                         uint64_t *suppressed);

#endif
