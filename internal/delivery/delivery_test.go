package delivery_test

import (
	"bytes"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/quick"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"kargo.dev/kargo/internal/delivery"
	"kargo.dev/kargo/template"
)

var update = flag.Bool("update", false, "write the golden files")

func options(change func(*delivery.Options)) delivery.Options {
	o := delivery.Options{
		URL: "http://git.example.org/fleet.git", Branch: "main",
		Commit: "1111111111111111111111111111111111111111", ChartsCommit: "2222222222222222222222222222222222222222",
		Flavor: "standard", Environment: "prod", Settings: map[string]string{"clusterName": "shop", "logLevel": "info"},
	}
	if change != nil {
		change(&o)
	}
	return o
}

// TestObjects compares all that is applied, in its order, with a golden file.
func TestObjects(t *testing.T) {
	tests := map[string]delivery.Options{
		"branch":  options(nil),
		"release": options(func(o *delivery.Options) { o.Branch, o.Flavor, o.Environment = "", "economy", "nonprod" }),
	}
	for name, o := range tests {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			for _, object := range delivery.Objects(o) {
				content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
				if err != nil {
					t.Fatal(err)
				}
				delete(content, "status")
				data, err := yaml.Marshal(content)
				if err != nil {
					t.Fatal(err)
				}
				got.WriteString("---\n")
				got.Write(data)
			}
			golden := filepath.Join("testdata", name+".golden.yaml")
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("go test ./internal/delivery -update writes the golden file (-want +got):\n%s", diff)
			}
		})
	}
}

func find[T client.Object](t *testing.T, objects []client.Object, name string) T {
	t.Helper()
	for _, o := range objects {
		if found, ok := o.(T); ok && found.GetName() == name {
			return found
		}
	}
	t.Fatalf("there is no %T %s", *new(T), name)
	return *new(T)
}

// TestCommitsArePinned: no push reaches a cluster that the manager has not decided on.
func TestCommitsArePinned(t *testing.T) {
	for name, o := range map[string]delivery.Options{"branch": options(nil), "release": options(func(o *delivery.Options) { o.Branch = "" })} {
		for source, commit := range map[string]string{delivery.Source: o.Commit, delivery.Charts: o.ChartsCommit} {
			ref := find[*sourcev1.GitRepository](t, delivery.Objects(o), source).Spec.Reference
			if diff := cmp.Diff(&sourcev1.GitRepositoryRef{Branch: o.Branch, Commit: commit}, ref); diff != "" {
				t.Errorf("%s, GitRepository %s: -want, +got:\n%s", name, source, diff)
			}
		}
	}
}

// TestSettingsComeFirst: the Kustomization must not be applied with old settings.
func TestSettingsComeFirst(t *testing.T) {
	var order []string
	for _, o := range delivery.Objects(options(nil)) {
		order = append(order, o.GetObjectKind().GroupVersionKind().Kind)
	}
	want := []string{"ClusterRole", "ClusterRoleBinding", "ConfigMap", "GitRepository", "GitRepository", "Kustomization"}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

// TestSettingsAreToldApart: another setting is another spec, so that what Flux
// reports of a generation says which settings it is about.
func TestSettingsAreToldApart(t *testing.T) {
	before := find[*kustomizev1.Kustomization](t, delivery.Objects(options(nil)), delivery.Addons)
	same := find[*kustomizev1.Kustomization](t, delivery.Objects(options(nil)), delivery.Addons)
	if diff := cmp.Diff(before, same); diff != "" {
		t.Errorf("the same settings differ:\n%s", diff)
	}
	changed := options(func(o *delivery.Options) { o.Settings = map[string]string{"clusterName": "shop", "logLevel": "debug"} })
	after := find[*kustomizev1.Kustomization](t, delivery.Objects(changed), delivery.Addons)
	if cmp.Equal(before.Spec, after.Spec) {
		t.Error("other settings are the same spec")
	}
	if got := after.Spec.PostBuild.Substitute[delivery.ChecksumVariable]; got != delivery.Checksum(changed.Settings) {
		t.Errorf("the spec has checksum %q, want %q", got, delivery.Checksum(changed.Settings))
	}
}

func TestChecksum(t *testing.T) {
	apart := func(a, b map[string]string) bool {
		return maps.Equal(a, b) == (delivery.Checksum(a) == delivery.Checksum(b)) && delivery.Checksum(a) == delivery.Checksum(maps.Clone(a))
	}
	if err := quick.Check(apart, nil); err != nil {
		t.Error(err)
	}
	tests := map[string]struct {
		reason string
		a, b   map[string]string
	}{
		"Border":  {"name and value do not run together", map[string]string{"ab": "c"}, map[string]string{"a": "bc"}},
		"Forged":  {"a value cannot look like another setting", map[string]string{"a": "1\"\n\"b\"=\"2"}, map[string]string{"a": "1", "b": "2"}},
		"Swapped": {"the value belongs to its name", map[string]string{"a": "1", "b": "2"}, map[string]string{"a": "2", "b": "1"}},
		"Blank":   {"a blank value is a setting", map[string]string{"a": ""}, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if !apart(tc.a, tc.b) {
				t.Errorf("%s: %v and %v have the same checksum", tc.reason, tc.a, tc.b)
			}
		})
	}
}

