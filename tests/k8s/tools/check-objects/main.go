// check-objects FILE…: are these rendered objects what Kubernetes and the Prometheus operator know?
//
// Every object is decoded strictly into its Go type: an unknown field, a field given twice or a wrong type is an error. Kinds that have no Go
// type (Strimzi's are Java's) are checked by their definitions in the folder -definitions; kinds that have neither are errors. Everything that is
// a pod or makes pods (also hooks and tests) is then judged by Kubernetes' own Pod Security admission at its namespace's level, and by what the
// project promises of each container and of what belongs together: requests and limits, fixed images, no token, no secret in plain, Services and
// budgets that select pods, scalers that have a target, ConfigMaps that are there. -mutate asks in addition whether that would be noticed: each
// of our pods is made wrong in each way, and each time somebody has to complain.
package main

import (
	"flag"
	"fmt"
	"os"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"observability/k8s-tools/objects"
)

type checker struct {
	decoder     runtime.Decoder
	evaluator   policy.Evaluator
	definitions map[string]*definition
	levels      map[string]api.LevelVersion
	mutating    bool
	mutations   int
	missed      int
	silent      bool // counts only
	failures    int
}

func (c *checker) fail(where, format string, arguments ...any) {
	c.failures++
	if c.silent {
		return
	}
	fmt.Fprintf(os.Stderr, "%s: %s\n", where, fmt.Sprintf(format, arguments...))
}

func newChecker(folder string, mutating bool) (*checker, error) {
	decoder, err := objects.Decoder()
	if err != nil {
		return nil, err
	}
	evaluator, err := newEvaluator()
	if err != nil {
		return nil, err
	}
	known, err := readDefinitions(folder)
	if err != nil {
		return nil, err
	}
	return &checker{
		decoder:     decoder,
		evaluator:   evaluator,
		definitions: known,
		levels:      map[string]api.LevelVersion{},
		mutating:    mutating,
	}, nil
}

func (c *checker) checkFile(path string) (int, error) {
	documents, err := objects.ReadFile(path)
	if err != nil {
		return 0, err
	}
	var known []runtime.Object
	custom := 0
	for _, document := range documents {
		if d := c.definitions[document.APIVersion+" "+document.Kind]; d != nil {
			for _, complaint := range d.check(document.Text) {
				c.fail(document.Where(), "%s", complaint)
			}
			custom++
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
	if c.mutating {
		count, missed := c.mutate(path, known)
		c.mutations, c.missed = c.mutations+count, c.missed+missed
	}
	return len(known) + custom, nil
}

// The Pod Security level of each namespace in this file.
func (c *checker) readLevels(path string) error {
	documents, err := objects.ReadFile(path)
	if err != nil {
		return err
	}
	for _, document := range documents {
		object, _, err := c.decoder.Decode(document.Text, nil, nil)
		if err != nil {
			return fmt.Errorf("%s: %w", document.Where(), err)
		}
		if namespace, ok := object.(*core.Namespace); ok {
			level, err := api.ParseLevel(namespace.Labels[api.EnforceLevelLabel])
			if err != nil {
				return fmt.Errorf("%s: %w", document.Where(), err)
			}
			c.levels[namespace.Name] = api.LevelVersion{Level: level, Version: api.LatestVersion()}
		}
	}
	return nil
}

func main() {
	namespaces := flag.String("namespaces", "k8s/namespaces.yaml", "file of namespaces, which say the Pod Security level of their pods")
	folder := flag.String("definitions", "build/strimzi", "folder of CustomResourceDefinitions, for kinds without Go types")
	mutate := flag.Bool("mutate", false, "also: would a wrong pod be noticed?")
	flag.Parse()
	c, err := newChecker(*folder, *mutate)
	if err == nil {
		err = c.readLevels(*namespaces)
	}
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
	if c.mutating {
		fmt.Printf("%d wrong pods, %d of them taken\n", c.mutations, c.missed)
	}
	if c.failures+c.missed > 0 || count == 0 || c.mutating && c.mutations == 0 {
		os.Exit(1)
	}
}
