/* cmocka.h wants these four in front of it; in one place, so that no test forgets one. */
#ifndef OBS_TESTS_CMOCKA_ALL_H
#define OBS_TESTS_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
