include "panels";

# Of kube-state-metrics (kube_…) and the kubelet's cAdvisor (container_…). The max: kube-state-metrics itself may move.
def pods: "namespace=~\"$namespace\",container=~\"$container\"";
def in_namespace: "namespace=~\"$namespace\"";
def container: "namespace, container";
def name: "{{namespace}} {{container}}";

def used_cpu: "sum by (\(container)) (rate(container_cpu_usage_seconds_total{\(pods),container!=\"\"}[$__rate_interval]))";
def used_memory: "sum by (\(container)) (container_memory_working_set_bytes{\(pods),container!=\"\"})";
def asked(what; resource):
  "sum by (\(container)) (max by (namespace, pod, container) (kube_pod_container_resource_\(what){\(pods),resource=\"\(resource)\"}))";

def against(id; what; unit; used; resource; words):
  table(id; "\(what) against requests and limits"; words;
    [["namespace", "Namespace"], ["container", "Container"]];
    [
      {name: "Used of limit", unit: "percentunit", query: column("\(used) / \(asked("limits"; resource))")},
      {name: "Used of request", unit: "percentunit", query: column("\(used) / \(asked("requests"; resource))")},
      {name: "Used", unit: unit, query: column(used)},
      {name: "Request", unit: unit, query: column(asked("requests"; resource))},
      {name: "Limit", unit: unit, query: column(asked("limits"; resource))}
    ]);

def autoscaler(what): "max by (namespace, horizontalpodautoscaler) (kube_horizontalpodautoscaler_\(what){\(in_namespace)})";
def disruptions(what): "max by (namespace, poddisruptionbudget) (kube_poddisruptionbudget_status_\(what){\(in_namespace)})";
def pressure: "kube_node_status_condition{condition=~\"MemoryPressure|DiskPressure|PIDPressure|NetworkUnavailable\",status=\"true\"}";
def not_ready: "kube_node_status_condition{condition=\"Ready\",status!=\"true\"}";

