/* tests/support/tcp_proxy: a port of 127.0.0.1 that leads to another one, and can be a bad network: cut
 * connections, close one direction only, delay, or swallow what comes. A thread of its own; the calls may
 * come from any thread and hold for what comes from then on. Fails the running test when it can't start. */
#ifndef OBS_TESTS_SUPPORT_TCP_PROXY_H
#define OBS_TESTS_SUPPORT_TCP_PROXY_H

#include <stdbool.h>
#include <stdint.h>

struct tcp_proxy;

struct tcp_proxy *tcp_proxy_start(uint16_t port, uint16_t target_port);
void tcp_proxy_stop(struct tcp_proxy *proxy); /* NULL is fine */

void tcp_proxy_cut(struct tcp_proxy *proxy); /* every connection, both ends, at once */
void tcp_proxy_half_close(
    struct tcp_proxy *proxy); /* the client may still send, but hears nothing any more */
void tcp_proxy_delay(struct tcp_proxy *proxy, int delay_ms);   /* each way; 0: none */
void tcp_proxy_stall(struct tcp_proxy *proxy, bool stalled);   /* connections stay, nothing passes */
void tcp_proxy_refuse(struct tcp_proxy *proxy, bool refusing); /* new connections are closed at once */

#endif
