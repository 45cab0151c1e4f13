/* What the person at the terminal sees: the table of addresses, notes, and one status line that stays at the
 * bottom and is written over. Where standard output is no terminal, a status line is a line, and comes at the
 * start, when the alerts change and every 10 s. */
#ifndef OBS_LOCAL_STACK_SCREEN_H
#define OBS_LOCAL_STACK_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

struct options;
struct plan;

struct screen {
    bool is_terminal;
    bool has_status;       /* the status line stands there now */
    int64_t next_plain_ms; /* not a terminal: when the next line is due */
};

void screen_init(struct screen *screen);
void screen_show_text(struct screen *screen, const char *text); /* ends with a newline, or is "" */
void screen_show_status(struct screen *screen, const char *line, int64_t steady_ms, bool important);
void screen_show_addresses(struct screen *screen, const struct plan *plan, const struct options *options,
                           double seconds);

#endif
