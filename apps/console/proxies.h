/* The three servers that are asked on the page's behalf, and what may be asked of each. */
#ifndef CONSOLE_PROXIES_H
#define CONSOLE_PROXIES_H

#include "proxy.h"

struct proxies {
    struct proxy prometheus, alertmanager, simulator;
};

/* All is borrowed; "" or NULL: there is none. */
void proxies_init(struct proxies *proxies, struct program *program, const char *prometheus,
                  const char *alertmanager, const char *simulator);

#endif
