#include "random/random.h"

#include "cmocka_all.h"

#include <math.h>

static void the_same_seed_gives_the_same_numbers(void **state)
{
    (void)state;
    struct random a;
    struct random b;
    random_init(&a, 42);
    random_init(&b, 42);
    for (int i = 0; i < 1000; i++) {
        assert_true(random_next(&a) == random_next(&b));
    }
    random_init(&b, 43);
    assert_true(random_next(&a) != random_next(&b));
}

static void bounded_numbers_stay_under_their_bound_and_reach_all_of_it(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, 1);
    unsigned seen = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t value = random_below(&random, 7);
        assert_true(value < 7);
        seen |= 1u << value;
    }
    assert_int_equal(seen, 0x7f);
}

static void the_distributions_have_their_moments(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, 7);
    const int n = 200000;
    double sum = 0;
    double squares = 0;
    double exponential = 0;
    for (int i = 0; i < n; i++) {
        double x = random_normal(&random);
        sum += x;
        squares += x * x;
        exponential += random_exponential(&random);
    }
    assert_true(fabs(sum / n) < 0.02);
    assert_true(fabs(squares / n - 1) < 0.02);
    assert_true(fabs(exponential / n - 1) < 0.02);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_numbers),
        cmocka_unit_test(bounded_numbers_stay_under_their_bound_and_reach_all_of_it),
        cmocka_unit_test(the_distributions_have_their_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
