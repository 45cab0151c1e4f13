#include "plot.h"

#include "catalog.h"
#include "report.h"

#include <inttypes.h>
#include <math.h>

#define WIDTH      1200
#define LEFT       210
#define RIGHT      20
#define TOP        70
#define ROW        46
#define BAR        7
#define HOUR_MS    3600000.0
#define PANEL_H    180
#define PANEL_W    330
#define PANEL_GAP  50
#define PANELS_ROW 3

static const char *const side_colours[SIDE_COUNT] = {"#2563eb", "#d97706", "#059669"};

static void begin_svg(FILE *out, int width, int height, const char *title)
{
    (void)fprintf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" "
        "font-family=\"system-ui, sans-serif\" font-size=\"12\">\n<title>%s</title>\n"
        "<style>\n.ink{fill:#1f2937}.faint{fill:#6b7280}.line{stroke:#e5e7eb}.axis{stroke:#9ca3af}"
        ".paper{fill:#ffffff}.must{fill:#ef4444;fill-opacity:.35}.may{fill:#9ca3af;fill-opacity:.35}"
        ".wrong{stroke:#b91c1c;stroke-width:2}\n"
        "@media (prefers-color-scheme: dark){.ink{fill:#e5e7eb}.faint{fill:#9ca3af}.line{stroke:#374151}"
        ".axis{stroke:#6b7280}.paper{fill:#111827}.wrong{stroke:#fca5a5}}\n</style>\n"
        "<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n",
        width, height, title, width, height);
}

static void put_escaped(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '<' || *text == '&') {
            (void)fputs(*text == '<' ? "&lt;" : "&amp;", out);
        } else {
            (void)fputc(*text, out);
        }
    }
}

static void put_text(FILE *out, double x, double y, const char *class, const char *anchor, const char *text)
{
    (void)fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\" text-anchor=\"%s\">", x, y, class, anchor);
    put_escaped(out, text);
    (void)fputs("</text>\n", out);
}

/* --- a day ---- */

static double x_of(const struct result *result, int64_t ms)
{
    double part = (double)ms / (result->scenario->hours * HOUR_MS);
    return LEFT + fmin(1, fmax(0, part)) * (WIDTH - LEFT - RIGHT);
}

static void put_legend(FILE *out)
{
    double x = LEFT;
    (void)fprintf(out, "<rect class=\"must\" x=\"%.0f\" y=\"36\" width=\"22\" height=\"12\"/>\n", x);
    put_text(out, x + 28, 46, "ink", "start", "a fault that must be found");
    x += 205;
    (void)fprintf(out, "<rect class=\"may\" x=\"%.0f\" y=\"36\" width=\"22\" height=\"12\"/>\n", x);
    put_text(out, x + 28, 46, "ink", "start", "may be found, or is none");
    x += 200;
    for (int side = 0; side < SIDE_COUNT; side++) {
        (void)fprintf(out, "<rect x=\"%.0f\" y=\"38\" width=\"22\" height=\"%d\" fill=\"%s\"/>\n", x, BAR,
                      side_colours[side]);
        put_text(out, x + 28, 46, "ink", "start", report_sides[side]);
        x += 150;
    }
    (void)fprintf(out,
                  "<rect class=\"wrong\" x=\"%.0f\" y=\"38\" width=\"22\" height=\"%d\" fill=\"none\"/>\n", x,
                  BAR);
    put_text(out, x + 28, 46, "ink", "start", "false");
}

static void put_hours(FILE *out, const struct result *result)
{
    double bottom = TOP + SERIES_COUNT * ROW;
    for (int hour = 0; hour <= (int)result->scenario->hours; hour += 2) {
        char text[16];
        double x = x_of(result, (int64_t)(hour * HOUR_MS));
        (void)snprintf(text, sizeof text, "%02d:00", hour);
        (void)fprintf(out, "<line class=\"line\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%.0f\"/>\n", x, x,
                      TOP, bottom);
        put_text(out, x, bottom + 16, "faint", "middle", text);
    }
}

static void put_rows(FILE *out)
{
    for (int series = 0; series < SERIES_COUNT; series++) {
        double y = TOP + series * ROW;
        put_text(out, LEFT - 10, y + 18, "ink", "end",
                 catalog_service((size_t)(series / REGION_COUNT))->name);
        put_text(out, LEFT - 10, y + 33, "faint", "end",
                 catalog_region((size_t)(series % REGION_COUNT))->name);
        (void)fprintf(out, "<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%.0f\" y2=\"%.0f\"/>\n", LEFT,
                      WIDTH - RIGHT, y + ROW, y + ROW);
    }
}

static void put_truth(FILE *out, const struct result *result)
{
    static const char *const kinds[INCIDENT_KINDS] = {"spike", "burst", "drop", "drift", "flapping", "blip"};
    for (size_t i = 0; i < result->plan.incident_count; i++) {
        const struct incident *incident = &result->plan.incidents[i];
        double x = x_of(result, incident->begin_ms);
        double width = fmax(1.5, x_of(result, incident->end_ms) - x);
        (void)fprintf(
            out,
            "<rect class=\"%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"><title>%s, size %g, "
            "%.1f requests/s</title></rect>\n",
            incident->duty == INCIDENT_REQUIRED ? "must" : "may", x, TOP + incident->series * ROW + 4, width,
            ROW - 8, kinds[incident->kind], incident->size, incident->rate);
    }
}

