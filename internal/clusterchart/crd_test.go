package clusterchart_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// TestObjectsFitTheCRDs checks what is rendered against the schemas of Cluster
// API and CAPA, from their modules: no unknown field, no wrong type, all that
// is required.
func TestObjectsFitTheCRDs(t *testing.T) {
	crds := loadCRDs(t, "sigs.k8s.io/cluster-api", "sigs.k8s.io/cluster-api-provider-aws/v2")
	chart := loadChart(t)
	for _, name := range []string{"minimal", "full"} {
		t.Run(name, func(t *testing.T) {
			for _, object := range render(t, chart, values(t, name)) {
				checker, ok := crds[object.GroupVersionKind()]
				if !ok {
					t.Errorf("%s: no CRD serves %s", object.GetName(), object.GroupVersionKind())
					continue
				}
				for _, problem := range checker.check(object.Object) {
					t.Errorf("%s %s: %s", object.GetKind(), object.GetName(), problem)
				}
			}
		})
	}
}

func TestCRDCheckFindsMistakes(t *testing.T) {
	crds := loadCRDs(t, "sigs.k8s.io/cluster-api")
	object := map[string]any{
		"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "MachinePool",
		"metadata": map[string]any{"name": "a", "namespace": "b"},
		"spec":     map[string]any{"clusterName": int64(1), "replica": int64(2)},
	}
	got := strings.Join(crds[schema.GroupVersionKind{Group: "cluster.x-k8s.io", Version: "v1beta2", Kind: "MachinePool"}].check(object), "\n")
	for _, want := range []string{"spec.clusterName: Invalid value", "unknown field spec.replica", "spec.template: Required value"} {
		if !strings.Contains(got, want) {
			t.Errorf("the check missed %q in:\n%s", want, got)
		}
	}
}

type crdChecker struct {
	validator  validation.SchemaValidator
	structural *structuralschema.Structural
}

func (c crdChecker) check(object map[string]any) []string {
	var problems []string
	for _, err := range validation.ValidateCustomResource(nil, object, c.validator) {
		problems = append(problems, err.Error())
	}
	pruned := pruning.PruneWithOptions(runtime.DeepCopyJSON(object), c.structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	for _, path := range pruned {
		problems = append(problems, "unknown field "+path)
	}
	return problems
}

func loadCRDs(t *testing.T, modules ...string) map[schema.GroupVersionKind]crdChecker {
	t.Helper()
	crds := map[schema.GroupVersionKind]crdChecker{}
	for _, module := range modules {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
		if err != nil {
			t.Fatalf("go list -m %s: %v", module, err)
		}
		files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "config", "crd", "bases", "*.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no CRDs in module %s: %v", module, err)
		}
		for _, file := range files {
			addCRD(t, crds, file)
		}
	}
	return crds
}

func addCRD(t *testing.T, crds map[schema.GroupVersionKind]crdChecker, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(data, &crd); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, version := range crd.Spec.Versions {
		var internal apiextensions.CustomResourceValidation
		if err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(version.Schema, &internal, nil); err != nil {
			t.Fatal(err)
		}
		structural, err := structuralschema.NewStructural(internal.OpenAPIV3Schema)
		if err != nil {
			t.Fatal(err)
		}
		validator, _, err := validation.NewSchemaValidator(internal.OpenAPIV3Schema)
		if err != nil {
			t.Fatal(err)
		}
		crds[schema.GroupVersionKind{Group: crd.Spec.Group, Version: version.Name, Kind: crd.Spec.Names.Kind}] = crdChecker{validator, structural}
	}
}
