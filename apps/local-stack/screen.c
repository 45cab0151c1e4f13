#include "screen.h"

#include "options.h"
#include "plan.h"

#include "json/utf8.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PLAIN_INTERVAL_MS 10000
#define CLEAR_LINE        "\r\033[K"

void screen_init(struct screen *screen)
{
    *screen = (struct screen){.is_terminal = isatty(STDOUT_FILENO) != 0};
}

void screen_show_text(struct screen *screen, const char *text)
{
    if (screen->has_status) {
        (void)fputs(CLEAR_LINE, stdout);
        screen->has_status = false;
    }
    (void)fputs(text, stdout);
    (void)fflush(stdout);
}

/* How many bytes of line fill at most columns columns (a character each: what we print has no wide ones). */
static size_t fit(const char *line, size_t columns)
{
    const size_t size = strlen(line);
    size_t at = 0;
    while (at < size && columns > 0) {
        const size_t length = utf8_sequence(line + at, size - at);
        at += length > 0 ? length : 1;
        columns--;
    }
    return at;
}

void screen_show_status(struct screen *screen, const char *line, int64_t steady_ms, bool important)
{
    if (screen->is_terminal) {
        struct winsize window = {0};
        const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1;
        (void)printf(CLEAR_LINE "%.*s", (int)fit(line, known ? window.ws_col - 1U : 79U), line);
        screen->has_status = true;
    } else if (important || steady_ms >= screen->next_plain_ms) {
        (void)printf("%s\n", line);
        screen->next_plain_ms = steady_ms + PLAIN_INTERVAL_MS;
    }
    (void)fflush(stdout);
}

static void show_address(const struct part *part, const char *path, const char *what)
{
    char url[PLAN_URL_BYTES];
    plan_url(url, part, path);
    (void)printf("  %-18s  %-42s  %s\n", part->name, url, what);
}

void screen_show_addresses(struct screen *screen, const struct plan *plan, const struct options *options,
                           double seconds)
{
    static const char graph[] = "/classic/graph?g0.range_input=15m&g0.tab=0&g0.expr="
                                "sum%20by%20(service_name)%20(rate(http_server_requests_total%5B1m%5D))";
    char url[PLAN_URL_BYTES];
    const struct part *parts = plan->parts;
    screen_show_text(screen, "");
    (void)printf("\nThe platform is up, after %.1f s. Data under %s/, logs in %s/log/.\n\n", seconds,
                 options->data, options->data);
    show_address(&parts[PART_CONSOLE], "/", "open this: everything below as one page; Lab breaks something");
    show_address(&parts[PART_SIMULATOR], "/metrics", "traffic; /faults breaks some of it");
    show_address(&parts[PART_PROCESSOR], "/series", "what it sees, and why it decides; /alerts: what fires");
    show_address(&parts[PART_BRIDGE], "/metrics", "what Prometheus reads");
    show_address(&parts[PART_FORWARDER], "/metrics", "tells Alertmanager what fires");
    show_address(&parts[PART_PROMETHEUS], "/classic/graph", "queries; /classic/alerts, /classic/targets");
    show_address(&parts[PART_ALERTMANAGER], "/api/v2/alerts", "an API only: Debian's has no pages");
    plan_url(url, &parts[PART_SIMULATOR], "/faults");
    (void)printf("\nTry, in a second terminal:\n"
                 "  break something    curl -d "
                 "'{\"type\":\"error_burst\",\"service\":\"api-service\",\"region\":\"us-east-1\","
                 "\"duration\":\"60s\",\"magnitude\":0.3}' %s\n",
                 url);
    (void)printf("  see it being told  %s/buscat consume alerts.fired --follow --bus-url %s\n",
                 options->programs, options->bus_url);
    plan_url(url, &parts[PART_PROMETHEUS], graph);
    (void)printf("  requests/s, drawn  %s\n\nCtrl-C stops everything.\n\n", url);
    (void)fflush(stdout);
}
