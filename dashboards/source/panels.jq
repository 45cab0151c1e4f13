# What the dashboards are made of: Grafana's classic model, only the part of it that the console draws too (docs/dashboards.md).
# A dashboard is a file beside this one; `make dashboards` writes its JSON.

# The limits that panels show: an alert's own, so that a line on a panel is where the alert fires. The lint holds them to rules/*.yaml.
def alerts: {
  HighLatencyP99:             {limit: 0.5,  severity: "warning",  runbook: "high-latency-p99"},
  HighErrorRate:              {limit: 0.05, severity: "critical", runbook: "high-error-rate"},
  KafkaConsumerLagHigh:       {limit: 1000, severity: "warning",  runbook: "kafka-consumer-lag"},
  EventsNotConsumed:          {limit: 0,    severity: "critical", runbook: "events-not-consumed"},
  DeadLettersGrowing:         {limit: 100,  severity: "warning",  runbook: "dead-letters-growing"},
  EventsLate:                 {limit: 0.05, severity: "warning",  runbook: "events-late"},
  ErrorBudgetBurnRateFast:    {limit: 14,   severity: "critical", runbook: "error-budget-burn"},
  ErrorBudgetBurnRateSlow:    {limit: 3,    severity: "warning",  runbook: "error-budget-burn"},
  ErrorBudgetBurnRateSlowest: {limit: 1,    severity: "warning",  runbook: "error-budget-burn"},
  PodRestartingFrequently:    {limit: 5,    severity: "warning",  runbook: "pod-restarting"},
  PodCrashLooping:            {limit: 0,    severity: "warning",  runbook: "pod-crash-looping"},
};

# --- queries ---

def datasource: {type: "prometheus", uid: "${datasource}"};

# The label matchers of the chosen services and regions.
def chosen: "service_name=~\"$service\",cloud_region=~\"$region\"";

def query(expr; legend):
  {datasource: datasource, editorMode: "code", expr: expr, legendFormat: legend, range: true, instant: false};
def instant(expr; legend): query(expr; legend) | .range = false | .instant = true;
# A column of a table: its rows are told apart by labels.
def column(expr): instant(expr; "__auto") | .format = "table";
# The traces behind the points of a histogram's query.
def exemplars: .exemplar = true;

# --- panels ---

def panel(id; type; title; unit; description; queries): {
  id: id, type: type, title: title, description: description, datasource: datasource,
  gridPos: {h: 8, w: 12, x: 0, y: 0},
  fieldConfig: {defaults: {unit: unit}, overrides: []},
  options: {},
  targets: [queries | to_entries[] | .value + {refId: ([65 + .key] | implode)}],
};

def size(w; h): .gridPos.w = w | .gridPos.h = h;

def reduced: {calcs: ["lastNotNull"], fields: "", values: false};

def timeseries(id; title; unit; description; queries):
  panel(id; "timeseries"; title; unit; description; queries)
  | .fieldConfig.defaults += {
      min: 0,
      color: {mode: "palette-classic-by-name"},
      custom: {drawStyle: "line", lineWidth: 1, fillOpacity: 0, showPoints: "never", spanNulls: false},
    }
  | .options = {
      legend: {calcs: ["lastNotNull"], displayMode: "list", placement: "bottom", showLegend: true},
      tooltip: {mode: "multi", sort: "desc"},
    };

# Of events that needn't happen: words for an empty panel. The tests expect data of all others.
def rare(words): .fieldConfig.defaults.noValue = words;

def stacked:
  .fieldConfig.defaults.custom += {fillOpacity: 30, stacking: {group: "A", mode: "normal"}};

def stat(id; title; unit; description; queries):
  panel(id; "stat"; title; unit; description; queries)
  | size(6; 3)
  | .fieldConfig.defaults += {color: {mode: "thresholds"}, thresholds: {mode: "absolute", steps: [{color: "text", value: null}]}}
  | .options = {
      colorMode: "value", graphMode: "area", justifyMode: "auto", orientation: "auto", percentChangeColorMode: "standard",
      reduceOptions: reduced, showPercentChange: false, textMode: "value", wideLayout: true,
    };

