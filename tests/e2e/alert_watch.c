#include "e2e/alert_watch.h"

#include "buffer/buffer.h"
#include "clock/clock.h"
#include "cmocka_all.h"
#include "support/process.h"
#include "support/prometheus.h"
#include "support/stack.h"

size_t alerts_firing(const struct stack *stack, const char *matchers)
{
    struct buffer query;
    buffer_init(&query, 0);
    buffer_append_format(&query, "ALERTS{alertstate=\"firing\",%s}", matchers);
    const size_t count =
        prometheus_query(stack_url(stack, STACK_PROMETHEUS, ""), buffer_text(&query), NULL, NULL);
    buffer_free(&query);
    return count;
}

static void print_alert(void *context, const struct prometheus_sample *sample)
{
    (void)context;
    print_error("  %s: %s %s %s%s %s\n", prometheus_label(sample, "alertstate"),
                prometheus_label(sample, "alertname"), prometheus_label(sample, "service_name"),
                prometheus_label(sample, "job"), prometheus_label(sample, "consumergroup"),
                prometheus_label(sample, "sloth_id"));
}

struct expected {
    const struct stack *stack;
    const char *matchers;
    bool firing;
};

static bool is_as_expected(void *context)
{
    const struct expected *expected = context;
    return (alerts_firing(expected->stack, expected->matchers) > 0) == expected->firing;
}

static double wait(const struct stack *stack, const char *matchers, bool firing, int timeout_ms)
{
    struct expected expected = {stack, matchers, firing};
    const int64_t begin_ms = clock_steady_ms(clock_system());
    if (!process_wait_until(is_as_expected, &expected, timeout_ms)) {
        print_error("pending or firing:\n");
        prometheus_query(stack_url(stack, STACK_PROMETHEUS, ""), "ALERTS", print_alert, NULL);
        fail_msg("{%s} %s after %d ms", matchers, firing ? "doesn't fire" : "still fires", timeout_ms);
    }
    return (double)(clock_steady_ms(clock_system()) - begin_ms) / 1000;
}

double alerts_wait_firing(const struct stack *stack, const char *matchers, int timeout_ms)
{
    return wait(stack, matchers, true, timeout_ms);
}

double alerts_wait_quiet(const struct stack *stack, const char *matchers, int timeout_ms)
{
    return wait(stack, matchers, false, timeout_ms);
}
