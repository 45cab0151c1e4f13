package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// `make deploy` and `make clean` as they are, on a cluster whose Deployments are cared for by Kubernetes' own controllers. What they download
// comes from this machine instead: Strimzi's definitions from build/strimzi, its chart from a stand-in with the operator's labels, and the
// platform's chart goes without kube-prometheus-stack.
func TestDeployment(t *testing.T) {
	prepare(t)
	makeNode(t)
	withoutDownloads(t)
	startControllers(t)

	t.Run("deploy.sh names each missing secret, with a command that makes it", func(t *testing.T) {
		for _, secret := range []string{"grafana-admin", "observability", "console-token"} {
			output, err := try(t, "", "scripts/k8s/deploy.sh")
			if err == nil || !strings.Contains(output, "secret "+secret+" is missing") {
				t.Fatalf("%v\n%s", err, output)
			}
			makeSecret(t, output)
		}
	})
	deployed := t.Run("deploy.sh deploys Strimzi, the platform and every program, each until it is ready", func(t *testing.T) {
		do(t, "scripts/k8s/deploy.sh")
		releases := do(t, "helm", "list", "--all-namespaces", "--deployed", "--short")
		for _, release := range []string{"strimzi", "obs", "workload-sim", "stream-proc", "metrics-br", "alert-forwarder", "console"} {
			if !strings.Contains("\n"+releases, "\n"+release+"\n") {
				t.Errorf("%s isn't deployed; there are:\n%s", release, releases)
			}
		}
		podsAreReady(t)
	})
	if deployed {
		t.Run("deploy.sh again changes no program", func(t *testing.T) {
			before := generations(t)
			do(t, "scripts/k8s/deploy.sh")
			if after := generations(t); after != before {
				t.Errorf("before %s\nafter  %s", before, after)
			}
		})
		t.Run("a rolling update goes pod by pod and never has fewer ready than wanted", rollingUpdate)
	}
	t.Run("delete.sh takes all of it away, topics before their operator", func(t *testing.T) {
		do(t, "scripts/k8s/delete.sh", "admin")
		const ours = "deployments,replicasets,services,pods,kafkas,kafkanodepools,kafkatopics,kafkausers,servicemonitors,horizontalpodautoscalers"
		left := ""
		for range 100 { // the garbage collector takes its time
			left = do(t, "kubectl", "--namespace", programs, "get", ours, "--output", "name", "--ignore-not-found") +
				do(t, "helm", "list", "--all-namespaces", "--all", "--short")
			if strings.TrimSpace(left) == "" {
				return
			}
			time.Sleep(300 * time.Millisecond)
		}
		t.Errorf("there are still:\n%s", left)
	})
	t.Run("and again, where there is nothing", func(t *testing.T) {
		do(t, "scripts/k8s/delete.sh", "admin")
	})
}

func withoutDownloads(t *testing.T) {
	t.Helper()
	folder := t.TempDir()
	platform := platformAlone(t)
	operator := filepath.Join(folder, "strimzi")
	must(t, os.MkdirAll(filepath.Join(operator, "templates"), 0o700))
	must(t, os.Mkdir(filepath.Join(folder, "bin"), 0o700))
	for path, text := range map[string]string{
		"strimzi/Chart.yaml":              "apiVersion: v2\nname: strimzi-kafka-operator\nversion: 1.2.0\n",
		"strimzi/templates/operator.yaml": strimziStandIn,
		"bin/helm":                        fmt.Sprintf(helmStandIn, operator, platform, filepath.Join(cluster.folder, "bin/helm")),
	} {
		must(t, os.WriteFile(filepath.Join(folder, path), []byte(text), 0o700))
	}
	before := cluster.path
	cluster.path = filepath.Join(folder, "bin") + ":" + before
	t.Cleanup(func() { cluster.path = before })
}

const helmStandIn = `#!/usr/bin/env bash
case "$*" in
    "show crds oci://"*) awk 'FNR == 1 { print "---" } { print }' build/strimzi/*.yaml; exit ;;
    "dependency update "*) exit ;;
esac
arguments=()
for argument in "$@"; do
    case $argument in
        oci://*/strimzi-kafka-operator) argument=%s ;;
        helm/observability-platform) argument=%s ;;
    esac
    arguments+=("$argument")
done
exec %s "${arguments[@]}"
`

const strimziStandIn = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: strimzi-cluster-operator}
spec:
  selector: {matchLabels: {strimzi.io/kind: cluster-operator}}
  template:
    metadata: {labels: {strimzi.io/kind: cluster-operator}}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: operator
          image: strimzi:1.2.0
          resources: {{ toJson .Values.resources }}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`

// Follows the advice: the command as it was printed, with a file in FILE's place.
func makeSecret(t *testing.T, advice string) {
	t.Helper()
	command := regexp.MustCompile(`(?m)^ *(kubectl .* create secret generic .*)$`).FindStringSubmatch(advice)
	if command == nil {
		t.Fatalf("no command in it:\n%s", advice)
	}
	file := filepath.Join(cluster.folder, "value")
	must(t, os.WriteFile(file, []byte("a-value-of-more-than-sixteen-characters"), 0o600))
	do(t, strings.Fields(strings.ReplaceAll(command[1], "=FILE", "="+file))...)
}

func podsAreReady(t *testing.T) {
	t.Helper()
	list, err := clientOf(t, "admin").AppsV1().Deployments(programs).List(context.Background(), metav1.ListOptions{})
	must(t, err)
	if len(list.Items) < len(charts()) {
		t.Errorf("there are %d deployments", len(list.Items))
	}
	for _, deployment := range list.Items {
		if deployment.Status.ReadyReplicas < 1 || deployment.Status.ReadyReplicas != *deployment.Spec.Replicas {
			t.Errorf("%s: %d of %d are ready", deployment.Name, deployment.Status.ReadyReplicas, *deployment.Spec.Replicas)
		}
	}
}

func generations(t *testing.T) string {
	t.Helper()
	return do(t, "kubectl", "--namespace", programs, "get", "deployments", "--output", "jsonpath={range .items[*]}{.metadata.name}={.metadata.generation} {end}")
}

// By Kubernetes' own controller; the Deployment's status is looked at all the while.
func rollingUpdate(t *testing.T) {
	const name = "stream-processor"
	client := clientOf(t, "admin").AppsV1().Deployments(programs)
	do(t, "kubectl", "--namespace", programs, "scale", "deployment/"+name, "--replicas=2")
	do(t, "kubectl", "--namespace", programs, "rollout", "status", "deployment/"+name, "--timeout=2m")
	do(t, "kubectl", "--namespace", programs, "set", "image", "deployment/"+name, "*=stream-processor:9.9.9")
	most, looks := int32(0), 0
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		deployment, err := client.Get(context.Background(), name, metav1.GetOptions{})
		must(t, err)
		status := deployment.Status
		looks++
		most = max(most, status.Replicas)
		if status.AvailableReplicas < 2 {
			t.Fatalf("%d of 2 are available", status.AvailableReplicas)
		}
		if status.ObservedGeneration == deployment.Generation && status.UpdatedReplicas == 2 && status.Replicas == 2 {
			if most != 3 {
				t.Errorf("there were %d pods at most", most)
			}
			t.Logf("looked %d times: always two ready, at most three pods", looks)
			return
		}
	}
	t.Error("it doesn't end")
}
