package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/pod-security-admission/api"

	"observability/k8s-tools/objects"
)

// Who of the charts that aren't ours asks the API server, and so mounts a token: Grafana's sidecar reads ConfigMaps, the others watch objects.
var needToken = []string{
	"obs-grafana", "obs-kube-state-metrics", "obs-kube-prometheus-stack-operator", "obs-kube-prometheus-stack-admission-create",
	"obs-kube-prometheus-stack-admission-patch",
}

var (
	secretName  = regexp.MustCompile(`(?i)password|passwd|secret|token|api_?key`)
	plainSecret = regexp.MustCompile(`(?i)(password|passwd|secret|token)=[^$]`)
)

// Objects of our own charts promise more than those of others.
func ours(labelled meta.Object) bool {
	return labelled.GetLabels()["app.kubernetes.io/part-of"] == "observability-platform"
}

// The level that the pod's namespace enforces (k8s/namespaces.yaml); restricted where it isn't one of these.
func (c *checker) levelOf(namespace string) api.LevelVersion {
	if level, ok := c.levels[namespace]; ok {
		return level
	}
	return api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
}

func (c *checker) checkPods(path string, known []runtime.Object) {
	for _, object := range known {
		switch o := object.(type) {
		case *core.Secret:
			c.checkSecret(path, o)
		case *monitoring.Prometheus:
			c.checkResources(fmt.Sprintf("%s: Prometheus %s", path, o.Name), "prometheus", o.Spec.Resources)
		case *monitoring.Alertmanager:
			c.checkResources(fmt.Sprintf("%s: Alertmanager %s", path, o.Name), "alertmanager", o.Spec.Resources)
			c.checkToken(fmt.Sprintf("%s: Alertmanager %s", path, o.Name), o.Name, o.Spec.AutomountServiceAccountToken)
		default:
			if pod, ok := objects.PodOf(object); ok {
				c.checkPod(fmt.Sprintf("%s: %s", path, pod.Name), &pod)
			}
		}
	}
}

func (c *checker) checkPod(where string, pod *objects.PodTemplate) {
	for _, result := range c.evaluator.EvaluatePod(c.levelOf(pod.Namespace), pod.Meta, pod.Spec) {
		if !result.Allowed {
			c.fail(where, "%s: %s", result.ForbiddenReason, result.ForbiddenDetail)
		}
	}
	c.checkToken(where, pod.Name, pod.Spec.AutomountServiceAccountToken)
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		c.checkContainer(where, &container)
		if context := container.SecurityContext; ours(pod.Meta) && (context == nil || context.ReadOnlyRootFilesystem == nil ||
			!*context.ReadOnlyRootFilesystem) {
			c.fail(where, "%s: the root file system can be written", container.Name)
		}
	}
}

func (c *checker) checkToken(where, name string, mounted *bool) {
	if (mounted == nil || *mounted) && !slices.Contains(needToken, name) {
		c.fail(where, "mounts a token of the API server")
	}
}

func (c *checker) checkResources(where, container string, resources core.ResourceRequirements) {
	for _, resource := range []core.ResourceName{core.ResourceCPU, core.ResourceMemory} {
		request, limit := resources.Requests[resource], resources.Limits[resource]
		if request.IsZero() || limit.IsZero() || request.Cmp(limit) > 0 {
			c.fail(where, "%s: a request and a limit of %s are needed, the request not above the limit", container, resource)
		}
	}
}

func (c *checker) checkContainer(where string, container *core.Container) {
	c.checkResources(where, container.Name, container.Resources)
	name := container.Image[strings.LastIndex(container.Image, "/")+1:]
	if !strings.ContainsAny(name, ":@") || strings.HasSuffix(name, ":latest") {
		c.fail(where, "%s: the image %s has no fixed version", container.Name, container.Image)
	}
	if context := container.SecurityContext; context != nil && context.Privileged != nil && *context.Privileged {
		c.fail(where, "%s: is privileged", container.Name)
	}
	for _, env := range container.Env {
		if secretName.MatchString(env.Name) && env.Value != "" && !strings.HasPrefix(env.Value, "/") || plainSecret.MatchString(env.Value) {
			c.fail(where, "%s: %s holds a secret in plain", container.Name, env.Name)
		}
	}
	for _, argument := range slices.Concat(container.Command, container.Args) {
		if plainSecret.MatchString(argument) {
			c.fail(where, "%s: an argument holds a secret in plain", container.Name)
		}
	}
}

// Only development's values may hold a password.
func (c *checker) checkSecret(path string, secret *core.Secret) {
	if strings.HasSuffix(path, "-dev.yaml") {
		return
	}
	for key, value := range secret.StringData {
		if secretName.MatchString(key) && value != "" {
			c.fail(path, "Secret %s: %s is in the values", secret.Name, key)
		}
	}
	for key, value := range secret.Data {
		if secretName.MatchString(key) && len(value) > 0 {
			c.fail(path, "Secret %s: %s is in the values", secret.Name, key)
		}
	}
}
