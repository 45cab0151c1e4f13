#include "fault_http.h"

#include "buffer/buffer.h"
#include "clock/rfc3339.h"
#include "fault_set.h"
#include "http/http_server.h"
#include "program/program.h"
#include "run_time.h"
#include "text/parse_value.h"
#include "truth.h"
#include "yaml/yaml_tree.h"
#include "json/json_read.h"
#include "json/json_write.h"

#include <stdio.h>
#include <stdlib.h>

#define BODY_BYTES 65536 /* as the server's own limit */

/* --- writing ---- */

static const char *state_of(const struct fault *fault, int64_t now_ms)
{
    if (fault->ended && !fault->begun) {
        return "cancelled";
    }
    if (now_ms < fault->begin_ms) {
        return "scheduled";
    }
    return now_ms < fault->end_ms ? "active" : "ended";
}

static void write_time(struct json_writer *writer, const char *name, int64_t unix_ms)
{
    char text[RFC3339_BYTES];
    rfc3339_format(text, unix_ms);
    json_key(writer, name);
    json_string(writer, text);
}

static void write_fault(const struct fault_http *http, struct json_writer *writer, const struct fault *fault,
                        int64_t now_ms)
{
    int64_t start_unix_ms = fault_set_start_unix_ms(http->faults);
    json_object_begin(writer);
    truth_describe(writer, start_unix_ms, fault);
    json_key(writer, "state");
    json_string(writer, state_of(fault, now_ms));
    write_time(writer, "begin", start_unix_ms + fault->begin_ms);
    if (fault->end_ms != FAULT_NEVER) {
        write_time(writer, "end", start_unix_ms + fault->end_ms);
    }
    json_object_end(writer);
}

static void answer_fault(const struct fault_http *http, struct http_response *response,
                         const struct fault *fault)
{
    struct json_writer writer;
    http_response_set_type(response, "application/json");
    json_writer_init(&writer, http_response_body(response));
    write_fault(http, &writer, fault, run_time_now_ms(http->time));
    buffer_append_char(http_response_body(response), '\n');
}

/* True: there is traffic to break. Otherwise the refusal is answered. */
static bool check_open(struct fault_http *http, struct http_response *response)
{
    if (http->is_replay) {
        http_response_fail(response, 409, "real traffic is being replayed: there is none to break");
        return false;
    }
    if (!atomic_load(&http->is_open)) {
        http_response_fail(response, 503, "the traffic hasn't begun: waiting for the bus");
        return false;
    }
    return true;
}

/* --- POST ---- */

static bool is_json_object(const void *body, size_t size, struct error *error)
{
    struct json_reader *reader = NULL;
    bool valid = json_reader_create(&reader, BODY_BYTES, error) == 0 &&
                 json_read(reader, body, size, NULL, NULL, error) == JSON_OK;
    json_reader_destroy(reader);
    return valid;
}

/* What is valid JSON is then read as the YAML that it is too, by the code that reads scenarios. */
static int parse_body(struct fault_spec *spec, const struct http_request *request, struct error *error)
{
    size_t size = 0;
    struct yaml_tree *tree = NULL;
    const void *body = http_request_body(request, &size);
    if (!is_json_object(body, size, error)) {
        return error_add_context(error,
                                 "the body must be a fault as JSON, e.g. {\"type\":\"error_burst\","
                                 "\"service\":\"api-service\",\"duration\":\"60s\",\"magnitude\":0.3}");
    }
    if (yaml_tree_parse(&tree, "body", body, size, error) != 0) {
        return -1;
    }
    int result = fault_parse(spec, tree, yaml_tree_root(tree), error);
    yaml_tree_destroy(tree);
    return result;
}

