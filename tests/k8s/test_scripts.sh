#!/usr/bin/env bash
# scripts/k8s/*.sh without a cluster: docker, kind, kubectl and helm are stand-ins that remember what exists and write down what they were
# asked. What is checked is the scripts' own business: order, idempotence, what is said when something is missing, and that clean touches
# nothing else. Whether a cluster takes what they send is checked elsewhere (make test-k8s).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bin" "$work/state"
export K8S_TEST_STATE=$work/state K8S_TEST_LOG=$work/log
failures=0

cat >"$work/bin/stand-in" <<'EOF'
#!/usr/bin/env bash
tool=$(basename "$0")
echo "$tool $*" >>"$K8S_TEST_LOG"
state=$K8S_TEST_STATE
case "$tool $*" in
    "docker image inspect "*) [[ ! -f $state/no-images && ! -f $state/by-buildah ]] ;;
    "buildah inspect "*) [[ -f $state/by-buildah ]] ;;
    "docker volume ls "*) [[ ! -f $state/compose ]] || echo observability_kafka ;;
    "docker compose "*) rm "$state/compose" ;;
    "docker image rm "*) touch "$state/no-images" ;;
    "kind get clusters") [[ ! -f $state/cluster ]] || echo observability ;;
    "kind create cluster "*) touch "$state/cluster" ;;
    "kind delete cluster "*) rm "$state/cluster" ;;
    "helm --kube-context "*" upgrade --install "*) touch "$state/release-$5" ;;
    "helm --kube-context "*" status "*) [[ -f $state/release-$4 ]] ;;
    "helm --kube-context "*" uninstall "*) rm "$state/release-$4" ;;
    *" get endpointslices "*ports*) echo 6444 ;;
    *" get endpointslices "*) echo "172.18.0.4/32 172.18.0.5/32 " ;;
    *" get nodes "*) echo "172.18.0.4/32 fc00::5/32 " ;;
    *" port-forward "*) exec python3 -c 'import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1].split(":")[0])))
while True: server.accept()' "${!#}" ;;
    *" get secret console-token "*) [[ ! -f $state/token ]] || echo dG9rZW4= ;;
    *" get secret "*) [[ ! -f $state/no-secrets ]] ;;
    *" get crd "*) [[ -f $state/release-strimzi ]] ;;
    *" apply --filename -") cat >"$state/applied" ;;
    *" apply --server-side"*) cat >/dev/null ;;
esac
EOF
chmod +x "$work/bin/stand-in"
for tool in docker buildah kind kubectl helm; do ln -s stand-in "$work/bin/$tool"; done

run() { # run NAME COMMAND...: its output in $work/out
    : >"$K8S_TEST_LOG"
    PATH=$work/bin:$PATH timeout 60 "$@" >"$work/out" 2>&1
}
check() {
    if [[ $2 == yes ]]; then echo "ok      $1"; else
        echo "FAILED  $1"
        sed 's/^/        /' "$K8S_TEST_LOG" "$work/out"
        failures=$((failures + 1))
    fi
}
holds() { if "$@" >/dev/null 2>&1; then echo yes; else echo no; fi; }
line_of() { grep -nE -m1 -- "$1" "$K8S_TEST_LOG" | cut -d: -f1; }
in_order() { # each pattern's first line comes after the one before
    local last=0 line pattern
    for pattern in "$@"; do
        line=$(line_of "$pattern")
        [[ -n $line && $line -gt $last ]] || { echo "not in order: $pattern" >>"$work/out"; return 1; }
        last=$line
    done
}

# What is missing is named with the place where it is to be had.
mkdir "$work/few"
for tool in bash dirname cat env; do ln -s "$(command -v "$tool")" "$work/few/$tool"; done
PATH=$work/few "$(command -v timeout)" 60 "$(command -v bash)" scripts/k8s/cluster.sh >"$work/out" 2>&1
status=$?
: >"$K8S_TEST_LOG"
check "cluster names every tool that is missing" "$(holds test "$status" -eq 1 -a "$(grep -c 'is missing' "$work/out")" -eq 4)"
check "and says where to get it" "$(holds grep -q 'kind.sigs.k8s.io' "$work/out")"

run scripts/k8s/delete.sh
check "clean does nothing where there is no cluster" "$(holds test $? -eq 0 -a "$(grep -vc 'get clusters' "$K8S_TEST_LOG")" -eq 0)"

run scripts/k8s/deploy.sh
check "deploy refuses without a cluster" "$(holds test $? -eq 1 -a -n "$(grep 'make cluster' "$work/out")")"

