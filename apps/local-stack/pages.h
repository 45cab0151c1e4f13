/* What the stream-processor's pages say, read for the status line: GET /series and GET /alerts. Plain
 * functions of the page's bytes. */
#ifndef OBS_LOCAL_STACK_PAGES_H
#define OBS_LOCAL_STACK_PAGES_H

#include <stddef.h>

struct json_reader;

struct series_totals {
    double requests, errors; /* of all series, over window_seconds */
    size_t series;
    double worst_p99_s;   /* of the series with enough requests to have one; -1: none has */
    char worst_name[160]; /* "payment-service us-east-1" */
};

/* -1: not such a page. */
int pages_read_series(struct json_reader *reader, const void *page, size_t size, int window_seconds,
                      struct series_totals *totals);

struct firing_alerts {
    size_t count;
    char first[192]; /* "HighErrorRate api-service us-east-1" */
};

int pages_read_alerts(struct json_reader *reader, const void *page, size_t size,
                      struct firing_alerts *alerts);

#endif
