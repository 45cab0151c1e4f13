#include "program/ready_probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { LONGEST_S = 5, ANSWER_BYTES = 1024 };

/* The bytes that are used; 0: no such address. */
static socklen_t fill_address(struct sockaddr_storage *out, const char *address, uint16_t port)
{
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, address, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        if (four->sin_addr.s_addr == htonl(INADDR_ANY)) {
            four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        }
        return sizeof *four;
    }
    if (inet_pton(AF_INET6, address, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
        if (IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr)) {
            six->sin6_addr = in6addr_loopback;
        }
        return sizeof *six;
    }
    return 0;
}

/* The head and, as it is short, the body; false: nothing, or not within the time. */
static bool exchange(int fd, const char *request, char answer[ANSWER_BYTES])
{
    size_t size = 0;
    ssize_t got = send(fd, request, strlen(request), MSG_NOSIGNAL);
    if (got != (ssize_t)strlen(request)) {
        return false;
    }
    while (size < ANSWER_BYTES - 1 && (got = recv(fd, answer + size, ANSWER_BYTES - 1 - size, 0)) > 0) {
        size += (size_t)got;
    }
    answer[size] = '\0';
    return size > 0 && got >= 0;
}

static int read_answer(const char *answer, struct error *error)
{
    static const char version[] = "HTTP/1.1 "; /* or 1.0 */
    if (strncmp(answer, version, sizeof version - 3) != 0 || strlen(answer) < sizeof version) {
        return error_set(error, -1, "what answers is no HTTP server");
    }
    const int status = (int)strtol(answer + sizeof version - 1, NULL, 10);
    if (status == 200) {
        return 0;
    }
    const char *body = strstr(answer, "\r\n\r\n");
    body = body == NULL ? "" : body + 4;
    return error_set(error, -1, "not ready: %.*s (%d)", (int)strcspn(body, "\r\n"), body, status);
}

int ready_probe(const char *address, uint16_t port, struct error *error)
{
    struct sockaddr_storage to;
    char request[128], answer[ANSWER_BYTES];
    const struct timeval limit = {.tv_sec = LONGEST_S};
    const socklen_t size = fill_address(&to, address, port);
    if (size == 0) {
        return error_set(error, -1, "--listen: '%.60s' is no address that can be asked", address);
    }
    const int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return error_set_errno(error, -1, errno, "cannot ask %s, port %u", address, (unsigned)port);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    (void)snprintf(request, sizeof request,
                   "GET /readyz HTTP/1.1\r\nHost: localhost:%u\r\nConnection: close\r\n\r\n", (unsigned)port);
    int result;
    if (connect(fd, (const struct sockaddr *)&to, size) != 0) {
        result = error_set_errno(error, -1, errno, "nothing answers on %s, port %u", address, (unsigned)port);
    } else if (!exchange(fd, request, answer)) {
        result = error_set(error, -1, "no answer on %s, port %u", address, (unsigned)port);
    } else {
        result = read_answer(answer, error);
    }
    (void)close(fd);
    return result;
}
