#include "firings.h"

#include "catalog.h"

#include <stdio.h>
#include <stdlib.h>

_Static_assert(sizeof((struct firings *)0)->open[0][0] / sizeof(long) == SERIES_COUNT, "a slot a series");

void firings_init(struct firings *firings)
{
    *firings = (struct firings){0};
    for (int side = 0; side < SIDE_COUNT; side++) {
        for (int watch = 0; watch < WATCH_COUNT; watch++) {
            for (int series = 0; series < SERIES_COUNT; series++) {
                firings->open[side][watch][series] = -1;
            }
        }
    }
}

void firings_free(struct firings *firings)
{
    free(firings->list);
}

static struct firing *add(struct firings *firings)
{
    if (firings->count == firings->capacity) {
        firings->capacity = firings->capacity == 0 ? 256 : firings->capacity * 2;
        firings->list = realloc(firings->list, firings->capacity * sizeof *firings->list);
        if (firings->list == NULL) {
            perror("score");
            exit(1);
        }
    }
    return &firings->list[firings->count++];
}

void firings_note(struct firings *firings, int side, enum watch watch, int series, bool is_firing,
                  int64_t now_ms)
{
    long *open = &firings->open[side][watch][series];
    if (is_firing && *open < 0) {
        *open = (long)firings->count;
        *add(firings) = (struct firing){side, watch, series, now_ms, -1, false, false};
    } else if (!is_firing && *open >= 0) {
        firings->list[*open].ended_ms = now_ms;
        *open = -1;
    }
}
