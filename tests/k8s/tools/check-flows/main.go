// check-flows -table tests/k8s/flows.yaml FILE…: do the network policies allow what they should, and nothing else?
//
// The files hold namespaces, policies and the rendered charts. For each ordered pair of pods and hosts, and each port that is named anywhere, the
// engine that enforces policies on kind is asked "may this flow?", and its answer is compared with the table. -mutate asks in addition whether the
// comparison would notice: each policy, rule, peer and port is taken away in turn, and each rule opened, and each time something has to differ.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"slices"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"observability/k8s-tools/objects"
)

type inputs struct {
	namespaces []*core.Namespace
	policies   []*networking.NetworkPolicy
	pods       []objects.PodTemplate
}

func readInputs(paths []string) (*inputs, error) {
	decoder, err := objects.Decoder()
	if err != nil {
		return nil, err
	}
	in := &inputs{}
	for _, path := range paths {
		documents, err := objects.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for _, document := range documents {
			object, _, err := decoder.Decode(document.Text, nil, nil)
			if runtime.IsNotRegisteredError(err) {
				continue // a kind that has neither pods nor policies
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", document.Where(), err)
			}
			in.add(object)
		}
	}
	return in, nil
}

func (in *inputs) add(object runtime.Object) {
	switch o := object.(type) {
	case *core.Namespace:
		in.namespaces = append(in.namespaces, o)
	case *networking.NetworkPolicy:
		in.policies = append(in.policies, withDefaults(o))
	default:
		if pod, ok := objects.PodOf(o); ok {
			in.pods = append(in.pods, pod)
		}
	}
}

// What the API server puts in.
func withDefaults(policy *networking.NetworkPolicy) *networking.NetworkPolicy {
	tcp := core.ProtocolTCP
	fill := func(ports []networking.NetworkPolicyPort) {
		for i := range ports {
			if ports[i].Protocol == nil {
				ports[i].Protocol = &tcp
			}
		}
	}
	for _, rule := range policy.Spec.Ingress {
		fill(rule.Ports)
	}
	for _, rule := range policy.Spec.Egress {
		fill(rule.Ports)
	}
	if policy.Spec.PolicyTypes == nil {
		policy.Spec.PolicyTypes = []networking.PolicyType{networking.PolicyTypeIngress}
		if len(policy.Spec.Egress) > 0 {
			policy.Spec.PolicyTypes = append(policy.Spec.PolicyTypes, networking.PolicyTypeEgress)
		}
	}
	return policy
}

func listens(spec *core.PodSpec) []port {
	var ports []port
	for _, container := range spec.Containers {
		for _, p := range container.Ports {
			ports = append(ports, port{int(p.ContainerPort), cmp.Or(p.Protocol, core.ProtocolTCP)})
		}
	}
	return ports
}

// The table's pods and hosts, and the rendered ones that aren't another description of one of the table's.
func endpointsOf(t *table, in *inputs) (map[string]*endpoint, error) {
	known, rendered, described := map[string]*endpoint{}, map[string]*objects.PodTemplate{}, map[string]bool{}
	var err error
	for i := range in.pods {
		rendered[in.pods[i].Name] = &in.pods[i]
	}
	for name, host := range t.Hosts {
		address := net.ParseIP(host)
		known[name] = &endpoint{name: name, addresses: [2]net.IP{address, address}}
	}
	for name, entry := range t.Pods {
		known[name] = &endpoint{name: name, namespace: entry.Namespace, labels: entry.Labels, listens: entry.Listens}
		if pod := rendered[entry.Rendered]; pod != nil {
			described[entry.Rendered] = true
			err = errors.Join(err, compare(known[name], pod))
			known[name].labels = pod.Meta.Labels
		}
	}
	for name, pod := range rendered {
		switch {
		case described[name] || pod.Spec.HostNetwork:
		case known[name] != nil:
			err = errors.Join(err, fmt.Errorf("%s is in the table, though a chart makes it: take it out there", name))
		default:
			known[name] = &endpoint{name: name, namespace: pod.Namespace, labels: pod.Meta.Labels, listens: listens(pod.Spec)}
		}
	}
	return known, err
}

