// check-objects FILE…: are these rendered objects what Kubernetes and the Prometheus operator know?
//
// Every object is decoded strictly into its Go type: an unknown field, a field given twice or a wrong type is an error. Kinds that have no Go
// type are errors too, but those of -skip (Strimzi's, whose definitions are Java's). Pods and pod templates are then judged by Kubernetes' own
// Pod Security admission at the level of -level, and by what the project promises of each container and of what belongs together: requests and
// limits, no token, Services and budgets that select pods, scalers that have a target, ConfigMaps that are there.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"observability/k8s-tools/objects"
)

type checker struct {
	decoder   runtime.Decoder
	evaluator policy.Evaluator
	level     api.LevelVersion
	skipped   map[string]bool
	failures  int
}

func (c *checker) fail(where, format string, arguments ...any) {
	c.failures++
	fmt.Fprintf(os.Stderr, "%s: %s\n", where, fmt.Sprintf(format, arguments...))
}

func newChecker(level, skip string) (*checker, error) {
	decoder, err := objects.Decoder()
	if err != nil {
		return nil, err
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return nil, err
	}
	parsed, err := api.ParseLevel(level)
	if err != nil {
		return nil, err
	}
	skipped := map[string]bool{}
	for _, group := range strings.Split(skip, ",") {
		skipped[group] = true
	}
	return &checker{
		decoder:   decoder,
		evaluator: evaluator,
		level:     api.LevelVersion{Level: parsed, Version: api.LatestVersion()},
		skipped:   skipped,
	}, nil
}

func (c *checker) checkFile(path string) (int, error) {
	documents, err := objects.ReadFile(path)
	if err != nil {
		return 0, err
	}
	var known []runtime.Object
	for _, document := range documents {
		if c.skipped[document.Group()] {
			continue
		}
		object, _, err := c.decoder.Decode(document.Text, nil, nil)
		if err != nil {
			c.fail(document.Where(), "%v", err)
			continue
		}
		known = append(known, object)
	}
	c.checkPods(path, known)
	c.checkTogether(path, known)
	return len(known), nil
}

func (c *checker) checkPods(path string, known []runtime.Object) {
	for _, object := range known {
		pod, ok := objects.PodOf(object)
		if !ok {
			continue
		}
		where := fmt.Sprintf("%s: %s", path, pod.Name)
		for _, result := range c.evaluator.EvaluatePod(c.level, pod.Meta, pod.Spec) {
			if !result.Allowed {
				c.fail(where, "%s: %s", result.ForbiddenReason, result.ForbiddenDetail)
			}
		}
		if pod.Spec.AutomountServiceAccountToken == nil || *pod.Spec.AutomountServiceAccountToken {
			c.fail(where, "mounts a token of the API server")
		}
		for _, container := range append(append([]core.Container{}, pod.Spec.InitContainers...), pod.Spec.Containers...) {
			c.checkContainer(where, &container)
		}
	}
}

func (c *checker) checkContainer(where string, container *core.Container) {
	for _, resource := range []core.ResourceName{core.ResourceCPU, core.ResourceMemory} {
		request, limit := container.Resources.Requests[resource], container.Resources.Limits[resource]
		if request.IsZero() || limit.IsZero() || request.Cmp(limit) > 0 {
			c.fail(where, "%s: a request and a limit of %s are needed, the request not above the limit", container.Name, resource)
		}
	}
	context := container.SecurityContext
	if context == nil || context.ReadOnlyRootFilesystem == nil || !*context.ReadOnlyRootFilesystem {
		c.fail(where, "%s: the root file system can be written", container.Name)
	}
	name := container.Image[strings.LastIndex(container.Image, "/")+1:]
	if !strings.ContainsAny(name, ":@") || strings.HasSuffix(name, ":latest") {
		c.fail(where, "%s: the image %s has no fixed version", container.Name, container.Image)
	}
}

func main() {
	level := flag.String("level", "restricted", "Pod Security level")
	skip := flag.String("skip", "kafka.strimzi.io", "API groups without Go types, separated by commas")
	flag.Parse()
	c, err := newChecker(*level, *skip)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	count := 0
	for _, path := range flag.Args() {
		found, err := c.checkFile(path)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		count += found
	}
	fmt.Printf("%d objects in %d files, %d failures\n", count, flag.NArg(), c.failures)
	if c.failures > 0 || count == 0 {
		os.Exit(1)
	}
}
