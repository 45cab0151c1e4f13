include "panels";

# Names and labels are Sloth's (docs/slo.md). What is by region can't be said of an SLO: its objective is over all of them.
def slos: "sloth_service=~\"$service\",sloth_slo=~\"$slo\"";
def slo_name: "{{sloth_service}} {{sloth_slo}}";
def bad(window): "max without (sloth_window) (slo:sli_error:ratio_rate\(window){\(slos)})";
def budget: "slo:error_budget:ratio{\(slos)}";
def burn(window): "\(bad(window)) / \(budget)";
def left: "slo:period_error_budget_remaining:ratio{\(slos)}";
def day: 86400;
def year: 365 * day;
def period_s: "slo:time_period:days{\(slos)} * \(day)";
# When nothing burns the end is never; a year stands for it.
def ends_in: "clamp(\(left) * \(period_s) / clamp_min(\(burn("1h")), 1e-9), 0, \(year))";
def not_within_a_year: [{type: "range", options: {from: year, to: (10 * year), result: {index: 0, text: "not within a year"}}}];

def window(id; long; short; alert; words):
  timeseries(id; "Burn over \(long) and \(short)"; "short";
    "How many times as fast as allowed the budget burns. \(alert) fires while both windows are over the line\(words).";
    [query(burn(long); "\(slo_name), \(long)"), query(burn(short); "\(slo_name), \(short)")])
  | limited([alert]) | override_like(".*, \(short)$"; dashed) | size(8; 8);

def failing: "http_server_request_duration_seconds_count{\(chosen),http_response_status_code=~\"5..\"}";
def requests: "http_server_request_duration_seconds_count{\(chosen)}";
def quick: "http_server_request_duration_seconds_bucket{\(chosen),le=\"0.5\"}";
def by_route(series): "sum by (service_name, http_route) (increase(\(series)[$__range]))";
def failed: "(\(by_route(failing)) or 0 * \(by_route(requests)))";
def slow: "(\(by_route(requests)) - \(by_route(quick)))";
def share(expr): "\(expr) / (\(by_route(requests)) > 0)";
def routes: [["service_name", "Service"], ["http_route", "Route"]];

dashboard("slo-dashboard"; "SLOs and error budgets";
  "What was promised, what was kept, how much of the error budget is left and when it ends at this rate.";
  "now-24h"; "1m";
  variables + [variable("slo"; "slo:objective:ratio"; "sloth_slo")];
  [
    [
      (bargauge(1; "Budget left of 30 days"; "percentunit"; "Share of each objective's error budget that isn't spent: what failed in the 30 days behind us, each request the same.";
        [instant(left; slo_name)])
        | .fieldConfig.defaults += {min: 0, max: 1} | red_below_zero | size(12; 8)),
      (worst(2; "Budget that ends first"; "s"; "When the budget is gone if it goes on as in the last hour, and whose.";
        instant("bottomk(1, \(ends_in))"; slo_name))
        | .fieldConfig.defaults.mappings = not_within_a_year | size(6; 8)),
      (stat(3; "History of 30 days"; "s"; "How long Prometheus has watched, at most 30 days. A young history can't have spent much: the budget is judged by what was seen.";
        [instant("min(slo:history_covered:ratio{\(slos)} * \(period_s))"; "history")])
        | .options.graphMode = "none" | size(6; 8))
    ],
    [
      (timeseries(4; "Service level and objective"; "percentunit"; "Share of good events over an hour, and what was promised (dashed).";
        [query("1 - \(bad("1h"))"; slo_name), query("slo:objective:ratio{\(slos)}"; "\(slo_name) objective")])
        | del(.fieldConfig.defaults.min) | .fieldConfig.defaults.max = 1 | override_like(".* objective$"; dashed)),
      (timeseries(5; "Budget left, and in 7 days"; "percentunit"; "The budget so far and (dashed) what would be left 7 days later if it went on as in the last 6 hours. Below 0 it is overspent.";
        [query(left; slo_name), query("\(left) - (\(burn("6h"))) * 7 / slo:time_period:days{\(slos)}"; "\(slo_name) in 7 days")])
        | red_below_zero | .fieldConfig.defaults.thresholds.steps |= map(if .color == "blue" then .color = "transparent" else . end)
        | .fieldConfig.defaults.custom.thresholdsStyle = {mode: "dashed"}
        | del(.fieldConfig.defaults.min) | .fieldConfig.defaults.max = 1 | override_like(".* in 7 days$"; dashed))
    ],
    [
      window(6; "1h"; "5m"; "ErrorBudgetBurnRateFast"; ""),
      window(7; "6h"; "30m"; "ErrorBudgetBurnRateSlow"; ""),
      window(8; "3d"; "6h"; "ErrorBudgetBurnRateSlowest"; " and three days have been watched")
    ],
    [
      (table(9; "Each objective now"; "Least budget left first. The burn rates are those that alerts look at.";
        [["sloth_service", "Service"], ["sloth_slo", "SLO"]];
        [
          {name: "Budget left", unit: "percentunit", query: column("max by (sloth_service, sloth_slo) (\(left))")},
          {name: "Objective", unit: "percentunit", also: {decimals: 3}, query: column("max by (sloth_service, sloth_slo) (slo:objective:ratio{\(slos)})")},
          {name: "Measured, 30 d", unit: "percentunit", also: {decimals: 3}, query: column("1 - max by (sloth_service, sloth_slo) (slo:sli_error:ratio_rate30d{\(slos)})")},
          {name: "Burn, 1 h", unit: "short", query: column("max by (sloth_service, sloth_slo) (\(burn("1h")))")},
          {name: "Burn, 6 h", unit: "short", query: column("max by (sloth_service, sloth_slo) (\(burn("6h")))")},
          {name: "Ends in", unit: "s", also: {mappings: not_within_a_year}, query: column("max by (sloth_service, sloth_slo) (\(ends_in))")}
        ])
        | limited_column("Burn, 1 h"; "ErrorBudgetBurnRateFast") | limited_column("Burn, 6 h"; "ErrorBudgetBurnRateSlow")
        | .links |= unique_by(.title)
        | .options.sortBy[0].desc = false
        | size(24; 9))
    ],
    [
      (table(10; "Routes that fail most"; "5xx answers in the chosen time and region, and their share of the route's requests. The first failure of a route with a new status doesn't count.";
        routes;
        [
          {name: "Failed", unit: "short", also: {decimals: 0}, query: column(failed)},
          {name: "Share", unit: "percentunit", query: column(share(failed))}
        ])
        | see("Golden signals"; "golden-signals")),
      (table(11; "Routes that are slow most"; "Requests of 500 ms and more in the chosen time and region, and their share of the route's requests.";
        routes;
        [
          {name: "Slow", unit: "short", also: {decimals: 0}, query: column(slow)},
          {name: "Share", unit: "percentunit", query: column(share(slow))}
        ])
        | see("Golden signals"; "golden-signals"))
    ]
  ])
