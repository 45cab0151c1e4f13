#include "truth.h"

#include "buffer/buffer.h"
#include "catalog.h"
#include "clock/rfc3339.h"
#include "json/json_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_BYTES 1024

struct truth {
    int fd;
};

int truth_open(struct truth **out, const char *path, struct error *error)
{
    *out = NULL;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) {
        return error_set_errno(error, -1, errno, "--truth: cannot write %s", path);
    }
    struct truth *truth = malloc(sizeof *truth);
    if (truth == NULL) {
        (void)close(fd);
        return error_set(error, -1, "no memory for --truth");
    }
    truth->fd = fd;
    *out = truth;
    return 0;
}

void truth_close(struct truth *truth)
{
    if (truth != NULL) {
        (void)close(truth->fd);
        free(truth);
    }
}

static void write_time(struct json_writer *writer, const char *name, int64_t unix_ms)
{
    char text[RFC3339_BYTES];
    rfc3339_format(text, unix_ms);
    json_key(writer, name);
    json_string(writer, text);
}

/* end_ms of an open fault: null. */
static void write_unix_ms(struct json_writer *writer, const char *name, int64_t start_unix_ms, int64_t at_ms)
{
    json_key(writer, name);
    if (at_ms == FAULT_NEVER) {
        json_null(writer);
    } else {
        json_integer(writer, start_unix_ms + at_ms);
    }
}

void truth_describe(struct json_writer *writer, int64_t start_unix_ms, const struct fault *fault)
{
    const struct fault_spec *spec = &fault->spec;
    char id[24];
    (void)snprintf(id, sizeof id, "%llu", (unsigned long long)fault->id);
    json_key(writer, "id");
    json_string(writer, id);
    json_key(writer, "type");
    json_string(writer, fault_type_name(spec->type));
    json_key(writer, "service");
    json_string(writer, spec->service < 0 ? NULL : catalog_service((size_t)spec->service)->name);
    json_key(writer, "region");
    json_string(writer, spec->region < 0 ? NULL : catalog_region((size_t)spec->region)->name);
    json_key(writer, "magnitude");
    json_real(writer, spec->magnitude);
    write_unix_ms(writer, "begin_unix_ms", start_unix_ms, fault->begin_ms);
    write_unix_ms(writer, "end_unix_ms", start_unix_ms, fault->end_ms);
}

int truth_write(struct truth *truth, int64_t start_unix_ms, const struct fault_change *change,
                struct error *error)
{
    if (truth == NULL) {
        return 0;
    }
    char line[LINE_BYTES];
    struct buffer buffer;
    struct json_writer writer;
    buffer_init_fixed(&buffer, line, sizeof line);
    json_writer_init(&writer, &buffer);
    json_object_begin(&writer);
    json_key(&writer, "change");
    json_string(&writer, change->kind == FAULT_BEGINS ? "begin" : "end");
    write_time(&writer, "time", start_unix_ms + change->at_ms);
    json_key(&writer, "time_unix_ms");
    json_integer(&writer, start_unix_ms + change->at_ms);
    truth_describe(&writer, start_unix_ms, &change->fault);
    json_object_end(&writer);
    buffer_append_char(&buffer, '\n');
    ssize_t written = write(truth->fd, buffer.data, buffer.size);
    if (written < 0) {
        return error_set_errno(error, -1, errno, "cannot write the truth of fault %llu",
                               (unsigned long long)change->fault.id);
    }
    return (size_t)written == buffer.size
               ? 0
               : error_set(error, -1, "the truth of fault %llu was written in part only: is the disk full?",
                           (unsigned long long)change->fault.id);
}
