/* libcurl's easy interface: redirects are not followed, only http:// is spoken, no signals, no proxies from
 * the environment. */
#include "http/http_client.h"

#include "buffer/buffer.h"

#include <curl/curl.h>
#include <pthread.h>
#include <string.h>

#define DEFAULT_TIMEOUT_MS     5000
#define DEFAULT_RESPONSE_BYTES (16 * 1048576)

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void initialise_curl(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct sink {
    struct buffer *buffer;
    size_t left;
    bool too_large;
};

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct sink *sink = context;
    size_t bytes = size * count;
    if (bytes > sink->left) {
        sink->too_large = true;
        return 0;
    }
    sink->left -= bytes;
    return buffer_append(sink->buffer, data, bytes) ? bytes : 0;
}

static struct curl_slist *make_headers(const struct http_client_request *request)
{
    struct curl_slist *headers = NULL;
    if (request->content_type != NULL) {
        char line[256];
        (void)snprintf(line, sizeof line, "Content-Type: %s", request->content_type);
        headers = curl_slist_append(headers, line);
    }
    for (const char *const *line = request->headers; line != NULL && *line != NULL; line++) {
        headers = curl_slist_append(headers, *line);
    }
    return headers;
}

static void set_options(CURL *curl, const struct http_client_request *request, struct sink *sink,
                        char *reason)
{
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
                     (long)(request->timeout_ms > 0 ? request->timeout_ms : DEFAULT_TIMEOUT_MS));
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, sink);
    if (request->body != NULL) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)request->body_bytes);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
    }
    if (request->method != NULL && strcmp(request->method, "HEAD") == 0) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else if (request->method != NULL) {
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    }
}

int http_client_send(const struct http_client_request *request, struct buffer *response, struct error *error)
{
    (void)pthread_once(&curl_once, initialise_curl);
    CURL *curl = curl_easy_init();
    if (curl == NULL) {
        return error_set(error, -1, "no memory for a request to %s", request->url);
    }
    char reason[CURL_ERROR_SIZE] = "";
    struct sink sink = {.buffer = response,
                        .left = request->max_response_bytes > 0 ? request->max_response_bytes
                                                                : DEFAULT_RESPONSE_BYTES};
    struct curl_slist *headers = make_headers(request);
    set_options(curl, request, &sink, reason);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_perform(curl);
    long status = 0;
    int result;
    if (code == CURLE_OK) {
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        result = (int)status;
    } else if (sink.too_large) {
        result = error_set(error, -1, "%s: the answer is too large", request->url);
    } else {
        result = error_set(error, -1, "%s: %s", request->url,
                           reason[0] != '\0' ? reason : curl_easy_strerror(code));
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return result;
}
