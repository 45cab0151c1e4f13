package cluster

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

var programCharts = []string{"workload-simulator", "stream-processor", "metrics-bridge", "alert-forwarder", "console", "telemetry-gateway"}
var valuesOf = []string{"default", "dev", "prod"}

// A chart that there isn't (yet) is left out.
func charts() []string {
	var there []string
	for _, chart := range programCharts {
		if fileExists(filepath.Join(root, "helm", chart, "Chart.yaml")) {
			there = append(there, chart)
		}
	}
	return there
}

func valuesFlags(chart, values string) []string {
	if values == "default" {
		return nil
	}
	return []string{"--values", "helm/" + chart + "/values-" + values + ".yaml"}
}

func helm(t *testing.T, namespace string, arguments ...string) string {
	t.Helper()
	return do(t, append([]string{"helm", "--namespace", namespace}, arguments...)...)
}

// Every program's chart, from install to uninstall.
func TestCharts(t *testing.T) {
	prepare(t)
	for _, chart := range charts() {
		for _, values := range valuesOf {
			release := "try-" + chart
			installed := t.Run(chart+" is installed with "+values+" values", func(t *testing.T) {
				helm(t, programs, append([]string{"install", release, "helm/" + chart}, valuesFlags(chart, values)...)...)
				allAreThere(t, release, programs)
				noWarnings(t, release, programs)
			})
			if !installed {
				_, _ = try(t, "", "helm", "uninstall", release, "--namespace", programs)
				continue
			}
			t.Run(chart+" with "+values+" values: its pods are admitted, without a token", func(t *testing.T) {
				podsAreAdmitted(t, release, chart)
			})
			t.Run(chart+" with "+values+" values: is upgraded, rolled back and uninstalled without a trace", func(t *testing.T) {
				throughItsLife(t, release, chart, values)
			})
		}
	}
}

// As many objects answer by their names as the manifest has.
func allAreThere(t *testing.T, release, namespace string) {
	t.Helper()
	manifest := helm(t, namespace, "get", "manifest", release)
	wanted := strings.Count("\n"+manifest, "\nkind: ")
	output, err := try(t, manifest, "kubectl", "get", "--context", namespace, "--filename", "-", "--output", "name")
	if err != nil || wanted == 0 || strings.Count(output, "\n") != wanted {
		t.Errorf("%d objects in the manifest, but there are:\n%s", wanted, output)
	}
}

// What the server would warn of (deprecated fields and versions, Pod Security's `warn`): strictly, as a dry run of all of it.
func noWarnings(t *testing.T, release, namespace string) {
	t.Helper()
	manifest := helm(t, namespace, "get", "manifest", release)
	output, err := try(t, manifest, "kubectl", "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "--warnings-as-errors",
		"--context", namespace, "--filename", "-")
	if err != nil {
		t.Error(output)
	}
}

// Nothing makes pods here, so they are made in a dry run as the Deployment's controller and `helm test` would: admission is the same.
func podsAreAdmitted(t *testing.T, release, chart string) {
	t.Helper()
	client := clientOf(t, "admin")
	deployment, err := client.AppsV1().Deployments(programs).Get(context.Background(), chart, metav1.GetOptions{})
	must(t, err)
	made := admit(t, &corev1.Pod{ObjectMeta: podName(chart+"-0", deployment), Spec: deployment.Spec.Template.Spec})
	if made != nil {
		mustHaveNoToken(t, made)
		mustBeReplacedWithoutGap(t, deployment)
	}
	for _, document := range strings.Split(helm(t, programs, "get", "hooks", release), "\n---") {
		if !strings.Contains(document, "kind: Pod") {
			continue
		}
		hook := &corev1.Pod{}
		must(t, yaml.Unmarshal([]byte(document), hook))
		if made := admit(t, hook); made != nil {
			mustHaveNoToken(t, made)
		}
	}
}

func podName(name string, deployment *appsv1.Deployment) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: programs, Labels: deployment.Spec.Template.Labels, Annotations: deployment.Spec.Template.Annotations}
}

func admit(t *testing.T, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	made, err := clientOf(t, "admin").CoreV1().Pods(programs).Create(context.Background(), pod,
		metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict})
	if err != nil {
		t.Errorf("%s isn't admitted: %v", pod.Name, err)
		return nil
	}
	return made
}

// The server puts a token's volume into each pod that hasn't said no.
func mustHaveNoToken(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	for _, volume := range pod.Spec.Volumes {
		if volume.Projected != nil {
			t.Errorf("%s gets the volume %s with a token", pod.Name, volume.Name)
		}
	}
}

func mustBeReplacedWithoutGap(t *testing.T, deployment *appsv1.Deployment) {
	t.Helper()
	rolling := deployment.Spec.Strategy.RollingUpdate
	if rolling == nil || rolling.MaxUnavailable.IntValue() != 0 || rolling.MaxSurge.IntValue() != 1 {
		t.Errorf("the strategy is %+v", deployment.Spec.Strategy)
	}
}

