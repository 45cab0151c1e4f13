#include "dlq_file.h"

#include "envelope.h"
#include "line_reader.h"
#include "program/program.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#define WAIT_MS 200

struct letter_file {
    const char *path;
    struct dlq_selection *selection;
    char topic[BUS_TOPIC_BYTES];
    struct line_reader lines;
    struct envelope_reader *envelopes;
    bool (*take)(void *context, const struct dlq_letter *letter);
    void *context;
    bool enough;
};

static int take_line(struct letter_file *file, const char *line, size_t size, struct error *error)
{
    struct bus_record record = {.topic = file->topic};
    struct dlq_letter letter = {.record = &record};
    if (envelope_read(file->envelopes, line, size, &record, error) != 0) {
        return error_add_context(error, "%s line %" PRIu64, file->path, file->lines.number);
    }
    if (record.partition < 0 || record.offset < 0) {
        return error_set(error, -1, "%s line %" PRIu64 ": partition and offset of the letter are missing",
                         file->path, file->lines.number);
    }
    dead_letter_read(&letter.view, &record);
    letter.was_replayed = dlq_marks_have(&file->selection->marks, &record);
    file->enough = !file->take(file->context, &letter);
    return 0;
}

static int read_lines(struct program *program, struct letter_file *file, struct error *error)
{
    int result = 0;
    while (result == 0 && !file->enough && !program_is_stopping(program)) {
        const char *line = NULL;
        size_t size = 0;
        switch (line_reader_next(&file->lines, WAIT_MS, &line, &size, error)) {
        case LINE_READ:
            result = size == 0 ? 0 : take_line(file, line, size, error);
            break;
        case LINE_WAITING:
            break;
        case LINE_END:
            return 0;
        case LINE_TOO_LONG:
            return error_set(error, -1, "%s line %" PRIu64 " is longer than 16 MiB", file->path,
                             file->lines.number);
        case LINE_FAILED:
            return -1;
        }
    }
    return result;
}

int dlq_file_read(struct program *program, struct bus *bus, struct dlq_selection *selection, const char *path,
                  bool (*take)(void *context, const struct dlq_letter *letter), void *context,
                  struct error *error)
{
    struct letter_file file = {.path = path, .selection = selection, .take = take, .context = context};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return error_set_errno(error, -1, errno, "cannot open %s", path);
    }
    dlq_name_topic(file.topic, selection->topic);
    line_reader_init(&file.lines, fd, ENVELOPE_LINE_BYTES);
    int result = envelope_reader_create(&file.envelopes, error);
    if (result == 0) {
        result = dlq_selection_read_marks(program, bus, selection, error);
    }
    if (result == 0) {
        result = read_lines(program, &file, error);
    }
    envelope_reader_destroy(file.envelopes);
    line_reader_free(&file.lines);
    (void)close(fd);
    return result;
}
