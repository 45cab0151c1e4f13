#include "negotiation.h"

#include "http/http_accept.h"

#include <string.h>

/* Without a version OpenMetrics means any, text means 0.0.4; OpenMetrics 0.0.1 was never finished and is not
 * answered. Wildcards get text. */
static bool format_of(const struct http_accepted *accepted, enum metric_format *format)
{
    if (http_accepted_is(accepted, "application/vnd.google.protobuf")) {
        *format = METRIC_PROTOBUF;
        return http_accepted_has(accepted, "proto", "io.prometheus.client.MetricFamily") &&
               http_accepted_has(accepted, "encoding", "delimited");
    }
    if (http_accepted_is(accepted, "application/openmetrics-text")) {
        *format = METRIC_OPENMETRICS;
        return !http_accepted_has(accepted, "version", NULL) ||
               http_accepted_has(accepted, "version", "1.0.0");
    }
    *format = METRIC_TEXT;
    if (http_accepted_is(accepted, "text/plain")) {
        return !http_accepted_has(accepted, "version", NULL) ||
               http_accepted_has(accepted, "version", "0.0.4");
    }
    return http_accepted_is(accepted, "text/*") || http_accepted_is(accepted, "*/*");
}

enum metric_format negotiate_format(const char *accept)
{
    enum metric_format best = METRIC_TEXT;
    double weight = 0;
    struct http_accepted accepted;
    while (accept != NULL && http_accepted_next(&accept, &accepted)) {
        enum metric_format format;
        if (format_of(&accepted, &format) && accepted.weight > weight) {
            best = format;
            weight = accepted.weight;
        }
    }
    return best;
}

bool negotiate_histograms(const char *word, enum metric_histograms *out)
{
    static const struct {
        const char *word;
        enum metric_histograms histograms;
    } words[] = {{"classic", METRIC_CLASSIC}, {"native", METRIC_NATIVE}, {"both", METRIC_BOTH}};
    *out = METRIC_BOTH;
    for (size_t i = 0; word != NULL && i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(word, words[i].word) == 0) {
            *out = words[i].histograms;
            return true;
        }
    }
    return word == NULL;
}
