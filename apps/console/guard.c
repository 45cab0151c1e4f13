#include "guard.h"

#include "program/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TOKEN_BYTES 256
#define TOKEN_LEAST 16
#define BASIC_BYTES 1024
#define POLICY                                                                                               \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src " \
    "'self'; "                                                                                               \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

struct guarded {
    const struct guard *guard;
    enum guard_kind kind;
    bool waits;
    http_handler *handler;
    void *context;
};

struct guard {
    struct guard_settings settings;
    char token[TOKEN_BYTES]; /* "": none */
    struct guarded routes[GUARD_ROUTES];
    size_t route_count;
};

static int read_token(struct guard *guard, struct error *error)
{
    const char *path = guard->settings.token_file;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return error_set(error, -1, "cannot read the token in %s (--token-file)", path);
    }
    const size_t size = fread(guard->token, 1, sizeof guard->token - 1, file);
    (void)fclose(file);
    guard->token[size] = '\0';
    guard->token[strcspn(guard->token, "\r\n")] = '\0';
    if (strlen(guard->token) < TOKEN_LEAST) {
        return error_set(error, -1, "the token in %s has under %d characters (--token-file)", path,
                         TOKEN_LEAST);
    }
    return 0;
}

int guard_create(struct guard **out, const struct guard_settings *settings, struct error *error)
{
    *out = NULL;
    if (!settings->is_loopback && settings->token_file == NULL) {
        return error_set(
            error, -1,
            "--listen names another address than a loopback one: others can reach it, so --token-file "
            "FILE is needed (a line of %d characters or more)",
            TOKEN_LEAST);
    }
    struct guard *guard = calloc(1, sizeof *guard);
    if (guard == NULL) {
        return error_set(error, -1, "no memory");
    }
    guard->settings = *settings;
    if (settings->token_file != NULL && read_token(guard, error) != 0) {
        guard_destroy(guard);
        return -1;
    }
    *out = guard;
    return 0;
}

void guard_destroy(struct guard *guard)
{
    if (guard != NULL) {
        explicit_bzero(guard->token, sizeof guard->token);
        free(guard);
    }
}

/* --- the token ---- */

/* In time that says nothing of how much is right. */
static bool is_token(const struct guard *guard, const char *text, size_t size)
{
    const size_t token_size = strlen(guard->token);
    unsigned difference = size != token_size;
    for (size_t i = 0; i < size; i++) {
        difference |=
            (unsigned)(unsigned char)text[i] ^ (unsigned)(unsigned char)guard->token[i % token_size];
    }
    return difference == 0;
}

static int base64_value(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c == '\0' ? NULL : strchr(digits, c);
    return found == NULL ? -1 : (int)(found - digits);
}

static size_t base64_decode(char out[BASIC_BYTES], const char *text)
{
    unsigned bits = 0;
    unsigned held = 0;
    size_t size = 0;
    for (; base64_value(*text) >= 0 && size < BASIC_BYTES - 1; text++) {
        bits = bits << 6 | (unsigned)base64_value(*text);
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[size++] = (char)(bits >> held & 0xff);
        }
    }
    out[size] = '\0';
    return size;
}

/* "Bearer TOKEN" of programs; "Basic base64(anyone:TOKEN)" of browsers, which ask for it by themselves. */
static bool has_token(const struct guard *guard, const struct http_request *request)
{
    const char *header = http_request_header(request, "Authorization");
    char decoded[BASIC_BYTES];
    if (guard->token[0] == '\0') {
        return true;
    }
    if (header == NULL) {
        return false;
    }
    if (strncasecmp(header, "Bearer ", 7) == 0) {
        return is_token(guard, header + 7, strlen(header + 7));
    }
    if (strncasecmp(header, "Basic ", 6) != 0) {
        return false;
    }
    const size_t size = base64_decode(decoded, header + 6);
    const char *colon = memchr(decoded, ':', size);
    return colon != NULL && is_token(guard, colon + 1, size - (size_t)(colon + 1 - decoded));
}

