/* The five minutes before the console was there: asked once of a processor that it begins to follow (GET
 * /series/history), so that a restart leaves no hole in the pages' bars. */
#ifndef CONSOLE_BACKFILL_H
#define CONSOLE_BACKFILL_H

#include "series_table.h"

#include <stddef.h>

struct json_reader;

/* A bar of SERIES_BAR_MS. */
typedef void backfill_take(void *context, int64_t slot, const struct series_values *values);

/* Bars of an answer of /series/history, oldest first: the rate is of the bar's own seconds, the others as
 * they were at its end. -1: no such answer. */
int backfill_read(struct json_reader *reader, const char *text, size_t size, backfill_take *take,
                  void *context);

#endif
