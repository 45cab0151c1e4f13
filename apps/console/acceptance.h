/* When Alertmanager took an alert that has just begun to fire: one step of its delivery, in Alertmanager's
 * own word and by its clock (an alert's updatedAt).
 *
 * That is the time of the last telling, and the alert-forwarder tells again and again: only who looks between
 * the first and the second knows of the first. So Alertmanager is asked each half second for as long as a
 * transition of the last 25 s is unaccounted for, and what it says later is no measurement and is not told.
 * Published as event "acceptance" (live.h). */
#ifndef CONSOLE_ACCEPTANCE_H
#define CONSOLE_ACCEPTANCE_H

#include "error/error.h"

#include <stddef.h>

struct acceptance;
struct live;
struct program;

/* url: Alertmanager's, borrowed; NULL or "": there is none, and nothing is asked. */
int acceptance_start(struct acceptance **out, struct program *program, struct live *live, const char *url,
                     struct error *error);
/* A transition, valid JSON; for one that fires Alertmanager is looked at. One thread; NULL is fine. */
void acceptance_expect(struct acceptance *acceptance, const char *transition, size_t size);
/* After the program was asked to stop, and nobody expects any more; frees; NULL is fine. */
void acceptance_join(struct acceptance *acceptance);

#endif
