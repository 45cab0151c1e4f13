/* A streamed body on its way through zlib: the parts come from the body's own source as they are needed, so
 * no more than one of them and zlib's 256 KiB are held. Level 1: pages of metrics repeat themselves so much
 * that more effort buys little, and a scrape is waited for. */
#include "buffer/buffer.h"
#include "http/http_accept.h"
#include "http/http_message.h"

#include <stdlib.h>
#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* the largest window, in gzip's wrapping */
#define MEMORY      8         /* a hash table that stays in the cache: a fifth faster than 9 */
#define STEP_BYTES  16384

struct gzip_stream {
    z_stream zlib;
    http_body_part *next;
    void (*done)(void *context);
    void *context;
    struct buffer plain; /* the part that goes in */
};

/* All of plain into part. False: no memory. */
static bool deflate_part(struct gzip_stream *stream, struct buffer *part, int flush)
{
    stream->zlib.next_in = (Bytef *)stream->plain.data;
    stream->zlib.avail_in = (uInt)stream->plain.size;
    do {
        char *place = buffer_reserve(part, STEP_BYTES);
        if (place == NULL) {
            return false;
        }
        stream->zlib.next_out = (Bytef *)place;
        stream->zlib.avail_out = STEP_BYTES;
        (void)deflate(&stream->zlib, flush); /* can't fail: the stream is sound and there is room */
        part->size += STEP_BYTES - stream->zlib.avail_out;
    } while (stream->zlib.avail_out == 0);
    return true;
}

/* The compressor may keep all of a part to itself: go on until something comes out. */
static bool next_compressed(void *context, struct buffer *part)
{
    struct gzip_stream *stream = context;
    bool more = true;
    while (more && part->size == 0) {
        more = stream->next(stream->context, &stream->plain);
        if (stream->plain.failed || !deflate_part(stream, part, more ? Z_NO_FLUSH : Z_FINISH)) {
            part->failed = true;
            return false;
        }
        buffer_clear(&stream->plain);
    }
    return more;
}

static void free_stream(void *context)
{
    struct gzip_stream *stream = context;
    (void)deflateEnd(&stream->zlib);
    stream->done(stream->context);
    buffer_free(&stream->plain);
    free(stream);
}

void http_response_compress(struct http_response *response, const struct http_request *request)
{
    (void)http_response_set_header(response, "Vary", "Accept, Accept-Encoding");
    if (response->next_part == NULL ||
        !http_coding_is_accepted(http_request_header(request, "Accept-Encoding"), "gzip")) {
        return;
    }
    struct gzip_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL || deflateInit2(&stream->zlib, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, MEMORY,
                                       Z_DEFAULT_STRATEGY) != Z_OK) {
        free(stream); /* as it is, then */
        return;
    }
    if (!http_response_set_header(response, "Content-Encoding", "gzip")) {
        (void)deflateEnd(&stream->zlib);
        free(stream);
        return;
    }
    stream->next = response->next_part;
    stream->done = response->stream_done;
    stream->context = response->stream_context;
    stream->plain = response->body; /* what is there already comes first */
    buffer_init(&response->body, 0);
    http_response_stream(response, next_compressed, free_stream, stream);
}
