package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// A flow needs both ends' consent, so each end is asked by itself: else one that is too open would hide behind the other.
type side struct {
	direction networking.PolicyType
	engine    *engine // knows this direction only
	expected  map[question]bool
	questions []question
}

type comparison struct {
	policies []*networking.NetworkPolicy
	known    map[string]*endpoint
	sides    []*side
}

// Which end of the flow this side is about.
func (s *side) end(known map[string]*endpoint, q question) *endpoint {
	if s.direction == networking.PolicyTypeEgress {
		return known[q.from]
	}
	return known[q.to]
}

// Everything that can be asked of this side, what is expected first: a policy that is missing shows there.
func (s *side) collect(known map[string]*endpoint, namespaces []string, ports []port) {
	var others []question
	names := slices.Sorted(maps.Keys(known))
	for _, from := range names {
		for _, to := range names {
			for _, p := range ports {
				q := question{from, to, p}
				switch {
				case !slices.Contains(namespaces, s.end(known, q).namespace):
				case s.expected[q]:
					s.questions = append(s.questions, q)
				default:
					others = append(others, q)
				}
			}
		}
	}
	s.questions = append(s.questions, others...)
}

func (s *side) apply(policies []*networking.NetworkPolicy) error {
	var directed []*networking.NetworkPolicy
	for _, policy := range policies {
		if slices.Contains(policy.Spec.PolicyTypes, s.direction) {
			copied := *policy
			copied.Spec.PolicyTypes = []networking.PolicyType{s.direction}
			directed = append(directed, &copied)
		}
	}
	return s.engine.apply(directed)
}

func (c *comparison) ask(s *side, q question) bool {
	return s.engine.allows(c.known[q.from].addresses[0], c.known[q.to].addresses[1], q.port.number, q.port.protocol)
}

func (c *comparison) run() int {
	failures, expected, asked := 0, 0, 0
	for _, s := range c.sides {
		expected, asked = max(expected, len(s.expected)), asked+len(s.questions)
		for _, q := range s.questions {
			if answer := c.ask(s, q); answer != s.expected[q] {
				failures++
				fmt.Fprintln(os.Stderr, c.explain(s, q, answer))
			}
		}
	}
	fmt.Printf("%d flows are expected; the engine was asked %d times about %d pods and hosts, and differs in %d\n", expected, asked, len(c.known), failures)
	return failures
}

func selects(policy *networking.NetworkPolicy, end *endpoint) bool {
	selector, err := meta.LabelSelectorAsSelector(&policy.Spec.PodSelector)
	return err == nil && policy.Namespace == end.namespace && selector.Matches(labels.Set(end.labels))
}

// The policies that limit this end in this direction, and of them those without which the flow would be closed.
func (c *comparison) limiting(s *side, q question) (limiting, opening []string) {
	defer s.apply(c.policies)
	for i, policy := range c.policies {
		if !selects(policy, s.end(c.known, q)) || !slices.Contains(policy.Spec.PolicyTypes, s.direction) {
			continue
		}
		name := policy.Namespace + "/" + policy.Name
		limiting = append(limiting, name)
		if s.apply(slices.Delete(slices.Clone(c.policies), i, i+1)) == nil && !c.ask(s, q) {
			opening = append(opening, name)
		}
	}
	return limiting, opening
}

func (c *comparison) explain(s *side, q question, answer bool) string {
	way := map[networking.PolicyType]string{networking.PolicyTypeEgress: "leave", networking.PolicyTypeIngress: "come in"}[s.direction]
	flow := fmt.Sprintf("%s to %s, port %s", c.known[q.from], c.known[q.to], q.port)
	limiting, opening := c.limiting(s, q)
	switch {
	case !answer:
		return fmt.Sprintf("%s is a flow of the table and may not %s: none of %s allows it", flow, way, strings.Join(limiting, ", "))
	case len(limiting) == 0:
		return fmt.Sprintf("%s may %s and is no flow of the table: no policy limits it", flow, way)
	case len(opening) == 0:
		opening = limiting
	}
	return fmt.Sprintf("%s may %s and is no flow of the table: look at %s", flow, way, strings.Join(opening, ", "))
}
