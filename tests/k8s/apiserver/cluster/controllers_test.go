package cluster

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/restmapper"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/kubernetes/pkg/controller/deployment"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/replicaset"
)

// Kubernetes' own controllers of Deployments and ReplicaSets and its garbage collector, until the test ends: pods are made, replaced as the
// Deployment's strategy says, and go with what owns them. What nodes and Strimzi would do is played: see play.
func startControllers(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	client := clientOf(t, "admin")
	shared := informers.NewSharedInformerFactory(client, 0)
	apps, pods := shared.Apps().V1(), shared.Core().V1().Pods()
	deployments, err := deployment.NewDeploymentController(ctx, apps.Deployments(), apps.ReplicaSets(), pods, client)
	must(t, err)
	replicas := replicaset.NewReplicaSetController(ctx, apps.ReplicaSets(), pods, client, 100)
	startCollector(t, ctx, client, shared)
	shared.Start(ctx.Done())
	go deployments.Run(ctx, 2)
	go replicas.Run(ctx, 2)
	objects, err := dynamic.NewForConfig(configOf(t, "admin"))
	must(t, err)
	go play(ctx, client, objects)
}

func startCollector(t *testing.T, ctx context.Context, client *kubernetes.Clientset, shared informers.SharedInformerFactory) {
	t.Helper()
	meta, err := metadata.NewForConfig(configOf(t, "admin"))
	must(t, err)
	started := make(chan struct{})
	all := informerfactory.NewInformerFactory(shared, metadatainformer.NewSharedInformerFactory(meta, 0))
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery()))
	collector, err := garbagecollector.NewGarbageCollector(ctx, client, meta, mapper, garbagecollector.DefaultIgnoredResources(), all, started)
	must(t, err)
	close(started)
	go collector.Sync(ctx, client.Discovery(), time.Second)
	go collector.Run(ctx, 2, 30*time.Second)
}

// A pod is ready as soon as it is there. Where Strimzi's operator is deployed, what is asked of it is ready too, and only it lets topics go.
func play(ctx context.Context, client *kubernetes.Clientset, objects dynamic.Interface) {
	for ctx.Err() == nil {
		playNodes(ctx, client)
		if _, err := client.AppsV1().Deployments(programs).Get(ctx, "strimzi-cluster-operator", metav1.GetOptions{}); err == nil {
			for _, kind := range []string{"kafkas", "kafkatopics", "kafkausers"} {
				playStrimzi(ctx, objects.Resource(schema.GroupVersionResource{Group: "kafka.strimzi.io", Version: "v1", Resource: kind}).Namespace(programs))
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func playNodes(ctx context.Context, client *kubernetes.Clientset) {
	pods, err := client.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodPending {
			pod.Status.Phase = corev1.PodRunning
			pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{
				Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()})
			_, _ = client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
		}
	}
}

func playStrimzi(ctx context.Context, resource dynamic.ResourceInterface) {
	list, err := resource.List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	for i := range list.Items {
		object := &list.Items[i]
		_, answered, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
		switch {
		case object.GetDeletionTimestamp() != nil:
			patch(ctx, resource, object, map[string]any{"metadata": map[string]any{"finalizers": []string{}}})
		case !answered:
			if object.GetKind() == "KafkaTopic" {
				patch(ctx, resource, object, map[string]any{"metadata": map[string]any{"finalizers": []string{"strimzi.io/topic-operator"}}})
			}
			patch(ctx, resource, object, map[string]any{"status": map[string]any{"conditions": []map[string]any{{"type": "Ready", "status": "True"}}}}, "status")
		}
	}
}

func patch(ctx context.Context, resource dynamic.ResourceInterface, object *unstructured.Unstructured, change map[string]any, subresource ...string) {
	if text, err := json.Marshal(change); err == nil {
		_, _ = resource.Patch(ctx, object.GetName(), types.MergePatchType, text, metav1.PatchOptions{}, subresource...)
	}
}
