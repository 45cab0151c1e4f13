package main

import (
	"context"
	"errors"
	"io"
	"net"
	_ "unsafe" // for go:linkname

	"github.com/sirupsen/logrus"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

// The engine is kube-network-policies, with which kind (kindnet) enforces policies: its verdict on the first packet of a connection. It is
// meant to be asked by the kernel, so its question isn't exported; evaluate is that function, and packet has the layout of its argument.
//
//go:linkname evaluate sigs.k8s.io/kube-network-policies/pkg/networkpolicy.(*Controller).evaluatePacket
func evaluate(controller *networkpolicy.Controller, ctx context.Context, p packet) bool

type packet struct {
	id      uint32
	family  core.IPFamily
	srcIP   net.IP
	dstIP   net.IP
	proto   core.Protocol
	srcPort int
	dstPort int
	payload []byte
}

type engine struct {
	controller *networkpolicy.Controller
	policies   cache.Store
}

func newEngine(namespaces []*core.Namespace, pods []*core.Pod) (*engine, error) {
	logrus.SetOutput(io.Discard) // it greets
	factory := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
	known, cluster := factory.Networking().V1().NetworkPolicies(), factory.Core().V1()
	controller, err := networkpolicy.NewController(fake.NewClientset(), known, cluster.Namespaces(), cluster.Pods(), cluster.Nodes(), nil, nil, nil,
		networkpolicy.Config{NodeName: "node"})
	if err != nil {
		return nil, err
	}
	// The informers aren't started: what they would hear of the API server is put where they keep it.
	e := &engine{controller: controller, policies: known.Informer().GetStore()}
	for _, namespace := range namespaces {
		err = errors.Join(err, cluster.Namespaces().Informer().GetStore().Add(namespace))
	}
	for _, pod := range pods {
		err = errors.Join(err, cluster.Pods().Informer().GetStore().Add(pod))
	}
	return e, err
}

// Takes these policies instead of those before.
func (e *engine) apply(policies []*networking.NetworkPolicy) error {
	objects := make([]any, len(policies))
	for i, policy := range policies {
		objects[i] = policy
	}
	return e.policies.Replace(objects, "")
}

func (e *engine) allows(from, to net.IP, port int, protocol core.Protocol) bool {
	return evaluate(e.controller, context.Background(), packet{
		family: core.IPv4Protocol, srcIP: from, dstIP: to, proto: protocol, srcPort: 40000, dstPort: port,
	})
}
