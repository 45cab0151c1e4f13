/* The stream-processors that are followed now: those of the settings, where a URL with a name stands for
 * every address that the name leads to. It is looked up every few seconds, so pods that come are followed and
 * pods that have gone are forgotten.
 *
 * One that is followed stays so for as long as its stream does, whatever the name leads to: a pod that ends
 * leaves the name first. A name that leads nowhere keeps those that it had; one that never led anywhere is
 * shown as a processor that isn't connected, and why. At most LIVE_PROCESSORS. */
#ifndef CONSOLE_PROCESSOR_SET_H
#define CONSOLE_PROCESSOR_SET_H

#include "live.h"
#include "resolver.h"

#include "error/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct processor_set;
struct program;

#define PROCESSOR_URL_BYTES 512

struct processor {
    char url[PROCESSOR_URL_BYTES];         /* "http://10.0.0.7:8082" */
    char host_header[PROCESSOR_URL_BYTES]; /* "Host: stream-processor:8082"; "": the URL's */
    bool is_followed;                      /* at the moment of processor_set_list */
};

typedef int processor_set_resolve(struct program *program, const char *name, struct resolver_list *out,
                                  struct error *error);

struct processor_set_settings {
    struct program *program;
    struct live *live;
    const char *const *urls; /* borrowed */
    size_t url_count;        /* at most LIVE_PROCESSORS */
    processor_set_resolve *resolve;
    int64_t period_ms; /* between look-ups */
};

/* What a URL stands for: itself, if its host is numeric or it isn't of http, and otherwise host is the name
 * to look up. */
bool processor_url_has_name(const char *url, char host[256]);
/* The same URL with an address in the name's place. False: too long. */
bool processor_url_replace(const char *url, const char *address, struct processor *out);

int processor_set_create(struct processor_set **out, const struct processor_set_settings *settings,
                         struct error *error);
int processor_set_start(struct processor_set *set, struct error *error);
/* Those of now, copied. Any thread. */
size_t processor_set_list(struct processor_set *set, struct processor out[LIVE_PROCESSORS]);
struct program *processor_set_program(const struct processor_set *set);
/* None is followed any more; at once if the program was asked to stop. NULL is fine. */
void processor_set_stop(struct processor_set *set);
void processor_set_destroy(struct processor_set *set); /* after the server ended; NULL is fine */

#endif
