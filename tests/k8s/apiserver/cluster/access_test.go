package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// What is asked: may … do `verb` to `resource` (with its group, and a subresource after a slash) in `namespace`?
type question struct{ verb, resource, namespace string }

// Who may what. Each line is asked of the server by each of them, signed in with a token of their own, as `kubectl auth can-i` does.
var access = []struct {
	question
	who string // letters: v viewers, o operators; nobody else may any of it
}{
	{question{"list", "pods", programs}, "vo"},
	{question{"get", "pods/log", programs}, "vo"},
	{question{"watch", "services", programs}, "vo"},
	{question{"get", "configmaps", programs}, "vo"},
	{question{"list", "events", programs}, "vo"},
	{question{"list", "deployments.apps", programs}, "vo"},
	{question{"get", "horizontalpodautoscalers.autoscaling", programs}, "vo"},
	{question{"get", "poddisruptionbudgets.policy", programs}, "vo"},
	{question{"get", "networkpolicies.networking.k8s.io", programs}, "vo"},
	{question{"list", "pods.metrics.k8s.io", programs}, "vo"},
	{question{"list", "kafkatopics.kafka.strimzi.io", programs}, "vo"},
	{question{"get", "kafkausers.kafka.strimzi.io", programs}, "vo"},
	{question{"list", "pods", stack}, "vo"},
	{question{"get", "prometheusrules.monitoring.coreos.com", stack}, "vo"},
	{question{"get", "prometheuses.monitoring.coreos.com", stack}, "vo"},

	{question{"patch", "deployments.apps", programs}, "o"},
	{question{"update", "deployments.apps/scale", programs}, "o"},
	{question{"delete", "pods", programs}, "o"},
	{question{"create", "pods/eviction", programs}, "o"},
	{question{"create", "pods/portforward", programs}, "o"},
	{question{"create", "kafkatopics.kafka.strimzi.io", programs}, "o"},
	{question{"patch", "kafkatopics.kafka.strimzi.io", programs}, "o"},

	{question{"get", "secrets", programs}, ""},
	{question{"list", "secrets", programs}, ""},
	{question{"get", "secrets", stack}, ""},
	{question{"create", "pods", programs}, ""},
	{question{"create", "pods/exec", programs}, ""},
	{question{"create", "deployments.apps", programs}, ""},
	{question{"delete", "deployments.apps", programs}, ""},
	{question{"patch", "configmaps", programs}, ""},
	{question{"patch", "networkpolicies.networking.k8s.io", programs}, ""},
	{question{"delete", "networkpolicies.networking.k8s.io", programs}, ""},
	{question{"create", "rolebindings.rbac.authorization.k8s.io", programs}, ""},
	{question{"bind", "clusterroles.rbac.authorization.k8s.io", ""}, ""},
	{question{"escalate", "clusterroles.rbac.authorization.k8s.io", ""}, ""},
	{question{"create", "serviceaccounts/token", programs}, ""},
	{question{"impersonate", "users", ""}, ""},
	{question{"delete", "kafkatopics.kafka.strimzi.io", programs}, ""},
	{question{"patch", "kafkas.kafka.strimzi.io", programs}, ""},
	{question{"create", "kafkausers.kafka.strimzi.io", programs}, ""},
	{question{"patch", "deployments.apps", stack}, ""},
	{question{"delete", "pods", stack}, ""},
	{question{"patch", "prometheusrules.monitoring.coreos.com", stack}, ""},
	{question{"list", "pods", "kube-system"}, ""},
	{question{"list", "pods", "node-exporter"}, ""},
	{question{"list", "pods", ""}, ""},
	{question{"list", "nodes", ""}, ""},
	{question{"patch", "namespaces", ""}, ""},
}

