/* libmicrohttpd does the protocol; what it leaves open is closed here: deadlines of each phase
 * (connections.c), the target taken apart by us (http_request.c), Host required, bodies bounded, 405 with
 * Allow. The listening socket is made here, so that "port taken" can be told apart from other troubles. */
#include "http/http_server.h"

#include "http/connections.h"
#include "http/host_name.h"
#include "http/http_message.h"
#include "http/http_reply.h"
#include "http/waiters.h"
#include "log/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEFAULT_BODY_BYTES  65536
#define DEFAULT_CONNECTIONS 64
#define DEFAULT_THREADS     2
#define CONNECTION_BYTES    ((size_t)24 * 1024) /* a connection's memory: request line, headers both ways */
#define STACK_BYTES         ((size_t)512 * 1024)
#define BODY_EXCESS_BYTES   1048576 /* read past the limit so that the client hears of 413, then hung up */

struct http_server {
    struct http_server_settings settings;
    struct MHD_Daemon *daemon;
    struct connections *connections;
    struct waiters *waiters; /* NULL: none */
    uint16_t port;
    bool is_loopback;
};

static struct connection *connection_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

static void set_deadline(struct http_server *server, struct MHD_Connection *connection, int64_t timeout_ms)
{
    connections_set_deadline(server->connections, connection_of(connection), timeout_ms);
}

void http_server_note_progress(struct http_server *server, struct MHD_Connection *connection)
{
    set_deadline(server, connection, server->settings.answer_timeout_ms);
}

void http_server_hang_up(struct http_server *server, struct MHD_Connection *connection)
{
    set_deadline(server, connection, 0);
}

/* --- what the library calls as a connection and a request go on ---- */

static void note_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                            enum MHD_ConnectionNotificationCode code)
{
    struct http_server *server = context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        connections_remove(server->connections, *socket_context);
        *socket_context = NULL;
        return;
    }
    int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    *socket_context = connections_add(server->connections, fd, server->settings.headers_timeout_ms);
    if (*socket_context == NULL) {
        (void)shutdown(fd, SHUT_RDWR);
    }
}

/* The request line is in. What is returned is the request's context in the calls that follow. */
static void *begin_request(void *context, const char *target, struct MHD_Connection *connection)
{
    struct http_server *server = context;
    set_deadline(server, connection, server->settings.headers_timeout_ms);
    return http_request_create(target, server->settings.max_body_bytes);
}

static void end_request(void *context, struct MHD_Connection *connection, void **request_context,
                        enum MHD_RequestTerminationCode code)
{
    (void)code;
    struct http_server *server = context;
    set_deadline(server, connection, server->settings.idle_timeout_ms);
    http_request_destroy(*request_context);
    *request_context = NULL;
}