func throughItsLife(t *testing.T, release, chart, values string) {
	t.Helper()
	image := func() string {
		return do(t, "kubectl", "--namespace", programs, "get", "deployment", chart, "--output", "jsonpath={.spec.template.spec.containers[0].image}")
	}
	before := image()
	helm(t, programs, append([]string{"upgrade", release, "helm/" + chart, "--set", "image.tag=9.9.9"}, valuesFlags(chart, values)...)...)
	if got := image(); !strings.HasSuffix(got, chart+":9.9.9") {
		t.Errorf("upgraded, the image is %s", got)
	}
	allAreThere(t, release, programs)
	helm(t, programs, "rollback", release, "1")
	if got := image(); got != before {
		t.Errorf("rolled back, the image is %s, not %s", got, before)
	}
	helm(t, programs, "uninstall", release)
	if left := leftOf(t, release, programs); left != "" {
		t.Errorf("uninstalled, there are still:\n%s", left)
	}
}

// What carries the release's name, and Helm's own records of it.
func leftOf(t *testing.T, release, namespace string) string {
	t.Helper()
	const kinds = "deployments,services,configmaps,secrets,serviceaccounts,horizontalpodautoscalers,poddisruptionbudgets,servicemonitors,prometheusrules,pods"
	return do(t, "kubectl", "--namespace", namespace, "get", kinds, "--selector", "app.kubernetes.io/instance="+release, "--output", "name", "--ignore-not-found") +
		do(t, "kubectl", "--namespace", namespace, "get", "secrets", "--selector", "owner=helm,name="+release, "--output", "name", "--ignore-not-found")
}

// The platform's own chart. Its dependency isn't to be had on every machine: without it, as `make lint-helm` renders it.
func platformAlone(t *testing.T) string {
	t.Helper()
	const chart = "helm/observability-platform"
	folder := filepath.Join(t.TempDir(), "observability-platform")
	do(t, "cp", "-rL", chart, folder)
	if !fileExists(filepath.Join(root, chart, "charts")) {
		do(t, "sed", "-i", "/^dependencies:/,$d", folder+"/Chart.yaml")
	}
	return folder
}

func TestPlatformChart(t *testing.T) {
	prepare(t)
	const chart, release = "observability-platform", "obs"
	folder := platformAlone(t)
	for _, values := range valuesOf {
		installed := t.Run("is installed with "+values+" values: rules, routes, dashboards, Kafka, topics, users", func(t *testing.T) {
			helm(t, stack, append([]string{"install", release, folder}, valuesFlags(chart, values)...)...)
			allAreThere(t, release, stack)
			noWarnings(t, release, stack)
		})
		if !installed {
			_, _ = try(t, "", "helm", "uninstall", release, "--namespace", stack)
			continue
		}
		t.Run("with "+values+" values: is upgraded, rolled back and uninstalled without a trace", func(t *testing.T) {
			more := func() string {
				return do(t, "kubectl", "--namespace", programs, "get", "kafka", "kafka", "--output", "jsonpath={.spec.kafka.config}")
			}
			before := more()
			helm(t, stack, append([]string{"upgrade", release, folder, "--set", "kafka.minInSyncReplicas=1"}, valuesFlags(chart, values)...)...)
			upgraded := more()
			helm(t, stack, "rollback", release, "1")
			if got := more(); got != before || !strings.Contains(upgraded, `"min.insync.replicas":1`) {
				t.Errorf("first %s, upgraded %s, rolled back %s", before, upgraded, got)
			}
			helm(t, stack, "uninstall", release)
			left := leftOf(t, release, stack) + do(t, "kubectl", "--namespace", programs, "get", "kafkas,kafkanodepools,kafkatopics,kafkausers",
				"--output", "name", "--ignore-not-found")
			if left != "" {
				t.Errorf("uninstalled, there are still:\n%s", left)
			}
		})
	}
}

// Refused values leave no release and no object behind.
func TestBadValuesAreRefused(t *testing.T) {
	prepare(t)
	for _, bad := range []struct{ chart, setting, reason string }{
		{"stream-processor", "replicas=12", "replicas"},
		{"stream-processor", "unknown=1", "unknown"},
		{"metrics-bridge", "image.tag=latest", "tag"},
		{"console", "token.secretName=Not_A_Name", "secretName"},
		{"workload-simulator", "settings.error_rate=2", "error_rate"},
		{"stream-processor", "podLabels.a=no label!", "podLabels"},
		// What the schema lets through and the server knows.
		{"alert-forwarder", "nodeSelector.a=Not/a/label", "spec.template.spec.nodeSelector"},
	} {
		t.Run(fmt.Sprintf("%s with %s", bad.chart, bad.setting), func(t *testing.T) {
			const release = "bad"
			refused(t, bad.reason, "", "helm", "install", release, "helm/"+bad.chart, "--namespace", programs, "--set", bad.setting)
			_, _ = try(t, "", "helm", "uninstall", release, "--namespace", programs)
			if left := leftOf(t, release, programs); left != "" {
				t.Errorf("there are:\n%s", left)
			}
		})
	}
}
