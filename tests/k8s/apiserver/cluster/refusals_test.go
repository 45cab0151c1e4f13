package cluster

import (
	"testing"
)

// Objects that are broken on purpose: an API server that took everything would prove nothing.
func TestBrokenObjectsAreRefused(t *testing.T) {
	prepare(t)
	for _, broken := range []struct{ name, reason, object string }{
		{"a field that no Service has", `unknown field "spec.prots"`, `
apiVersion: v1
kind: Service
metadata: {name: broken, namespace: observability}
spec: {prots: [], ports: [{port: 80}]}`},
		{"a Deployment whose selector isn't its pods'", "`selector` does not match template `labels`", `
apiVersion: apps/v1
kind: Deployment
metadata: {name: broken, namespace: observability}
spec:
  selector: {matchLabels: {app: one}}
  template:
    metadata: {labels: {app: other}}
    spec: {containers: [{name: a, image: a:1}]}`},
		{"an autoscaler with more pods at least than at most", "spec.maxReplicas", `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: broken, namespace: observability}
spec: {minReplicas: 4, maxReplicas: 2, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: a}}`},
		{"a budget with both bounds", "minAvailable and maxUnavailable cannot be both set", `
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: broken, namespace: observability}
spec: {minAvailable: 1, maxUnavailable: 1, selector: {matchLabels: {app: a}}}`},
		{"a policy for what is no network", "spec.egress[0].to[0].ipBlock.cidr", `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: broken, namespace: observability}
spec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.0.0/99}}]}]}`},
		{"a ServiceMonitor's interval that is no duration", "spec.endpoints[0].interval", `
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: broken, namespace: observability}
spec: {selector: {}, endpoints: [{port: http, interval: often}]}`},
		{"a field that no ServiceMonitor has", `unknown field "spec.endpoint"`, `
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: broken, namespace: observability}
spec: {selector: {}, endpoint: [], endpoints: [{port: http}]}`},
		{"a rule without an expression", "spec.groups[0].rules[0].expr", `
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: broken, namespace: monitoring}
spec: {groups: [{name: a, rules: [{alert: A}]}]}`},
		{"a topic without partitions", "spec.partitions", `
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata: {name: broken, namespace: observability}
spec: {partitions: 0, replicas: 1}`},
		{"a user's operation that Kafka hasn't", "spec.authorization.acls[0].operations", `
apiVersion: kafka.strimzi.io/v1
kind: KafkaUser
metadata: {name: broken, namespace: observability}
spec: {authorization: {type: simple, acls: [{resource: {type: topic, name: a}, operations: [Reed]}]}}`},
		{"a node pool's role that Kafka hasn't", "spec.roles[0]", `
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: broken, namespace: observability}
spec: {replicas: 1, roles: [zookeeper], storage: {type: ephemeral}}`},
		{"a Kafka of an operator before 1.0", `no matches for kind "Kafka" in version "kafka.strimzi.io/v1beta2"`, `
apiVersion: kafka.strimzi.io/v1beta2
kind: Kafka
metadata: {name: broken, namespace: observability}
spec: {kafka: {listeners: []}}`},
	} {
		t.Run(broken.name, func(t *testing.T) {
			refused(t, broken.reason, broken.object, "kubectl", "create", "--validate=strict", "--filename", "-")
		})
	}
}

// What Pod Security refuses in a namespace, and what it lets through in the one beside it.
func TestPodsAreAdmittedByTheirNamespace(t *testing.T) {
	prepare(t)
	const plain = `securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers: [{name: a, image: "a:1", securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]`
	const asRoot = `containers: [{name: a, image: "a:1"}]`
	const onHost = `{hostNetwork: true, hostPID: true, containers: [{name: a, image: "a:1"}]}`
	for _, pod := range []struct{ name, namespace, spec, refusal string }{
		{"a restricted pod in observability", programs, plain, ""},
		{"a pod that may be root in observability", programs, asRoot, `violates PodSecurity "restricted`},
		{"a pod on the host's network in observability", programs, onHost, `violates PodSecurity "restricted`},
		{"a pod that may be root in monitoring", stack, asRoot, ""},
		{"a pod on the host's network in monitoring", stack, onHost, `violates PodSecurity "baseline`},
		{"a pod on the host's network in node-exporter", "node-exporter", onHost, ""},
	} {
		t.Run(pod.name, func(t *testing.T) {
			object := "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: " + pod.namespace + "}\nspec:\n  " + pod.spec + "\n"
			command := []string{"kubectl", "create", "--dry-run=server", "--validate=strict", "--filename", "-"}
			if pod.refusal != "" {
				refused(t, pod.refusal, object, command...)
			} else if output, err := try(t, object, command...); err != nil {
				t.Error(output)
			}
		})
	}
}