static size_t leave_escapes(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void log_library(void *context, const char *format,
                                                              va_list arguments)
{
    struct http_server *server = context;
    char text[512];
    (void)vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = '\0';
    log_debug_with(server->settings.log, "http", log_text("note", text));
}

/* --- routing ---- */

static bool path_matches(const struct http_route *route, const char *path, const char **rest)
{
    size_t length = strlen(route->path);
    if (length > 0 && route->path[length - 1] == '*') {
        *rest = path + length - 1;
        return strncmp(route->path, path, length - 1) == 0;
    }
    *rest = "";
    return strcmp(route->path, path) == 0;
}

static bool method_matches(const struct http_route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

/* "GET, HEAD, POST" of the routes with the request's path. False: there are none. */
static bool list_methods(const struct http_server *server, const struct http_request *request, char out[128])
{
    struct buffer list;
    buffer_init_fixed(&list, out, 127);
    for (size_t i = 0; i < server->settings.route_count; i++) {
        const struct http_route *route = &server->settings.routes[i];
        const char *rest;
        bool is_listed = false; /* a program's own route may replace one of the same path */
        for (size_t before = 0; before < i; before++) {
            is_listed = is_listed || (strcmp(server->settings.routes[before].path, route->path) == 0 &&
                                      strcmp(server->settings.routes[before].method, route->method) == 0);
        }
        if (!is_listed && path_matches(route, request->path, &rest)) {
            buffer_append_format(&list, "%s%s%s", list.size > 0 ? ", " : "", route->method,
                                 strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
        }
    }
    out[list.size] = '\0';
    return list.size > 0;
}

static const struct http_route *find_route(const struct http_server *server, struct http_request *request,
                                           struct http_response *response)
{
    for (size_t i = 0; i < server->settings.route_count; i++) {
        const struct http_route *route = &server->settings.routes[i];
        if (path_matches(route, request->path, &request->rest) && method_matches(route, request->method)) {
            return route;
        }
    }
    char methods[128];
    if (list_methods(server, request, methods)) {
        http_response_fail(response, 405, "%s is not allowed here; allowed: %s", request->method, methods);
        (void)http_response_set_header(response, "Allow", methods);
    } else {
        http_response_fail(response, 404, "there is no %s here", request->path);
    }
    return NULL;
}

/* --- what is refused before any handler sees it ---- */

struct host_headers {
    unsigned hosts, lengths, codings;
};

static enum MHD_Result count_header(void *context, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    (void)kind;
    (void)value;
    struct host_headers *headers = context;
    headers->hosts += strcasecmp(name, "Host") == 0;
    headers->lengths += strcasecmp(name, "Content-Length") == 0;
    headers->codings += strcasecmp(name, "Transfer-Encoding") == 0;
    return MHD_YES;
}

static bool is_too_large(const struct http_server *server, const struct http_request *request)
{
    const char *length = http_request_header(request, "Content-Length");
    return length != NULL && strtoull(length, NULL, 10) > server->settings.max_body_bytes;
}

/* A page of another site must not make its visitor's browser change things here. */
static bool is_foreign_write(const struct http_request *request, const char *host)
{
    const char *origin = http_request_header(request, "Origin");
    bool reads = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
    return !reads && origin != NULL &&
           (strncmp(origin, "http://", 7) != 0 || strcasecmp(origin + 7, host) != 0);
}

/* True: response says why. */
static bool is_refused(const struct http_server *server, const struct http_request *request,
                       struct http_response *response)
{
    struct host_headers headers = {0};
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, count_header, &headers);
    const char *host = http_request_header(request, "Host");
    if (request->refused != 0) {
        http_response_fail(response, request->refused, "%s", request->refusal);
    } else if (headers.hosts != 1 || host == NULL || !host_name_is_valid(host)) {
        http_response_fail(response, 400, "one valid Host header is required");
    } else if (server->is_loopback && !host_name_is_loopback(host)) {
        http_response_fail(response, 421, "this address answers only for localhost");
    } else if (is_foreign_write(request, host)) {
        http_response_fail(response, 403, "a page of another origin may not write here");
    } else if (headers.lengths + headers.codings > 1) {
        http_response_fail(response, 400, "the body's length is given more than once");
    } else if (is_too_large(server, request)) {
        http_response_fail(response, 413, "the body is over %zu bytes", server->settings.max_body_bytes);
    } else {
        return false;
    }
    return true;
}

/* --- the request's way through a handler ---- */

static bool take_body(struct http_request *request, const char *data, size_t size)
{
    if (!request->body_refused && buffer_append(&request->body, data, size)) {
        return true;
    }
    if (!request->body_refused) {
        request->body_refused = true;
        buffer_free(&request->body);
    }
    request->body.size += size; /* counts what was thrown away */
    return request->body.size < BODY_EXCESS_BYTES;
}

/* True: response is the request's now, and its handler runs elsewhere. */
static bool hand_over(struct http_server *server, struct http_request *request,
                      struct http_response *response)
{
    struct http_response *later = server->waiters == NULL ? NULL : malloc(sizeof *later);
    if (later == NULL) {
        response->later(response->later_context, request, response);
        return false;
    }
    *later = *response;
    request->later = later;
    request->later_handler = response->later;
    request->later_context = response->later_context;
    http_response_init(response);
    request->is_later = waiters_take(server->waiters, request);
    if (!request->is_later) {
        http_response_fail(response, 503, "the server is stopping");
    }
    return request->is_later;
}

static bool answer(struct http_server *server, struct http_request *request, struct http_response *response)
{
    if (request->body_refused) {
        http_response_fail(response, 413, "the body is over %zu bytes", server->settings.max_body_bytes);
    } else {
        const struct http_route *route = find_route(server, request, response);
        if (route != NULL) {
            route->handler(route->context, request, response);
        }
        if (response->later != NULL && hand_over(server, request, response)) {
            return true;
        }
    }
    if (response->timeout_ms > 0) {
        set_deadline(server, request->connection, response->timeout_ms);
    }
    return http_reply_queue(request->connection, response);
}

/* Called once when the headers are in, once for each piece of the body, and once at the end. */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data, size_t *size,
                              void **request_context)
{
    (void)url;
    (void)version;
    struct http_server *server = context;
    struct http_request *request = *request_context;
    if (request == NULL) {
        return MHD_NO;
    }
    if (request->headers_seen && *size > 0) {
        bool going_on = take_body(request, data, *size);
        *size = 0;
        return going_on ? MHD_YES : MHD_NO;
    }
    if (request->is_later) { /* called again: its handler has run */
        const int64_t timeout_ms = request->later->timeout_ms;
        set_deadline(server, connection, timeout_ms > 0 ? timeout_ms : server->settings.answer_timeout_ms);
        return http_reply_queue(connection, request->later) ? MHD_YES : MHD_NO;
    }
    struct http_response response;
    http_response_init(&response);
    response.server = server;
    bool good = true;
    if (!request->headers_seen) {
        request->headers_seen = true;
        request->connection = connection;
        request->method = method;
        if (is_refused(server, request, &response)) {
            set_deadline(server, connection, server->settings.answer_timeout_ms);
            good = http_reply_queue(connection, &response);
        } else {
            set_deadline(server, connection, server->settings.body_timeout_ms);
        }
    } else {
        set_deadline(server, connection, server->settings.answer_timeout_ms);
        good = answer(server, request, &response);
    }
    http_response_deinit(&response);
    return good ? MHD_YES : MHD_NO;
}

/* --- start and stop ---- */

static void set_defaults(struct http_server_settings *settings)
{
    settings->max_body_bytes = settings->max_body_bytes == 0 ? DEFAULT_BODY_BYTES : settings->max_body_bytes;
    settings->threads = settings->threads == 0 ? DEFAULT_THREADS : settings->threads;
    settings->waiting_share =
        settings->waiting_share == 0 ? settings->waiting_threads : settings->waiting_share;
    settings->connections = settings->connections == 0 ? DEFAULT_CONNECTIONS : settings->connections;
    if (settings->connections_per_address == 0) {
        settings->connections_per_address = (settings->connections + 1) / 2;
    }
    int64_t *const times[] = {&settings->headers_timeout_ms, &settings->body_timeout_ms,
                              &settings->answer_timeout_ms, &settings->idle_timeout_ms};
    static const int64_t defaults[] = {10000, 20000, 60000, 75000};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        *times[i] = *times[i] == 0 ? defaults[i] : *times[i];
    }
}

