/* getaddrinfo may take many seconds (a name server that is away), and can't be ended: getaddrinfo_a of the
 * GNU C library asks on a thread of its own, and is left alone when the program stops. */
#include "resolver.h"

#include "program/program.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 500

struct question {
    char name[256];
    struct addrinfo hints;
    struct gaicb request;
};

bool resolver_is_numeric(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* An EAI_… code; EAI_INPROGRESS: the program stops, and the question isn't to be freed. */
static int ask(struct program *program, struct question *question)
{
    struct gaicb *list[] = {&question->request};
    const struct timespec wait = {.tv_nsec = WAIT_MS * 1000000L};
    int code = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
    if (code != 0) {
        return code;
    }
    while ((code = gai_error(&question->request)) == EAI_INPROGRESS) {
        if (program_is_stopping(program) && gai_cancel(&question->request) != EAI_CANCELED) {
            return gai_error(&question->request);
        }
        (void)gai_suspend((const struct gaicb *const *)list, 1, &wait);
    }
    return code;
}

static void add(struct resolver_list *out, const struct addrinfo *found)
{
    char text[RESOLVER_ADDRESS_BYTES];
    size_t at = 0;
    if (out->count == RESOLVER_MOST ||
        getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) != 0) {
        return;
    }
    while (at < out->count && strcmp(out->addresses[at], text) < 0) {
        at++;
    }
    if (at == out->count || strcmp(out->addresses[at], text) != 0) {
        memmove(out->addresses[at + 1], out->addresses[at], (out->count - at) * sizeof out->addresses[0]);
        memcpy(out->addresses[at], text, sizeof text);
        out->count++;
    }
}

static void collect(const struct addrinfo *found, int family, struct resolver_list *out)
{
    for (; found != NULL; found = found->ai_next) {
        if (found->ai_family == family) {
            add(out, found);
        }
    }
}

int resolver_find(struct program *program, const char *name, struct resolver_list *out, struct error *error)
{
    struct question *question = calloc(1, sizeof *question);
    *out = (struct resolver_list){0};
    if (question == NULL) {
        return error_set(error, -1, "no memory to look up %s", name);
    }
    (void)snprintf(question->name, sizeof question->name, "%s", name);
    question->hints = (struct addrinfo){.ai_socktype = SOCK_STREAM};
    question->request = (struct gaicb){.ar_name = question->name, .ar_request = &question->hints};
    const int code = ask(program, question);
    if (code == EAI_INPROGRESS) { /* its thread still writes there */
        return error_set(error, -1, "%s isn't looked up any more", name);
    }
    if (code == 0) {
        collect(question->request.ar_result, AF_INET, out);
        if (out->count == 0) {
            collect(question->request.ar_result, AF_INET6, out);
        }
        freeaddrinfo(question->request.ar_result);
    }
    free(question);
    return out->count > 0
               ? 0
               : error_set(error, -1, "%s: %s", name, code == 0 ? "no address" : gai_strerror(code));
}
