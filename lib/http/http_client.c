/* libcurl does the work; here it is held to what we want of it: one plain HTTP request, no proxy, no
 * redirect, no signal, a deadline that covers name look-up, connection and answer, and a bounded answer. */
#include "http/http_client.h"

#include "buffer/buffer.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#define DEFAULT_TIMEOUT_MS     5000
#define DEFAULT_RESPONSE_BYTES ((size_t)16 * 1048576)

struct answer {
    struct buffer *buffer;
    size_t room; /* bytes it may still grow by */
    bool too_large;
};

static pthread_once_t started = PTHREAD_ONCE_INIT;

static void start_library(void)
{
    (void)curl_global_init(CURL_GLOBAL_NOTHING); /* no TLS, so nothing of it to load */
}

static size_t take_answer(char *data, size_t item_bytes, size_t items, void *context)
{
    struct answer *answer = context;
    size_t size = item_bytes * items;
    if (size > answer->room || !buffer_append(answer->buffer, data, size)) {
        answer->too_large = true;
        return 0;
    }
    answer->room -= size;
    return size;
}

static bool add_header(struct curl_slist **list, const char *header)
{
    struct curl_slist *longer = curl_slist_append(*list, header);
    *list = longer == NULL ? *list : longer;
    return longer != NULL;
}

static bool collect_headers(struct curl_slist **list, const struct http_client_request *request)
{
    /* "Expect:" with nothing takes the header away: no round trip before a body. */
    bool good = add_header(list, "Expect:");
    if (good && request->content_type != NULL) {
        char type[256];
        (void)snprintf(type, sizeof type, "Content-Type: %s", request->content_type);
        good = add_header(list, type);
    }
    for (size_t i = 0; good && request->headers != NULL && request->headers[i] != NULL; i++) {
        good = add_header(list, request->headers[i]);
    }
    return good;
}

static int ask_whether_to_wait(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                               curl_off_t up)
{
    const struct http_client_request *request = context;
    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    return request->goes_on(request->context) ? 0 : 1;
}

static void prepare(CURL *handle, const struct http_client_request *request, const struct curl_slist *headers,
                    struct answer *answer, char *problem)
{
    const char *method = request->method != NULL ? request->method : request->body != NULL ? "POST" : "GET";
    curl_easy_setopt(handle, CURLOPT_URL, request->url);
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(handle, CURLOPT_PROXY, "");
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_USERAGENT, "observability-platform");
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS,
                     (long)(request->timeout_ms == 0 ? DEFAULT_TIMEOUT_MS : request->timeout_ms));
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, problem);
    if (request->goes_on != NULL) {
        curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, ask_whether_to_wait);
        curl_easy_setopt(handle, CURLOPT_XFERINFODATA, (void *)(uintptr_t)request);
    }
    if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
    } else if (request->body != NULL || strcmp(method, "POST") == 0) {
        curl_easy_setopt(handle, CURLOPT_POST, 1L);
        curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
        curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request->body == NULL ? "" : request->body);
    }
    if (strcmp(method, "HEAD") != 0) {
        curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, method);
    }
}

static int perform(CURL *handle, const struct http_client_request *request, const struct answer *answer,
                   const char *problem, struct error *error)
{
    CURLcode code = curl_easy_perform(handle);
    if (answer->too_large) {
        return error_set(error, -1, "%s: the answer is too large", request->url);
    }
    if (code != CURLE_OK) {
        return error_set(error, -1, "%s: %s", request->url,
                         problem[0] != '\0' ? problem : curl_easy_strerror(code));
    }
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

int http_client_send(const struct http_client_request *request, struct buffer *response, struct error *error)
{
    (void)pthread_once(&started, start_library);
    struct answer answer = {.buffer = response,
                            .room = request->max_response_bytes == 0 ? DEFAULT_RESPONSE_BYTES
                                                                     : request->max_response_bytes};
    char problem[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL;
    CURL *handle = curl_easy_init();
    int result = -1;
    if (handle == NULL || !collect_headers(&headers, request)) {
        (void)error_set(error, -1, "no memory for a request to %s", request->url);
    } else {
        prepare(handle, request, headers, &answer, problem);
        result = perform(handle, request, &answer, problem, error);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(handle);
    return result;
}

/* --- an answer that goes on ---- */

struct following {
    CURL *handle;
    const struct http_client_follower *follower;
    bool is_refused; /* a status other than 200 */
    bool is_enough;
};

static size_t take_more(char *data, size_t item_bytes, size_t items, void *context)
{
    struct following *following = context;
    const size_t size = item_bytes * items;
    long status = 0;
    curl_easy_getinfo(following->handle, CURLINFO_RESPONSE_CODE, &status);
    following->is_refused = status != 200;
    following->is_enough =
        following->is_refused || !following->follower->take(following->follower->context, data, size);
    return following->is_enough ? 0 : size;
}

static int ask_whether_to_go_on(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                                curl_off_t up)
{
    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    struct following *following = context;
    following->is_enough =
        following->is_enough || !following->follower->goes_on(following->follower->context);
    return following->is_enough ? 1 : 0;
}

static void prepare_following(struct following *following, const struct http_client_request *request)
{
    CURL *handle = following->handle;
    const long timeout_ms = request->timeout_ms == 0 ? DEFAULT_TIMEOUT_MS : request->timeout_ms;
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, 0L);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, (timeout_ms + 999) / 1000);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_more);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, following);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, ask_whether_to_go_on);
    curl_easy_setopt(handle, CURLOPT_XFERINFODATA, following);
}

static int follow(struct following *following, const char *url, const char *problem, struct error *error)
{
    const CURLcode code = curl_easy_perform(following->handle);
    long status = 0;
    curl_easy_getinfo(following->handle, CURLINFO_RESPONSE_CODE, &status);
    if (following->is_refused || (code == CURLE_OK && status != 200)) {
        return error_set(error, -1, "%s: status %ld", url, status);
    }
    if (code == CURLE_OK || following->is_enough) {
        return 0;
    }
    return error_set(error, -1, "%s: %s", url, problem[0] != '\0' ? problem : curl_easy_strerror(code));
}

int http_client_follow(const struct http_client_request *request, const struct http_client_follower *follower,
                       struct error *error)
{
    (void)pthread_once(&started, start_library);
    struct following following = {.handle = curl_easy_init(), .follower = follower};
    struct answer unused = {0};
    char problem[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL;
    int result = -1;
    if (following.handle == NULL || !collect_headers(&headers, request)) {
        (void)error_set(error, -1, "no memory for a request to %s", request->url);
    } else {
        prepare(following.handle, request, headers, &unused, problem);
        prepare_following(&following, request);
        result = follow(&following, request->url, problem, error);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(following.handle);
    return result;
}
