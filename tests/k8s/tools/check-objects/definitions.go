package main

import (
	"fmt"
	"path/filepath"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	definitions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"sigs.k8s.io/yaml"

	"observability/k8s-tools/objects"
)

// One version of a kind that is defined by a CustomResourceDefinition, as the API server sees it.
type definition struct {
	fields    *schema.Structural
	validator validation.SchemaValidator
}

// The definitions in the folder's files, by apiVersion and kind.
func readDefinitions(folder string) (map[string]*definition, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	known := map[string]*definition{}
	for _, path := range paths {
		documents, err := objects.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for _, document := range documents {
			if err := addDefinition(known, document.Text); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return known, nil
}

func addDefinition(known map[string]*definition, text []byte) error {
	var crd definitions.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(text, &crd); err != nil {
		return err
	}
	for _, version := range crd.Spec.Versions {
		var properties apiextensions.JSONSchemaProps
		err := definitions.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(version.Schema.OpenAPIV3Schema, &properties, nil)
		if err != nil {
			return err
		}
		d := &definition{}
		if d.fields, err = schema.NewStructural(&properties); err != nil {
			return err
		}
		if d.validator, _, err = validation.NewSchemaValidator(&properties); err != nil {
			return err
		}
		known[crd.Spec.Group+"/"+version.Name+" "+crd.Spec.Names.Kind] = d
	}
	return nil
}

// As the API server with fieldValidation=Strict: a field given twice, one that isn't known, a value that isn't allowed.
func (d *definition) check(text []byte) (complaints []string) {
	var object map[string]any
	if err := yaml.UnmarshalStrict(text, &object); err != nil {
		return []string{err.Error()}
	}
	for _, err := range validation.ValidateCustomResource(nil, object, d.validator) {
		complaints = append(complaints, err.Error())
	}
	tracked := schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	for _, path := range pruning.PruneWithOptions(object, d.fields, true, tracked) {
		complaints = append(complaints, fmt.Sprintf("unknown field %q", path))
	}
	return complaints
}
