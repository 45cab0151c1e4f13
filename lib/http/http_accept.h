/* lib/http/http_accept: what a client says it takes (Accept, Accept-Encoding): a list of names with
 * parameters and a weight, RFC 9110 section 12.5. Reads in place, allocates nothing; what can't be read is
 * passed over. */
#ifndef OBS_HTTP_HTTP_ACCEPT_H
#define OBS_HTTP_HTTP_ACCEPT_H

#include <stdbool.h>
#include <stddef.h>

/* One element of the list. */
struct http_accepted {
    const char *name; /* "text/plain", "gzip", "*"; borrowed, not NUL-ended */
    size_t name_size;
    const char *parameters; /* from the first ';' to the element's end */
    size_t parameters_size;
    double weight; /* q: 0 (never) to 1 */
};

/* *at moves on through the header's value. False: no more. */
bool http_accepted_next(const char **at, struct http_accepted *out);
/* Letter case doesn't matter. */
bool http_accepted_is(const struct http_accepted *accepted, const char *name);
/* Is there a parameter of that name with that value (quotes taken off)? With value NULL: is there one at all?
 */
bool http_accepted_has(const struct http_accepted *accepted, const char *name, const char *value);

/* Does an Accept-Encoding allow this content coding? header NULL: it wasn't sent, so no. */
bool http_coding_is_accepted(const char *header, const char *coding);

#endif
