/* The addresses that a name leads to now: on Kubernetes a headless Service's name leads to all of its pods.
 * Any thread; waits for the name service, but not when the program stops. */
#ifndef CONSOLE_RESOLVER_H
#define CONSOLE_RESOLVER_H

#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>

struct program;

#define RESOLVER_MOST          16
#define RESOLVER_ADDRESS_BYTES 48

/* Numeric, sorted, each once. */
struct resolver_list {
    char addresses[RESOLVER_MOST][RESOLVER_ADDRESS_BYTES];
    size_t count;
};

/* 0: *out isn't empty. Of a name with both kinds only IPv4: a pod has one of each, and is to be met once. */
int resolver_find(struct program *program, const char *name, struct resolver_list *out, struct error *error);
bool resolver_is_numeric(const char *host);

#endif
