/* What the console draws of Grafana's model: each field that a dashboard may have, and, where not every value
 * is drawn, the values. Whoever needs another one adds it here and to the console. */
#include "dashboards/lint.h"

#include "yaml/yaml_tree.h"

#include <stdio.h>
#include <string.h>

struct field {
    const char
        *path; /* keys; items of a list stand at the list's own path; .* at the end: whatever is in it */
    const char *values; /* "a|b"; NULL: any */
};

#define LINK(at)                                                                                             \
    {at ".title", NULL}, {at ".url", NULL}, {at ".type", "link|dashboards"}, {at ".icon", NULL},             \
        {at ".tags", NULL}, {at ".tooltip", ""}, {at ".asDropdown", "false"}, {at ".includeVars", NULL},     \
        {at ".keepTime", NULL},                                                                              \
    {                                                                                                        \
        at ".targetBlank", NULL                                                                              \
    }
#define DATASOURCE(at)                                                                                       \
    {at ".datasource.type", "prometheus"},                                                                   \
    {                                                                                                        \
        at ".datasource.uid", "${datasource}"                                                                \
    }

static const struct field frame_fields[] = {
    {"uid", NULL},
    {"title", NULL},
    {"description", NULL},
    {"tags", NULL},
    {"schemaVersion", NULL},
    {"version", NULL},
    {"editable", NULL},
    {"graphTooltip", NULL},
    {"timezone", ""},
    {"fiscalYearStartMonth", "0"},
    {"liveNow", "false"},
    {"time.from", NULL},
    {"time.to", NULL},
    {"refresh", NULL},
    {"panels.*", NULL}, /* below */
    LINK("links"),
    {"annotations.list.name", NULL},
    DATASOURCE("annotations.list"),
    {"annotations.list.enable", NULL},
    {"annotations.list.iconColor", "red|orange"},
    {"annotations.list.target.expr", NULL},
    {"annotations.list.target.refId", NULL},
    {"annotations.list.target.interval", NULL},
    {"annotations.list.titleFormat", NULL},
    {"annotations.list.textFormat", NULL},
    {"annotations.list.tagKeys", NULL},
    {"annotations.list.useValueForTime", "off"},
    {"templating.list.type", "datasource|query"},
    {"templating.list.name", NULL},
    {"templating.list.label", NULL},
    DATASOURCE("templating.list"),
    {"templating.list.query", NULL},
    {"templating.list.query.query", NULL},
    {"templating.list.query.refId", NULL},
    {"templating.list.refresh", "1|2"},
    {"templating.list.sort", "1"},
    {"templating.list.regex", ""},
    {"templating.list.multi", NULL},
    {"templating.list.includeAll", NULL},
    {"templating.list.allValue", NULL},
    {"templating.list.current.selected", "true"},
    {"templating.list.current.text", "All"},
    {"templating.list.current.value", "$__all"},
    {NULL, NULL},
};

static const struct field panel_fields[] = {
    {"id", NULL},
    {"type", NULL},
    {"title", NULL},
    {"description", NULL},
    DATASOURCE(""),
    {"gridPos.x", NULL},
    {"gridPos.y", NULL},
    {"gridPos.w", NULL},
    {"gridPos.h", NULL},
    LINK("links"),
    DATASOURCE("targets"),
    {"targets.refId", NULL},
    {"targets.expr", NULL},
    {"targets.legendFormat", NULL},
    {"targets.editorMode", "code"},
    {"targets.range", NULL},
    {"targets.instant", NULL},
    {"targets.exemplar", NULL},
    {"targets.format", "table|heatmap"},
    {"fieldConfig.defaults.unit", NULL},
    {"fieldConfig.defaults.decimals", NULL},
    {"fieldConfig.defaults.min", NULL},
    {"fieldConfig.defaults.max", NULL},
    {"fieldConfig.defaults.noValue", NULL},
    {"fieldConfig.defaults.color.mode", "palette-classic-by-name|thresholds|fixed"},
    {"fieldConfig.defaults.color.fixedColor", "dark-blue|blue|super-light-blue"},
    {"fieldConfig.defaults.thresholds.mode", "absolute"},
    {"fieldConfig.defaults.thresholds.steps.color", "text|transparent|blue|orange|red"},
    {"fieldConfig.defaults.thresholds.steps.value", NULL},
    {"fieldConfig.defaults.mappings.type", "range"},
    {"fieldConfig.defaults.mappings.options.from", NULL},
    {"fieldConfig.defaults.mappings.options.to", NULL},
    {"fieldConfig.defaults.mappings.options.result.text", NULL},
    {"fieldConfig.defaults.mappings.options.result.index", NULL},
    {"fieldConfig.overrides.matcher.id", "byName|byRegexp"},
    {"fieldConfig.overrides.matcher.options", NULL},
    {NULL, NULL},
};

