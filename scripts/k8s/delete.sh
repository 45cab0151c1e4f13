#!/usr/bin/env bash
# Takes down what deploy.sh and cluster.sh made on kind, and nothing else (make clean): topics, users, Kafka, then releases, then the cluster.
# In that order: a topic's finalizer is taken off by the operator, and without it its namespace would hang. Another cluster is only touched
# when it is named here: delete.sh CONTEXT, which leaves namespaces, definitions and volumes.
set -euo pipefail
cd "$(dirname "$0")/../.."
source scripts/k8s/common.sh

context=${1:-$kind_context}
if on_kind && ! { command -v kind >/dev/null && cluster_exists; }; then
    exit 0 # nothing was made
fi
need kubectl helm

delete_kafka() {
    local kind
    kube get crd kafkas.kafka.strimzi.io >/dev/null 2>&1 || return 0
    for kind in kafkatopics kafkausers kafkas kafkanodepools; do
        kube --namespace "$apps_namespace" delete "$kind.kafka.strimzi.io" --selector app.kubernetes.io/part-of=observability-platform \
            --ignore-not-found --timeout=2m || return 1
    done
}

delete_release() {
    if release_exists "$1" "$2"; then helmc uninstall "$1" --namespace "$2" --wait --timeout 5m; fi
}

delete_all() {
    local entry
    say "topics, users, Kafka"
    delete_kafka
    say "releases"
    for entry in "${app_releases[@]}"; do delete_release "${entry%%:*}" "$apps_namespace"; done
    delete_release obs "$stack_namespace"
    delete_release strimzi "$apps_namespace"
}

if kube version >/dev/null 2>&1; then
    if on_kind; then
        delete_all || say "something didn't go by itself; it goes with the cluster"
    else
        delete_all
    fi
fi
if on_kind; then
    say "the kind cluster $cluster"
    kind delete cluster --name "$cluster"
fi
