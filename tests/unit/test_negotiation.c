#include "negotiation.h"

#include "cmocka_all.h"

#include <stddef.h>

#define PROTOBUF "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"

static void each_scraper_gets_the_format_it_likes_best(void **state)
{
    (void)state;
    const struct {
        const char *accept;
        enum metric_format format;
    } cases[] = {
        {NULL, METRIC_TEXT},
        {"", METRIC_TEXT},
        {"*/*", METRIC_TEXT},
        {"text/*", METRIC_TEXT},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", METRIC_TEXT}, /* a browser */
        /* Prometheus 2.42, then with native histograms */
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
         "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         METRIC_OPENMETRICS},
        {PROTOBUF
         ",application/openmetrics-text;version=1.0.0;q=0.8,"
         "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         METRIC_PROTOBUF},
        /* Prometheus 2.2x */
        {"application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", METRIC_TEXT},
        /* Prometheus 3 */
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
         "application/openmetrics-text;version=0.0.1;q=0.4,"
         "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
         METRIC_OPENMETRICS},
        {"application/openmetrics-text", METRIC_OPENMETRICS},
        {"application/openmetrics-text;q=0.2,text/plain;q=0.3", METRIC_TEXT},
        {"text/plain;q=0.3,application/openmetrics-text;q=0.3", METRIC_TEXT},
        {"application/openmetrics-text;q=0,*/*;q=0.1", METRIC_TEXT},
        {"application/vnd.google.protobuf", METRIC_TEXT}, /* of what, and how? */
        {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text,"
         "text/plain;q=0.5",
         METRIC_TEXT},
        {"application/vnd.google.protobuf;proto=other;encoding=delimited,text/plain;q=0.5", METRIC_TEXT},
        {"application/json", METRIC_TEXT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (negotiate_format(cases[i].accept) != cases[i].format) {
            fail_msg("%s", cases[i].accept == NULL ? "no Accept header" : cases[i].accept);
        }
    }
}

static void the_forms_of_histograms_are_three_words(void **state)
{
    (void)state;
    enum metric_histograms histograms;
    assert_true(negotiate_histograms(NULL, &histograms));
    assert_int_equal(histograms, METRIC_BOTH);
    assert_true(negotiate_histograms("classic", &histograms));
    assert_int_equal(histograms, METRIC_CLASSIC);
    assert_true(negotiate_histograms("native", &histograms));
    assert_int_equal(histograms, METRIC_NATIVE);
    assert_true(negotiate_histograms("both", &histograms));
    assert_int_equal(histograms, METRIC_BOTH);
    assert_false(negotiate_histograms("", &histograms));
    assert_false(negotiate_histograms("Native", &histograms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_scraper_gets_the_format_it_likes_best),
        cmocka_unit_test(the_forms_of_histograms_are_three_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
