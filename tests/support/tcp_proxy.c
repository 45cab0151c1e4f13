/* One thread and one poll. A direction is a queue of a few chunks, each with the time at which it may go on;
 * a full one isn't read from, so the sender feels it. */
#include "support/tcp_proxy.h"

#include "clock/clock.h"
#include "cmocka_all.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINKS       256
#define CHUNKS      16
#define CHUNK_BYTES 65536
#define TICK_MS     20

struct chunk {
    char *bytes;
    size_t size, sent;
    int64_t due_ms;
};

struct direction {
    int from, to;
    struct chunk chunks[CHUNKS]; /* a ring */
    unsigned first, count;
    bool ended, muted; /* nothing more comes; what comes is thrown away */
};

struct link {
    int client, server; /* client -1: free */
    struct direction up, down;
};

struct tcp_proxy {
    pthread_t thread;
    int listener;
    uint16_t target_port;
    atomic_int delay_ms;
    atomic_bool stopping, stalled, refusing, cut, half_close;
    struct link links[LINKS];
};

static int64_t now_ms(void)
{
    return clock_steady_ms(clock_system());
}

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* --- links ---- */

static void free_chunks(struct direction *direction)
{
    while (direction->count > 0) {
        free(direction->chunks[direction->first].bytes);
        direction->first = (direction->first + 1) % CHUNKS;
        direction->count--;
    }
}

static void close_link(struct link *link)
{
    if (link->client >= 0) {
        free_chunks(&link->up);
        free_chunks(&link->down);
        (void)close(link->client);
        (void)close(link->server);
        link->client = -1;
    }
}