// Is the table's description of another's pod true?
func compare(entry *endpoint, pod *objects.PodTemplate) error {
	if entry.namespace != pod.Namespace || !labels.SelectorFromSet(entry.labels).Matches(labels.Set(pod.Meta.Labels)) {
		return fmt.Errorf("the table says that %s has the labels %v, and its chart gives %s in %s the labels %v", entry, entry.labels, pod.Name,
			pod.Namespace, pod.Meta.Labels)
	}
	for _, p := range entry.listens {
		if !slices.Contains(listens(pod.Spec), p) {
			return fmt.Errorf("the table says that %s listens on %s, and its chart doesn't", entry, p)
		}
	}
	return nil
}

// Two pods for each, so that one can be asked about its replica.
func podsOf(known map[string]*endpoint) []*core.Pod {
	var pods []*core.Pod
	for _, end := range known {
		if end.namespace == "" {
			continue
		}
		for replica := range end.addresses {
			address := net.IPv4(10, 244, byte(len(pods)/200), byte(1+len(pods)%200))
			end.addresses[replica] = address
			pod := &core.Pod{ObjectMeta: meta.ObjectMeta{Namespace: end.namespace, Name: fmt.Sprintf("%s-%d", end.name, replica), Labels: end.labels}}
			pod.Status = core.PodStatus{Phase: core.PodRunning, PodIPs: []core.PodIP{{IP: address.String()}}}
			pods = append(pods, pod)
		}
	}
	return pods
}

// The namespaces as the API server has them, labelled with their names; those that are only in the table, too.
func namespacesOf(in *inputs, known map[string]*endpoint) []*core.Namespace {
	named := map[string]*core.Namespace{}
	for _, end := range known {
		if end.namespace != "" {
			named[end.namespace] = &core.Namespace{ObjectMeta: meta.ObjectMeta{Name: end.namespace, Labels: map[string]string{}}}
		}
	}
	for _, namespace := range in.namespaces {
		named[namespace.Name] = namespace
	}
	var all []*core.Namespace
	for name, namespace := range named {
		namespace.Labels["kubernetes.io/metadata.name"] = name
		all = append(all, namespace)
	}
	return all
}

func prepare(path string, onKind bool, files []string) (*comparison, error) {
	t, err := readTable(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	in, err := readInputs(files)
	if err != nil {
		return nil, err
	}
	known, err := endpointsOf(t, in)
	if err != nil {
		return nil, err
	}
	t.addImpostors(known)
	leaving, entering, err := t.expected(onKind, known)
	if err != nil {
		return nil, err
	}
	c := &comparison{policies: in.policies, known: known, sides: []*side{
		{direction: networking.PolicyTypeEgress, expected: leaving},
		{direction: networking.PolicyTypeIngress, expected: entering},
	}}
	pods, namespaces, ports := podsOf(known), namespacesOf(in, known), t.ports(entering, known)
	for _, s := range c.sides {
		if s.engine, err = newEngine(namespaces, pods); err != nil {
			return nil, err
		}
		if err = s.apply(in.policies); err != nil {
			return nil, err
		}
		s.collect(known, t.Namespaces, ports)
	}
	return c, nil
}

func main() {
	path := flag.String("table", "tests/k8s/flows.yaml", "what is expected")
	onKind := flag.Bool("on-kind", false, "with what is expected on kind in addition")
	mutate := flag.Bool("mutate", false, "also: would a wrong policy be noticed?")
	flag.Parse()
	c, err := prepare(*path, *onKind, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	failures := c.run()
	if *mutate && failures == 0 {
		if failures, err = c.mutate(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	if failures > 0 {
		os.Exit(1)
	}
}
