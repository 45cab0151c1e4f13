#include "http/http_reply.h"

#include "http/http_message.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PART_BYTES 32768 /* what the library asks for at a time */

/* A streamed body: the part being sent, and where the next one comes from. */
struct stream {
    http_body_part *next;
    void (*done)(void *context);
    void *context;
    struct buffer part;
    size_t sent; /* of part */
    bool ended;
};

static ssize_t read_stream(void *argument, uint64_t position, char *out, size_t room)
{
    (void)position; /* the library reads in order */
    struct stream *stream = argument;
    while (stream->sent == stream->part.size) {
        if (stream->ended) {
            return MHD_CONTENT_READER_END_OF_STREAM;
        }
        buffer_clear(&stream->part);
        stream->sent = 0;
        stream->ended = !stream->next(stream->context, &stream->part);
        if (stream->part.failed) {
            return MHD_CONTENT_READER_END_WITH_ERROR;
        }
    }
    size_t left = stream->part.size - stream->sent;
    size_t count = left < room ? left : room;
    memcpy(out, stream->part.data + stream->sent, count);
    stream->sent += count;
    return (ssize_t)count;
}

static void free_stream(void *argument)
{
    struct stream *stream = argument;
    if (stream->done != NULL) {
        stream->done(stream->context);
    }
    buffer_free(&stream->part);
    free(stream);
}

static struct MHD_Response *make_streamed(struct http_response *response)
{
    struct stream *stream = malloc(sizeof *stream);
    if (stream == NULL) {
        return NULL;
    }
    *stream = (struct stream){.next = response->next_part,
                              .done = response->stream_done,
                              .context = response->stream_context,
                              .part = response->body};
    struct MHD_Response *made =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PART_BYTES, read_stream, stream, free_stream);
    if (made == NULL) {
        free(stream);
        return NULL;
    }
    response->stream_done = NULL;
    response->body = (struct buffer){0};
    return made;
}

static struct MHD_Response *make_whole(struct http_response *response)
{
    struct MHD_Response *made =
        MHD_create_response_from_buffer(response->body.size, response->body.data, MHD_RESPMEM_MUST_FREE);
    if (made != NULL) {
        response->body = (struct buffer){0};
    }
    return made;
}

static bool add_headers(struct MHD_Response *made, const struct http_response *response)
{
    bool cached = false;
    enum MHD_Result good = MHD_add_response_header(made, "Content-Type", response->type);
    for (size_t i = 0; i < response->header_count && good == MHD_YES; i++) {
        good = MHD_add_response_header(made, response->headers[i].name, response->headers[i].value);
        cached = cached || strcasecmp(response->headers[i].name, "Cache-Control") == 0;
    }
    if (good == MHD_YES && !cached) {
        good = MHD_add_response_header(made, "Cache-Control", "no-store");
    }
    return good == MHD_YES && MHD_add_response_header(made, "X-Content-Type-Options", "nosniff") == MHD_YES;
}

bool http_reply_queue(struct MHD_Connection *connection, struct http_response *response)
{
    if (response->body.failed) {
        http_response_end_follower(response);
        http_response_fail(response, 500, "no memory for the answer");
    }
    struct MHD_Response *made = response->follower != NULL    ? http_feed_answer(connection, response)
                                : response->next_part != NULL ? make_streamed(response)
                                                              : make_whole(response);
    if (made == NULL) {
        return false;
    }
    bool queued = add_headers(made, response) &&
                  MHD_queue_response(connection, (unsigned)response->status, made) == MHD_YES;
    MHD_destroy_response(made);
    return queued;
}