/* --- where it comes from ---- */

static bool is_public_host(const struct guard *guard, const struct http_request *request)
{
    const char *host = http_request_header(request, "Host");
    const char *const *names = guard->settings.public_hosts;
    if (guard->settings.is_loopback || names == NULL || names[0] == NULL) {
        return true; /* lib/http has looked at it; with another address the token stands before everything */
    }
    const size_t size = strcspn(host, ":");
    for (; *names != NULL; names++) {
        if (strlen(*names) == size && strncasecmp(*names, host, size) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_same_origin(const struct http_request *request)
{
    const char *origin = http_request_header(request, "Origin");
    const char *site = http_request_header(request, "Sec-Fetch-Site");
    const char *host = http_request_header(request, "Host");
    if (site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0) {
        return false;
    }
    if (origin == NULL) {
        return true;
    }
    const char *begin = strstr(origin, "://");
    return begin != NULL && strcasecmp(begin + 3, host) == 0;
}

static bool is_json(const struct http_request *request)
{
    const char *type = http_request_header(request, "Content-Type");
    return type != NULL && strncasecmp(type, "application/json", 16) == 0 &&
           (type[16] == '\0' || type[16] == ';' || type[16] == ' ');
}

static void add_headers(struct http_response *response)
{
    (void)http_response_set_header(response, "Content-Security-Policy", POLICY);
    (void)http_response_set_header(response, "X-Frame-Options", "DENY");
    (void)http_response_set_header(response, "Referrer-Policy", "no-referrer");
    (void)http_response_set_header(response, "Cross-Origin-Opener-Policy", "same-origin");
    (void)http_response_set_header(response, "Cross-Origin-Resource-Policy", "same-origin");
}

static bool passes(const struct guarded *route, const struct http_request *request,
                   struct http_response *response)
{
    if (!is_public_host(route->guard, request)) {
        http_response_fail(response, 421, "this address answers only for the names of --public-host");
    } else if (!has_token(route->guard, request)) {
        http_response_fail(response, 401,
                           "the token is needed: as a browser's password, or Authorization: Bearer");
        (void)http_response_set_header(response, "WWW-Authenticate",
                                       "Basic realm=\"console\", charset=\"UTF-8\"");
    } else if (route->kind != GUARD_PAGE && !is_same_origin(request)) {
        http_response_fail(response, 403, "a page of another origin may not ask here");
    } else if (route->kind == GUARD_WRITE && http_request_header(request, "X-Console") == NULL) {
        http_response_fail(response, 403, "what changes something needs the header X-Console: 1");
    } else if (route->kind == GUARD_HOOK &&
               (!is_json(request) || http_request_header(request, "Origin") != NULL)) {
        http_response_fail(response, 403, "only a server may tell this, as application/json");
    } else {
        return true;
    }
    return false;
}

static void handle(void *context, const struct http_request *request, struct http_response *response)
{
    const struct guarded *route = context;
    add_headers(response);
    if (!passes(route, request, response)) {
        return;
    }
    if (route->waits) {
        http_response_wait(response, route->handler, route->context);
    } else {
        route->handler(route->context, request, response);
    }
}

void guard_add_route(struct guard *guard, struct program *program, enum guard_kind kind, const char *method,
                     const char *path, http_handler *handler, void *context)
{
    if (guard->route_count == GUARD_ROUTES) {
        abort(); /* a number known when the program is written */
    }
    struct guarded *route = &guard->routes[guard->route_count++];
    *route = (struct guarded){.guard = guard, .kind = kind, .handler = handler, .context = context};
    program_add_route(program, method, path, handle, route);
}

void guard_add_waiting_route(struct guard *guard, struct program *program, enum guard_kind kind,
                             const char *method, const char *path, http_handler *handler, void *context)
{
    guard_add_route(guard, program, kind, method, path, handler, context);
    guard->routes[guard->route_count - 1].waits = true;
}
