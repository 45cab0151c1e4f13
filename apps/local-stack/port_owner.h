/* Who listens on a TCP port of this machine, read from /proc as ss does. */
#ifndef OBS_LOCAL_STACK_PORT_OWNER_H
#define OBS_LOCAL_STACK_PORT_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* True: nothing of ours could listen on 127.0.0.1:port. */
bool port_is_taken(uint16_t port);

/* "nginx (process 812)", or "another user's process" when /proc doesn't tell. */
void port_describe_owner(uint16_t port, char *text, size_t text_bytes);

#endif
