/* What stands before every page and every address of the console.
 *
 * A browser is the attacker's tool here: a page elsewhere must neither read nor change anything through its
 * visitor's browser. lib/http refuses other hosts than localhost on a loopback address (DNS rebinding) and
 * writes from other origins; here come: the token that another address demands, no reading from other
 * origins, a header on every write that a foreign page can't send without being asked first (CSRF), and the
 * headers that hold our own page on a short leash (Content-Security-Policy: nothing but our own files,
 * nothing inline). Any thread. */
#ifndef CONSOLE_GUARD_H
#define CONSOLE_GUARD_H

#include "error/error.h"
#include "http/http_server.h"

#include <stdbool.h>

struct guard;
struct program;

struct guard_settings {
    const char *token_file;          /* NULL: no token */
    const char *const *public_hosts; /* names that a Host header may have beside loopback ones; NULL-ended */
    bool is_loopback;
};

enum guard_kind {
    GUARD_PAGE,  /* a document or a file of it: from anywhere, by a link */
    GUARD_API,   /* read by our own page, or by a program */
    GUARD_WRITE, /* also demands X-Console */
    GUARD_HOOK   /* written by a server (Alertmanager): JSON, never by a browser */
};

/* -1: the token can't be read or is too short, or there must be one and isn't. */
int guard_create(struct guard **out, const struct guard_settings *settings, struct error *error);
void guard_destroy(struct guard *guard);

/* A handler behind the guard; lives as long as the guard's. At most GUARD_ROUTES. */
#define GUARD_ROUTES 48
void guard_add_route(struct guard *guard, struct program *program, enum guard_kind kind, const char *method,
                     const char *path, http_handler *handler, void *context);
/* Likewise, for a handler that waits for other servers. */
void guard_add_waiting_route(struct guard *guard, struct program *program, enum guard_kind kind,
                             const char *method, const char *path, http_handler *handler, void *context);

#endif