run scripts/k8s/cluster.sh
check "cluster makes kind's cluster, then namespaces, policies, metrics-server" "$(holds in_order 'kind create' 'namespaces.yaml' 'apply --filename -$' 'metrics-server')"
check "policies name the real endpoints" "$(holds test "$(grep -c 'cidr: 172.18.0.5/32' "$work/state/applied")" -eq "$(grep -c '^[^#]*192.0.2.1/32' k8s/network-policies.yaml)")"
check "and the nodes, and the real port" "$(holds grep -q 'cidr: fc00::5/128' "$work/state/applied")"
check "no documentation address is left" "$(holds test "$(grep -v '^#' "$work/state/applied" | grep -cE '192\.0\.2|198\.51|6443')" -eq 0)"
run scripts/k8s/cluster.sh
check "cluster a second time makes none" "$(holds test $? -eq 0 -a -z "$(line_of 'kind create')")"

touch "$work/state/no-images"
run scripts/k8s/deploy.sh
check "deploy says that images are missing before it changes anything" "$(holds test $? -eq 1 -a -n "$(grep 'make build' "$work/out")" -a -z "$(line_of 'upgrade')")"
rm "$work/state/no-images"

run scripts/k8s/deploy.sh
check "deploy succeeds" "$(holds test $? -eq 0)"
check "operator, stack, Kafka, topics, then programs" \
    "$(holds in_order 'install strimzi' 'install obs ' 'wait kafka/kafka' 'wait kafkatopics' 'install workload-sim' 'install stream-proc' 'install metrics-br')"
check "kind takes the values of dev" "$(holds test -z "$(grep 'values-prod' "$K8S_TEST_LOG")")"
check "nothing goes to another context" "$(holds test -z "$(grep -E '^(kubectl|helm)' "$K8S_TEST_LOG" | grep -v -- 'context kind-observability' | grep -vE '^helm (show|dependency)')")"
touch "$work/state/token" "$work/state/by-buildah"
run scripts/k8s/deploy.sh
check "what buildah has built is loaded from an archive with the chart's name" \
    "$(holds in_order 'buildah push .*localhost/workload-simulator:local docker-archive:.*:workload-simulator:local' 'kind load image-archive .* --name observability')"
rm "$work/state/by-buildah"
run scripts/k8s/deploy.sh
check "deploy a second time succeeds" "$(holds test $? -eq 0)"

touch "$work/state/no-secrets"
K8S_CONTEXT=elsewhere run scripts/k8s/deploy.sh
check "elsewhere a missing secret is told with the command that makes it" "$(holds test $? -eq 1 -a -n "$(grep 'create secret generic grafana-admin' "$work/out")" -a -z "$(line_of 'upgrade')")"
rm "$work/state/no-secrets"
K8S_CONTEXT=elsewhere run scripts/k8s/deploy.sh
check "elsewhere the values are those of prod, and no image is loaded" "$(holds test $? -eq 0 -a -z "$(grep -E 'values-dev|^kind|^docker' "$K8S_TEST_LOG")")"

run scripts/k8s/delete.sh
check "clean: topics, users, Kafka, then releases, then the cluster" \
    "$(holds in_order 'delete kafkatopics' 'delete kafkausers' 'delete kafkas' 'delete kafkanodepools' 'uninstall workload-sim' 'uninstall obs' 'uninstall strimzi' 'kind delete cluster --name observability')"
check "clean leaves no release" "$(holds test -z "$(find "$work/state" -name 'release-[^m]*')")"
run scripts/k8s/delete.sh
check "clean a second time does nothing" "$(holds test $? -eq 0 -a "$(grep -vc 'get clusters' "$K8S_TEST_LOG")" -eq 0)"

# The README's manual steps are the scripts' own: the same that is made, applied, installed and waited for, in the same order.
steps_of_log() {
    grep -oE 'kind create cluster|apply --filename k8s/[a-z]*.yaml|kind load docker-image [^ ]+|create secret generic [^ ]+|apply --server-side|upgrade --install [^ ]+ [^ ]+|values-[a-z]*\.yaml|--set [^ ]+|wait kafka[^ ]*' \
        "$K8S_TEST_LOG" | grep -v wait.kafkausers
}
mkdir -p "$work/hand/var"
cp -r scripts k8s helm kind-config.yaml "$work/hand"
awk '/^The same by hand/ { found = 1 } found && /^```$/ { exit } printing { print } found && /^```sh/ { printing = 1 }' README.md >"$work/hand/steps.sh"
rm -f "$work/state/"*
run scripts/k8s/cluster.sh
cp "$K8S_TEST_LOG" "$work/made"
run scripts/k8s/deploy.sh
cat "$work/made" "$K8S_TEST_LOG" >"$work/both" && cp "$work/both" "$K8S_TEST_LOG"
steps_of_log >"$work/by-make"
rm -f "$work/state/"*
run bash -c "cd '$work/hand' && set -eu && source steps.sh"
check "the README's steps by hand run to their end" "$(holds test $? -eq 0)"
steps_of_log >"$work/by-hand"
diff "$work/by-make" "$work/by-hand" >"$work/out"
check "and are those of make cluster and make deploy" "$(holds test $? -eq 0 -a -s "$work/by-hand")"
rm -f "$work/state/"*