static const struct field timeseries_fields[] = {
    {"fieldConfig.defaults.custom.drawStyle", "line"},
    {"fieldConfig.defaults.custom.lineWidth", "1|2"},
    {"fieldConfig.defaults.custom.lineStyle.fill", "dash"},
    {"fieldConfig.defaults.custom.lineStyle.dash", "6"},
    {"fieldConfig.defaults.custom.fillOpacity", "0|30"},
    {"fieldConfig.defaults.custom.showPoints", "never"},
    {"fieldConfig.defaults.custom.spanNulls", "false"},
    {"fieldConfig.defaults.custom.stacking.mode", "normal"},
    {"fieldConfig.defaults.custom.stacking.group", "A"},
    {"fieldConfig.defaults.custom.thresholdsStyle.mode", "dashed"},
    {"options.legend.calcs", "lastNotNull"},
    {"options.legend.displayMode", "list"},
    {"options.legend.placement", "bottom"},
    {"options.legend.showLegend", "true"},
    {"options.tooltip.mode", "multi"},
    {"options.tooltip.sort", "desc"},
    {NULL, NULL},
};

#define REDUCED                                                                                              \
    {"options.reduceOptions.calcs", "lastNotNull"}, {"options.reduceOptions.fields", ""},                    \
    {                                                                                                        \
        "options.reduceOptions.values", "false"                                                              \
    }

static const struct field stat_fields[] = {
    REDUCED,
    {"options.colorMode", "value"},
    {"options.graphMode", "area|none"},
    {"options.justifyMode", "auto"},
    {"options.orientation", "auto"},
    {"options.percentChangeColorMode", "standard"},
    {"options.showPercentChange", "false"},
    {"options.textMode", "value|value_and_name"},
    {"options.wideLayout", "true"},
    {NULL, NULL},
};

static const struct field gauge_fields[] = {
    REDUCED,
    {"options.orientation", "auto"},
    {NULL, NULL},
};

static const struct field bargauge_fields[] = {
    REDUCED,
    {"options.displayMode", "basic"},
    {"options.legend.*", NULL}, /* Grafana wants it and shows none */
    {"options.maxVizHeight", NULL},
    {"options.minVizHeight", NULL},
    {"options.minVizWidth", NULL},
    {"options.namePlacement", "left"},
    {"options.orientation", "horizontal"},
    {"options.showUnfilled", "true"},
    {"options.sizing", "auto"},
    {"options.valueMode", "text"},
    {NULL, NULL},
};

static const struct field table_fields[] = {
    {"fieldConfig.defaults.custom.cellOptions.type", "color-text"},
    {"options.cellHeight", "sm"},
    {"options.frameIndex", "0"},
    {"options.showHeader", "true"},
    {"options.sortBy.displayName", NULL},
    {"options.sortBy.desc", NULL},
    {"transformations.id", "merge|organize"},
    {"transformations.options.excludeByName.*", NULL},
    {"transformations.options.indexByName.*", NULL},
    {"transformations.options.renameByName.*", NULL},
    {NULL, NULL},
};

