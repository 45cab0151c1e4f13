#include "route_fold.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define MAX_SEGMENTS  10
#define MAX_EXTENSION 5
#define SLOTS         2048 /* a power of two, over twice the limit: probes stay short */

static const char id_text[] = "{id}", rest_text[] = "{rest}", unknown_text[] = "{unknown}",
                  other_text[] = "{other}";

/* --- a segment ---- */

struct letters {
    size_t digits, hex_letters, lower, upper, marks, strange;
};

static struct letters count_letters(const char *text, size_t size)
{
    struct letters n = {0};
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        bool is_lower = c >= 'a' && c <= 'z', is_upper = c >= 'A' && c <= 'Z';
        n.digits += c >= '0' && c <= '9' ? 1 : 0;
        n.hex_letters += (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') ? 1 : 0;
        n.lower += is_lower ? 1 : 0;
        n.upper += is_upper ? 1 : 0;
        n.marks += c != '\0' && strchr("-.:,+~@", c) != NULL ? 1 : 0;
        n.strange += c <= ' ' || c > '~' || c == '%' || c == '\\' || c == '"' ? 1 : 0;
    }
    return n;
}

static bool is_uuid(const char *text, size_t size, const struct letters *n)
{
    return size == 36 && n->digits + n->hex_letters == 32 && text[8] == '-' && text[13] == '-' &&
           text[18] == '-' && text[23] == '-';
}

static bool is_id(const char *text, size_t size)
{
    struct letters n = count_letters(text, size);
    if (n.strange > 0 || n.digits >= 4) {
        return true;
    }
    if (n.digits > 0 && n.digits + n.marks == size) {
        return true;
    }
    if (is_uuid(text, size, &n)) {
        return true;
    }
    if (n.digits + n.hex_letters == size && ((size >= 8 && n.digits > 0) || size >= 16)) {
        return true;
    }
    return (size >= 20 && n.digits > 0) || size >= 40 ||
           (size >= 10 && n.digits > 0 && n.lower > 0 && n.upper > 0);
}

/* The size of ".ext" at the end, 0: none. */
static size_t find_extension(const char *text, size_t size)
{
    size_t longest = size < MAX_EXTENSION + 1 ? size : MAX_EXTENSION + 1;
    for (size_t back = 1; back <= longest; back++) {
        if (text[size - back] == '.') {
            struct letters n = count_letters(text + size - back + 1, back - 1);
            bool is_extension = n.lower + n.upper > 0 && n.lower + n.upper + n.digits == back - 1;
            return is_extension && back < size ? back : 0;
        }
    }
    return 0;
}

/* --- the path ---- */

struct route {
    char *out;
    size_t size;
};

static bool append(struct route *route, const char *text, size_t size)
{
    /* Room for a final "/{rest}" always stays. */
    if (route->size + size + sizeof rest_text > EVENT_ROUTE_BYTES) {
        return false;
    }
    memcpy(route->out + route->size, text, size);
    route->size += size;
    return true;
}

static bool append_segment(struct route *route, const char *text, size_t size)
{
    size_t extension = find_extension(text, size);
    if (extension > 0 && is_id(text, size - extension)) {
        return append(route, id_text, sizeof id_text - 1) &&
               append(route, text + size - extension, extension);
    }
    return is_id(text, size) ? append(route, id_text, sizeof id_text - 1) : append(route, text, size);
}

/* Without scheme and authority, query, fragment. */
static void find_path(const char **target, size_t *size)
{
    const char *scheme = memmem(*target, *size, "://", 3);
    if (*size > 0 && (*target)[0] != '/' && scheme != NULL) {
        const char *authority = scheme + 3;
        size_t left = *size - (size_t)(authority - *target);
        const char *path = memchr(authority, '/', left);
        *size = path == NULL ? 1 : *size - (size_t)(path - *target);
        *target = path == NULL ? "/" : path;
    }
    for (size_t i = 0; i < *size; i++) {
        if ((*target)[i] == '?' || (*target)[i] == '#') {
            *size = i;
        }
    }
}

static size_t answer(char out[EVENT_ROUTE_BYTES], const char *text)
{
    size_t size = 0;
    for (; text[size] != '\0'; size++) {
        out[size] = text[size];
    }
    return size;
}

size_t route_fold_path(char out[EVENT_ROUTE_BYTES], const char *target, size_t size)
{
    find_path(&target, &size);
    if (size == 1 && target[0] == '*') {
        return answer(out, "*"); /* OPTIONS * */
    }
    if (size == 0 || target[0] != '/') {
        return answer(out, unknown_text);
    }
    struct route route = {out, 0};
    size_t segments = 0;
    for (size_t at = 0; at < size;) {
        while (at < size && target[at] == '/') {
            at++;
        }
        size_t begin = at;
        while (at < size && target[at] != '/') {
            at++;
        }
        const char *parameters = memchr(target + begin, ';', at - begin);
        size_t length = parameters == NULL ? at - begin : (size_t)(parameters - target) - begin;
        size_t before = route.size;
        out[route.size++] = '/';
        if (segments++ == MAX_SEGMENTS || !append_segment(&route, target + begin, length)) {
            return before + 1 + answer(out + before + 1, rest_text);
        }
    }
    return route.size;
}

/* --- bounded ---- */

struct route_fold {
    uint64_t seen[SLOTS]; /* hashes; 0: free */
    size_t count;
    uint64_t others;
    char route[EVENT_ROUTE_BYTES];
};

struct route_fold *route_fold_create(void)
{
    return calloc(1, sizeof(struct route_fold));
}

void route_fold_destroy(struct route_fold *fold)
{
    free(fold);
}

static bool admit(struct route_fold *fold, uint64_t hash)
{
    size_t slot = (size_t)hash % SLOTS;
    while (fold->seen[slot] != 0 && fold->seen[slot] != hash) {
        slot = (slot + 1) % SLOTS;
    }
    if (fold->seen[slot] == 0) {
        if (fold->count == ROUTE_FOLD_LIMIT) {
            return false;
        }
        fold->seen[slot] = hash;
        fold->count++;
    }
    return true;
}

struct event_text route_fold_apply(struct route_fold *fold, const char *target, size_t size)
{
    size_t length = route_fold_path(fold->route, target, size);
    uint64_t hash = XXH3_64bits(fold->route, length);
    if (!admit(fold, hash == 0 ? 1 : hash)) {
        fold->others++;
        return (struct event_text){other_text, sizeof other_text - 1};
    }
    return (struct event_text){fold->route, length};
}

uint64_t route_fold_others(const struct route_fold *fold)
{
    return fold->others;
}
