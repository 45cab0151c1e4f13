/* libmicrohttpd runs the sockets on one thread of its own. What it leaves open is closed here: it has only an
 * inactivity time-out, so a client that sends a byte a second would stay for ever; a watch thread, awake only
 * while there are connections, shuts those whose deadline has passed. */
#include "http/http_server.h"

#include "buffer/buffer.h"
#include "clock/clock.h"
#include "log/log.h"
#include "json/json_write.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEFAULT_BODY_BYTES   65536
#define DEFAULT_CONNECTIONS  64
#define HEADER_BYTES         (32 * 1024) /* per connection: request line, headers and what is being sent */
#define INACTIVITY_S         30
#define FIRST_REQUEST_MS     10000 /* from connecting to the first request line */
#define REQUEST_MS           30000 /* from its request line until the answer is out */
#define NEXT_REQUEST_MS      60000 /* a kept connection without a new request */
#define WATCH_INTERVAL_S     1
#define MAX_RESPONSE_HEADERS 16

struct watched {
    int fd; /* -1: free */
    int64_t deadline_ms;
};

struct http_server {
    struct http_server_settings settings;
    struct MHD_Daemon *daemon;
    uint16_t port;
    pthread_t watch_thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    struct watched *watched;
    unsigned watched_count; /* in use */
    bool stopping;
};

struct http_request {
    struct MHD_Connection *connection;
    const char *method, *path, *rest;
    struct buffer body;
};

struct http_header {
    char *name, *value;
};

struct http_response {
    struct buffer body;
    int status;
    const char *type;
    struct http_header headers[MAX_RESPONSE_HEADERS];
    size_t header_count;
};

/* --- what a handler sees ---- */

const char *http_request_method(const struct http_request *request)
{
    return request->method;
}

const char *http_request_path(const struct http_request *request)
{
    return request->path;
}

const char *http_request_rest(const struct http_request *request)
{
    return request->rest;
}

