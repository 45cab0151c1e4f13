/* tests/support/net: ports and HTTP for tests that run real servers. Functions fail the running test
 * themselves. */
#ifndef OBS_TESTS_SUPPORT_NET_H
#define OBS_TESTS_SUPPORT_NET_H

#include <stdbool.h>
#include <stdint.h>

struct buffer;

/* A port of 127.0.0.1 that nobody listens on and no other test program gets until this one ends (for programs
 * that can't take port 0). Outside the kernel's range for outgoing connections. */
uint16_t net_free_port(void);
/* The first of count consecutive such ports. */
uint16_t net_free_ports(unsigned count);
/* An offset that gives such a port when added to any of the count given ones. */
int net_free_port_offset(const uint16_t *ports, unsigned count);
bool net_port_is_taken(uint16_t port);

/* The status, body appended to out (NULL: thrown away); -1: no answer within 5 s. */
int net_get(const char *url, struct buffer *out);
int net_send(const char *method, const char *url, const char *content_type, const char *body,
             struct buffer *out);
/* Waits until a GET answers with status; fails the test after timeout_ms with the last answer. */
void net_wait_for(const char *url, int status, int timeout_ms);

#endif
