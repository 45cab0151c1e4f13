/* SHA-256 comes from libcrypto, which librdkafka brings into every program anyway. */
#include "dead_letter/dead_letter.h"

#include "buffer/buffer.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_PREFIX  "__connect.errors."
#define TRUNCATED_BYTES 65536

static void add_header(struct dead_letter *letter, const char *name, const void *data, size_t size)
{
    letter->headers[letter->record.header_count++] = (struct bus_header){name, {data, size}};
}

/* A header whose value is made here: it gets its place in letter->texts. */
static void add_text(struct dead_letter *letter, struct buffer *texts, const char *name, const char *text)
{
    size_t at = texts->size;
    buffer_append_text(texts, text);
    add_header(letter, name, texts->data + at, texts->size - at);
}

static void add_number(struct dead_letter *letter, struct buffer *texts, const char *name, int64_t value)
{
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%" PRId64, value);
    add_text(letter, texts, name, digits);
}

static void add_digest(struct dead_letter *letter, struct buffer *texts, struct bus_bytes value)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
    if (EVP_Digest(value.data, value.size_bytes, digest, &size, EVP_sha256(), NULL) == 1) {
        for (unsigned i = 0; i < size; i++) {
            (void)snprintf(hex + (size_t)2 * i, 3, "%02x", digest[i]);
        }
    }
    add_text(letter, texts, "dlq.sha256", hex);
}

/* How often the record was a dead letter before: buscat dlq replay leaves the header on what it publishes
 * again. */
static int64_t attempts_before(const struct bus_record *original)
{
    for (size_t i = 0; i < original->header_count; i++) {
        const struct bus_header *header = &original->headers[i];
        char digits[12] = "";
        if (strcmp(header->name, "dlq.attempts") == 0 && header->value.size_bytes < sizeof digits) {
            memcpy(digits, header->value.data, header->value.size_bytes);
            int64_t attempts = strtoll(digits, NULL, 10); /* nonsense is 0 */
            return attempts > 0 ? attempts : 0;
        }
    }
    return 0;
}

static bool is_ours(const char *name)
{
    return strncmp(name, CONNECT_PREFIX, strlen(CONNECT_PREFIX)) == 0 || strncmp(name, "dlq.", 4) == 0;
}

static void keep_original_headers(struct dead_letter *letter, const struct bus_record *original)
{
    for (size_t i = 0; i < original->header_count && letter->record.header_count < DEAD_LETTER_HEADERS; i++) {
        if (!is_ours(original->headers[i].name)) {
            letter->headers[letter->record.header_count++] = original->headers[i];
        }
    }
}

void dead_letter_build(struct dead_letter *letter, const char *topic, const char *app,
                       const struct bus_record *original, const struct event_fault *fault, int64_t now_ms)
{
    struct buffer texts;
    buffer_init_fixed(&texts, letter->texts, sizeof letter->texts);
    letter->record = (struct bus_record){.topic = topic,
                                         .partition = BUS_PARTITION_BY_KEY,
                                         .key = original->key,
                                         .value = original->value,
                                         .headers = letter->headers};
    add_text(letter, &texts, CONNECT_PREFIX "topic", original->topic);
    add_number(letter, &texts, CONNECT_PREFIX "partition", original->partition);
    add_number(letter, &texts, CONNECT_PREFIX "offset", original->offset);
    add_text(letter, &texts, CONNECT_PREFIX "stage", event_reason_stage(fault->reason));
    add_text(letter, &texts, CONNECT_PREFIX "class.name", app);
    add_text(letter, &texts, CONNECT_PREFIX "exception.class.name", event_reason_name(fault->reason));
    add_text(letter, &texts, CONNECT_PREFIX "exception.message", fault->message);
    add_text(letter, &texts, "dlq.field", fault->field);
    add_number(letter, &texts, "dlq.time_unix_ms", now_ms);
    add_number(letter, &texts, "dlq.attempts", attempts_before(original) + 1);
    size_t overhead = original->key.size_bytes;
    for (size_t i = 0; i < original->header_count; i++) {
        overhead += strlen(original->headers[i].name) + original->headers[i].value.size_bytes;
    }
    if (original->value.size_bytes + overhead > DEAD_LETTER_VALUE_BYTES) {
        letter->record.value.size_bytes =
            TRUNCATED_BYTES < original->value.size_bytes ? TRUNCATED_BYTES : original->value.size_bytes;
        add_text(letter, &texts, "dlq.truncated", "true");
        add_number(letter, &texts, "dlq.size", (int64_t)original->value.size_bytes);
        add_digest(letter, &texts, original->value);
        return; /* its own headers may be what is too large */
    }
    keep_original_headers(letter, original);
}

void dead_letter_read(struct dead_letter_view *view, const struct bus_record *record)
{
    *view = (struct dead_letter_view){0};
    const struct {
        const char *name;
        struct bus_bytes *field;
    } fields[] = {
        {CONNECT_PREFIX "topic", &view->topic},
        {CONNECT_PREFIX "partition", &view->partition},
        {CONNECT_PREFIX "offset", &view->offset},
        {CONNECT_PREFIX "stage", &view->stage},
        {CONNECT_PREFIX "class.name", &view->app},
        {CONNECT_PREFIX "exception.class.name", &view->reason},
        {CONNECT_PREFIX "exception.message", &view->message},
        {"dlq.field", &view->field},
        {"dlq.time_unix_ms", &view->time_unix_ms},
        {"dlq.attempts", &view->attempts},
    };
    for (size_t i = 0; i < record->header_count; i++) {
        for (size_t f = 0; f < sizeof fields / sizeof fields[0]; f++) {
            if (fields[f].field->data == NULL && strcmp(record->headers[i].name, fields[f].name) == 0) {
                *fields[f].field = record->headers[i].value;
            }
        }
        view->truncated |= strcmp(record->headers[i].name, "dlq.truncated") == 0;
    }
}