const char *http_request_query(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *http_request_header(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const void *http_request_body(const struct http_request *request, size_t *size)
{
    *size = request->body.size;
    return request->body.data;
}

struct buffer *http_response_body(struct http_response *response)
{
    return &response->body;
}

void http_response_set_status(struct http_response *response, int status)
{
    response->status = status;
}

void http_response_set_type(struct http_response *response, const char *content_type)
{
    response->type = content_type;
}

bool http_response_set_header(struct http_response *response, const char *name, const char *value)
{
    if (response->header_count == MAX_RESPONSE_HEADERS || strpbrk(name, "\r\n:") != NULL ||
        strpbrk(value, "\r\n") != NULL) {
        return false;
    }
    struct http_header header = {strdup(name), strdup(value)};
    if (header.name == NULL || header.value == NULL) {
        free(header.name);
        free(header.value);
        return false;
    }
    response->headers[response->header_count++] = header;
    return true;
}

void http_response_fail(struct http_response *response, int status, const char *format, ...)
{
    char sentence[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    buffer_clear(&response->body);
    struct json_writer writer;
    json_writer_init(&writer, &response->body);
    json_object_begin(&writer);
    json_key(&writer, "error");
    json_string(&writer, sentence);
    json_object_end(&writer);
    buffer_append_char(&response->body, '\n');
    response->status = status;
    response->type = "application/json";
}

/* --- routing ---- */

/* A "GET" route answers HEAD too. */
static bool method_matches(const char *routed, const char *asked)
{
    return strcmp(routed, asked) == 0 || (strcmp(routed, "GET") == 0 && strcmp(asked, "HEAD") == 0);
}

/* The rest that a trailing '*' matches, "" for an exact match, NULL for none. */
static const char *match_path(const char *routed, const char *asked)
{
    size_t length = strlen(routed);
    if (length > 0 && routed[length - 1] == '*') {
        return strncmp(routed, asked, length - 1) == 0 ? asked + length - 1 : NULL;
    }
    return strcmp(routed, asked) == 0 ? "" : NULL;
}

static void answer_no_route(const struct http_server *server, const struct http_request *request,
                            struct http_response *response)
{
    char allow[128] = "";
    for (size_t i = 0; i < server->settings.route_count; i++) {
        const struct http_route *route = &server->settings.routes[i];
        size_t used = strlen(allow);
        if (match_path(route->path, request->path) != NULL && strstr(allow, route->method) == NULL) {
            (void)snprintf(allow + used, sizeof allow - used, "%s%s%s", used == 0 ? "" : ", ", route->method,
                           strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
        }
    }
    if (allow[0] == '\0') {
        http_response_fail(response, MHD_HTTP_NOT_FOUND, "there is nothing at this path");
    } else {
        http_response_fail(response, MHD_HTTP_METHOD_NOT_ALLOWED, "this path answers %s", allow);
        (void)http_response_set_header(response, "Allow", allow);
    }
}

/* A page of another site must not make a visitor's browser change things here. */
static bool is_foreign_write(const struct http_request *request)
{
    const char *origin = http_request_header(request, "Origin");
    const char *host = http_request_header(request, "Host");
    bool reads = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
    return !reads && origin != NULL &&
           (strncmp(origin, "http://", 7) != 0 || host == NULL || strcasecmp(origin + 7, host) != 0);
}

static void route_request(struct http_server *server, struct http_request *request,
                          struct http_response *response)
{
    if (request->path[0] != '/' || http_request_header(request, "Host") == NULL) {
        http_response_fail(response, MHD_HTTP_BAD_REQUEST,
                           "a request needs a Host header and a path that begins with /");
        return;
    }
    if (is_foreign_write(request)) {
        http_response_fail(response, MHD_HTTP_FORBIDDEN, "a page of another origin may not write here");
        return;
    }
    for (size_t i = 0; i < server->settings.route_count; i++) {
        const struct http_route *route = &server->settings.routes[i];
        const char *rest = match_path(route->path, request->path);
        if (rest != NULL && method_matches(route->method, request->method)) {
            request->rest = rest;
            route->handler(route->context, request, response);
            return;
        }
    }
    answer_no_route(server, request, response);
}

/* --- answering ---- */

static enum MHD_Result send_response(struct MHD_Connection *connection, struct http_response *response)
{
    if (response->body.failed) {
        http_response_fail(response, MHD_HTTP_INTERNAL_SERVER_ERROR, "the answer did not fit into memory");
    }
    /* The body's memory goes over to the library, which frees it when it is out. */
    struct MHD_Response *mhd =
        MHD_create_response_from_buffer(response->body.size, response->body.data, MHD_RESPMEM_MUST_FREE);
    if (mhd == NULL) {
        return MHD_NO;
    }
    response->body = (struct buffer){0};
    (void)MHD_add_response_header(mhd, "Content-Type", response->type);
    (void)MHD_add_response_header(mhd, "X-Content-Type-Options", "nosniff");
    for (size_t i = 0; i < response->header_count; i++) {
        (void)MHD_add_response_header(mhd, response->headers[i].name, response->headers[i].value);
    }
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)response->status, mhd);
    MHD_destroy_response(mhd);
    return result;
}

static enum MHD_Result answer(struct http_server *server, struct http_request *request, bool too_large)
{
    struct http_response response = {.status = MHD_HTTP_OK, .type = "text/plain; charset=utf-8"};
    buffer_init(&response.body, 0);
    if (too_large) {
        http_response_fail(&response, MHD_HTTP_CONTENT_TOO_LARGE, "the body is larger than %zu bytes",
                           server->settings.max_body_bytes);
        (void)http_response_set_header(&response, "Connection", "close");
    } else {
        route_request(server, request, &response);
    }
    enum MHD_Result result = send_response(request->connection, &response);
    buffer_free(&response.body);
    for (size_t i = 0; i < response.header_count; i++) {
        free(response.headers[i].name);
        free(response.headers[i].value);
    }
    return result;
}

static bool declares_too_large(struct MHD_Connection *connection, size_t limit)
{
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    return length != NULL && strtoull(length, NULL, 10) > limit;
}

/* Called with the headers, with each piece of the body, and once more at its end. */
static enum MHD_Result handle_connection(void *context, struct MHD_Connection *connection, const char *url,
                                         const char *method, const char *version, const char *data,
                                         size_t *size, void **state)
{
    (void)version;
    struct http_server *server = context;
    struct http_request *request = *state;
    if (request == NULL) {
        request = calloc(1, sizeof *request);
        if (request == NULL) {
            return MHD_NO;
        }
        *state = request;
        request->connection = connection;
        request->method = method;
        request->path = url;
        request->rest = "";
        buffer_init(&request->body, server->settings.max_body_bytes);
        /* Refused before it is sent, where the client says how much it will be. */
        return declares_too_large(connection, server->settings.max_body_bytes) ? answer(server, request, true)
                                                                               : MHD_YES;
    }
    if (*size > 0) {
        (void)buffer_append(&request->body, data, *size);
        *size = 0;
        return MHD_YES;
    }
    return answer(server, request, request->body.failed);
}

/* --- the watch over slow connections ---- */

static int connection_fd(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info == NULL ? -1 : info->connect_fd;
}

static int64_t steady_ms(void)
{
    return clock_steady_ms(clock_system());
}

static void watch_set(struct http_server *server, int fd, int64_t allowed_ms)
{
    (void)pthread_mutex_lock(&server->lock);
    for (unsigned i = 0; i < server->settings.connections; i++) {
        if (server->watched[i].fd == fd) {
            server->watched[i].deadline_ms = steady_ms() + allowed_ms;
            break;
        }
    }
    (void)pthread_mutex_unlock(&server->lock);
}

static void watch_add(struct http_server *server, int fd)
{
    (void)pthread_mutex_lock(&server->lock);
    for (unsigned i = 0; i < server->settings.connections; i++) {
        if (server->watched[i].fd < 0) {
            server->watched[i] = (struct watched){fd, steady_ms() + FIRST_REQUEST_MS};
            server->watched_count++;
            (void)pthread_cond_signal(&server->changed);
            break;
        }
    }
    (void)pthread_mutex_unlock(&server->lock);
}

static void watch_remove(struct http_server *server, int fd)
{
    (void)pthread_mutex_lock(&server->lock);
    for (unsigned i = 0; i < server->settings.connections; i++) {
        if (server->watched[i].fd == fd) {
            server->watched[i].fd = -1;
            server->watched_count--;
            break;
        }
    }
    (void)pthread_mutex_unlock(&server->lock);
}

static void shut_late_connections(struct http_server *server)
{
    int64_t now_ms = steady_ms();
    for (unsigned i = 0; i < server->settings.connections; i++) {
        if (server->watched[i].fd >= 0 && server->watched[i].deadline_ms <= now_ms) {
            /* Under the lock the number can't have been closed and given to another file. */
            (void)shutdown(server->watched[i].fd, SHUT_RDWR);
        }
    }
}

static void *watch_connections(void *context)
{
    struct http_server *server = context;
    (void)pthread_mutex_lock(&server->lock);
    while (!server->stopping) {
        if (server->watched_count == 0) {
            (void)pthread_cond_wait(&server->changed, &server->lock);
            continue;
        }
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += WATCH_INTERVAL_S;
        (void)pthread_cond_timedwait(&server->changed, &server->lock, &until);
        shut_late_connections(server);
    }
    (void)pthread_mutex_unlock(&server->lock);
    return NULL;
}

static void note_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                            enum MHD_ConnectionNotificationCode code)
{
    (void)socket_context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        watch_add(context, connection_fd(connection));
    } else {
        watch_remove(context, connection_fd(connection));
    }
}

