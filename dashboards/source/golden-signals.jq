include "panels";

def requests: "service:http_server_requests:total{\(chosen)}";
def class(match): "service:http_server_requests:total{\(chosen),status_class\(match)}";

# Buckets as rules/golden-signals.yaml record them, a twentieth of the series (docs/dashboards.md).
def recorded_buckets: "avg_over_time(service:http_server_request_duration_seconds_bucket:rate2m{\(chosen)}[$__rate_interval])";
def quantile(q; labels): "histogram_quantile(\(q), sum by (\((["le"] + labels) | join(", "))) (\(recorded_buckets)))";
# Exemplars belong to raw series, so a query that shows them names these, once for the whole range (@ end()), and never takes a value.
def with_exemplars(expr): "\(expr) or (http_server_request_duration_seconds_bucket{\(chosen)} @ end() < 0)";
def each: ["service_name", "cloud_region"];
def each_name: "{{service_name}} {{cloud_region}}";

dashboard("golden-signals"; "Golden signals";
  "Latency, traffic, errors and saturation of the services: is it bad, where, since when.";
  "now-15m"; "10s"; variables;
  [
    [
      stat(1; "Requests"; "reqps"; "Requests a second of all chosen services and regions.";
        [query("sum(rate(\(requests)[$__rate_interval]))"; "requests")]),
      (worst(2; "Most failing"; "percentunit";
        "The service and region with the largest share of 5xx answers over 2 minutes, as HighErrorRate sees it.";
        instant("topk(1, service:http_server_errors:ratio_rate2m{\(chosen)})"; each_name))
        | limited(["HighErrorRate"])),
      (worst(3; "Slowest"; "s"; "The service and region with the longest P99 over 2 minutes, as HighLatencyP99 sees it.";
        instant("topk(1, service:http_server_request_duration_seconds:p99_rate2m{\(chosen)})"; each_name))
        | limited(["HighLatencyP99"])),
      worst(4; "Busiest CPU"; "percentunit"; "The service and region with the highest CPU utilisation, last sample.";
        instant("topk(1, max by (service_name, cloud_region) (system_cpu_utilization_ratio{\(chosen)}))"; each_name))
    ],
    [
      (timeseries(5; "Latency quantiles"; "s";
        "Of all requests chosen: half, 95 % and 99 % of them are answered within this time. Diamonds are single requests with their trace.";
        [
          query(quantile(0.5; []); "P50"),
          query(quantile(0.95; []); "P95"),
          (query(with_exemplars(quantile(0.99; [])); "P99") | exemplars)
        ])
        | limited(["HighLatencyP99"])
        | override("P50"; coloured("dark-blue")) | override("P95"; coloured("blue"))
        | override("P99"; coloured("super-light-blue") + {"custom.lineWidth": 2})),
      heatmap(6; "Latency distribution"; "s"; "Requests a second in each bucket of duration: a second band is a slow path that quantiles hide.";
        query("sum by (le) (\(recorded_buckets))"; "{{le}}"))
    ],
    [
      (timeseries(7; "P99 by service and region"; "s"; "99 % of the requests of a service in a region are answered within this time.";
        [query(with_exemplars(quantile(0.99; each)); each_name) | exemplars])
        | limited(["HighLatencyP99"])),
      (timeseries(8; "Error ratio by service and region"; "percentunit"; "5xx answers as a share of all, over 2 minutes: what HighErrorRate looks at.";
        [query("service:http_server_errors:ratio_rate2m{\(chosen)}"; each_name)])
        | limited(["HighErrorRate"]) | see("What it costs the error budget"; "slo-dashboard"))
    ],
    [
      timeseries(9; "Traffic by service"; "reqps"; "Requests a second of each service, all chosen regions together.";
        [query("sum by (service_name) (rate(\(requests)[$__rate_interval]))"; "{{service_name}}")]),
      timeseries(10; "Traffic by region"; "reqps"; "Requests a second of each region, all chosen services together: a region that fails over shows here.";
        [query("sum by (cloud_region) (rate(\(requests)[$__rate_interval]))"; "{{cloud_region}}")])
    ],
    [
      timeseries(11; "Errors by status class"; "percentunit"; "Answers of each error class as a share of all: 4xx the clients' fault, 5xx ours.";
        [query("sum by (status_class) (rate(\(class("=~\"4xx|5xx\""))[$__rate_interval])) / ignoring (status_class) group_left () (sum(rate(\(requests)[$__rate_interval])) > 0)"; "{{status_class}}")]),
      (timeseries(12; "Requests by status class"; "reqps"; "Answers a second by the class of their status, on top of each other.";
        [query("sum by (status_class) (rate(\(requests)[$__rate_interval]))"; "{{status_class}}")]) | stacked)
    ],
    [
      (timeseries(13; "CPU by service and region"; "percentunit"; "CPU utilisation that the services report. No rule fires on it: watch latency for harm.";
        [query("max by (service_name, cloud_region) (system_cpu_utilization_ratio{\(chosen)})"; each_name)])
        | .fieldConfig.defaults.max = 1),
      (timeseries(14; "Memory by service and region"; "percentunit"; "Memory utilisation that the services report. A line that only climbs is a leak.";
        [query("max by (service_name, cloud_region) (system_memory_utilization_ratio{\(chosen)})"; each_name)])
        | .fieldConfig.defaults.max = 1)
    ],
    [
      (table(15; "Each service and region now"; "All four signals side by side, as the alerts see them; most failing first.";
        [["service_name", "Service"], ["cloud_region", "Region"]];
        [
          {name: "Failed", unit: "percentunit", query: column("service:http_server_errors:ratio_rate2m{\(chosen)}")},
          {name: "P99", unit: "s", query: column("service:http_server_request_duration_seconds:p99_rate2m{\(chosen)}")},
          {name: "P50", unit: "s", query: column("service:http_server_request_duration_seconds:p50_rate2m{\(chosen)}")},
          {name: "Requests", unit: "reqps", query: column("service:http_server_requests:rate2m{\(chosen)}")},
          {name: "CPU", unit: "percentunit", query: column("max by (service_name, cloud_region) (system_cpu_utilization_ratio{\(chosen)})")},
          {name: "Memory", unit: "percentunit", query: column("max by (service_name, cloud_region) (system_memory_utilization_ratio{\(chosen)})")}
        ])
        | limited_column("Failed"; "HighErrorRate") | limited_column("P99"; "HighLatencyP99")
        | size(24; 10))
    ]
  ])
