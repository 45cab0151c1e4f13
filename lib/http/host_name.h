/* lib/http/host_name: is a Host header one that a program on a loopback address should answer to? Internal to
 * lib/http. */
#ifndef OBS_HTTP_HOST_NAME_H
#define OBS_HTTP_HOST_NAME_H

#include <stdbool.h>

/* Numeric IPv4 or IPv6. */
bool host_address_is_loopback(const char *address);
/* The value of a Host header: a name or address, with or without a port. False: it isn't even that. */
bool host_name_is_valid(const char *host);
/* localhost, a name under it, 127.0.0.0/8 or [::1]. */
bool host_name_is_loopback(const char *host);

#endif