# The worst of many, by name.
def worst(id; title; unit; description; query):
  stat(id; title; unit; description; [query]) | .options.graphMode = "none" | .options.textMode = "value_and_name";

def bargauge(id; title; unit; description; queries):
  panel(id; "bargauge"; title; unit; description; queries)
  | .fieldConfig.defaults += {color: {mode: "thresholds"}, thresholds: {mode: "absolute", steps: [{color: "blue", value: null}]}}
  | .options = {
      displayMode: "basic", legend: {calcs: [], displayMode: "list", placement: "bottom", showLegend: false},
      maxVizHeight: 40, minVizHeight: 16, minVizWidth: 8, namePlacement: "left", orientation: "horizontal",
      reduceOptions: reduced, showUnfilled: true, sizing: "auto", valueMode: "text",
    };

# Of a classic histogram's buckets: one query, by (le), legend {{le}}.
def heatmap(id; title; unit; description; query):
  panel(id; "heatmap"; title; unit; description; [query + {format: "heatmap"}])
  | .fieldConfig.defaults += {custom: {scaleDistribution: {type: "linear"}}}
  | .options = {
      calculate: false, cellGap: 1,
      cellValues: {unit: "reqps"},
      color: {exponent: 0.5, fill: "blue", mode: "opacity", reverse: false, scale: "exponential", scheme: "Blues", steps: 64},
      exemplars: {color: "text"},
      legend: {show: true}, rowsFrame: {layout: "auto"}, showValue: "never",
      tooltip: {mode: "single", showColorScale: false, yHistogram: false},
      yAxis: {axisPlacement: "left", reverse: false, unit: unit},
    };

# columns: [{name, unit, query, also}], also: more properties of that column; labels: [[label, column name]], the rows' names.
def table(id; title; description; labels; columns):
  panel(id; "table"; title; "short"; description; [columns[].query])
  | .fieldConfig.overrides = [
      columns[] | {matcher: {id: "byName", options: .name}, properties: [({unit: .unit} + .also) | to_entries[] | {id: .key, value: .value}]}
    ]
  | (.targets | map(.refId)) as $ids
  | ([columns[].name] | to_entries | map({
      key: (if ($ids | length) > 1 then "Value #\($ids[.key])" else "Value" end), value: .value})) as $values
  | ([labels[] | {key: .[0], value: .[1]}] + $values) as $names
  | .transformations = [
      {id: "merge", options: {}},
      {id: "organize", options: {
        excludeByName: {Time: true},
        indexByName: ($names | to_entries | map({key: .value.key, value: .key}) | from_entries),
        renameByName: ($names | from_entries),
      }}
    ]
  | .options = {
      cellHeight: "sm", frameIndex: 0, showHeader: true, sortBy: [{desc: true, displayName: columns[0].name}],
    };

def text(id; title; description; content):
  {id: id, type: "text", title: title, description: description, gridPos: {h: 4, w: 24, x: 0, y: 0},
   options: {content: content, mode: "markdown"}};

# --- what a panel says of limits ---

def runbook(alert): {
  title: "\(alert): what to do", url: "/runbooks/\(alerts[alert].runbook).md", type: "link",
  icon: "doc", tags: [], tooltip: "", asDropdown: false, includeVars: false, keepTime: false, targetBlank: true,
};

# The step where the alert fires. On a timeseries it is a dashed line.
def step(alert):
  {color: (if alerts[alert].severity == "critical" then "red" else "orange" end), value: alerts[alert].limit};

def base_color: if .type == "timeseries" then "transparent" else "text" end;

# The alerts' limits, lowest first.
def limited(names):
  base_color as $base
  | .links = [names[] as $name | runbook($name)]
  | .fieldConfig.defaults.thresholds = {
      mode: "absolute", steps: ([{color: $base, value: null}] + ([names[] as $name | step($name)] | sort_by(.value)))}
  | if .type == "timeseries" then .fieldConfig.defaults.custom.thresholdsStyle = {mode: "dashed"} else . end;

