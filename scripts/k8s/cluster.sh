#!/usr/bin/env bash
# The kind cluster `observability` with namespaces, roles, network policies and metrics-server (make cluster). Safe to repeat. With K8S_CONTEXT it
# prepares that cluster instead of making one.
set -euo pipefail
cd "$(dirname "$0")/../.."
source scripts/k8s/common.sh

need_tools
if [[ ${1:-} == --check-tools ]]; then exit; fi # make run asks before it builds for minutes
if on_kind; then
    if cluster_exists; then
        say "the kind cluster $cluster is there"
    else
        say "making the kind cluster $cluster"
        kind create cluster --config kind-config.yaml --wait 180s
    fi
fi
need_cluster

say "namespaces, roles, network policies"
kube apply --filename k8s/namespaces.yaml --filename k8s/rbac.yaml
scripts/k8s/network-policies.sh

# kind has none, and an autoscaler without metrics is blind. Its kubelets' certificates are signed by nobody.
if on_kind; then
    say "metrics-server $metrics_server_version"
    helmc upgrade --install metrics-server metrics-server --repo "$metrics_server_repo" --version "$metrics_server_version" \
        --namespace kube-system --set 'args={--kubelet-insecure-tls}' --wait --timeout 5m
fi