static void put_firings(FILE *out, const struct result *result)
{
    int64_t end_ms = (int64_t)(result->scenario->hours * HOUR_MS);
    for (size_t i = 0; i < result->firings.count; i++) {
        const struct firing *firing = &result->firings.list[i];
        double x = x_of(result, firing->fired_ms);
        double end = x_of(result, firing->ended_ms < 0 ? end_ms : firing->ended_ms);
        (void)fprintf(
            out,
            "<rect%s x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"><title>%s%s</title>"
            "</rect>\n",
            firing->is_false ? " class=\"wrong\"" : "", x,
            TOP + firing->series * ROW + 8 + firing->side * (BAR + 4), fmax(2, end - x), BAR,
            side_colours[firing->side], report_sides[firing->side], firing->is_false ? ": false" : "");
    }
}

void plot_day(FILE *out, const struct result *result)
{
    begin_svg(out, WIDTH, TOP + SERIES_COUNT * ROW + 40, "A day: what was wrong, and who said so");
    (void)fprintf(out,
                  "<text x=\"%d\" y=\"22\" class=\"ink\" font-size=\"16\">A day of twelve series at %g "
                  "requests/s: what was wrong, and who said so when</text>\n",
                  LEFT, result->scenario->target_rps);
    put_legend(out);
    put_hours(out, result);
    put_rows(out);
    put_truth(out, result);
    put_firings(out, result);
    (void)fputs("</svg>\n", out);
}

/* --- recall by size and rate ---- */

struct panel {
    double left, top;
};

static double panel_x(const struct panel *panel, size_t rate)
{
    return panel->left + ((double)rate + 0.5) * PANEL_W / (double)report_rate_count;
}

static void put_panel_frame(FILE *out, const struct panel *panel, const char *name)
{
    for (int i = 0; i <= 4; i++) {
        char text[8];
        double y = panel->top + PANEL_H * (1 - i / 4.0);
        (void)snprintf(text, sizeof text, "%d %%", i * 25);
        (void)fprintf(out, "<line class=\"line\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>\n",
                      panel->left, panel->left + PANEL_W, y, y);
        put_text(out, panel->left - 6, y + 4, "faint", "end", text);
    }
    for (size_t rate = 0; rate < report_rate_count; rate++) {
        put_text(out, panel_x(panel, rate), panel->top + PANEL_H + 15, "faint", "middle",
                 report_rates[rate].name);
    }
    put_text(out, panel->left, panel->top - 8, "ink", "start", name);
}

static void put_panel_lines(FILE *out, const struct panel *panel, const struct result *results, size_t count,
                            const struct size_class *size)
{
    for (int side = SIDE_COUNT - 1; side >= 0; side--) {
        double last_x = NAN;
        double last_y = NAN;
        for (size_t rate = 0; rate < report_rate_count; rate++) {
            struct selection s = report_select_size(size);
            struct tally t;
            s.min_rate = report_rates[rate].min;
            s.max_rate = report_rates[rate].max;
            matcher_sum(&t, results, count, side, &s);
            if (t.faults == 0) {
                continue;
            }
            double x = panel_x(panel, rate);
            double y = panel->top + PANEL_H * (1 - tally_recall(&t));
            if (!isnan(last_x)) {
                (void)fprintf(out,
                              "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" "
                              "stroke-width=\"2\"/>\n",
                              last_x, last_y, x, y, side_colours[side]);
            }
            (void)fprintf(out,
                          "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"%s\"><title>%s: %u of %u</title>"
                          "</circle>\n",
                          x, y, side_colours[side], report_sides[side], t.found, t.faults);
            last_x = x;
            last_y = y;
        }
    }
}

void plot_curve(FILE *out, const struct result *results, size_t count)
{
    size_t rows = (report_size_count + PANELS_ROW - 1) / PANELS_ROW;
    int width = 60 + PANELS_ROW * (PANEL_W + PANEL_GAP);
    int height = 90 + (int)rows * (PANEL_H + 60);
    begin_svg(out, width, height, "Recall by size of the fault and requests a second");
    (void)fprintf(out, "<text x=\"60\" y=\"22\" class=\"ink\" font-size=\"16\">Faults found, by size and by "
                       "healthy requests a second of the series</text>\n");
    for (int side = 0; side < SIDE_COUNT; side++) {
        (void)fprintf(out, "<circle cx=\"%d\" cy=\"42\" r=\"5\" fill=\"%s\"/>\n", 66 + side * 150,
                      side_colours[side]);
        put_text(out, 78 + side * 150, 46, "ink", "start", report_sides[side]);
    }
    for (size_t i = 0; i < report_size_count; i++) {
        const struct panel panel = {60 + (double)(i % PANELS_ROW) * (PANEL_W + PANEL_GAP),
                                    90 + (double)(i / PANELS_ROW) * (PANEL_H + 60)};
        put_panel_frame(out, &panel, report_sizes[i].name);
        put_panel_lines(out, &panel, results, count, &report_sizes[i]);
    }
    (void)fputs("</svg>\n", out);
}