static socklen_t parse_address(struct sockaddr_storage *out, const char *address, uint16_t port)
{
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
    *out = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, address, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        return sizeof *four;
    }
    if (inet_pton(AF_INET6, address, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
        return sizeof *six;
    }
    return 0;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage bound = {0};
    socklen_t size = sizeof bound;
    if (getsockname(fd, (struct sockaddr *)&bound, &size) != 0) {
        return 0;
    }
    in_port_t port = 0; /* at the same place in both families; copied, for the storage has another type */
    _Static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port),
                   "see above");
    memcpy(&port, (const char *)&bound + offsetof(struct sockaddr_in, sin_port), sizeof port);
    return ntohs(port);
}

/* The listening socket, or -1. */
static int listen_on(const struct http_server_settings *settings, struct error *error)
{
    struct sockaddr_storage address;
    socklen_t size = parse_address(&address, settings->address, settings->port);
    if (size == 0) {
        return error_set(error, -1, "'%s' is no numeric address (%s)", settings->address, settings->setting);
    }
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return error_set_errno(error, -1, errno, "cannot make a socket");
    }
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, SOMAXCONN) == 0) {
        return fd;
    }
    int problem = errno;
    (void)close(fd);
    if (problem == EADDRINUSE) {
        return error_set(error, -1, "port %u on %s is taken by another program; choose another one with %s",
                         (unsigned)settings->port, settings->address, settings->setting);
    }
    return error_set_errno(error, -1, problem, "cannot listen on %s port %u (%s)", settings->address,
                           (unsigned)settings->port, settings->setting);
}

static int start_daemon(struct http_server *server, struct error *error)
{
    const struct http_server_settings *settings = &server->settings;
    int fd = listen_on(settings, error);
    if (fd < 0) {
        return -1;
    }
    server->port = port_of(fd);
    const struct MHD_OptionItem options[] = {
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)log_library, server},
        {MHD_OPTION_LISTEN_SOCKET, fd, NULL},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)note_connection, server},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)begin_request, server},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)end_request, server},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_escapes, server},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, settings->connections, NULL},
        {MHD_OPTION_PER_IP_CONNECTION_LIMIT, settings->connections_per_address, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, NULL},
        {MHD_OPTION_THREAD_STACK_SIZE, STACK_BYTES, NULL},
        {MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, NULL},
        /* A pool of one is refused by the library; one thread is what it has without a pool. */
        {settings->threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, settings->threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    server->daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME, 0,
                         NULL, NULL, handle, server, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    if (server->daemon == NULL) {
        return error_set(error, -1, "the HTTP server on %s port %u does not start", settings->address,
                         (unsigned)server->port);
    }
    return 0;
}

int http_server_start(struct http_server **out, const struct http_server_settings *settings,
                      struct error *error)
{
    *out = NULL;
    struct http_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return error_set(error, -1, "no memory for the HTTP server");
    }
    server->settings = *settings;
    set_defaults(&server->settings);
    server->is_loopback = host_address_is_loopback(settings->address);
    if (connections_create(&server->connections, error) != 0 ||
        (settings->waiting_threads > 0 && waiters_create(&server->waiters, settings->waiting_threads,
                                                         server->settings.waiting_share, error) != 0) ||
        start_daemon(server, error) != 0) {
        http_server_stop(server);
        return -1;
    }
    *out = server;
    return 0;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

void http_server_stop(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    if (server->waiters != NULL) {
        waiters_close(server->waiters); /* the library stops only when nothing is suspended */
    }
    if (server->daemon != NULL) {
        MHD_stop_daemon(server->daemon);
    }
    waiters_destroy(server->waiters);
    connections_destroy(server->connections);
    free(server);
}
