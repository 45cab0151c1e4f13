#include "json/number.h"

#include "random/random.h"

#include "cmocka_all.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t scan(const char *text)
{
    struct json_number number;
    return json_number_scan(text, strlen(text), &number);
}

/* glibc's strtod rounds correctly, so it is the reference. */
static void assert_converts(const char *text)
{
    struct json_number number;
    if (json_number_scan(text, strlen(text), &number) != strlen(text)) {
        fail_msg("%s isn't read whole", text);
    }
    double value = json_number_to_double(&number);
    double expected = strtod(text, NULL);
    if (memcmp(&value, &expected, sizeof value) != 0) {
        fail_msg("%s gives %a, not %a", text, value, expected);
    }
}

static void the_grammar_is_jsons(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
    } cases[] = {{"0", 1},
                 {"-0", 2},
                 {"10", 2},
                 {"01", 1},
                 {"-", 0},
                 {"+1", 0},
                 {".5", 0},
                 {"1.", 0},
                 {"1.5", 3},
                 {"1.5.5", 3},
                 {"1e5", 3},
                 {"1E+05", 5},
                 {"1e", 0},
                 {"1e+", 0},
                 {"1.e5", 0},
                 {"0x10", 1},
                 {"NaN", 0},
                 {"-inf", 0},
                 {"", 0},
                 {"1e5.5", 3},
                 {"12345678", 8},
                 {"1234567,", 7},
                 {"123456789012345678901,", 21},
                 {"-.5", 0},
                 {"00", 1},
                 {"0e0,", 3},
                 {"1 ", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (scan(cases[i].text) != cases[i].size) {
            fail_msg("'%s' is read to %zu", cases[i].text, scan(cases[i].text));
        }
    }
}

static void nothing_is_read_past_the_end(void **state)
{
    (void)state;
    struct json_number number;
    for (size_t size = 1; size < 24; size++) {
        char *digits = malloc(size);
        assert_non_null(digits);
        memset(digits, '7', size);
        assert_int_equal(json_number_scan(digits, size, &number), size);
        free(digits);
    }
    assert_int_equal(json_number_scan("1.", 1, &number), 1);
    assert_int_equal(json_number_scan("1e", 1, &number), 1);
}

static void known_hard_numbers_are_rounded_rightly(void **state)
{
    (void)state;
    static const char *const cases[] = {"0",
                                        "-0",
                                        "1",
                                        "0.1",
                                        "0.018262",
                                        "9007199254740993",
                                        "9007199254740992.5",
                                        "18446744073709551615",
                                        "18446744073709551616",
                                        "1e22",
                                        "1e23",
                                        "8.5e22",
                                        "123456789012345678",
                                        "1.7976931348623157e308",
                                        "1.7976931348623158e308",
                                        "1.7976931348623159e308",
                                        "1e309",
                                        "-1e999999999999",
                                        "4.9e-324",
                                        "2.4e-324",
                                        "2.5e-324",
                                        "2.4703282292062327e-324",
                                        "2.4703282292062328e-324",
                                        "1e-999999999999",
                                        "0e999999999999",
                                        "2.2250738585072011e-308",
                                        "2.2250738585072012e-308",
                                        "6631236846766476e-316",
                                        "3.2378839133029012895883e-319",
                                        "0.000000000000000000000000000000000000000000000000000000001e57",
                                        "100000000000000000000000000000e-29",
                                        "9223372036854775807",
                                        "9223372036854775808",
                                        "-9223372036854775809",
                                        "89255.9999999999999999999999999999"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_converts(cases[i]);
    }
}

static void thousands_of_digits_count_to_the_last(void **state)
{
    (void)state;
    enum { SIZE = 4000 };
    char text[SIZE + 16];
    /* Halfway between 1 and its successor: the tie goes to even, a 1 far behind it must not. */
    static const char half[] = "1.00000000000000011102230246251565404236316680908203125";
    memset(text, '0', sizeof text);
    memcpy(text, half, sizeof half - 1);
    text[SIZE] = '\0';
    assert_converts(text);
    text[SIZE - 1] = '1';
    assert_converts(text);
    struct json_number number;
    assert_int_equal(json_number_scan(text, SIZE, &number), SIZE);
    assert_true(json_number_to_double(&number) > 1);
    /* And with the point far away on either side. */
    memset(text, '0', sizeof text);
    text[0] = '7';
    (void)snprintf(text + SIZE, 16, "e-3990");
    assert_converts(text);
    text[0] = '0';
    text[1] = '.';
    text[SIZE - 1] = '9';
    (void)snprintf(text + SIZE, 16, "e3999");
    assert_converts(text);
}

static void random_numbers_are_what_strtod_says(void **state)
{
    (void)state;
    uint64_t seed = random_seed_from_system();
    print_message("seed %llu\n", (unsigned long long)seed);
    struct random random;
    random_init(&random, seed);
    for (int i = 0; i < 200000; i++) {
        char text[64];
        uint64_t bits = random_next(&random);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (i % 3 == 0 && isfinite(value)) {
            (void)snprintf(text, sizeof text, "%.*g", 1 + (int)random_below(&random, 20), value);
        } else {
            int digits = 1 + (int)random_below(&random, 20);
            (void)snprintf(text, sizeof text, "%llu.%0*llue%d",
                           (unsigned long long)random_below(&random, 1000000), digits,
                           (unsigned long long)(random_next(&random) >> (64 - 3 * digits)),
                           (int)random_below(&random, 60) - 30);
        }
        assert_converts(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_grammar_is_jsons),
        cmocka_unit_test(nothing_is_read_past_the_end),
        cmocka_unit_test(known_hard_numbers_are_rounded_rightly),
        cmocka_unit_test(thousands_of_digits_count_to_the_last),
        cmocka_unit_test(random_numbers_are_what_strtod_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
