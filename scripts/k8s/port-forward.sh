#!/usr/bin/env bash
# Grafana, Prometheus, the bridge and, where it is deployed, the console on this machine's loopback address, until Ctrl-C (make port-forward).
# OBS_PORT_OFFSET is added to each port here, where they are taken.
set -euo pipefail
cd "$(dirname "$0")/../.."
source scripts/k8s/common.sh

need kubectl
need_cluster

offset=${OBS_PORT_OFFSET:-0}
grafana=$((3000 + offset)) prometheus=$((9090 + offset)) bridge=$((8080 + offset)) console=$((3001 + offset))
forwards=(
    "$stack_namespace svc/obs-grafana $grafana:80"
    "$stack_namespace svc/obs-kube-prometheus-stack-prometheus $prometheus:9090"
    "$apps_namespace svc/metrics-bridge $bridge:8080"
)
if kube --namespace "$apps_namespace" get service console >/dev/null 2>&1; then
    forwards+=("$apps_namespace svc/console $console:3000")
fi

# A second signal, as one gets who is told by name and with its group, must not come between.
trap 'trap "" INT TERM; kill $(jobs -p) 2>/dev/null || true' EXIT
trap 'trap "" INT TERM; exit 0' INT TERM

for forward in "${forwards[@]}"; do
    read -r namespace service ports <<<"$forward"
    kube --namespace "$namespace" get "$service" >/dev/null 2>&1 || fail "There is no $service in $namespace: make deploy first."
    if (exec 3<>"/dev/tcp/127.0.0.1/${ports%%:*}") 2>/dev/null; then
        fail "Port ${ports%%:*} is taken on this machine; something else (make local?) listens there. OBS_PORT_OFFSET=20000 takes others."
    fi
done
for forward in "${forwards[@]}"; do
    read -r namespace service ports <<<"$forward"
    forward_port "$namespace" "$service" "$ports"
done

echo "Grafana         http://127.0.0.1:$grafana/$([[ $values == dev ]] && echo '          admin / observability123')"
echo "Prometheus      http://127.0.0.1:$prometheus/"
echo "metrics-bridge  http://127.0.0.1:$bridge/metrics"
if ((${#forwards[@]} > 3)); then
    echo "console         http://127.0.0.1:$console/          password: kubectl --context $context -n $apps_namespace get secret console-token -o 'jsonpath={.data.token}' | base64 -d"
fi
echo "Ctrl-C ends it."
wait -n || true
fail "A forward has ended (its pod is gone?): start again."
