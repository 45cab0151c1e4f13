#include "error/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void error_clear(struct error *error)
{
    if (error != NULL) {
        error->code = 0;
        error->message[0] = '\0';
    }
}

int error_set(struct error *error, int code, const char *format, ...)
{
    if (error == NULL) {
        return code;
    }
    va_list arguments;
    va_start(arguments, format);
    /* Through a buffer of its own: an argument may be error->message itself. */
    char text[ERROR_MESSAGE_BYTES];
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    memcpy(error->message, text, sizeof text);
    error->code = code;
    return code;
}

int error_set_errno(struct error *error, int code, int errno_value, const char *format, ...)
{
    if (error == NULL) {
        return code;
    }
    va_list arguments;
    va_start(arguments, format);
    char text[ERROR_MESSAGE_BYTES];
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char reason[128];
    return error_set(error, code, "%s: %s", text, strerror_r(errno_value, reason, sizeof reason));
}

int error_add_context(struct error *error, const char *format, ...)
{
    if (error == NULL) {
        return 0;
    }
    va_list arguments;
    va_start(arguments, format);
    char text[ERROR_MESSAGE_BYTES];
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return error_set(error, error->code, "%s: %s", text, error->message);
}