dashboard("kubernetes-platform"; "Kubernetes platform";
  "The pods that the platform runs in: do they stay up, have they room, do autoscalers and nodes keep up. Empty outside a cluster.";
  "now-1h"; "30s";
  variables + [
    variable("namespace"; "kube_pod_info"; "namespace"),
    variable("container"; "kube_pod_container_info{namespace=~\"$namespace\"}"; "container")
  ];
  [
    [
      stat(1; "Pods that don't run"; "short"; "Pending, failed and unknown pods of the chosen namespaces.";
        [query("sum(max by (namespace, pod, phase) (kube_pod_status_phase{\(in_namespace),phase=~\"Pending|Failed|Unknown\"}))"; "pods")]),
      (worst(2; "Most restarts in 15 minutes"; "short"; "The container that restarted most often in 15 minutes.";
        instant("topk(1, max by (namespace, pod, container) (increase(kube_pod_container_status_restarts_total{\(pods)}[15m])))"; "{{pod}} {{container}}"))
        | limited(["PodRestartingFrequently"]) | .fieldConfig.defaults.decimals = 0),
      stat(3; "Autoscalers at their maximum"; "short"; "Autoscalers that can't add replicas any more.";
        [query("sum(\(autoscaler("status_current_replicas")) >= bool \(autoscaler("spec_max_replicas")))"; "autoscalers")]),
      stat(4; "Nodes in trouble"; "short"; "Nodes that aren't ready or report pressure.";
        [query("sum(max by (node) (\(pressure) or \(not_ready)))"; "nodes")])
    ],
    [
      (timeseries(5; "Pods by phase"; "short"; "Pods of the chosen namespaces by phase, on top of each other.";
        [query("sum by (phase) (max by (namespace, pod, phase) (kube_pod_status_phase{\(in_namespace)}))"; "{{phase}}")]) | stacked),
      (timeseries(6; "Restarts in 15 minutes"; "short"; "Restarts of each container in the 15 minutes before: what PodRestartingFrequently looks at. A crash loop falls below the limit after a while and goes on; see the panel beside.";
        [query("max by (namespace, pod, container) (increase(kube_pod_container_status_restarts_total{\(pods)}[15m])) > 0"; "{{pod}} {{container}}")])
        | limited(["PodRestartingFrequently"]) | size(6; 8) | rare("No restarts")),
      (timeseries(7; "Waiting in a crash loop"; "short"; "1 while a container waits to be started again (CrashLoopBackOff), within 5 minutes: what PodCrashLooping looks at.";
        [query("max by (namespace, pod, container) (max_over_time(kube_pod_container_status_waiting_reason{\(pods),reason=\"CrashLoopBackOff\"}[5m]))"; "{{pod}} {{container}}")])
        | limited(["PodCrashLooping"]) | size(6; 8))
    ],
    [
      timeseries(8; "CPU of the limit"; "percentunit"; "CPU used as a share of the limit, all pods of a container's name together. At 100 % it is throttled.";
        [query("\(used_cpu) / \(asked("limits"; "cpu"))"; name)]),
      timeseries(9; "Memory of the limit"; "percentunit"; "Memory used (working set) as a share of the limit. At 100 % the container is killed.";
        [query("\(used_memory) / \(asked("limits"; "memory"))"; name)])
    ],
    [
      against(10; "CPU"; "short"; used_cpu; "cpu"; "Cores used now beside what was asked for. Far below the request is waste, near the limit is throttling."),
      against(11; "Memory"; "bytes"; used_memory; "memory"; "Working set now beside what was asked for. Near the limit is a container about to be killed.")
    ],
    [
      timeseries(12; "Throttling"; "percentunit"; "Share of scheduling periods in which the container was stopped because its CPU limit was used up.";
        [query("sum by (\(container)) (rate(container_cpu_cfs_throttled_periods_total{\(pods),container!=\"\"}[$__rate_interval])) / (sum by (\(container)) (rate(container_cpu_cfs_periods_total{\(pods),container!=\"\"}[$__rate_interval])) > 0)"; name)]),
      timeseries(13; "Traffic of the services watched"; "reqps"; "Requests a second of the chosen services and regions: what the autoscalers follow.";
        [query("sum by (service_name) (rate(service:http_server_requests:total{\(chosen)}[$__rate_interval]))"; "{{service_name}}")])
    ],
    [
      (timeseries(14; "Autoscalers: replicas against target"; "short"; "Replicas there are, and (dashed) the number wanted. Wanted above there: no room on the nodes, or pods that don't start.";
        [
          query(autoscaler("status_current_replicas"); "{{horizontalpodautoscaler}}"),
          query(autoscaler("status_desired_replicas"); "{{horizontalpodautoscaler}} wanted")
        ])
        | override_like(".* wanted$"; dashed)),
      (table(15; "Autoscalers now"; "Replicas and the bounds they move in.";
        [["namespace", "Namespace"], ["horizontalpodautoscaler", "Autoscaler"]];
        [
          {name: "Replicas", unit: "short", query: column(autoscaler("status_current_replicas"))},
          {name: "Wanted", unit: "short", query: column(autoscaler("status_desired_replicas"))},
          {name: "Fewest", unit: "short", query: column(autoscaler("spec_min_replicas"))},
          {name: "Most", unit: "short", query: column(autoscaler("spec_max_replicas"))}
        ]))
    ],
    [
      (table(16; "Disruption budgets: headroom"; "Pods that may be evicted now. At 0 a node can't be drained.";
        [["namespace", "Namespace"], ["poddisruptionbudget", "Budget"]];
        [
          {name: "May go", unit: "short", query: column(disruptions("pod_disruptions_allowed"))},
          {name: "Healthy", unit: "short", query: column(disruptions("current_healthy"))},
          {name: "Needed", unit: "short", query: column(disruptions("desired_healthy"))}
        ])
        | .options.sortBy[0].desc = false),
      timeseries(17; "Node pressure"; "short"; "1 while a node reports that memory, disk, process numbers or network fail it, or that it isn't ready.";
        [
          query("max by (node, condition) (\(pressure))"; "{{node}} {{condition}}"),
          query("max by (node) (\(not_ready))"; "{{node}} not ready")
        ])
    ]
  ])
