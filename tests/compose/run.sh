#!/usr/bin/env bash
# compose.yaml by the Compose specification's own loader, and what must hold of every service (make test-compose).
# By `docker compose config` where there is one, else by the loader that it is made of, as a Go module.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly LOADER=github.com/compose-spec/compose-go/v2/cmd@v2.4.4
out=build/compose
mkdir -p "$out"

fail() {
    printf 'test-compose: %s\n' "$@" >&2
    exit 1
}

load() {
    if docker compose version >/dev/null 2>&1; then
        docker compose --file compose.yaml config --format json
    else
        GOFLAGS=-mod=mod scripts/go run "$LOADER" --format json compose.yaml
    fi
}

# $1: what is wrong, $2: jq: the names of the services of which it is true
refuse() {
    local found
    found=$(jq --raw-output "[.services | to_entries[] | select($2) | .key] | join(\", \")" "$out/compose.json")
    [[ -z $found ]] || fail "$1: $found"
}

load >"$out/compose.json" || fail "compose.yaml doesn't follow the specification"
refuse "an image without a fixed tag" '.value.image | test(":[^:/]+$") and (endswith(":latest") | not) | not'
refuse "a port that isn't loopback's alone" 'any(.value.ports[]?; .host_ip != "127.0.0.1")'
refuse "keeps capabilities" '.value.cap_drop != ["ALL"] or .value.cap_add != null or .value.privileged == true'
refuse "may gain privileges" '.value.security_opt != ["no-new-privileges:true"]'
refuse "has no health check" '.value.healthcheck.test == null'
refuse "has a writable root" '.key != "kafka" and .value.read_only != true'

# The two files made from the local stack's are up to date, and their own programs take them.
scripts/compose-config "$PWD/$out"
for file in prometheus.yml alertmanager.yml; do
    diff -u "config/compose/$file" "$out/$file" || fail "config/compose/$file is out of date: make compose-config"
done
promtool check config --syntax-only config/compose/prometheus.yml >/dev/null
amtool check-config config/compose/alertmanager.yml >/dev/null

# The programs' own health check.
refuse "its health check isn't the program's own" '.value.build != null and .value.healthcheck.test != ["CMD", "/usr/local/bin/" + .key, "--ready"]'

# Each program takes the settings that compose.yaml and its image give it. A bad one would end it with 2 at once.
for program in workload-simulator stream-processor metrics-bridge alert-forwarder console; do
    [[ -x build/bin/$program ]] || continue
    mapfile -t names < <(jq --raw-output ".services[\"$program\"].environment | keys[]" "$out/compose.json")
    for name in "${names[@]}"; do
        flag=--$(tr 'A-Z_' 'a-z-' <<<"${name#OBS_}")
        "build/bin/$program" --help 2>&1 | grep -q -- "^  $flag " || fail "$program has no setting $name"
    done
done
echo "test-compose: compose.yaml holds"