static void open_link(struct tcp_proxy *proxy)
{
    int client = accept4(proxy->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct link *link = proxy->links;
    while (link < proxy->links + LINKS && link->client >= 0) {
        link++;
    }
    if (client < 0) {
        return;
    }
    struct sockaddr_in target = loopback(proxy->target_port);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (link == proxy->links + LINKS || atomic_load(&proxy->refusing) || server < 0 ||
        connect(server, (struct sockaddr *)&target, sizeof target) != 0) {
        (void)close(client);
        (void)close(server);
        return;
    }
    const int on = 1;
    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *link = (struct link){.client = client, .server = server};
    link->up = (struct direction){.from = client, .to = server};
    link->down = (struct direction){.from = server, .to = client};
}

/* --- moving bytes ---- */

/* False: the connection is broken. */
static bool take(struct direction *direction, int delay_ms)
{
    char *bytes = malloc(CHUNK_BYTES);
    ssize_t size = bytes == NULL ? -1 : recv(direction->from, bytes, CHUNK_BYTES, MSG_DONTWAIT);
    if (size <= 0 || direction->muted) {
        free(bytes);
        direction->ended |= size == 0;
        return size >= 0 || errno == EAGAIN || errno == EINTR;
    }
    unsigned at = (direction->first + direction->count++) % CHUNKS;
    direction->chunks[at] =
        (struct chunk){.bytes = bytes, .size = (size_t)size, .due_ms = now_ms() + delay_ms};
    return true;
}

static bool give(struct direction *direction)
{
    while (direction->count > 0 && direction->chunks[direction->first].due_ms <= now_ms()) {
        struct chunk *chunk = &direction->chunks[direction->first];
        ssize_t size = send(direction->to, chunk->bytes + chunk->sent, chunk->size - chunk->sent,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        chunk->sent += (size_t)size;
        if (chunk->sent == chunk->size) {
            free(chunk->bytes);
            direction->first = (direction->first + 1) % CHUNKS;
            direction->count--;
        }
    }
    return !(direction->ended && direction->count == 0);
}

static short wish(const struct direction *in, const struct direction *out)
{
    bool due = out->count > 0 && out->chunks[out->first].due_ms <= now_ms();
    return (short)((in->count < CHUNKS && !in->ended ? POLLIN : 0) | (due ? POLLOUT : 0));
}

static void serve_link(struct tcp_proxy *proxy, struct link *link, short client, short server)
{
    int delay_ms = atomic_load(&proxy->delay_ms);
    const short readable = POLLIN | POLLHUP | POLLERR;
    bool whole = true;
    if ((client & readable) != 0 && link->up.count < CHUNKS) {
        whole = take(&link->up, delay_ms);
    }
    if (whole && (server & readable) != 0 && link->down.count < CHUNKS) {
        whole = take(&link->down, delay_ms);
    }
    if (!whole || !give(&link->up) || !give(&link->down)) {
        close_link(link);
    }
}

static void obey(struct tcp_proxy *proxy)
{
    bool cut = atomic_exchange(&proxy->cut, false);
    bool half_close = atomic_exchange(&proxy->half_close, false);
    for (size_t i = 0; i < LINKS && (cut || half_close); i++) {
        struct link *link = &proxy->links[i];
        if (cut) {
            close_link(link);
        } else if (link->client >= 0) {
            link->down.muted = true;
            free_chunks(&link->down);
            (void)shutdown(link->client, SHUT_WR);
        }
    }
}

static void *serve(void *context)
{
    struct tcp_proxy *proxy = context;
    static _Thread_local struct pollfd fds[1 + 2 * LINKS];
    while (!atomic_load(&proxy->stopping)) {
        bool stalled = atomic_load(&proxy->stalled);
        obey(proxy);
        fds[0] = (struct pollfd){.fd = proxy->listener, .events = POLLIN};
        for (size_t i = 0; i < LINKS; i++) {
            struct link *link = &proxy->links[i];
            bool used = link->client >= 0 && !stalled;
            fds[1 + 2 * i] =
                (struct pollfd){.fd = used ? link->client : -1, .events = wish(&link->up, &link->down)};
            fds[2 + 2 * i] =
                (struct pollfd){.fd = used ? link->server : -1, .events = wish(&link->down, &link->up)};
        }
        (void)poll(fds, 1 + 2 * LINKS, TICK_MS);
        for (size_t i = 0; i < LINKS && !stalled; i++) {
            if (proxy->links[i].client >= 0 && fds[1 + 2 * i].fd >= 0) {
                serve_link(proxy, &proxy->links[i], fds[1 + 2 * i].revents, fds[2 + 2 * i].revents);
            }
        }
        if ((fds[0].revents & POLLIN) != 0) {
            open_link(proxy);
        }
    }
    for (size_t i = 0; i < LINKS; i++) {
        close_link(&proxy->links[i]);
    }
    return NULL;
}

/* --- for the test ---- */

struct tcp_proxy *tcp_proxy_start(uint16_t port, uint16_t target_port)
{
    struct tcp_proxy *proxy = calloc(1, sizeof *proxy);
    struct sockaddr_in address = loopback(port);
    const int on = 1;
    assert_non_null(proxy);
    proxy->target_port = target_port;
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)setsockopt(proxy->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    for (size_t i = 0; i < LINKS; i++) {
        proxy->links[i].client = -1;
    }
    assert_int_equal(bind(proxy->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(proxy->listener, 64), 0);
    assert_int_equal(pthread_create(&proxy->thread, NULL, serve, proxy), 0);
    return proxy;
}

void tcp_proxy_stop(struct tcp_proxy *proxy)
{
    if (proxy != NULL) {
        atomic_store(&proxy->stopping, true);
        (void)pthread_join(proxy->thread, NULL);
        (void)close(proxy->listener);
        free(proxy);
    }
}

void tcp_proxy_cut(struct tcp_proxy *proxy)
{
    atomic_store(&proxy->cut, true);
}

void tcp_proxy_half_close(struct tcp_proxy *proxy)
{
    atomic_store(&proxy->half_close, true);
}

void tcp_proxy_delay(struct tcp_proxy *proxy, int delay_ms)
{
    atomic_store(&proxy->delay_ms, delay_ms);
}

void tcp_proxy_stall(struct tcp_proxy *proxy, bool stalled)
{
    atomic_store(&proxy->stalled, stalled);
}

void tcp_proxy_refuse(struct tcp_proxy *proxy, bool refusing)
{
    atomic_store(&proxy->refusing, refusing);
}