static void *note_request_line(void *context, const char *uri, struct MHD_Connection *connection)
{
    (void)uri;
    watch_set(context, connection_fd(connection), REQUEST_MS);
    return NULL; /* the request's state begins empty */
}

static void note_request_done(void *context, struct MHD_Connection *connection, void **state,
                              enum MHD_RequestTerminationCode code)
{
    (void)code;
    struct http_request *request = *state;
    watch_set(context, connection_fd(connection), NEXT_REQUEST_MS);
    if (request != NULL) {
        buffer_free(&request->body);
        free(request);
        *state = NULL;
    }
}

/* --- start and stop ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Percent decoding, in place. An encoded NUL or slash stays encoded: decoded it would make one path look like
 * another. */
static size_t unescape(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    char *out = text;
    for (const char *in = text; *in != '\0'; in++) {
        int high = in[0] == '%' ? hex_digit(in[1]) : -1;
        int low = high >= 0 ? hex_digit(in[2]) : -1;
        int c = low >= 0 ? high * 16 + low : 0;
        if (c == 0 || c == '/') {
            *out++ = *in;
        } else {
            *out++ = (char)c;
            in += 2;
        }
    }
    *out = '\0';
    return (size_t)(out - text);
}

static int open_socket(const struct http_server_settings *settings, struct error *error)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    memset(&address, 0, sizeof address);
    socklen_t size = sizeof address.v4;
    if (inet_pton(AF_INET, settings->address, &address.v4.sin_addr) == 1) {
        address.v4.sin_family = AF_INET;
        address.v4.sin_port = htons(settings->port);
    } else if (inet_pton(AF_INET6, settings->address, &address.v6.sin6_addr) == 1) {
        address.v6.sin6_family = AF_INET6;
        address.v6.sin6_port = htons(settings->port);
        size = sizeof address.v6;
    } else {
        return error_set(error, -1, "%s: '%s' is not a numeric IP address", settings->setting,
                         settings->address);
    }
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, &address.any, size) != 0 || listen(fd, 128) != 0) {
        int reason = errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        if (reason == EADDRINUSE) {
            return error_set(error, -1,
                             "port %u of %s is taken by another program; free it or choose another with %s",
                             (unsigned)settings->port, settings->address, settings->setting);
        }
        return error_set_errno(error, -1, reason, "cannot listen on %s port %u (%s)", settings->address,
                               (unsigned)settings->port, settings->setting);
    }
    return fd;
}

