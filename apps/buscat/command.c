#include "command.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define PATIENCE_MS 30000
#define RETRY_MS    200

int command_fail(const struct error *error)
{
    (void)fprintf(stderr, "buscat: %s\n", error->message);
    return PROGRAM_FAILED;
}

int command_refuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fprintf(stderr, "buscat: ");
    (void)vfprintf(stderr, format, arguments);
    (void)fprintf(stderr, "\n");
    va_end(arguments);
    return PROGRAM_USAGE;
}

void command_remark(const char *format, ...)
{
    if (isatty(STDERR_FILENO) == 0) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    (void)fprintf(stderr, "\n");
    va_end(arguments);
}

bool command_begin(struct program **program, struct bus **bus, const struct program_spec *spec, int argc,
                   char **argv, int *code)
{
    *code = program_start(program, spec, argc, argv);
    if (*program == NULL) {
        return false;
    }
    struct error error;
    *bus = program_bus(*program, &error);
    if (*bus == NULL) {
        *code = command_refuse("%s", error.message);
        program_end(*program);
        return false;
    }
    return true;
}

int command_find_topic(struct program *program, struct bus *bus, const char *topic, int32_t *partitions,
                       struct error *error)
{
    for (int64_t waited_ms = 0;; waited_ms += RETRY_MS) {
        int result = bus_partition_count(bus, topic, partitions, error);
        if (result != BUS_AWAY || waited_ms >= PATIENCE_MS || program_sleep(program, RETRY_MS)) {
            return result;
        }
    }
}