// TestViewersReadOnly: viewers look, at no Secret, and change nothing.
func TestViewersReadOnly(t *testing.T) {
	objects := delivery.Objects(options(nil))
	role := find[*rbacv1.ClusterRole](t, objects, "kargo-viewer")
	for _, rule := range role.Rules {
		for _, verb := range rule.Verbs {
			if !slices.Contains([]string{"get", "list", "watch"}, verb) {
				t.Errorf("viewers may %s %v", verb, rule.Resources)
			}
		}
		core := slices.Contains(rule.APIGroups, "") || slices.Contains(rule.APIGroups, "*")
		if core && (slices.Contains(rule.Resources, "secrets") || slices.Contains(rule.Resources, "*")) {
			t.Errorf("viewers see Secrets: %v", rule)
		}
	}
	binding := find[*rbacv1.ClusterRoleBinding](t, objects, "kargo-viewer")
	if diff := cmp.Diff([]rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: delivery.Viewers}}, binding.Subjects); diff != "" {
		t.Errorf("the role is bound to others: -want, +got:\n%s", diff)
	}
}

// TestFitsTheFleetRepository: paths and names are a contract with what `kargoctl
// init fleet` makes.
func TestFitsTheFleetRepository(t *testing.T) {
	files := template.Fleet()
	exists := func(name string) {
		t.Helper()
		if _, err := fs.Stat(files, name); err != nil {
			t.Error(err)
		}
	}
	for _, flavor := range []string{"standard", "economy"} {
		for _, environment := range []string{"prod", "nonprod"} {
			o := options(func(o *delivery.Options) { o.Flavor, o.Environment = flavor, environment })
			spec := find[*kustomizev1.Kustomization](t, delivery.Objects(o), delivery.Addons).Spec
			exists(path.Join(spec.Path, "kustomization.yaml"))
			for _, component := range spec.Components {
				exists(path.Join(spec.Path, component, "kustomization.yaml"))
			}
		}
	}
	releases, err := fs.Glob(files, "addons/*/helmrelease.yaml")
	if err != nil || len(releases) == 0 {
		t.Fatalf("no add-ons: %v", err)
	}
	for _, file := range releases {
		data, err := fs.ReadFile(files, file)
		if err != nil {
			t.Fatal(err)
		}
		var release helmv2.HelmRelease
		if err := yaml.Unmarshal(data, &release); err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		ref := release.Spec.Chart.Spec.SourceRef
		if ref.Kind != sourcev1.GitRepositoryKind || ref.Name != delivery.Charts || release.Namespace != delivery.Namespace {
			t.Errorf("%s takes its chart from %s %s, from namespace %s", file, ref.Kind, ref.Name, release.Namespace)
		}
		if !strings.HasPrefix(release.Spec.Chart.Spec.Chart, "./charts/") {
			t.Errorf("%s: chart %s lies outside of what ChartsCommit pins", file, release.Spec.Chart.Spec.Chart)
		}
	}
}
