/* tests/support/record_set: the shared good and bad records of tests/data/records: a JSON object a line.
 *
 *   {"case": "what it shows", "reason": "wrong_type", "field": "id", "record": "{…}"}
 *
 * record_base64 stands in for record where it isn't UTF-8; with pad_to the record is followed by blanks up to
 * that size; schema_needs names what a plain JSON-Schema validator lacks for the case (tests/contracts). */
#ifndef OBS_TESTS_RECORD_SET_H
#define OBS_TESTS_RECORD_SET_H

#include <stddef.h>

struct record_case {
    char name[128], reason[32], field[64];
    char *data; /* of exactly that size on the heap, so that a sanitizer sees any look past it */
    size_t size;
};

struct record_set {
    struct record_case *cases;
    size_t count;
};

/* Fails the cmocka test when the file isn't as above. */
void record_set_load(struct record_set *set, const char *path);
void record_set_free(struct record_set *set);

#endif
