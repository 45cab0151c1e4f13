# What the scripts of this folder share; sourced by them. Everything goes to one context, never to the one that kubectl happens to have.
# shellcheck shell=bash
# K8S_CONTEXT  the cluster: kind-observability (default, made by cluster.sh), or one of yours
# K8S_VALUES   which values-….yaml the charts take: dev on kind, prod elsewhere
# shellcheck disable=SC2034 # used by who sources this

cluster=observability
kind_context=kind-$cluster
context=${K8S_CONTEXT:-$kind_context}
if [[ $context == "$kind_context" ]]; then values=${K8S_VALUES:-dev}; else values=${K8S_VALUES:-prod}; fi

apps_namespace=observability
stack_namespace=monitoring
kafka=kafka

strimzi_chart=oci://quay.io/strimzi-helm/strimzi-kafka-operator
strimzi_version=1.2.0
metrics_server_repo=https://kubernetes-sigs.github.io/metrics-server
metrics_server_version=3.13.0

# Releases and their charts, in the order in which they start. The names of the first three are those of the documentation.
app_releases=(
    workload-sim:workload-simulator
    stream-proc:stream-processor
    metrics-br:metrics-bridge
    alert-forwarder:alert-forwarder
    console:console
    telemetry-gateway:telemetry-gateway
)

on_kind() { [[ $context == "$kind_context" ]]; }
say() { printf '%s\n' "--- $*"; }
fail() { printf '%s\n' "$@" >&2; exit 1; }
kube() { kubectl --context "$context" "$@"; }
# $1: namespace, $2: what, $3: ports; in the background. Without a function between them $! is kubectl itself: a kill that met only a shell would
# leave the port taken.
forward_port() { kubectl --context "$context" --namespace "$1" port-forward --address 127.0.0.1 "$2" "$3" >/dev/null & }
helmc() { helm --kube-context "$context" "$@"; }
has_chart() { [[ -f helm/$1/Chart.yaml ]]; }
cluster_exists() { kind get clusters 2>/dev/null | grep -qx "$cluster"; }
release_exists() { helmc status "$1" --namespace "$2" >/dev/null 2>&1; }

how_to_get() {
    case $1 in
        docker) echo "Docker Engine: https://docs.docker.com/engine/install/ (Debian: apt install docker.io)" ;;
        kind) echo "kind 0.24 or newer: https://kind.sigs.k8s.io/docs/user/quick-start/#installation (go install sigs.k8s.io/kind@latest)" ;;
        kubectl) echo "kubectl: https://kubernetes.io/docs/tasks/tools/" ;;
        helm) echo "Helm 3.14 or newer: https://helm.sh/docs/intro/install/ (go install helm.sh/helm/v3/cmd/helm@latest)" ;;
        *) echo "$1: from your distribution" ;;
    esac
}

# Says all that is missing at once, and where it comes from.
need() {
    local tool missing=0
    for tool in "$@"; do
        if ! command -v "$tool" >/dev/null; then
            printf '%s\n' "$tool is missing. $(how_to_get "$tool")" >&2
            missing=1
        elif [[ $tool == docker ]] && ! docker info >/dev/null 2>&1; then
            echo "docker is here, but its daemon doesn't answer: start it (systemctl start docker), and be of the group docker or use sudo." >&2
            missing=1
        fi
    done
    ((missing == 0)) || exit 1
}

# What cluster.sh and deploy.sh need.
need_tools() {
    if on_kind; then need docker kind kubectl helm; else need kubectl helm; fi
}

need_cluster() {
    if on_kind; then
        need kind
        cluster_exists || fail "There is no kind cluster $cluster: make cluster makes it."
    fi
    kube version >/dev/null 2>&1 || fail "The cluster of the context $context doesn't answer."
}