# make smoke-test on a cluster: the test itself is a stand-in too, and a listener takes the place of what kubectl forwards.
mkdir -p "$work/hand/build/bin"
# shellcheck disable=SC2016
printf '#!/bin/sh\necho "offset $OBS_PORT_OFFSET" && "$BUSCAT" topics\n' >"$work/hand/build/bin/smoke-test"
chmod +x "$work/hand/build/bin/smoke-test"
touch "$work/state/cluster"
export OBS_PORT_OFFSET=$((12000 + RANDOM % 8000)) # below those that the system gives to clients
run "$work/hand/scripts/k8s/smoke-test.sh"
check "smoke-test forwards every page and asks the bus in a pod" \
    "$(holds test $? -eq 0 -a "$(grep -c ' port-forward --address 127.0.0.1 ' "$K8S_TEST_LOG")" -eq 6 -a -n "$(grep 'exec deployment/stream-processor -- /usr/local/bin/buscat topics' "$K8S_TEST_LOG")" -a -n "$(grep "offset $OBS_PORT_OFFSET" "$work/out")")"
is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$(($1 + OBS_PORT_OFFSET))") 2>/dev/null; }
check "and leaves no forward" "$(if is_open 8082; then echo no; else echo yes; fi)"
PATH=$work/bin:$PATH timeout --signal INT 60 scripts/k8s/port-forward.sh >"$work/out" 2>&1 &
forwarding=$!
for _ in {1..100}; do
    if is_open 9090; then break; fi
    sleep 0.1
done
kill -INT "$forwarding"
wait "$forwarding"
status=$?
for _ in {1..100}; do # what was told to end may take a moment on a busy machine
    if ! is_open 8080 && ! is_open 9090; then break; fi
    sleep 0.1
done
check "port-forward ends with its forwards at Ctrl-C" \
    "$(holds test "$status" -eq 0 -a -n "$(grep 'Ctrl-C ends it' "$work/out")")$(if is_open 8080 || is_open 9090; then echo ", ports are open"; fi)"
unset OBS_PORT_OFFSET
rm -f "$work/state/"*

# make clean, in a copy of the tree that may lose its files.
tree=$work/tree
mkdir "$tree"
cp -r scripts compose.yaml "$tree"
fill_tree() {
    mkdir -p "$tree/build/bin" "$tree/var/bus" "$tree/docs"
    touch "$tree/docs/page.md" "$work/state/cluster" "$work/state/compose"
    rm -f "$work/state/no-images"
}
answer() { # answer TEXT COMMAND...: at a terminal
    local text=$1
    shift
    printf '%s\n' "$text" | PATH=$work/bin:$PATH timeout 60 script --quiet --return --command "$*" /dev/null >"$work/out" 2>&1
}
kept() { [[ -d $tree/var/bus && -f $work/state/cluster && -f $work/state/compose ]]; }
gone() { [[ ! -e $tree/var && ! -e $work/state/cluster && ! -e $work/state/compose ]]; }

fill_tree
run "$tree/scripts/clean" </dev/null
check "clean without a terminal keeps what was recorded, and says so" "$(holds test $? -eq 0 -a -n "$(kept && grep 'FORCE=1 removes it' "$work/out")")"
check "but not what was built, nor its images" "$(holds test ! -e "$tree/build" -a -e "$work/state/no-images" -a -e "$tree/docs/page.md")"
fill_tree
answer n "$tree/scripts/clean"
check "clean names all that was recorded, and keeps it after a no" "$(holds kept)$(grep -q 'var/.*kind cluster observability.*volumes of compose' "$work/out" || echo ", unnamed")"
: >"$K8S_TEST_LOG"
answer y "$tree/scripts/clean"
check "after a yes all of it goes" "$(holds gone)"
fill_tree
FORCE=1 run "$tree/scripts/clean" </dev/null
check "FORCE=1 doesn't ask" "$(holds test $? -eq 0 -a -n "$(gone && echo gone)")"
FORCE=1 run "$tree/scripts/clean" </dev/null
check "clean of what is clean does nothing" "$(holds test $? -eq 0 -a -z "$(grep -E ' (rm|delete|down) ' "$K8S_TEST_LOG")" -a -e "$tree/docs/page.md")"

if ((failures > 0)); then echo "$failures failed"; exit 1; fi