static const struct field heatmap_fields[] = {
    {"fieldConfig.defaults.custom.scaleDistribution.type", "linear"},
    {"options.calculate", "false"},
    {"options.cellGap", NULL},
    {"options.cellValues.unit", NULL},
    {"options.color.*", NULL}, /* one hue, square root: the console's own */
    {"options.exemplars.color", "text"},
    {"options.legend.show", "true"},
    {"options.rowsFrame.layout", "auto"},
    {"options.showValue", "never"},
    {"options.tooltip.mode", "single"},
    {"options.tooltip.showColorScale", "false"},
    {"options.tooltip.yHistogram", "false"},
    {"options.yAxis.axisPlacement", "left"},
    {"options.yAxis.reverse", "false"},
    {"options.yAxis.unit", NULL},
    {NULL, NULL},
};

static const struct field text_fields[] = {
    {"options.content", NULL},
    {"options.mode", "markdown"},
    {NULL, NULL},
};

static const struct {
    const char *type;
    const struct field *fields;
} types[] = {
    {"timeseries", timeseries_fields},
    {"stat", stat_fields},
    {"gauge", gauge_fields},
    {"bargauge", bargauge_fields},
    {"table", table_fields},
    {"heatmap", heatmap_fields},
    {"text", text_fields},
};

static const struct field no_fields[] = {{NULL, NULL}};

/* --- the walk ---- */

struct walk {
    struct lint *lint;
    const struct field *common, *own;
};

static bool is_at(const struct field *field, const char *path)
{
    const char *wanted = field->path + (*field->path == '.'); /* DATASOURCE("") */
    const size_t size = strlen(wanted);
    if (size > 2 && strcmp(wanted + size - 2, ".*") == 0) {
        return strncmp(path, wanted, size - 1) == 0;
    }
    return strcmp(path, wanted) == 0;
}

static const struct field *find(const struct field *fields, const char *path)
{
    for (; fields->path != NULL; fields++) {
        if (is_at(fields, path)) {
            return fields;
        }
    }
    return NULL;
}

static void check_scalar(const struct walk *walk, const struct yaml_node *node, const char *path)
{
    const struct field *field = find(walk->common, path);
    field = field == NULL ? find(walk->own, path) : field;
    if (field == NULL) {
        lint_complain(walk->lint, node, "the console doesn't draw %s", path);
    } else if (field->values != NULL && !lint_is_one_of(node->text, field->values)) {
        lint_complain(walk->lint, node, "of %s the console draws %s, not %s", path, field->values,
                      node->text);
    }
}

/* One step of the walk is one call; depth is the JSON's, which the parser bounds. */
static void check_node(const struct walk *walk, const struct yaml_node *node, const char *path)
{
    char below[256];
    if (node->kind == YAML_SCALAR) {
        check_scalar(walk, node, path);
    } else if (node->kind == YAML_SEQUENCE) {
        for (size_t i = 0; i < node->count; i++) {
            check_node(walk, node->items[i], path);
        }
    } else if (strcmp(path, "fieldConfig.overrides.properties") == 0) {
        /* an override is the property's default, for some series */
        (void)snprintf(below, sizeof below, "fieldConfig.defaults.%s", lint_text(node, "id"));
        const struct yaml_node *value = yaml_get(node, "value");
        if (value != NULL) {
            check_node(walk, value, below);
        }
    } else {
        for (size_t i = 0; i < node->count; i++) {
            (void)snprintf(below, sizeof below, "%s%s%s", path, *path == '\0' ? "" : ".",
                           node->keys[i]->text);
            check_node(walk, node->items[i], below);
        }
    }
}

static void check_panel(struct lint *lint, const struct yaml_node *panel)
{
    struct walk walk = {lint, panel_fields, no_fields};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(lint_text(panel, "type"), types[i].type) == 0) {
            walk.own = types[i].fields;
        }
    }
    check_node(&walk, panel, "");
}

void lint_fields(struct lint *lint)
{
    const struct walk walk = {lint, frame_fields, no_fields};
    check_node(&walk, lint->root, "");
    lint_each_panel(lint, check_panel);
}