static void create_fault(void *context, const struct http_request *request, struct http_response *response)
{
    struct fault_http *http = context;
    struct fault_spec spec;
    struct fault fault;
    struct error error;
    if (!check_open(http, response)) {
        return;
    }
    error_clear(&error);
    if (parse_body(&spec, request, &error) != 0) {
        http_response_fail(response, 400, "%s", error.message);
        return;
    }
    switch (fault_set_add(http->faults, &spec, run_time_now_ms(http->time), &fault)) {
    case FAULT_SET_PAST:
        http_response_fail(response, 400, "'start' lies in the past of the traffic");
        return;
    case FAULT_SET_FULL:
        http_response_fail(response, 429, "%d faults haven't ended yet: end some first", FAULT_SET_LIMIT);
        return;
    default:
        break;
    }
    char location[48];
    (void)snprintf(location, sizeof location, "/faults/%llu", (unsigned long long)fault.id);
    (void)http_response_set_header(response, "Location", location);
    http_response_set_status(response, 201);
    answer_fault(http, response, &fault);
}

/* --- GET ---- */

static void list_faults(void *context, const struct http_request *request, struct http_response *response)
{
    struct fault_http *http = context;
    bool is_open = atomic_load(&http->is_open);
    (void)request;
    struct json_writer writer;
    struct fault *faults = malloc(2 * FAULT_SET_LIMIT * sizeof *faults);
    if (faults == NULL) {
        http_response_fail(response, 500, "no memory for the list");
        return;
    }
    int64_t now_ms = !is_open ? 0 : run_time_now_ms(http->time);
    size_t count = !is_open ? 0 : fault_set_list(http->faults, faults, 2 * FAULT_SET_LIMIT);
    http_response_set_type(response, "application/json");
    json_writer_init(&writer, http_response_body(response));
    json_object_begin(&writer);
    json_key(&writer, "faults");
    json_array_begin(&writer);
    for (size_t i = 0; i < count; i++) {
        write_fault(http, &writer, &faults[i], now_ms);
    }
    json_array_end(&writer);
    if (is_open) {
        json_key(&writer, "now_unix_ms");
        json_integer(&writer, fault_set_start_unix_ms(http->faults) + now_ms);
    }
    json_object_end(&writer);
    buffer_append_char(http_response_body(response), '\n');
    free(faults);
}

/* The id after /faults/; 0: none, and 404 is answered. */
static uint64_t read_id(const struct http_request *request, struct http_response *response)
{
    int64_t id = 0;
    const char *text = http_request_rest(request);
    if (!parse_integer(text, &id) || id < 1) {
        http_response_fail(response, 404, "there is no fault '%.40s'", text);
        return 0;
    }
    return (uint64_t)id;
}

static void show_fault(void *context, const struct http_request *request, struct http_response *response)
{
    struct fault_http *http = context;
    uint64_t id = check_open(http, response) ? read_id(request, response) : 0;
    if (id == 0) {
        return;
    }
    struct fault fault;
    if (!fault_set_find(http->faults, id, &fault)) {
        http_response_fail(response, 404, "there is no fault '%llu'", (unsigned long long)id);
        return;
    }
    answer_fault(http, response, &fault);
}

/* --- DELETE ---- */

static void end_fault(void *context, const struct http_request *request, struct http_response *response)
{
    struct fault_http *http = context;
    uint64_t id = check_open(http, response) ? read_id(request, response) : 0;
    if (id == 0) {
        return;
    }
    struct fault fault;
    switch (fault_set_end(http->faults, id, run_time_now_ms(http->time), &fault)) {
    case FAULT_SET_OK:
        answer_fault(http, response, &fault);
        return;
    case FAULT_SET_ENDED:
        http_response_fail(response, 409, "fault '%llu' has ended already", (unsigned long long)id);
        return;
    default:
        http_response_fail(response, 404, "there is no fault '%llu'", (unsigned long long)id);
        return;
    }
}

void fault_http_add_routes(struct program *program, struct fault_http *http)
{
    program_add_route(program, "POST", "/faults", create_fault, http);
    program_add_route(program, "GET", "/faults", list_faults, http);
    program_add_route(program, "GET", "/faults/*", show_fault, http);
    program_add_route(program, "DELETE", "/faults/*", end_fault, http);
}
