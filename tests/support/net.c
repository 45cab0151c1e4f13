#include "support/net.h"

#include "buffer/buffer.h"
#include "clock/clock.h"
#include "cmocka_all.h"
#include "http/http_client.h"
#include "random/random.h"
#include "support/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PORT_FIRST = 20000, PORT_COUNT = 12000 };

bool net_port_is_taken(uint16_t port)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    const int on = 1; /* as servers do: a port with only old connections in TIME_WAIT is free */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_ANY)};
    const bool taken = bind(fd, (const struct sockaddr *)&address, sizeof address) != 0;
    close(fd);
    return taken;
}

/* A lock file a port, held until this program ends: between this call and the server's bind no other test
 * gets it. */
static int reserve(uint16_t port)
{
    char path[64];
    mkdir("/tmp/obs-test-ports", 01777);
    snprintf(path, sizeof path, "/tmp/obs-test-ports/%u", port);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && !net_port_is_taken(port)) {
        return fd;
    }
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

uint16_t net_free_ports(unsigned count)
{
    struct random random;
    random_init(&random, random_seed_from_system());
    for (int attempt = 0; attempt < 1000; attempt++) {
        const uint16_t first = (uint16_t)(PORT_FIRST + random_below(&random, PORT_COUNT - count));
        int held[64];
        unsigned got = 0;
        assert_true(count <= 64);
        while (got < count && (held[got] = reserve((uint16_t)(first + got))) >= 0) {
            got++;
        }
        if (got == count) {
            return first;
        }
        while (got > 0) {
            close(held[--got]);
        }
    }
    fail_msg("no %u free ports in a row", count);
    return 0;
}

int net_free_port_offset(const uint16_t *ports, unsigned count)
{
    struct random random;
    random_init(&random, random_seed_from_system());
    for (int attempt = 0; attempt < 1000; attempt++) {
        const int offset = 12000 + (int)random_below(&random, 10000);
        int held[16];
        unsigned got = 0;
        assert_true(count <= 16);
        while (got < count && (held[got] = reserve((uint16_t)(ports[got] + offset))) >= 0) {
            got++;
        }
        if (got == count) {
            return offset;
        }
        while (got > 0) {
            close(held[--got]);
        }
    }
    fail_msg("no free ports with one offset");
    return 0;
}

uint16_t net_free_port(void)
{
    return net_free_ports(1);
}

int net_send(const char *method, const char *url, const char *content_type, const char *body,
             struct buffer *out)
{
    struct buffer thrown;
    buffer_init(&thrown, 0);
    const struct http_client_request request = {.method = method,
                                                .url = url,
                                                .content_type = content_type,
                                                .body = body,
                                                .body_bytes = body != NULL ? strlen(body) : 0};
    const int status = http_client_send(&request, out != NULL ? out : &thrown, NULL);
    buffer_free(&thrown);
    return status;
}

int net_get(const char *url, struct buffer *out)
{
    return net_send("GET", url, NULL, NULL, out);
}

struct expected_answer {
    const char *url;
    int status;
    int last;
};

static bool has_answered(void *context)
{
    struct expected_answer *expected = context;
    expected->last = net_get(expected->url, NULL);
    return expected->last == expected->status;
}

void net_wait_for(const char *url, int status, int timeout_ms)
{
    struct expected_answer expected = {.url = url, .status = status};
    if (!process_wait_until(has_answered, &expected, timeout_ms)) {
        fail_msg("%s: %d instead of %d after %d ms", url, expected.last, status, timeout_ms);
    }
}
