/* stream-processor --backtest RULES --since 24h: what these rules would have fired on the retained log,
 * beside what fired. */
#ifndef STREAM_PROCESSOR_BACKTEST_H
#define STREAM_PROCESSOR_BACKTEST_H

#include "detect/detector.h"

#include <stdbool.h>
#include <stdint.h>

struct bus;
struct program;

struct backtest_settings {
    const char *rules_path;
    struct detector_limits limits;
    int64_t since_ms; /* how far back */
    bool as_json;
};

/* The exit code; the answer goes to stdout. */
int backtest_run(struct program *program, struct bus *bus, const struct backtest_settings *settings);

#endif
