/* Base64 (RFC 4648 §4, padded): bytes that are no text, inside JSON. */
#ifndef BUSCAT_BASE64_H
#define BUSCAT_BASE64_H

#include <stdbool.h>
#include <stddef.h>

struct buffer;

void base64_append(struct buffer *buffer, const void *data, size_t size);
/* False: not base64; the buffer may hold a part of it then. */
bool base64_decode(struct buffer *buffer, const char *text, size_t size);

#endif
