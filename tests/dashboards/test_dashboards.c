/* The JSON of dashboards/ keeps to the conventions (docs/dashboards.md), and the lint that says so finds what
 * it is for: each of its complaints is provoked by one change of a good dashboard. */
#include "buffer/buffer.h"
#include "cmocka_all.h"
#include "dashboards/lint.h"
#include "docs/alert_list.h"
#include "docs/page.h"
#include "support/files.h"
#include "support/process.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

#define GOLDEN "dashboards/golden-signals.json"
#define LAG    "dashboards/kafka-consumer-lag.json"
#define SLO    "dashboards/slo-dashboard.json"
#define PODS   "dashboards/kubernetes-platform.json"

static struct alert_list alerts;

static int find_alerts(void **state)
{
    (void)state;
    alert_list_find(&alerts);
    return 0;
}

static int forget_alerts(void **state)
{
    (void)state;
    alert_list_free(&alerts);
    return 0;
}

static void promtool_is_there_to_judge_the_queries(void **state)
{
    (void)state;
    process_require_command("promtool");
}

static void the_four_dashboards_are_there(void **state)
{
    (void)state;
    static const char *const files[] = {GOLDEN, LAG, SLO, PODS};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (!file_exists(page_path(files[i]))) {
            fail_msg("there is no %s", files[i]);
        }
    }
}

