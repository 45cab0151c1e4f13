include "panels";

def groups: "consumergroup=~\"$group\",topic=~\"$topic\"";
def group_name: "{{consumergroup}}, {{topic}}";
def lag: "consumergroup_topic:kafka_consumergroup_lag:sum{\(groups)}";
def seconds: "max by (consumergroup, topic) (kafka_consumergroup_lag_seconds{\(groups)})";
def rate(counter): "sum(rate(\(counter)[$__rate_interval]))";

# What a topic takes in: what the bridge reads of it and what piles up before the bridge.
def produced(counter; topic):
  "clamp_min(sum(rate(\(counter)[$__rate_interval])) + sum(deriv(kafka_consumergroup_lag{consumergroup=\"metrics-bridge\",topic=\"\(topic)\"}[$__rate_interval])), 0)";

dashboard("kafka-consumer-lag"; "Kafka consumer lag";
  "Do the platform's programs keep up with the bus, what is lost on the way, and when has a backlog been read. The same on Kafka and on the embedded bus.";
  "now-1h"; "30s";
  variables + [
    variable("group"; "kafka_consumergroup_lag"; "consumergroup"),
    variable("topic"; "kafka_consumergroup_lag{consumergroup=~\"$group\"}"; "topic")
  ];
  [
    [
      (worst(1; "Furthest behind"; "short"; "The group and topic with the most unread records.";
        instant("topk(1, \(lag))"; group_name))
        | limited(["KafkaConsumerLagHigh"])),
      worst(2; "Oldest unread record"; "s"; "How long the oldest unread record of any group has waited; about a second is normal, because positions are committed every second.";
        instant("topk(1, \(seconds))"; group_name)),
      stat(3; "Events read"; "eps"; "Records of metrics.raw that the stream-processor reads, a second.";
        [query(rate("stream_processor_events_total"); "events")]),
      (stat(4; "Dead letters"; "short"; "Records that couldn't be read and went to a dead-letter topic, in the chosen time.";
        [instant("sum(increase(stream_processor_events_total{result=\"malformed\"}[$__range])) + sum(increase(metrics_bridge_log_records_total{result=\"malformed\"}[$__range]))"; "dead letters")])
        | .options.graphMode = "none" | .fieldConfig.defaults.decimals = 0)
    ],
    [
      (timeseries(5; "Lag by group and topic"; "short"; "Records between a group's committed position and the topic's end, all partitions.";
        [query(lag; group_name)])
        | limited(["KafkaConsumerLagHigh"])),
      timeseries(6; "Lag in seconds"; "s"; "How long the oldest unread record of the group has waited: what the group publishes is that late.";
        [query(seconds; group_name)])
    ],
    [
      timeseries(7; "Lag by partition"; "short"; "The partitions' share, all chosen topics of a group together. One partition alone: a hot key, or its consumer is slow. All: too much traffic.";
        [query("sum by (consumergroup, partition) (max by (consumergroup, topic, partition) (kafka_consumergroup_lag{\(groups)}))"; "{{consumergroup}} {{partition}}")]),
      (timeseries(8; "Time to drain"; "s"; "How long until a backlog has been read, at the rate at which it shrinks now. Only for groups that are more than 10 s behind and catch up.";
        [query("(\(lag) and on (consumergroup, topic) \(seconds) > 10) / (-1 * deriv(\(lag)[$__rate_interval]) > 0)"; group_name)])
        | rare("No group catches up on a backlog"))
    ],
    [
      timeseries(9; "Production"; "eps"; "Records that arrive on a topic, a second: what the bridge reads and what piles up before it.";
        [
          query(produced("metrics_bridge_events_total"; "metrics.raw"); "metrics.raw"),
          query(produced("metrics_bridge_log_records_total"; "logs.raw"); "logs.raw")
        ]),
      timeseries(10; "Consumption"; "eps"; "Records that each program reads, a second. Below production for long means a lag that grows.";
        [
          query(rate("stream_processor_events_total"); "stream-processor, metrics.raw"),
          query(rate("metrics_bridge_events_total"); "metrics-bridge, metrics.raw"),
          query(rate("metrics_bridge_log_records_total"); "metrics-bridge, logs.raw"),
          query(rate("alert_forwarder_transitions_total"); "alert-forwarder, alerts.fired")
        ])
    ],
    [
      timeseries(11; "Stream processor: events by result"; "eps"; "What became of each record: counted, seen before, too late for its window, refused because there are too many series, malformed.";
        [query("sum by (result) (rate(stream_processor_events_total[$__rate_interval]))"; "{{result}}")]),
      timeseries(12; "Bridge: records by result"; "eps"; "What the metrics-bridge counts, and what it can't read.";
        [
          query("sum by (result) (rate(metrics_bridge_events_total[$__rate_interval]))"; "events {{result}}"),
          query("sum by (result) (rate(metrics_bridge_log_records_total[$__rate_interval]))"; "logs {{result}}")
        ])
    ],
    [
      (timeseries(18; "Dead letters in 10 minutes"; "short"; "Records that couldn't be read in the 10 minutes before, by the topic they came from: what DeadLettersGrowing looks at.";
        [query("topic:dead_letters:increase10m"; "{{topic}}")])
        | limited(["DeadLettersGrowing"]) | .fieldConfig.defaults.decimals = 0),
      (timeseries(19; "Partitions that nobody reads"; "short"; "Partitions that grow and whose group commits nothing: what EventsNotConsumed looks at.";
        [query("count by (consumergroup, topic) (delta(consumergroup_topic_partition:kafka_consumergroup_lag:max{\(groups)}[5m]) > 0 and changes(consumergroup_topic_partition:kafka_consumergroup_last_commit_timestamp_seconds:max{\(groups)}[1m]) == 0)"; group_name)])
        | limited(["EventsNotConsumed"]) | rare("Every partition that grows is read"))
    ],
    [
      timeseries(13; "Dead letters by reason"; "eps"; "Records that the stream-processor can't read, by the reason that buscat dlq shows too.";
        [query("sum by (reason) (rate(stream_processor_dead_letters_total[$__rate_interval]))"; "{{reason}}")]),
      (timeseries(14; "Alerts: from event to publication"; "s"; "From the append of the records that decided to the commit that published the alert. Empty while no alert fires or resolves.";
        [
          (query("histogram_quantile(0.5, sum by (le) (rate(stream_processor_detection_seconds_bucket[$__rate_interval])))"; "P50") | exemplars),
          (query("histogram_quantile(0.99, sum by (le) (rate(stream_processor_detection_seconds_bucket[$__rate_interval])))"; "P99") | exemplars)
        ])
        | rare("No alert fired or resolved"))
    ],
    [
      (timeseries(20; "Late events"; "percentunit"; "Share of a service's events that came too late for detection, in all regions: a slow clock, or a backlog at the sender.";
        [query("sum by (service_name) (rate(stream_processor_late_events_total{service_name=~\"$service\"}[$__rate_interval])) / (sum by (service_name) (rate(service:http_server_requests:total{service_name=~\"$service\"}[$__rate_interval])) > 0)"; "{{service_name}}")])
        | limited(["EventsLate"]) | rare("No event came too late")),
      timeseries(15; "Events by service"; "reqps"; "Whose events they are: requests a second of each chosen service and region, as the bridge counted them.";
        [query("sum by (service_name) (rate(service:http_server_requests:total{\(chosen)}[$__rate_interval]))"; "{{service_name}}")])
    ],
    [
      timeseries(16; "Log records by severity"; "eps"; "Log records a second of the chosen services and regions.";
        [query("sum by (severity_text) (rate(log_records_total{\(chosen)}[$__rate_interval]))"; "{{severity_text}}")]),
      timeseries(21; "Alerts told to Alertmanager"; "eps"; "What came of the alert-forwarder's messages: sent, failed (they are sent again), refused as not valid.";
        [query("sum by (result) (rate(alert_forwarder_notifications_total[$__rate_interval]))"; "{{result}}")])
    ],
    [
      (table(17; "Each partition now"; "Most unread first. A partition whose last commit is old while others move has lost its consumer.";
        [["consumergroup", "Group"], ["topic", "Topic"], ["partition", "Partition"]];
        [
          {name: "Lag", unit: "short", query: column("max by (consumergroup, topic, partition) (kafka_consumergroup_lag{\(groups)})")},
          {name: "Oldest unread", unit: "s", query: column("max by (consumergroup, topic, partition) (kafka_consumergroup_lag_seconds{\(groups)})")},
          {name: "Since last commit", unit: "s", query: column("time() - max by (consumergroup, topic, partition) (kafka_consumergroup_last_commit_timestamp_seconds{\(groups)})")}
        ])
        | size(24; 10))
    ]
  ])
