#!/usr/bin/env bash
# The same smoke test as on one machine, of the platform on a cluster (make smoke-test K8S_CONTEXT=kind-observability): the programs, Prometheus and
# Alertmanager through forwarded ports, the bus by buscat in the stream-processor's pod. Needs the right to run commands in pods. Where Kafka has
# ACLs (production's values), that pod sees only its own topics, and the case of the topics fails.
set -euo pipefail
cd "$(dirname "$0")/../.."
source scripts/k8s/common.sh

need kubectl
need_cluster

offset=${OBS_PORT_OFFSET:-20000} # beside what make port-forward and make local take
work=$(mktemp -d)
# A second signal must not come between, as in port-forward.sh.
trap 'trap "" INT TERM; kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'trap "" INT TERM; exit 130' INT TERM

# $1: namespace, $2: service, $3: its port
forward() {
    kube --namespace "$1" get service "$2" >/dev/null 2>&1 || fail "There is no $2 in $1: make deploy first."
    forward_port "$1" "svc/$2" "$(($3 + offset)):$3" 2>>"$work/errors"
    ports+=("$(($3 + offset))")
}

is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

ports=()
forward "$apps_namespace" metrics-bridge 8080
forward "$apps_namespace" workload-simulator 8081
forward "$apps_namespace" stream-processor 8082
forward "$apps_namespace" alert-forwarder 8084
forward "$stack_namespace" obs-kube-prometheus-stack-prometheus 9090
forward "$stack_namespace" obs-kube-prometheus-stack-alertmanager 9093
for port in "${ports[@]}"; do
    for _ in {1..150}; do
        if is_open "$port"; then continue 2; fi
        sleep 0.2
    done
    fail "Nothing is forwarded to port $port:" "$(cat "$work/errors")"
done

printf '#!/bin/sh\nexec kubectl --context "%s" --namespace "%s" exec deployment/stream-processor -- /usr/local/bin/buscat "$@"\n' \
    "$context" "$apps_namespace" >"$work/buscat"
chmod +x "$work/buscat"
BUSCAT=$work/buscat OBS_PORT_OFFSET=$offset build/bin/smoke-test
