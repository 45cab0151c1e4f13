package main

import (
	"fmt"
	"os"
	"strings"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"observability/k8s-tools/objects"
)

// What must be noticed in any pod, and in each of its containers.
var wrongPods = map[string]func(*core.PodSpec){
	"a mounted token":        func(s *core.PodSpec) { s.AutomountServiceAccountToken = nil },
	"the host's network":     func(s *core.PodSpec) { s.HostNetwork = true },
	"the host's process ids": func(s *core.PodSpec) { s.HostPID = true },
	"root":                   func(s *core.PodSpec) { s.SecurityContext.RunAsNonRoot = nil },
	"no seccomp profile":     func(s *core.PodSpec) { s.SecurityContext.SeccompProfile = nil },
	"a folder of the host":   func(s *core.PodSpec) { s.Volumes = append(s.Volumes, hostFolder()) },
	"an account that isn't":  func(s *core.PodSpec) { s.ServiceAccountName = "nobody" },
}

var wrongContainers = map[string]func(*core.Container){
	"an image without version": func(c *core.Container) { c.Image = untagged(c.Image) },
	"the latest image":         func(c *core.Container) { c.Image = untagged(c.Image) + ":latest" },
	"no limits":                func(c *core.Container) { c.Resources.Limits = nil },
	"no limit of memory":       func(c *core.Container) { delete(c.Resources.Limits, core.ResourceMemory) },
	"no requests":              func(c *core.Container) { c.Resources.Requests = nil },
	"privileges":               func(c *core.Container) { c.SecurityContext.Privileged = yes() },
	"more privileges later":    func(c *core.Container) { c.SecurityContext.AllowPrivilegeEscalation = yes() },
	"capabilities":             func(c *core.Container) { c.SecurityContext.Capabilities = nil },
	"a writable root":          func(c *core.Container) { c.SecurityContext.ReadOnlyRootFilesystem = nil },
	"a password in plain": func(c *core.Container) {
		c.Env = append(c.Env, core.EnvVar{Name: "BUS_PASSWORD", Value: "observability123"})
	},
	"a password as an argument": func(c *core.Container) { c.Args = append(c.Args, "-X", "sasl.password=observability123") },
	"a mount of nothing":        func(c *core.Container) { c.VolumeMounts = append(c.VolumeMounts, core.VolumeMount{Name: "nothing"}) },
}

func untagged(image string) string {
	name := strings.LastIndex(image, "/") + 1
	if end := strings.IndexAny(image[name:], ":@"); end >= 0 {
		return image[:name+end]
	}
	return image
}

func yes() *bool { value := true; return &value }

func hostFolder() core.Volume {
	return core.Volume{Name: "host", VolumeSource: core.VolumeSource{HostPath: &core.HostPathVolumeSource{Path: "/"}}}
}

// Does the checker complain of each wrong pod and container that this file's can become? Counts those that it takes.
func (c *checker) mutate(path string, known []runtime.Object) (count, missed int) {
	try := func(what string, i int, change func(*core.PodSpec)) {
		changed := append([]runtime.Object{}, known...)
		changed[i] = known[i].DeepCopyObject()
		pod, _ := objects.PodOf(changed[i])
		change(pod.Spec)
		silent := &checker{evaluator: c.evaluator, levels: c.levels, silent: true}
		silent.checkPods(path, changed)
		silent.checkTogether(path, changed)
		count++
		if silent.failures == 0 {
			missed++
			fmt.Fprintf(os.Stderr, "%s: %s may have %s: nobody complains\n", path, pod.Name, what)
		}
	}
	for i, object := range known {
		pod, ok := objects.PodOf(object)
		if !ok || !ours(pod.Meta) {
			continue
		}
		for what, change := range wrongPods {
			try(what, i, change)
		}
		for what, change := range wrongContainers {
			for n := range pod.Spec.InitContainers {
				try(what+" (init)", i, func(s *core.PodSpec) { change(&s.InitContainers[n]) })
			}
			for n := range pod.Spec.Containers {
				try(what, i, func(s *core.PodSpec) { change(&s.Containers[n]) })
			}
		}
	}
	return count, missed
}
