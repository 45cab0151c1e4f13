#!/usr/bin/env bash
# All releases, in order, each waited for (make deploy): Kafka's operator, then the stack with Kafka, its topics and its users, then the programs.
# Safe to repeat: what is there is upgraded.
set -euo pipefail
cd "$(dirname "$0")/../.."
source scripts/k8s/common.sh

charts_of_apps() {
    local entry
    for entry in "${app_releases[@]}"; do
        if has_chart "${entry#*:}"; then echo "$entry"; fi
    done
}

has_image() { # by ENGINE $1, which knows them by its own name
    case $1 in
        docker) docker image inspect "$2:local" ;;
        buildah) command -v buildah && buildah inspect --type image "localhost/$2:local" ;;
    esac >/dev/null 2>&1
}

# What docker has built kind takes from it; what buildah has built goes through an archive, under the name that the charts say.
load_image() {
    local archive
    say "image $1:local"
    if has_image docker "$1"; then
        kind load docker-image "$1:local" --name "$cluster"
        return
    fi
    archive=$(mktemp --suffix .tar)
    rm "$archive" # buildah makes it
    buildah push --quiet "localhost/$1:local" "docker-archive:$archive:$1:local"
    kind load image-archive "$archive" --name "$cluster"
    rm -f "$archive"
}

load_images() {
    local entry app missing=()
    for entry in $(charts_of_apps); do
        app=${entry#*:}
        has_image docker "$app" || has_image buildah "$app" || missing+=("$app:local")
    done
    ((${#missing[@]} == 0)) || fail "Images are missing: ${missing[*]}. make build makes them."
    for entry in $(charts_of_apps); do load_image "${entry#*:}"; done
}

need_secret() {
    local namespace=$1 name=$2 keys=$3 key command
    kube --namespace "$namespace" get secret "$name" >/dev/null 2>&1 && return
    command="kubectl --context $context --namespace $namespace create secret generic $name"
    for key in $keys; do command+=" --from-file=$key=FILE"; done
    fail "The secret $name is missing in $namespace. Make it from files that hold one value each:" "  $command"
}

# The console's token is known to the console and to Alertmanager, which live in different namespaces.
make_console_token() {
    local token namespace
    token=$(kube --namespace "$apps_namespace" get secret console-token --output 'jsonpath={.data.token}' 2>/dev/null | base64 --decode || true)
    [[ -n $token ]] || token=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
    for namespace in "$apps_namespace" "$stack_namespace"; do
        kube --namespace "$namespace" create secret generic console-token --from-file=token=<(printf '%s' "$token") \
            --dry-run=client --output yaml | kube apply --filename - >/dev/null
    done
}

# Definitions first: Helm installs those of a chart once and never touches them again.
deploy_operator() {
    say "Strimzi $strimzi_version"
    helm show crds "$strimzi_chart" --version "$strimzi_version" | kube apply --server-side --force-conflicts --filename - >/dev/null
    helmc upgrade --install strimzi "$strimzi_chart" --version "$strimzi_version" --namespace "$apps_namespace" \
        --values k8s/strimzi-values.yaml --skip-crds --wait --timeout 5m
}

deploy_stack() {
    say "Prometheus, Alertmanager, Grafana; Kafka, topics and users"
    helm dependency update helm/observability-platform >/dev/null
    helmc upgrade --install obs helm/observability-platform --namespace "$stack_namespace" \
        --values "helm/observability-platform/values-$values.yaml" ${K8S_STACK_VALUES:+--values "$K8S_STACK_VALUES"} --wait --timeout 15m
}

wait_for_kafka() {
    say "waiting for Kafka, then for its topics and users"
    kube --namespace "$apps_namespace" wait "kafka/$kafka" --for=condition=Ready --timeout=15m
    kube --namespace "$apps_namespace" wait kafkatopics --all --for=condition=Ready --timeout=5m
    if [[ -n $(kube --namespace "$apps_namespace" get kafkausers --output name) ]]; then
        kube --namespace "$apps_namespace" wait kafkausers --all --for=condition=Ready --timeout=5m
    fi
}

deploy_app() {
    local release=${1%%:*} chart=${1#*:}
    say "$chart (release $release)"
    helmc upgrade --install "$release" "helm/$chart" --namespace "$apps_namespace" --values "helm/$chart/values-$values.yaml" --wait --timeout 5m
}

need_tools
need_cluster
kube get namespace "$apps_namespace" "$stack_namespace" >/dev/null 2>&1 || fail "The namespaces are missing: make cluster prepares the cluster."

if on_kind; then load_images; fi
if [[ $values == dev ]]; then
    make_console_token
else
    need_secret "$stack_namespace" grafana-admin "admin-user admin-password"
    need_secret "$stack_namespace" observability \
        "slack-api-url slack-platform-api-url pagerduty-routing-key dead-mans-switch-url second-way-url"
    need_secret "$apps_namespace" console-token token
fi
deploy_operator
deploy_stack
wait_for_kafka
for entry in $(charts_of_apps); do deploy_app "$entry"; done

say "deployed. make port-forward opens Grafana, Prometheus and the bridge on this machine."
