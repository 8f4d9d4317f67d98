package clusterchart_test

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	release "helm.sh/helm/v4/pkg/release/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"kargo.dev/kargo/charts"
	"kargo.dev/kargo/internal/clusterchart"
)

var update = flag.Bool("update", false, "write the golden files")

const namespace = "a123456789012"

func loadChart(t *testing.T) *clusterchart.Chart {
	t.Helper()
	chart, err := clusterchart.Load(charts.Cluster())
	if err != nil {
		t.Fatal(err)
	}
	return chart
}

func values(t *testing.T, name string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := yaml.UnmarshalStrict(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func render(t *testing.T, chart *clusterchart.Chart, v map[string]any) []*unstructured.Unstructured {
	t.Helper()
	objects, err := chart.Render(t.Context(), clusterchart.ReleaseOptions{Name: "shop-prod", Namespace: namespace}, v)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func TestRenderGolden(t *testing.T) {
	chart := loadChart(t)
	for _, name := range []string{"minimal", "full"} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			for _, object := range render(t, chart, values(t, name)) {
				data, err := yaml.Marshal(object.Object)
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
				t.Errorf("go test ./internal/clusterchart -update writes the golden file (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRenderEqualsHelm renders by the way `helm upgrade --install` takes.
func TestRenderEqualsHelm(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, charts.Cluster()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"minimal", "full"} {
		t.Run(name, func(t *testing.T) {
			packaged, err := loader.LoadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			install := action.NewInstall(&action.Configuration{Capabilities: common.DefaultCapabilities})
			install.DryRunStrategy = action.DryRunClient
			install.ReleaseName = "shop-prod"
			install.Namespace = namespace
			result, err := install.RunWithContext(t.Context(), packaged, values(t, name))
			if err != nil {
				t.Fatal(err)
			}
			want := decodeManifest(t, result.(*release.Release).Manifest)
			if diff := cmp.Diff(want, render(t, loadChart(t), values(t, name))); diff != "" {
				t.Errorf("Helm's objects differ (-helm +Render):\n%s", diff)
			}
		})
	}
}

func decodeManifest(t *testing.T, manifest string) []*unstructured.Unstructured {
	t.Helper()
	var out []*unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(manifest), 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); err != nil {
			break
		}
		if object.Object != nil {
			out = append(out, object)
		}
	}
	return out
}

func TestRenderErrors(t *testing.T) {
	chart := loadChart(t)
	cases := map[string]struct {
		reason string
		change string // YAML merged over the minimal values at the top level
		want   string
	}{
		"NoAccess": {
			reason: "CAPA never removes the last access entry, so there must always be one",
			change: "accessEntries: {}", want: "minProperties",
		},
		"UnknownKey": {
			reason: "a misspelt key must not be taken for a blank one",
			change: "nodepools: {}", want: "additional properties 'nodepools' not allowed",
		},
		"MinOverMax": {
			reason: "EKS would refuse it after minutes",
			change: "nodePools: {default: {instanceType: m7i.large, minSize: 4, maxSize: 3}}",
			want:   "nodePools.default: minSize 4 is more than maxSize 3",
		},
		"SizeOutside": {
			reason: "EKS would refuse it after minutes",
			change: "nodePools: {default: {instanceType: m7i.large, minSize: 1, maxSize: 3, size: 9}}",
			want:   "nodePools.default: size 9 is not between minSize 1 and maxSize 3",
		},
		"NoAddonVersion": {
			reason: "a Kubernetes version nobody chose add-on versions for is not tested",
			change: `kubernetesVersion: "1.99"`,
			want:   "eksAddons.coredns has no version for Kubernetes 1.99",
		},
		"TwoPrincipals": {
			reason: "which of the two would be meant is open",
			change: "accessEntries: {a: {role: x, principalARN: 'arn:aws:iam::123456789012:role/y', policy: AmazonEKSViewPolicy}}",
			want:   "accessEntries.a: give either role or principalARN",
		},
		"EntryWithoutRights": {
			reason: "an entry that allows nothing is a mistake",
			change: "accessEntries: {a: {role: x}}", want: "accessEntries.a: give policy or kubernetesGroups",
		},
		"NameThatIsABool": {
			reason: "add-on files substitute the name into YAML, where on means true",
			change: "cluster: {name: 'on', team: shop, accountID: '123456789012', environment: prod, region: eu-central-1}",
			want:   "/cluster/name",
		},
		"Identity": {
			reason: "the identity is a function of the account id, so the id must be one",
			change: "cluster: {team: shop, accountID: '12345678901', environment: prod, region: eu-central-1}",
			want:   "/cluster/accountID",
		},
		"OwnTag": {
			reason: "KARGO's tags say who pays",
			change: "tags: {kargo.dev/team: other}", want: "invalid propertyName 'kargo.dev/team'",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			v := values(t, "minimal")
			if err := yaml.Unmarshal([]byte(tc.change), &v); err != nil {
				t.Fatal(err)
			}
			_, err := chart.Render(t.Context(), clusterchart.ReleaseOptions{Name: "shop-prod", Namespace: namespace}, v)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: got error %v, want one with %q", tc.reason, err, tc.want)
			}
		})
	}
}

func TestRenderDoesNotShareState(t *testing.T) {
	chart := loadChart(t)
	before := chart.Defaults()
	v := values(t, "full")
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if _, err := chart.Render(t.Context(), clusterchart.ReleaseOptions{Name: "a1"}, v); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if diff := cmp.Diff(before, chart.Defaults()); diff != "" {
		t.Errorf("rendering changed the chart's defaults:\n%s", diff)
	}
	if diff := cmp.Diff(values(t, "full"), v); diff != "" {
		t.Errorf("rendering changed the caller's values:\n%s", diff)
	}
}

func TestLoadErrors(t *testing.T) {
	file := func(data string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(data)} }
	const meta = "apiVersion: v2\nname: cluster\nversion: 0.1.0\n"
	cases := map[string]struct {
		reason string
		files  fstest.MapFS
		want   string
	}{
		"Empty":     {reason: "an empty folder is no chart", files: fstest.MapFS{}, want: "Chart.yaml"},
		"NoSchema":  {reason: "without a schema no key could be told to be unknown", files: fstest.MapFS{"Chart.yaml": file(meta)}, want: "values.schema.json"},
		"Dependent": {reason: "a release pins all content", files: fstest.MapFS{"Chart.yaml": file(meta + "dependencies: [{name: x, version: 1.0.0}]\n")}, want: "dependencies"},
		"TooBig":    {reason: "a broken repository must not take the manager's memory", files: fstest.MapFS{"Chart.yaml": file(meta), "x": file(strings.Repeat("x", 3<<20))}, want: "more than"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := clusterchart.Load(fs.FS(tc.files))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: got error %v, want one with %q", tc.reason, err, tc.want)
			}
		})
	}
}