# A column's limit in a table.
def limited_column(name; alert):
  .links += [runbook(alert)]
  | (.fieldConfig.overrides[] | select(.matcher.options == name) | .properties) += [
      {id: "thresholds", value: {mode: "absolute", steps: [{color: "text", value: null}, step(alert)]}},
      {id: "custom.cellOptions", value: {type: "color-text"}}
    ];

# Red below nothing: a budget, a headroom.
def red_below_zero:
  .fieldConfig.defaults.thresholds = {mode: "absolute", steps: [{color: "red", value: null}, {color: "blue", value: 0}]};

def override(name; properties):
  .fieldConfig.overrides += [{matcher: {id: "byName", options: name},
                              properties: [properties | to_entries[] | {id: .key, value: .value}]}];
def override_like(regex; properties):
  .fieldConfig.overrides += [{matcher: {id: "byRegexp", options: regex},
                              properties: [properties | to_entries[] | {id: .key, value: .value}]}];
def dashed: {"custom.lineStyle": {dash: [6, 6], fill: "dash"}};
def coloured(color): {color: {fixedColor: color, mode: "fixed"}};

# To another dashboard with the same choice and time.
def see(title; uid):
  .links += [{
    title: title, url: "/d/\(uid)?${service:queryparam}&${region:queryparam}&${__url_time_range}", type: "link",
    icon: "dashboard", tags: [], tooltip: "", asDropdown: false, includeVars: false, keepTime: false, targetBlank: false,
  }];

# --- variables ---

def variable(name; metric; of): {
  type: "query", name: name, label: name, datasource: datasource,
  query: {query: "label_values(\(metric), \(of))", refId: "variable-\(name)"},
  refresh: 2, sort: 1, regex: "",
  multi: true, includeAll: true, allValue: ".+",
  current: {selected: true, text: ["All"], value: ["$__all"]},
};

def variables: [
  {type: "datasource", name: "datasource", label: "data source", query: "prometheus", refresh: 1, regex: "", multi: false, includeAll: false},
  variable("service"; "http_server_requests_total"; "service_name"),
  variable("region"; "http_server_requests_total{service_name=~\"$service\"}"; "cloud_region")
];

# --- the whole ---

# Panels of each row from left to right, rows downward.
def laid_out(rows):
  reduce rows[] as $row ({y: 0, panels: []};
    .y as $y
    | .panels += (reduce $row[] as $panel ({x: 0, out: []};
        .x as $x | .out += [$panel | .gridPos += {x: $x, y: $y}] | .x += $panel.gridPos.w) | .out)
    | .y += ([$row[].gridPos.h] | max))
  | .panels;

def firing(name; severity; color): {
  name: name, datasource: datasource, enable: true, iconColor: color,
  target: {
    expr: "ALERTS{alertstate=\"firing\",severity=\"\(severity)\",service_name=~\"$service|\",cloud_region=~\"$region|\"}",
    refId: "annotation-\(severity)", interval: "15s",
  },
  titleFormat: "{{alertname}}", textFormat: "{{service_name}} {{cloud_region}}", tagKeys: "severity,detector", useValueForTime: "off",
};

def dashboard(uid; title; description; from; refresh; variables; rows): {
  uid: uid, title: title, description: description, tags: ["observability-platform"],
  schemaVersion: 41, version: 1, editable: false, graphTooltip: 1, timezone: "", fiscalYearStartMonth: 0, liveNow: false,
  time: {from: from, to: "now"}, refresh: refresh,
  timepicker: {},
  annotations: {list: [firing("Critical alerts"; "critical"; "red"), firing("Warnings"; "warning"; "orange")]},
  links: [{
    title: "Dashboards", type: "dashboards", tags: ["observability-platform"], icon: "external link", tooltip: "", url: "",
    asDropdown: false, includeVars: true, keepTime: true, targetBlank: false,
  }],
  templating: {list: variables},
  panels: laid_out(rows),
};
