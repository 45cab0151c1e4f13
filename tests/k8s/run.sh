#!/usr/bin/env bash
# The platform on a real API server (make test-k8s): builds kube-apiserver with etcd, kubectl and helm from their Go modules into build/tools,
# makes the definitions of the operators' custom resources, and asks that server about every manifest, chart, value, right and script.
# docs/kubernetes-tests.md says what that proves. Arguments go to the test program: tests/k8s/run.sh -test.run TestCharts
# K8S_EMULATED_VERSION=1.34 lets the server behave as that version (up to three before its own).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
module=tests/k8s/apiserver
tools=$PWD/build/tools
out=build/k8s
mkdir -p "$tools" "$out"
export GOFLAGS="${GOFLAGS:-} -buildvcs=false"

version=$(sed -n 's|^\tk8s.io/kubernetes ||p' $module/go.mod)
# shellcheck disable=SC2317 # called by step
build() { # build NAME PACKAGE: the linker is told what the server says of itself, as Kubernetes' own build does
    (cd "$module" && nice ../../../scripts/go build -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$version" -o "$tools/$1" "$2")
}
# shellcheck disable=SC2317
build_tests() { (cd "$module" && nice ../../../scripts/go test -c -ldflags=-w -o "$tools/k8s-test" ./cluster); }

step() {
    local name=$1 begin=$SECONDS
    shift
    "$@" || { echo "$name: failed"; exit 1; }
    printf '%4d s  %s\n' $((SECONDS - begin)) "$name"
}

step "helm" scripts/helm version --short
step "etcd and kube-apiserver $version" build control-plane ./control-plane
step "kubectl" build kubectl k8s.io/kubernetes/cmd/kubectl
step "the tests" build_tests
step "definitions of custom resources" tests/k8s/make-definitions

begin=$SECONDS
{
    tests/k8s/test_scripts.sh
    cd "$module"/cluster && timeout 900 "$tools/k8s-test" -test.v "$@"
} 2>&1 | tee "$out/log" | grep --line-buffered -v '^=== '
ended=${PIPESTATUS[0]}
printf '%4d s  the tests\n' $((SECONDS - begin))

# A case is a line of test_scripts.sh or a subtest; a test that broke outside of its cases is one that failed.
awk -v result="$ended" -v counts=build/test-counts.txt '
    /^ok      |^    --- PASS/ { passed++ }
    /^FAILED  |^    --- FAIL/ { failed++ }
    /^    --- SKIP/ { skipped++ }
    END {
        if (result && !failed) failed = 1
        printf "%-9s %4d test programs, %5d cases passed, %d failed, %d skipped\n", "k8s:", 2, passed, failed, skipped >(counts ".k8s")
        printf "%d passed, %d failed\n", passed, failed
        exit failed > 0
    }' "$out/log"
failed=$?
touch build/test-counts.txt
grep -v '^k8s:' build/test-counts.txt >build/test-counts.txt.new
cat build/test-counts.txt.k8s >>build/test-counts.txt.new
mv build/test-counts.txt.new build/test-counts.txt
rm build/test-counts.txt.k8s
exit "$failed"
