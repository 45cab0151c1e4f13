package main

import (
	"fmt"
	"os"
	"slices"

	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// One change of a policy that must be noticed. nil: the policy is gone.
type mutation struct {
	what   string
	policy *networking.NetworkPolicy
}

// Each single thing that can be left out of a policy, or opened in it. Rules, peers and ports are left out of copies.
func mutationsOf(policy *networking.NetworkPolicy) []mutation {
	mutations := []mutation{{"isn't there", nil}}
	change := func(what string, do func(*networking.NetworkPolicySpec)) {
		changed := policy.DeepCopy()
		do(&changed.Spec)
		mutations = append(mutations, mutation{what, changed})
	}
	if len(policy.Spec.PodSelector.MatchLabels) > 0 {
		change("selects all pods", func(s *networking.NetworkPolicySpec) { s.PodSelector = meta.LabelSelector{} })
	}
	for i, rule := range policy.Spec.Ingress {
		of := func(what string) string { return fmt.Sprintf("%s ingress rule %d", what, i+1) }
		change(of("lacks"), func(s *networking.NetworkPolicySpec) { s.Ingress = slices.Delete(s.Ingress, i, i+1) })
		change(of("opens to all in"), func(s *networking.NetworkPolicySpec) { s.Ingress[i].From = nil })
		change(of("opens all ports in"), func(s *networking.NetworkPolicySpec) { s.Ingress[i].Ports = nil })
		mutateParts(of, rule.From, rule.Ports, func(what string, from []networking.NetworkPolicyPeer, ports []networking.NetworkPolicyPort) {
			change(what, func(s *networking.NetworkPolicySpec) { s.Ingress[i].From, s.Ingress[i].Ports = from, ports })
		})
	}
	for i, rule := range policy.Spec.Egress {
		of := func(what string) string { return fmt.Sprintf("%s egress rule %d", what, i+1) }
		change(of("lacks"), func(s *networking.NetworkPolicySpec) { s.Egress = slices.Delete(s.Egress, i, i+1) })
		change(of("opens to all in"), func(s *networking.NetworkPolicySpec) { s.Egress[i].To = nil })
		change(of("opens all ports in"), func(s *networking.NetworkPolicySpec) { s.Egress[i].Ports = nil })
		mutateParts(of, rule.To, rule.Ports, func(what string, to []networking.NetworkPolicyPeer, ports []networking.NetworkPolicyPort) {
			change(what, func(s *networking.NetworkPolicySpec) { s.Egress[i].To, s.Egress[i].Ports = to, ports })
		})
	}
	return mutations
}

// The peers and ports of a rule, each left out where it isn't the only one, and each peer's selectors widened.
func mutateParts(of func(string) string, peers []networking.NetworkPolicyPeer, ports []networking.NetworkPolicyPort,
	change func(string, []networking.NetworkPolicyPeer, []networking.NetworkPolicyPort)) {
	for i, peer := range peers {
		name := fmt.Sprintf("peer %d of", i+1)
		if len(peers) > 1 {
			change(of("lacks "+name), slices.Delete(slices.Clone(peers), i, i+1), ports)
		}
		widen := func(what string, wider networking.NetworkPolicyPeer) {
			changed := slices.Clone(peers)
			changed[i] = wider
			change(of(what+" "+name), changed, ports)
		}
		if peer.IPBlock != nil {
			widen("takes any address in", networking.NetworkPolicyPeer{IPBlock: &networking.IPBlock{CIDR: "0.0.0.0/0"}})
			continue
		}
		if peer.PodSelector != nil {
			widen("takes any pod in", networking.NetworkPolicyPeer{NamespaceSelector: peer.NamespaceSelector, PodSelector: &meta.LabelSelector{}})
			widen("takes any namespace in", networking.NetworkPolicyPeer{NamespaceSelector: &meta.LabelSelector{}, PodSelector: peer.PodSelector})
		}
	}
	for i := range ports {
		if len(ports) > 1 {
			change(of(fmt.Sprintf("lacks port %d of", i+1)), peers, slices.Delete(slices.Clone(ports), i, i+1))
		}
	}
}

// Whom a change can concern: what the policy, or what it has become, selects.
func (c *comparison) concerned(before, after *networking.NetworkPolicy) map[*endpoint]bool {
	concerned := map[*endpoint]bool{}
	for _, end := range c.known {
		if selects(before, end) || after != nil && selects(after, end) {
			concerned[end] = true
		}
	}
	return concerned
}

// Does anything differ for them under these policies? Of these, those that select none of them needn't be asked.
func (c *comparison) notices(policies []*networking.NetworkPolicy, concerned map[*endpoint]bool) (bool, error) {
	policies = slices.DeleteFunc(slices.Clone(policies), func(policy *networking.NetworkPolicy) bool {
		for end := range concerned {
			if selects(policy, end) {
				return false
			}
		}
		return true
	})
	for _, s := range c.sides {
		if err := s.apply(policies); err != nil {
			return false, err
		}
		for _, q := range s.questions {
			if concerned[s.end(c.known, q)] && c.ask(s, q) != s.expected[q] {
				return true, nil
			}
		}
	}
	return false, nil
}

func (c *comparison) mutate() (int, error) {
	count, missed := 0, 0
	for i, policy := range c.policies {
		for _, m := range mutationsOf(policy) {
			changed := slices.Delete(slices.Clone(c.policies), i, i+1)
			if m.policy != nil {
				changed = append(changed, m.policy)
			}
			count++
			noticed, err := c.notices(changed, c.concerned(policy, m.policy))
			if err != nil {
				return 0, err
			}
			if !noticed {
				missed++
				fmt.Fprintf(os.Stderr, "nothing differs when %s/%s %s: it isn't needed, or the table is blind there\n", policy.Namespace, policy.Name, m.what)
			}
		}
	}
	fmt.Printf("%d changes of the policies, %d of them not noticed\n", count, missed)
	return missed, nil
}
