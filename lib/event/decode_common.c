/* Every event of every producer goes through here, so it is a scanner written for this one shape: no tokens,
 * no copy, no state but a position. It stays strict by leaving: whatever it doesn't know for certain to be
 * right (an escape, a name given twice, a nested value, anything malformed) is the general way's to judge. So
 * a mistake here could only be to accept too much, and that is what fuzz/fuzz_decode.c looks for. */
#include "event/decode_common.h"

#include "json/utf8.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define GUESSES     3 /* an optional field or two may be left out */
#define EIGHT(byte) (UINT64_C(0x0101010101010101) * (byte))

static bool is_plain(char c)
{
    return (unsigned char)c >= ' ' && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

#ifdef __SSE2__ /* every x86-64 */
#define STRIDE 16

/* Of the first 16 characters, a bit for each that isn't plain. */
static uint64_t find_special(const char *at)
{
    __m128i text = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i quote = _mm_cmpeq_epi8(text, _mm_set1_epi8('"'));
    __m128i slash = _mm_cmpeq_epi8(text, _mm_set1_epi8('\\'));
    __m128i low = _mm_cmplt_epi8(text, _mm_set1_epi8(' ')); /* signed: what isn't ASCII is low too */
    return (uint64_t)(unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), low));
}

static size_t first_special(uint64_t specials)
{
    return (size_t)__builtin_ctzll(specials);
}
#else
#define STRIDE 8

/* In each byte's top bit: is this byte zero? Exact up to and including the first one that is. */
static uint64_t zero_bytes(uint64_t eight)
{
    return (eight - EIGHT(0x01)) & ~eight & EIGHT(0x80);
}

static uint64_t find_special(const char *at)
{
    uint64_t eight;
    memcpy(&eight, at, sizeof eight);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    eight = __builtin_bswap64(eight);
#endif
    return zero_bytes(eight ^ EIGHT('"')) | zero_bytes(eight ^ EIGHT('\\')) |
           ((eight - EIGHT(' ')) & ~eight & EIGHT(0x80)) | (eight & EIGHT(0x80));
}

static size_t first_special(uint64_t specials)
{
    return (size_t)__builtin_ctzll(specials) / 8;
}
#endif

/* Past the characters that stand for themselves: ASCII without control characters, '"' and '\'. */
static inline const char *skip_plain(const char *at, const char *end)
{
    while (end - at >= STRIDE) {
        uint64_t specials = find_special(at);
        if (specials != 0) {
            return at + first_special(specials);
        }
        at += STRIDE;
    }
    while (at < end && is_plain(*at)) {
        at++;
    }
    return at;
}

static inline uint64_t difference(const char *a, const char *b)
{
    uint64_t x;
    uint64_t y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x ^ y;
}

/* memcmp for names of 5 to 32 bytes: no call, no loop; begin and end are compared, overlapping in the middle.
 */
static inline bool is_same(const char *a, const char *b, size_t size)
{
    if (size >= 16) {
        return (difference(a, b) | difference(a + 8, b + 8) | difference(a + size - 16, b + size - 16) |
                difference(a + size - 8, b + size - 8)) == 0;
    }
    if (size >= 8) {
        return (difference(a, b) | difference(a + size - 8, b + size - 8)) == 0;
    }
    return memcmp(a, b, 4) == 0 && memcmp(a + size - 4, b + size - 4, 4) == 0;
}

/* At the first character of a text: past its closing quote, or NULL. */
static inline const char *skip_text(const char *at, const char *end)
{
    for (;;) {
        at = skip_plain(at, end);
        if (at == end) {
            return NULL;
        }
        if (*at == '"') {
            return at + 1;
        }
        size_t length = (unsigned char)*at < 0x80 ? 0 : utf8_sequence(at, (size_t)(end - at));
        if (length == 0) {
            return NULL;
        }
        at += length;
    }
}

static bool is_white(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *skip_white(const char *at)
{
    while ((unsigned char)*at <= ' ' && is_white(*at)) { /* one comparison where there is none */
        at++;
    }
    return at;
}

/* A value that is a text or a number, or NULL. */
static inline const char *read_value(const char *at, const char *end, struct field_value *value)
{
    value->has_nul = false;
    if (*at == '"') {
        value->type = FIELD_STRING;
        value->text = at + 1;
        at = skip_text(at + 1, end);
        if (at != NULL) {
            value->size = (size_t)(at - 1 - value->text);
        }
        return at;
    }
    value->type = FIELD_NUMBER;
    value->text = at;
    value->size = json_number_scan(at, (size_t)(end - at), &value->number);
    return value->size == 0 ? NULL : at + value->size;
}

/* At a name's quote: past the colon, or NULL. *field as field_find; the fields after the last one are the
 * best guess.
 */
static inline const char *read_name(const char *at, const char *end, const struct field_list *list,
                                    uint32_t guess, int *field)
{
    for (uint32_t i = guess; i < list->count && i < guess + GUESSES; i++) {
        const struct field_name *name = &list->names[i];
        size_t size = name->size + 3;
        if ((size_t)(end - at) > size && at[size - 1] == ':' && is_same(at, name->spelled, size)) {
            *field = (int)i;
            return at + size;
        }
    }
    if (*at != '"') {
        return NULL;
    }
    const char *text = at + 1;
    at = skip_text(text, end);
    if (at == NULL) {
        return NULL;
    }
    *field = field_find(list, text, (size_t)(at - 1 - text));
    at = skip_white(at);
    return *at == ':' ? at + 1 : NULL;
}

bool decode_common(const struct field_list *list, const char *data, size_t size, struct field_values *values)
{
    const char *end = data + size;
    while (end > data && is_white(end[-1])) {
        end--;
    }
    if (end - data < 2 || *--end != '}') {
        return false;
    }
    /* *end may be read now, and stops everything but a text: the rest needs no look at where it ends. */
    const char *at = skip_white(data);
    if (*at != '{') {
        return false;
    }
    values->seen = values->repeated = 0;
    struct field_value ignored;
    uint32_t guess = 0;
    do {
        int field = -1;
        at = read_name(skip_white(at + 1), end, list, guess, &field);
        if (at == NULL) {
            return false;
        }
        struct field_value *value = &ignored;
        if (field >= 0) {
            uint32_t bit = UINT32_C(1) << field;
            if ((values->seen & bit) != 0) {
                return false;
            }
            values->seen |= bit;
            value = &values->values[field];
            guess = (uint32_t)field + 1;
        }
        at = read_value(skip_white(at), end, value);
        if (at == NULL) {
            return false;
        }
        at = skip_white(at);
    } while (*at == ',');
    return at == end;
}
