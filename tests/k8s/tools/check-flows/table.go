package main

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// What tests/k8s/flows.yaml holds.
type table struct {
	Namespaces []string            `json:"namespaces"`
	Hosts      map[string]string   `json:"hosts"`
	Pods       map[string]podEntry `json:"pods"`
	Impostors  string              `json:"impostors"`
	Groups     map[string][]string `json:"groups"`
	Flows      []flow              `json:"flows"`
	OnlyIn     []flow              `json:"only-in"`
	OnKind     []flow              `json:"on-kind"`
	OtherPorts []port              `json:"other-ports"`
}

type podEntry struct {
	Namespace string            `json:"namespace"`
	Labels    map[string]string `json:"labels"`
	Listens   []port            `json:"listens"`
	Rendered  string            `json:"rendered"`
}

type flow struct {
	From  []string `json:"from"`
	To    []string `json:"to"`
	Ports []port   `json:"ports"`
}

// A port as it is written there: 53/UDP, or 53, which is TCP.
type port struct {
	number   int
	protocol core.Protocol
}

func (p *port) UnmarshalJSON(text []byte) error {
	number, protocol, found := strings.Cut(strings.Trim(string(text), `"`), "/")
	p.protocol = core.ProtocolTCP
	if found {
		p.protocol = core.Protocol(protocol)
	}
	var err error
	p.number, err = strconv.Atoi(number)
	return err
}

func (p port) String() string { return fmt.Sprintf("%d/%s", p.number, p.protocol) }

// Who may be at an end of a flow. A pod has two addresses, as if it had two replicas, so that it can be asked about itself.
type endpoint struct {
	name      string
	namespace string // "": no pod
	labels    map[string]string
	listens   []port
	addresses [2]net.IP
}

func (e *endpoint) String() string {
	if e.namespace == "" {
		return e.name
	}
	return e.namespace + "/" + e.name
}

func readTable(path string) (*table, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t := &table{}
	return t, yaml.UnmarshalStrict(text, t)
}

// The pods of ours again, in a namespace where their labels must be worth nothing.
func (t *table) addImpostors(known map[string]*endpoint) {
	var names []string
	for name, end := range known {
		if slices.Contains(t.Namespaces, end.namespace) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		known["false-"+name] = &endpoint{name: "false-" + name, namespace: t.Impostors, labels: known[name].labels}
		t.Groups["impostors"] = append(t.Groups["impostors"], "false-"+name)
	}
}

// The members of groups, of groups of groups, and single names, each once.
func (t *table) members(names []string) []string {
	var all []string
	for _, name := range names {
		if group, ok := t.Groups[name]; ok {
			all = append(all, t.members(group)...)
		} else {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

type question struct {
	from, to string
	port     port
}

// The flows one by one.
func (t *table) each(flows []flow, known map[string]*endpoint) (map[question]bool, error) {
	all := map[question]bool{}
	var err error
	for _, f := range flows {
		for _, to := range t.members(f.To) {
			for _, from := range t.members(f.From) {
				for _, p := range f.Ports {
					err = errors.Join(err, check(known, from, to, p))
					all[question{from, to, p}] = true
				}
			}
		}
	}
	return all, err
}

// What is expected of each side.
func (t *table) expected(onKind bool, known map[string]*endpoint) (leaving, entering map[question]bool, err error) {
	flows := t.Flows
	if onKind {
		flows = slices.Concat(flows, t.OnKind)
	}
	leaving, err = t.each(flows, known)
	if err != nil {
		return nil, nil, err
	}
	entering, err = t.each(slices.Concat(flows, t.OnlyIn), known)
	return leaving, entering, err
}

// Every port that is named anywhere.
func (t *table) ports(flows map[question]bool, known map[string]*endpoint) []port {
	named := map[port]bool{}
	for _, end := range known {
		for _, p := range end.listens {
			named[p] = true
		}
	}
	for q := range flows {
		named[q.port] = true
	}
	for _, p := range t.OtherPorts {
		named[p] = true
	}
	return slices.Collect(maps.Keys(named))
}

// A flow that can't be is an error of the table.
func check(known map[string]*endpoint, from, to string, p port) error {
	receiver := known[to]
	if known[from] == nil || receiver == nil {
		return fmt.Errorf("the table has a flow from %s to %s, and one of them is neither in it nor rendered", from, to)
	}
	if receiver.namespace != "" && !slices.Contains(receiver.listens, p) {
		return fmt.Errorf("the table has a flow to %s on %s, where it doesn't listen", to, p)
	}
	return nil
}