func TestWhoMayWhat(t *testing.T) {
	prepare(t)
	for letter, user := range map[string]string{"v": "viewer", "o": "operator", "-": "stranger"} {
		t.Run(user+" may what is meant, and nothing else of it", func(t *testing.T) {
			asTheTableSays(t, clientOf(t, user), letter)
		})
	}
	for _, chart := range charts() {
		t.Run("the service account of "+chart+" may nothing", func(t *testing.T) {
			const release = "accounts"
			helm(t, programs, "install", release, "helm/"+chart, "--values", "helm/"+chart+"/values-prod.yaml")
			defer helm(t, programs, "uninstall", release)
			asTheTableSays(t, clientOfAccount(t, programs, chart), "")
		})
	}
	for _, namespace := range []string{programs, stack, "node-exporter"} {
		t.Run("the account `default` of "+namespace+" may nothing, and its token isn't given to pods", func(t *testing.T) {
			asTheTableSays(t, clientOfAccount(t, namespace, "default"), "")
			account, err := clientOf(t, "admin").CoreV1().ServiceAccounts(namespace).Get(context.Background(), "default", metav1.GetOptions{})
			must(t, err)
			if account.AutomountServiceAccountToken == nil || *account.AutomountServiceAccountToken {
				t.Error("it is")
			}
		})
	}
}

func asTheTableSays(t *testing.T, client *kubernetes.Clientset, letter string) {
	t.Helper()
	for _, line := range access {
		may, reason := ask(t, client, line.question)
		if meant := letter != "" && strings.Contains(line.who, letter); may != meant {
			t.Errorf("%s %s in “%s”: %v (%s)", line.verb, line.resource, line.namespace, may, reason)
		}
	}
}

func ask(t *testing.T, client *kubernetes.Clientset, asked question) (bool, string) {
	t.Helper()
	name, subresource, _ := strings.Cut(asked.resource, "/")
	name, group, _ := strings.Cut(name, ".")
	answer, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(context.Background(), &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: asked.verb, Group: group, Resource: name, Subresource: subresource, Namespace: asked.namespace,
		}}}, metav1.CreateOptions{})
	must(t, err)
	return answer.Status.Allowed, answer.Status.Reason
}

// Signed in with a token that the server makes for it.
func clientOfAccount(t *testing.T, namespace, name string) *kubernetes.Clientset {
	t.Helper()
	token, err := clientOf(t, "admin").CoreV1().ServiceAccounts(namespace).CreateToken(context.Background(), name,
		&authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	must(t, err)
	config := configOf(t, "stranger")
	config.BearerToken, config.BearerTokenFile = token.Status.Token, ""
	client := clientFor(t, config)
	me, err := client.AuthenticationV1().SelfSubjectReviews().Create(context.Background(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	must(t, err)
	if wanted := fmt.Sprintf("system:serviceaccount:%s:%s", namespace, name); me.Status.UserInfo.Username != wanted {
		t.Fatalf("signed in as %s, not %s", me.Status.UserInfo.Username, wanted)
	}
	return client
}

// The same by kubectl, and by doing it.
func TestAccessByKubectl(t *testing.T) {
	prepare(t)
	const release, chart = "access", "stream-processor"
	helm(t, programs, "install", release, "helm/"+chart)
	t.Cleanup(func() { helm(t, programs, "uninstall", release) })
	as := func(user string, arguments ...string) []string {
		return append([]string{"kubectl", "--context", user, "--namespace", programs}, arguments...)
	}
	t.Run("kubectl auth can-i says yes and no", func(t *testing.T) {
		if said := do(t, as("operator", "auth", "can-i", "patch", "deployments")...); said != "yes\n" {
			t.Error(said)
		}
		refused(t, "no\n", "", as("viewer", "auth", "can-i", "patch", "deployments")...)
	})
	t.Run("an operator restarts and scales a program", func(t *testing.T) {
		do(t, as("operator", "rollout", "restart", "deployment/"+chart)...)
		do(t, as("operator", "scale", "deployment/"+chart, "--replicas=2")...)
	})
	t.Run("a viewer looks at it, and may neither scale nor end it", func(t *testing.T) {
		do(t, as("viewer", "get", "deployments,services,horizontalpodautoscalers")...)
		refused(t, "forbidden", "", as("viewer", "scale", "deployment/"+chart, "--replicas=0")...)
		refused(t, "forbidden", "", as("viewer", "delete", "deployment", chart)...)
	})
	t.Run("an operator reads no secret and opens no policy", func(t *testing.T) {
		refused(t, "forbidden", "", as("operator", "get", "secrets")...)
		refused(t, "forbidden", "", as("operator", "delete", "networkpolicy", "default-deny")...)
	})
	t.Run("a stranger sees nothing, and who gives no token isn't let in", func(t *testing.T) {
		refused(t, "forbidden", "", as("stranger", "get", "pods")...)
		refused(t, "Unauthorized", "", as("viewer", "--token=wrong", "get", "pods", "--request-timeout=10s")...)
	})
}
