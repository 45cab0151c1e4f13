/* lib/error: an error as a value: one sentence for people that names what went wrong and where.
 *
 * A function that can fail returns 0 or a negative code of its own module and fills the caller's struct
 * error. Nothing below main prints or exits. A NULL struct error is allowed everywhere: the caller wants only
 * the code. Plain data: no ownership, no threads. */
#ifndef OBS_ERROR_ERROR_H
#define OBS_ERROR_ERROR_H

#define ERROR_MESSAGE_BYTES 768

struct error {
    int code;                          /* what the function returned; 0: no error */
    char message[ERROR_MESSAGE_BYTES]; /* UTF-8, NUL-ended, cut to fit; "" when code is 0 */
};

void error_clear(struct error *error);

/* Stores code and the formatted sentence; returns code, so that a function can `return error_set(…)`. */
int error_set(struct error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Like error_set, with ": " and what errno_value means appended (strerror). */
int error_set_errno(struct error *error, int code, int errno_value, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts the formatted context and ": " in front of the sentence; returns the stored code. */
int error_add_context(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
