// Package objects reads what helm template and the files of k8s/ hold, as the types of Kubernetes and of the Prometheus operator.
package objects

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	yamls "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// Document is one object as it stands in its file.
type Document struct {
	File, APIVersion, Kind, Namespace, Name string
	Text                                    []byte
}

// Where says which object of which file it is, for messages.
func (d *Document) Where() string { return fmt.Sprintf("%s: %s %s", d.File, d.Kind, d.Name) }

// Group is the API group, "" for the core's.
func (d *Document) Group() string {
	if group, _, found := strings.Cut(d.APIVersion, "/"); found {
		return group
	}
	return ""
}

// ReadFile gives the file's objects; documents of nothing but comments are left out.
func ReadFile(path string) ([]Document, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	reader := yamls.NewYAMLReader(bufio.NewReader(file))
	var documents []Document
	for {
		text, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		var head meta.PartialObjectMetadata
		if err := yaml.Unmarshal(text, &head); err != nil {
			return nil, fmt.Errorf("%s: no YAML: %w", path, err)
		}
		if len(bytes.TrimSpace(text)) > 0 && head.Kind != "" {
			documents = append(documents, Document{path, head.APIVersion, head.Kind, head.Namespace, head.Name, text})
		}
	}
}

// Decoder decodes strictly: an unknown field, a field given twice and a wrong type are errors, and so is a kind that has no type.
func Decoder() (runtime.Decoder, error) {
	known := runtime.NewScheme()
	if err := errors.Join(scheme.AddToScheme(known), monitoring.AddToScheme(known)); err != nil {
		return nil, err
	}
	return json.NewSerializerWithOptions(json.DefaultMetaFactory, known, known, json.SerializerOptions{Yaml: true, Strict: true}), nil
}

// PodTemplate is a pod or the template of one.
type PodTemplate struct {
	Name      string
	Namespace string
	Meta      *meta.ObjectMeta
	Spec      *core.PodSpec
}

// PodOf gives the pod that the object is or makes.
func PodOf(object runtime.Object) (PodTemplate, bool) {
	of := func(owner meta.ObjectMeta, template *core.PodTemplateSpec) (PodTemplate, bool) {
		return PodTemplate{owner.Name, owner.Namespace, &template.ObjectMeta, &template.Spec}, true
	}
	switch o := object.(type) {
	case *core.Pod:
		return PodTemplate{o.Name, o.Namespace, &o.ObjectMeta, &o.Spec}, true
	case *core.PodTemplate:
		return of(o.ObjectMeta, &o.Template)
	case *core.ReplicationController:
		return of(o.ObjectMeta, o.Spec.Template)
	case *apps.Deployment:
		return of(o.ObjectMeta, &o.Spec.Template)
	case *apps.ReplicaSet:
		return of(o.ObjectMeta, &o.Spec.Template)
	case *apps.StatefulSet:
		return of(o.ObjectMeta, &o.Spec.Template)
	case *apps.DaemonSet:
		return of(o.ObjectMeta, &o.Spec.Template)
	case *batch.Job:
		return of(o.ObjectMeta, &o.Spec.Template)
	case *batch.CronJob:
		return of(o.ObjectMeta, &o.Spec.JobTemplate.Spec.Template)
	}
	return PodTemplate{}, false
}
