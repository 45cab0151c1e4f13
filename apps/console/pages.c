#include "pages.h"

#include "assets.h"
#include "guard.h"

#include "buffer/buffer.h"
#include "http/http_accept.h"
#include "http/http_server.h"
#include "json/json_read.h"
#include "json/json_write.h"

#include <string.h>

int pages_read(struct pages *pages, const char *dashboards, const char *runbooks, struct error *error)
{
    *pages = (struct pages){0};
    if (folder_read(&pages->dashboards, dashboards, ".json", error) != 0 ||
        folder_read(&pages->runbooks, runbooks, ".md", error) != 0) {
        return -1;
    }
    struct json_reader *reader = NULL;
    int result = json_reader_create(&reader, FOLDER_FILE_BYTES, error);
    for (size_t i = 0; result == 0 && i < pages->dashboards.count; i++) {
        const struct folder_file *file = &pages->dashboards.files[i];
        result = json_read(reader, file->data, file->size, NULL, NULL, error) == JSON_OK
                     ? 0
                     : error_add_context(error, "%s/%s.json", dashboards, file->name);
    }
    json_reader_destroy(reader);
    return result == 0 ? 0 : -1;
}

void pages_free(struct pages *pages)
{
    folder_free(&pages->dashboards);
    folder_free(&pages->runbooks);
}

static const struct asset *find_asset(const char *name)
{
    for (size_t i = 0; i < asset_count; i++) {
        if (strcmp(assets[i].name, name) == 0) {
            return &assets[i];
        }
    }
    return NULL;
}

static void answer_asset(const struct asset *asset, const struct http_request *request,
                         struct http_response *response)
{
    const bool takes_gzip = asset->gzip != NULL &&
                            http_coding_is_accepted(http_request_header(request, "Accept-Encoding"), "gzip");
    http_response_set_type(response, asset->type);
    if (asset->gzip != NULL) {
        (void)http_response_set_header(response, "Vary", "Accept-Encoding");
    }
    if (takes_gzip) {
        (void)http_response_set_header(response, "Content-Encoding", "gzip");
    }
    buffer_append(http_response_body(response), takes_gzip ? asset->gzip : asset->plain,
                  takes_gzip ? asset->gzip_size : asset->plain_size);
}

static void show_document(void *context, const struct http_request *request, struct http_response *response)
{
    (void)context;
    const struct asset *document = find_asset("index.html");
    (void)http_response_set_header(response, "Cache-Control", "no-cache");
    answer_asset(document, request, response);
}

/* Their names hold a hash of their contents. */
static void show_asset(void *context, const struct http_request *request, struct http_response *response)
{
    (void)context;
    const struct asset *asset = find_asset(http_request_rest(request));
    if (asset == NULL) {
        http_response_fail(response, 404, "there is no such file");
        return;
    }
    (void)http_response_set_header(response, "Cache-Control", "public, max-age=31536000, immutable");
    answer_asset(asset, request, response);
}

static void list_dashboards(void *context, const struct http_request *request, struct http_response *response)
{
    (void)request;
    const struct pages *pages = context;
    struct json_writer w;
    json_writer_init(&w, http_response_body(response));
    http_response_set_type(response, "application/json");
    json_array_begin(&w);
    for (size_t i = 0; i < pages->dashboards.count; i++) {
        json_raw(&w, pages->dashboards.files[i].data, pages->dashboards.files[i].size);
    }
    json_array_end(&w);
}

static void show_runbook(void *context, const struct http_request *request, struct http_response *response)
{
    const struct pages *pages = context;
    const char *name = http_request_rest(request);
    size_t size = strlen(name);
    size -= size > 3 && strcmp(name + size - 3, ".md") == 0 ? 3 : 0;
    const struct folder_file *file = folder_find(&pages->runbooks, name, size);
    if (file == NULL) {
        http_response_fail(response, 404, "there is no runbook '%s'", name);
        return;
    }
    http_response_set_type(response, "text/markdown; charset=utf-8");
    buffer_append(http_response_body(response), file->data, file->size);
}

void pages_add_routes(struct pages *pages, struct guard *guard, struct program *program)
{
    static const char *const documents[] = {"/",     "/d/*",    "/dashboards", "/alerts", "/alerts/*",
                                            "/slos", "/slos/*", "/logs",       "/lab",    "/runbooks/*"};
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        guard_add_route(guard, program, GUARD_PAGE, "GET", documents[i], show_document, NULL);
    }
    guard_add_route(guard, program, GUARD_PAGE, "GET", "/assets/*", show_asset, NULL);
    guard_add_route(guard, program, GUARD_API, "GET", "/api/dashboards", list_dashboards, pages);
    guard_add_route(guard, program, GUARD_API, "GET", "/api/runbooks/*", show_runbook, pages);
}
