package cluster

import (
	"strings"
	"sync"
	"testing"
)

const nodeAddress = "198.18.0.7"

var preparation struct {
	once   sync.Once
	output string
	err    error
}

// Definitions of the custom resources, namespaces, roles and policies, as the files say, strictly.
func prepare(t *testing.T) {
	t.Helper()
	preparation.once.Do(func() {
		for _, command := range [][]string{
			{"kubectl", "apply", "--server-side", "--filename", "build/k8s/definitions", "--filename", "build/strimzi"},
			{"kubectl", "wait", "crd", "--all", "--for=condition=Established", "--timeout=60s"},
			{"kubectl", "apply", "--server-side", "--validate=strict", "--filename", "k8s/namespaces.yaml"},
			{"kubectl", "apply", "--server-side", "--validate=strict", "--filename", "k8s/rbac.yaml"},
			{"kubectl", "apply", "--server-side", "--validate=strict", "--filename", "k8s/network-policies.yaml"},
			{"kubectl", "apply", "--server-side", "--validate=strict", "--filename", "k8s/network-policies-dev.yaml"},
		} {
			if preparation.output, preparation.err = try(t, "", command...); preparation.err != nil {
				return
			}
		}
	})
	if preparation.err != nil {
		t.Fatalf("%v\n%s", preparation.err, preparation.output)
	}
}

func TestManifests(t *testing.T) {
	t.Run("definitions, namespaces, roles and policies are taken strictly", prepare)
	prepare(t)

	t.Run("applying them again changes nothing", func(t *testing.T) {
		list := []string{"kubectl", "get", "namespaces,clusterroles,rolebindings,networkpolicies,serviceaccounts", "--all-namespaces",
			"--selector", "!kubernetes.io/bootstrapping", "--output",
			"jsonpath={range .items[*]}{.kind}/{.metadata.namespace}/{.metadata.name} {.metadata.resourceVersion}{\"\\n\"}{end}"}
		before := do(t, list...)
		do(t, "kubectl", "apply", "--server-side", "--validate=strict", "--filename", "k8s/namespaces.yaml", "--filename", "k8s/rbac.yaml",
			"--filename", "k8s/network-policies.yaml")
		if after := do(t, list...); after != before {
			t.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
		if !strings.Contains(before, "NetworkPolicy/observability/default-deny") {
			t.Errorf("the list is wrong:\n%s", before)
		}
	})

	t.Run("cluster.sh prepares a cluster that is there, and again", func(t *testing.T) {
		makeNode(t)
		do(t, "scripts/k8s/cluster.sh")
		do(t, "scripts/k8s/cluster.sh")
	})
	t.Run("its policies name the cluster's own addresses", func(t *testing.T) {
		makeNode(t)
		do(t, "scripts/k8s/network-policies.sh")
		policies := do(t, "kubectl", "get", "networkpolicies", "--all-namespaces", "--output", "jsonpath={.items[*].spec}")
		for _, wanted := range []string{"203.0.113.10/32", nodeAddress + "/32"} {
			if !strings.Contains(policies, wanted) {
				t.Errorf("%s isn't in them", wanted)
			}
		}
		for _, unwanted := range []string{"192.0.2.", "198.51.100."} {
			if strings.Contains(policies, unwanted) {
				t.Errorf("%s is left", unwanted)
			}
		}
	})
}

// There is no kubelet that would tell of itself; what scripts ask of a node is its address.
func makeNode(t *testing.T) {
	t.Helper()
	if _, err := try(t, "", "kubectl", "get", "node", "node-1"); err == nil {
		return
	}
	output, err := try(t, "apiVersion: v1\nkind: Node\nmetadata: {name: node-1}\n", "kubectl", "create", "--filename", "-")
	if err != nil {
		t.Fatal(output)
	}
	do(t, "kubectl", "patch", "node", "node-1", "--subresource=status", "--type=merge", "--patch",
		`{"status":{"addresses":[{"type":"InternalIP","address":"`+nodeAddress+`"}]}}`)
}
