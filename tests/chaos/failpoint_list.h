/* The failpoints that stream-processor-chaos has, from itself. */
#ifndef TESTS_CHAOS_FAILPOINT_LIST_H
#define TESTS_CHAOS_FAILPOINT_LIST_H

#include <stddef.h>

struct failpoint_case {
    char name[64], action[16], needs[64];
};

/* Every failpoint of a bus ("bus" and "embedded" or "kafka") × kill, stop and each of its errors. Static
 * storage; *count: how many. */
const struct failpoint_case *failpoint_list_cases(const char *bus, size_t *count);

#endif
