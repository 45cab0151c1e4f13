#!/usr/bin/env bash
# Applies k8s/network-policies.yaml with this cluster's addresses in place of the file's documentation addresses (make cluster).
# NODES_CIDR=10.0.0.0/16 names the nodes' network where nodes come and go; without it each of today's nodes is named. So do API_CIDRS and API_PORT
# for the API server's endpoints. --print: only show the result; with all three given no cluster is asked.
set -euo pipefail
cd "$(dirname "$0")/../.."
source scripts/k8s/common.sh

endpoints() { kube --namespace default get endpointslices --selector kubernetes.io/service-name=kubernetes --output "$1"; }
each_node='jsonpath={range .items[*]}{range .status.addresses[?(@.type=="InternalIP")]}{.address}{"/32 "}{end}{end}'

[[ -n ${API_PORT:-} && -n ${API_CIDRS:-} && -n ${NODES_CIDR:-} && ${1:-} == --print ]] || need kubectl
api_port=${API_PORT:-$(endpoints 'jsonpath={.items[0].ports[0].port}')}
api=${API_CIDRS:-$(endpoints 'jsonpath={range .items[*]}{range .endpoints[*]}{range .addresses[*]}{@}{"/32 "}{end}{end}{end}')}
nodes=${NODES_CIDR:-$(kube get nodes --output "$each_node")}
[[ -n $api && -n $api_port && -n $nodes ]] || fail "The cluster tells no address of its API server or of its nodes."

# A line of the file with one of its two addresses becomes a line for each real one; IPv6 has longer prefixes.
policies() {
    awk -v api="$api" -v nodes="$nodes" -v port="$api_port" '
        function each(line, mark, list,    parts, count, i, copy) {
            count = split(list, parts, " ")
            for (i = 1; i <= count; i++) {
                if (parts[i] ~ /:.*\/32$/) sub(/\/32$/, "/128", parts[i])
                copy = line
                sub(mark, parts[i], copy)
                print copy
            }
        }
        /^#/ { print; next }
        /192\.0\.2\.1\/32/ { each($0, "192\\.0\\.2\\.1/32", api); next }
        /198\.51\.100\.0\/24/ { each($0, "198\\.51\\.100\\.0/24", nodes); next }
        { gsub(/port: 6443,/, "port: " port ","); print }
    ' k8s/network-policies.yaml
}

if [[ ${1:-} == --print ]]; then
    policies
    exit
fi
policies | kube apply --filename -
if on_kind; then kube apply --filename k8s/network-policies-dev.yaml; fi
