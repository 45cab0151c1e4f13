#include "alert/encode.h"
#include "alert/transition.h"
#include "buffer/buffer.h"

#include "cmocka_all.h"

#include <math.h>
#include <string.h>
#include <xxhash.h>

static struct alert_transition firing(void)
{
    return (struct alert_transition){.fingerprint = UINT64_C(0xab),
                                     .sequence = 3,
                                     .state = ALERT_FIRING,
                                     .rule = "HighErrorRate",
                                     .severity = RULE_CRITICAL,
                                     .signal = RULE_ERROR_RATE,
                                     .labels = {"api-service", "us-east-1", ""},
                                     .value = 0.25,
                                     .threshold = 0.05,
                                     .samples = 100,
                                     .bad = 25,
                                     .window_seconds = 10,
                                     .evaluations = 2,
                                     .starts_ms = 1795561200000,
                                     .detected_ms = 1795561201500,
                                     .runbook = "runbooks/high-error-rate.md"};
}

static void a_fingerprint_is_that_of_name_and_sorted_labels_with_their_lengths(void **state)
{
    (void)state;
    static const char bytes[] = "\1\0\0\0R"
                                "\14\0\0\0cloud.region"
                                "\2\0\0\0eu"
                                "\14\0\0\0service.name"
                                "\3\0\0\0api";
    assert_true(alert_fingerprint("R", "api", "eu", "") == XXH64(bytes, sizeof bytes - 1, 0));
    static const char routed[] = "\1\0\0\0R"
                                 "\14\0\0\0cloud.region"
                                 "\2\0\0\0eu"
                                 "\12\0\0\0http.route"
                                 "\2\0\0\0/x"
                                 "\14\0\0\0service.name"
                                 "\3\0\0\0api";
    assert_true(alert_fingerprint("R", "api", "eu", "/x") == XXH64(routed, sizeof routed - 1, 0));
    /* The lengths keep apart what a mere joining would mix. */
    assert_true(alert_fingerprint("R", "ab", "c", "") != alert_fingerprint("R", "a", "bc", ""));
}

static void the_id_follows_from_fingerprint_and_sequence(void **state)
{
    (void)state;
    char id[ALERT_ID_BYTES];
    alert_id_format(id, UINT64_C(0x0123456789abcdef), 4294967295);
    assert_string_equal(id, "0123456789abcdef-4294967295");
}

static void a_firing_transition_has_every_field_of_the_contract(void **state)
{
    (void)state;
    struct alert_transition t = firing();
    struct buffer text;
    buffer_init(&text, 0);
    alert_encode(&text, &t, "http://127.0.0.1:3000/");
    assert_string_equal(
        buffer_text(&text),
        "{\"v\":1,\"alert_id\":\"00000000000000ab-3\",\"sequence\":3,\"fingerprint\":\"00000000000000ab\","
        "\"state\":\"firing\",\"rule\":\"HighErrorRate\",\"severity\":\"critical\",\"labels\":{"
        "\"service.name\":\"api-service\",\"cloud.region\":\"us-east-1\"},\"signal\":\"error_rate\","
        "\"value\":0.25,\"threshold\":0.05,\"samples\":100,\"bad\":25,\"window_seconds\":10,"
        "\"evaluations\":2,\"starts_at\":\"2026-11-24T23:00:00.000Z\",\"detected_at\":"
        "\"2026-11-24T23:00:01.500Z\",\"summary\":\"Error rate of api-service in us-east-1 is 25.0 %, over "
        "5.0 % (25 of 100 requests in 10 s)\",\"runbook_url\":"
        "\"http://127.0.0.1:3000/runbooks/high-error-rate.md\"}");
    buffer_free(&text);
}

static void a_resolved_transition_says_why_and_when(void **state)
{
    (void)state;
    static const struct {
        enum alert_reason reason;
        const char *json, *summary;
    } cases[] = {{ALERT_REASON_CLEAR, "\"reason\":\"clear\"", "is back at 25.0 %"},
                 {ALERT_REASON_NO_DATA, "\"reason\":\"no_data\"", "no requests come"},
                 {ALERT_REASON_RULE_REMOVED, "\"reason\":\"rule_removed\"", "rule was removed"}};
    for (size_t i = 0; i < 3; i++) {
        struct alert_transition t = firing();
        struct buffer text;
        t.state = ALERT_RESOLVED;
        t.reason = cases[i].reason;
        t.ends_ms = 1795561260000;
        t.value = t.reason == ALERT_REASON_CLEAR ? 0.25 : NAN;
        buffer_init(&text, 0);
        alert_encode(&text, &t, NULL);
        assert_non_null(strstr(buffer_text(&text), cases[i].json));
        assert_non_null(strstr(buffer_text(&text), cases[i].summary));
        assert_non_null(strstr(buffer_text(&text), "\"ends_at\":\"2026-11-24T23:01:00.000Z\""));
        assert_non_null(strstr(buffer_text(&text), "\"runbook_url\":\"runbooks/high-error-rate.md\""));
        buffer_free(&text);
    }
}

static void hostile_names_stay_inside_their_strings(void **state)
{
    (void)state;
    struct alert_transition t = firing();
    struct buffer text;
    memcpy(t.labels.service, "a\"},{\n", 7);
    buffer_init(&text, 0);
    alert_encode(&text, &t, NULL);
    assert_non_null(strstr(buffer_text(&text), "\"service.name\":\"a\\\"},{\\n\""));
    assert_null(strchr(buffer_text(&text), '\n'));
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fingerprint_is_that_of_name_and_sorted_labels_with_their_lengths),
        cmocka_unit_test(the_id_follows_from_fingerprint_and_sequence),
        cmocka_unit_test(a_firing_transition_has_every_field_of_the_contract),
        cmocka_unit_test(a_resolved_transition_says_why_and_when),
        cmocka_unit_test(hostile_names_stay_inside_their_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
