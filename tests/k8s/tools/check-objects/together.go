package main

import (
	"fmt"
	"slices"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	disruption "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"observability/k8s-tools/objects"
)

func (c *checker) selectOne(where string, selector labels.Selector, pods []objects.PodTemplate) *objects.PodTemplate {
	var found []objects.PodTemplate
	for _, pod := range pods {
		if selector.Matches(labels.Set(pod.Meta.Labels)) {
			found = append(found, pod)
		}
	}
	if len(found) != 1 {
		c.fail(where, "selects the pods of %d objects, not of one", len(found))
		return nil
	}
	return &found[0]
}

func hasPort(pod *objects.PodTemplate, name string) bool {
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			if port.Name == name {
				return true
			}
		}
	}
	return false
}

// Names that objects of one chart call each other by.
func (c *checker) checkTogether(path string, known []runtime.Object) {
	named := map[string]bool{}
	var pods []objects.PodTemplate
	var services []*core.Service
	for _, object := range known {
		if accessor, ok := object.(meta.Object); ok {
			named[fmt.Sprintf("%T %s", object, accessor.GetName())] = true
		}
		if pod, ok := objects.PodOf(object); ok {
			pods = append(pods, pod)
		}
		if service, ok := object.(*core.Service); ok {
			services = append(services, service)
		}
	}
	for _, pod := range pods {
		if ours(pod.Meta) {
			c.checkReferences(fmt.Sprintf("%s: %s", path, pod.Name), &pod, named)
		}
	}
	for _, object := range known {
		if accessor, ok := object.(meta.Object); ok && ours(accessor) {
			c.checkObject(path, object, pods, services, named)
		}
	}
}

func (c *checker) checkReferences(where string, pod *objects.PodTemplate, named map[string]bool) {
	need := func(kind, name string) {
		if !named[fmt.Sprintf("*v1.%s %s", kind, name)] {
			c.fail(where, "there is no %s %s", kind, name)
		}
	}
	need("ServiceAccount", pod.Spec.ServiceAccountName)
	volumes := map[string]bool{}
	for _, volume := range pod.Spec.Volumes {
		volumes[volume.Name] = true
		if volume.ConfigMap != nil {
			need("ConfigMap", volume.ConfigMap.Name)
		}
	}
	mounted := map[string]bool{}
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, mount := range container.VolumeMounts {
			mounted[mount.Name] = true
			if !volumes[mount.Name] {
				c.fail(where, "there is no volume %s", mount.Name)
			}
		}
		for _, from := range container.EnvFrom {
			if from.ConfigMapRef != nil {
				need("ConfigMap", from.ConfigMapRef.Name)
			}
		}
	}
	for name := range volumes {
		if !mounted[name] {
			c.fail(where, "nobody mounts the volume %s", name)
		}
	}
}

func (c *checker) checkObject(path string, object runtime.Object, pods []objects.PodTemplate, services []*core.Service, named map[string]bool) {
	switch o := object.(type) {
	case *core.Service:
		where := fmt.Sprintf("%s: Service %s", path, o.Name)
		pod := c.selectOne(where, labels.SelectorFromSet(o.Spec.Selector), pods)
		for _, port := range o.Spec.Ports {
			if pod != nil && !hasPort(pod, port.TargetPort.String()) {
				c.fail(where, "the pod has no port %s", port.TargetPort.String())
			}
		}
	case *apps.Deployment:
		where := fmt.Sprintf("%s: Deployment %s", path, o.Name)
		update := o.Spec.Strategy.RollingUpdate
		if update == nil || update.MaxUnavailable == nil || update.MaxUnavailable.String() != "0" {
			c.fail(where, "maxUnavailable isn't 0")
		}
		for _, container := range o.Spec.Template.Spec.Containers {
			if container.StartupProbe == nil || container.LivenessProbe == nil || container.ReadinessProbe == nil {
				c.fail(where, "%s: a probe is missing", container.Name)
			}
		}
		if grace := o.Spec.Template.Spec.TerminationGracePeriodSeconds; grace == nil || *grace < 30 {
			c.fail(where, "stops within less than 30 s")
		}
	case *disruption.PodDisruptionBudget:
		where := fmt.Sprintf("%s: PodDisruptionBudget %s", path, o.Name)
		if selector, err := meta.LabelSelectorAsSelector(o.Spec.Selector); err != nil {
			c.fail(where, "%v", err)
		} else {
			c.selectOne(where, selector, pods)
		}
	case *autoscaling.HorizontalPodAutoscaler:
		where := fmt.Sprintf("%s: HorizontalPodAutoscaler %s", path, o.Name)
		target := o.Spec.ScaleTargetRef
		if !named[fmt.Sprintf("*v1.%s %s", target.Kind, target.Name)] {
			c.fail(where, "there is no %s %s", target.Kind, target.Name)
		}
		behaviour := o.Spec.Behavior
		if behaviour == nil || behaviour.ScaleDown == nil || behaviour.ScaleDown.StabilizationWindowSeconds == nil ||
			*behaviour.ScaleDown.StabilizationWindowSeconds < 600 {
			c.fail(where, "scales down sooner than 10 minutes after")
		}
	case *monitoring.ServiceMonitor:
		c.checkMonitor(fmt.Sprintf("%s: ServiceMonitor %s", path, o.Name), o, services)
	}
}

func (c *checker) checkMonitor(where string, monitor *monitoring.ServiceMonitor, services []*core.Service) {
	selector, err := meta.LabelSelectorAsSelector(&monitor.Spec.Selector)
	if err != nil {
		c.fail(where, "%v", err)
		return
	}
	for _, endpoint := range monitor.Spec.Endpoints {
		found := 0
		for _, service := range services {
			for _, port := range service.Spec.Ports {
				if selector.Matches(labels.Set(service.Labels)) && port.Name == endpoint.Port {
					found++
				}
			}
		}
		if found != 1 {
			c.fail(where, "port %s is one of %d Services, not of one", endpoint.Port, found)
		}
	}
}
