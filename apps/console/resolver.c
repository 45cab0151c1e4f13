/* getaddrinfo may take many seconds (a name server that is away), and can't be ended: it is asked on a thread
 * of its own, which is left to itself when the program stops. */
#include "resolver.h"

#include "program/program.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 20 /* at whether the answer is there */

enum { ASKED, ANSWERED, LEFT };

/* Whoever comes second, the answer or the end of the wait for it, frees it. */
struct question {
    char name[256];
    atomic_int state;
    int code; /* of getaddrinfo */
    struct addrinfo *found;
};

static void destroy(struct question *question)
{
    if (question->code == 0 && question->found != NULL) {
        freeaddrinfo(question->found);
    }
    free(question);
}

static void *answer(void *context)
{
    struct question *question = context;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    question->code = getaddrinfo(question->name, NULL, &hints, &question->found);
    if (atomic_exchange(&question->state, ANSWERED) == LEFT) {
        destroy(question);
    }
    return NULL;
}

bool resolver_is_numeric(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static bool ask(struct question *question)
{
    pthread_t thread;
    const bool is_asked = pthread_create(&thread, NULL, answer, question) == 0;
    if (is_asked) {
        (void)pthread_detach(thread);
    }
    return is_asked;
}

/* False: the program stops, and the question is the other thread's. */
static bool wait_for_answer(struct program *program, struct question *question)
{
    while (atomic_load(&question->state) == ASKED) {
        if (program_sleep(program, LOOK_MS)) {
            return atomic_exchange(&question->state, LEFT) == ANSWERED;
        }
    }
    return true;
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
    if (!ask(question)) {
        free(question);
        return error_set(error, -1, "no thread to look up %s", name);
    }
    if (!wait_for_answer(program, question)) {
        return error_set(error, -1, "%s isn't looked up any more", name);
    }
    const int code = question->code;
    if (code == 0) {
        collect(question->found, AF_INET, out);
        if (out->count == 0) {
            collect(question->found, AF_INET6, out);
        }
    }
    destroy(question);
    return out->count > 0
               ? 0
               : error_set(error, -1, "%s: %s", name, code == 0 ? "no address" : gai_strerror(code));
}