static uint16_t port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t size = sizeof address;
    if (getsockname(fd, &address.any, &size) != 0) {
        return 0;
    }
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

static void log_library(void *context, const char *format, va_list arguments)
{
    char text[512];
    (void)vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = '\0';
    log_debug_with(((struct http_server *)context)->settings.log, "http", log_text("text", text));
}

static struct MHD_Daemon *start_daemon(struct http_server *server, int fd)
{
    return MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_USE_ITC, 0, NULL, NULL,
        handle_connection, server, MHD_OPTION_EXTERNAL_LOGGER, log_library, server, MHD_OPTION_LISTEN_SOCKET,
        fd, MHD_OPTION_CONNECTION_LIMIT, server->settings.connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        server->settings.connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)INACTIVITY_S, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_NOTIFY_CONNECTION, note_connection, server,
        MHD_OPTION_URI_LOG_CALLBACK, note_request_line, server, MHD_OPTION_NOTIFY_COMPLETED,
        note_request_done, server, MHD_OPTION_END);
}

static struct http_server *create_server(const struct http_server_settings *settings)
{
    struct http_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return NULL;
    }
    server->settings = *settings;
    if (settings->max_body_bytes == 0) {
        server->settings.max_body_bytes = DEFAULT_BODY_BYTES;
    }
    if (settings->connections == 0) {
        server->settings.connections = DEFAULT_CONNECTIONS;
    }
    server->watched = calloc(server->settings.connections, sizeof *server->watched);
    if (server->watched == NULL) {
        free(server);
        return NULL;
    }
    for (unsigned i = 0; i < server->settings.connections; i++) {
        server->watched[i].fd = -1;
    }
    (void)pthread_mutex_init(&server->lock, NULL);
    (void)pthread_cond_init(&server->changed, NULL);
    return server;
}

static void destroy_server(struct http_server *server)
{
    (void)pthread_cond_destroy(&server->changed);
    (void)pthread_mutex_destroy(&server->lock);
    free(server->watched);
    free(server);
}

int http_server_start(struct http_server **out, const struct http_server_settings *settings,
                      struct error *error)
{
    *out = NULL;
    struct http_server *server = create_server(settings);
    if (server == NULL) {
        return error_set(error, -1, "no memory for the HTTP server");
    }
    int fd = open_socket(settings, error);
    if (fd < 0) {
        destroy_server(server);
        return -1;
    }
    server->port = port_of(fd);
    server->daemon = start_daemon(server, fd);
    if (server->daemon == NULL) {
        (void)close(fd);
        destroy_server(server);
        return error_set(error, -1, "the HTTP server did not start on %s port %u", settings->address,
                         (unsigned)settings->port);
    }
    if (pthread_create(&server->watch_thread, NULL, watch_connections, server) != 0) {
        MHD_stop_daemon(server->daemon);
        destroy_server(server);
        return error_set(error, -1, "no thread for the HTTP server");
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
    MHD_stop_daemon(server->daemon);
    (void)pthread_mutex_lock(&server->lock);
    server->stopping = true;
    (void)pthread_cond_signal(&server->changed);
    (void)pthread_mutex_unlock(&server->lock);
    (void)pthread_join(server->watch_thread, NULL);
    destroy_server(server);
}