static void every_dashboard_keeps_to_the_conventions(void **state)
{
    (void)state;
    struct buffer text, complaints;
    glob_t files;
    buffer_init(&text, 0);
    buffer_init(&complaints, 0);
    assert_int_equal(glob(page_path("dashboards/*.json"), 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        buffer_clear(&text);
        file_read(files.gl_pathv[i], &text);
        lint_dashboard(files.gl_pathv[i] + strlen(OBS_SOURCE_DIR) + 1, text.data, text.size, &alerts,
                       &complaints);
    }
    globfree(&files);
    if (complaints.size > 0) {
        fail_msg("\n%s", buffer_text(&complaints));
    }
    buffer_free(&complaints);
    buffer_free(&text);
}

/* --- the lint itself ---- */

struct change {
    const char *file, *from, *to; /* the first place */
    const char *complaint;        /* a part of it */
};

static const struct change changes[] = {
    {GOLDEN, "\"uid\": \"golden-signals\"", "\"uid\": \"golden\"", "uid is 'golden'"},
    {GOLDEN, "\"schemaVersion\": 41", "\"schemaVersion\": 43", "schemaVersion isn't 1 to 42"},
    {GOLDEN, "\"editable\": false", "\"editable\": true", "editable is 'true'"},
    {GOLDEN, "\"graphTooltip\": 1", "\"graphTooltip\": 0", "graphTooltip is '0'"},
    {GOLDEN, "\"title\": \"Golden signals\"", "\"title\": \"\"", "it has no title or no description"},
    {GOLDEN, "\"refresh\": \"10s\"", "\"refresh\": \"7s\"", "the refresh isn't one"},
    {GOLDEN, "\"uid\"", "\"__inputs\": [{\"name\": \"x\"}], \"uid\"", "doesn't draw __inputs.name"},
    {GOLDEN, "\"observability-platform\"", "\"mine\"", "it hasn't the tag"},
    {GOLDEN, "\"keepTime\": true", "\"keepTime\": false", "no link leads to the other dashboards"},
    {GOLDEN, "severity=\\\"critical\\\"", "severity=\\\"x\\\"",
     "firing alerts of severity=\"critical\" aren't"},
    {GOLDEN, "\"name\": \"region\"", "\"name\": \"zone\"", "variable 3 is 'zone', not 'region'"},
    {GOLDEN, "\"allValue\": \".+\"", "\"allValue\": \".*\"", "or All isn't '.+'"},
    {GOLDEN, "\"multi\": true", "\"multi\": false", "doesn't take several values"},
    {LAG, "\"name\": \"topic\"", "\"name\": \"subject\"", "there is no variable $topic"},
    {LAG, "\"name\": \"topic\"", "\"name\": \"subject\"", "no query uses the variable \"$subject\""},
    {GOLDEN, "\"title\": \"Requests\"", "\"title\": \"\"", "it has no title"},
    {GOLDEN, "\"title\": \"Requests\"", "\"title\": \"Most failing\"", "another one has the same title"},
    {GOLDEN, "Requests a second of all chosen services and regions.", "Requests", "isn't a sentence"},
    {GOLDEN, "\"type\": \"heatmap\"", "\"type\": \"piechart\"", "the type 'piechart' isn't one of"},
    {GOLDEN, "\"unit\": \"reqps\"", "\"unit\": \"furlongs\"", "the unit isn't one of"},
    {GOLDEN, "\"id\": \"unit\"", "\"id\": \"decimals\"", "the column 'Failed' has no unit"},
    {GOLDEN, "\"Value #B\": \"P99\",", "", "not every query of the table is a named column"},
    {GOLDEN, "\"w\": 6", "\"w\": 7", "it overlaps with 'Requests'"},
    {GOLDEN, "\"x\": 18", "\"x\": 19", "it doesn't stand within 24 columns"},
    {GOLDEN, "\"id\": 2,", "\"id\": 1,", "'Requests' has the same id"},
    {GOLDEN, "/d/slo-dashboard?", "/d/slo?", "there is no dashboards/slo.json"},
    {GOLDEN, "&${__url_time_range}", "", "the link forgets the choice or the time"},
    {GOLDEN, "\"refId\": \"B\"", "\"refId\": \"A\"", "the refId isn't B"},
    {GOLDEN, "\"legendFormat\": \"P50\"", "\"legendFormat\": \"\"", "the query has no legend"},
    {GOLDEN, "\"exemplar\": true", "\"exemplar\": false", "latency without exemplars"},
    {GOLDEN, "[$__rate_interval]", "[2m]", "the range [2m] is neither"},
    {GOLDEN, "cloud_region=~\\\"$region\\\"}[", "cloud_region=\\\"$region\\\"}[",
     "$region isn't matched with =~"},
    {GOLDEN, "service_name=~\\\"$service\\\"", "service_name=\\\"api-service\\\"",
     "isn't matched by the choice"},
    {GOLDEN, ",cloud_region=~\\\"$region\\\"}[", "}[", "it ignores the choice of cloud_region"},
    {GOLDEN, "\"expr\": \"sum(rate(", "\"expr\": \"sum(rate((", "not PromQL"},
    {GOLDEN, "label_values(http_server_requests_total,", "label_values(http server,", "not PromQL"},
    {GOLDEN, "\"value\": 0.05", "\"value\": 0.06", "the threshold 0.06 is no limit of an alert"},
    {GOLDEN, "\"value\": 0.05", "\"value\": 0.06", "doesn't show its limit"},
    {GOLDEN, "\"color\": \"red\",", "\"color\": \"orange\",", "HighErrorRate, which is critical, isn't red"},
    {GOLDEN, "HighErrorRate: what to do", "HighErrorrate: what to do", "rules/ have no alert HighErrorrate"},
    {GOLDEN, "HighErrorRate: what to do", "Runbook", "isn't called 'ALERT: what to do'"},
    {GOLDEN, "/runbooks/high-error-rate.md", "/runbooks/x.md", "isn't /runbooks/high-error-rate.md"},
    {SLO, "\"value\": 14", "\"value\": 14.4", "the threshold 14.4 is no limit of an alert"},
    {PODS, "[15m]", "[16m]", "the range [16m] is neither"},
    {GOLDEN, "\"graphMode\": \"area\"", "\"graphMode\": \"line\"",
     "of options.graphMode the console draws area|none"},
    {GOLDEN, "\"wideLayout\": true", "\"wideLayout\": true, \"text\": {\"valueSize\": 9}",
     "draw options.text.valueSize"},
    {GOLDEN, "\"id\": \"custom.lineWidth\"", "\"id\": \"custom.axisLabel\"",
     "draw fieldConfig.defaults.custom.axisLabel"},
    {GOLDEN, "\"id\": \"merge\"", "\"id\": \"seriesToRows\"", "of transformations.id the console draws"},
};

static void replace_first(struct buffer *out, const char *text, const struct change *change)
{
    const char *at = strstr(text, change->from);
    if (at == NULL) {
        fail_msg("%s has no %s any more", change->file, change->from);
    }
    buffer_append(out, text, (size_t)(at - text));
    buffer_append_text(out, change->to);
    buffer_append_text(out, at + strlen(change->from));
}

static void each_kind_of_mistake_is_found(void **state)
{
    (void)state;
    struct buffer text, changed, complaints;
    size_t missed = 0;
    buffer_init(&text, 0);
    buffer_init(&changed, 0);
    buffer_init(&complaints, 0);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        buffer_clear(&text);
        buffer_clear(&changed);
        buffer_clear(&complaints);
        file_read(page_path(changes[i].file), &text);
        replace_first(&changed, buffer_text(&text), &changes[i]);
        lint_dashboard(changes[i].file, changed.data, changed.size, &alerts, &complaints);
        if (strstr(buffer_text(&complaints), changes[i].complaint) == NULL) {
            missed++;
            print_error("%s -> %s: no \"%s\" in:\n%s", changes[i].from, changes[i].to, changes[i].complaint,
                        buffer_text(&complaints));
        }
    }
    buffer_free(&complaints);
    buffer_free(&changed);
    buffer_free(&text);
    assert_int_equal(missed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promtool_is_there_to_judge_the_queries),
        cmocka_unit_test(the_four_dashboards_are_there),
        cmocka_unit_test(every_dashboard_keeps_to_the_conventions),
        cmocka_unit_test(each_kind_of_mistake_is_found),
    };
    return cmocka_run_group_tests(tests, find_alerts, forget_alerts);
}
