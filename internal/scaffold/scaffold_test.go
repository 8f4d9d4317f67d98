package scaffold

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/fleet"
	"kargo.dev/kargo/internal/fleet/verify"
	"kargo.dev/kargo/template"
)

// madeDir is where the tests' fleet repository is made; TestMain sets it.
var madeDir string

// made is a fleet repository made from Go modules, once for all tests.
var made = sync.OnceValue(func() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	_, err := InitFleet(ctx, Options{Dir: madeDir, Source: SourceGo, Example: true})
	return err
})

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "kargo-scaffold-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	madeDir = filepath.Join(dir, "fleet")
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// repository is a copy of the fleet repository that may be changed.
func repository(t *testing.T) string {
	t.Helper()
	err := made()
	if err != nil && strings.Contains(err.Error(), "go mod download") {
		t.Skipf("SKIPPED, NOTHING IS TESTED: the modules that hold the upstream charts cannot be downloaded: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(madeDir)); err != nil {
		t.Fatal(err)
	}
	return copied
}

func digest(t *testing.T, dir string) string {
	t.Helper()
	sum, err := fleet.Digest(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func TestInitFleetTwice(t *testing.T) {
	dir := repository(t)
	before := digest(t, dir)
	result, err := InitFleet(t.Context(), Options{Dir: dir, Source: "go", Example: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Created) > 0 || digest(t, dir) != before {
		t.Errorf("making it a second time changed it: %v", result.Created)
	}
	if len(result.Charts) != len(upstreams()) {
		t.Errorf("%d charts, want %d", len(result.Charts), len(upstreams()))
	}
}

func TestInitFleetCompletes(t *testing.T) {
	dir := repository(t)
	before := digest(t, dir)
	for _, name := range []string{"addons/karpenter/helmrelease.yaml", "charts/cert-manager", "charts/vendor.yaml", "charts/cluster/Chart.yaml"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := InitFleet(t.Context(), Options{Dir: dir, Source: SourceGo, Example: true}); err != nil {
		t.Fatal(err)
	}
	if digest(t, dir) != before {
		t.Error("a repository that was interrupted is not completed to the same one")
	}
}

func TestInitFleetKeepsWhatIsThere(t *testing.T) {
	dir := repository(t)
	name := filepath.Join(dir, "environments", "prod", "settings.yaml")
	const own = "addons: {dnsZone: prod.shop.example}\n"
	if err := os.WriteFile(name, []byte(own), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := InitFleet(t.Context(), Options{Dir: dir, Source: SourceGo}); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(name); string(got) != own {
		t.Errorf("a file that existed was overwritten: %s", got)
	}
}

func TestInitFleetErrors(t *testing.T) {
	cases := map[string]struct {
		reason string
		setUp  func(t *testing.T) Options
		want   string
	}{
		"ChangedChart": {
			reason: "a chart somebody changed is neither kept silently nor overwritten",
			setUp: func(t *testing.T) Options {
				dir := repository(t)
				if err := os.WriteFile(filepath.Join(dir, "charts/karpenter/values.yaml"), []byte("a: b\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				return Options{Dir: dir, Source: SourceGo}
			},
			want: "charts/karpenter was changed",
		},
		"UsedFolder": {
			reason: "a folder with other things in it is left alone",
			setUp: func(t *testing.T) Options {
				dir := t.TempDir()
				if err := os.WriteFile(filepath.Join(dir, "main.go"), nil, 0o644); err != nil {
					t.Fatal(err)
				}
				return Options{Dir: dir}
			},
			want: "is not empty and holds no fleet.yaml",
		},
		"NoFolder": {
			reason: "a folder must be named",
			setUp:  func(*testing.T) Options { return Options{} },
			want:   "no folder given",
		},
		"UnknownSource": {
			reason: "the known ones are listed",
			setUp:  func(t *testing.T) Options { return Options{Dir: t.TempDir(), Source: "npm"} },
			want:   `chart source "npm" does not exist: there are auto, go, helm`,
		},
		"BrokenFleet": {
			reason: "what is made must work",
			setUp: func(t *testing.T) Options {
				dir := repository(t)
				if err := os.WriteFile(filepath.Join(dir, "flavors/standard/flavor.yaml"), []byte("a: b\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				return Options{Dir: dir, Source: SourceGo}
			},
			want: "flavors/standard/flavor.yaml:1: field a not found",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := InitFleet(t.Context(), tc.setUp(t))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: got error %v, want one with %q", tc.reason, err, tc.want)
			}
		})
	}
}

func TestInitFleetOptions(t *testing.T) {
	dir := t.TempDir()
	o := Options{Dir: dir, Name: "acme", Local: true}
	result := &Result{}
	if err := o.copyTemplate(result); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"fleet.yaml":                              "name: acme\n",
		"environments/prod/kustomization.yaml":    "components:\n  - ../../overlays/local\n",
		"environments/nonprod/kustomization.yaml": "components:\n  - ../../overlays/local\n",
		"management/kustomization.yaml":           "resources: []\n",
	} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s lacks %q: %s (%v)", name, want, got, err)
		}
	}
}

func TestProductionDoesNotUseTheLocalOverlay(t *testing.T) {
	dir := repository(t)
	for _, folder := range []string{"environments", "flavors", "addons", "management"} {
		err := filepath.WalkDir(filepath.Join(dir, folder), func(name string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := os.ReadFile(name)
			if strings.Contains(string(data), "overlays/local") {
				t.Errorf("%s refers to overlays/local", name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestVerifyFindsAMissingAddonVersion(t *testing.T) {
	dir := repository(t)
	name := filepath.Join(dir, "flavors/standard/flavor.yaml")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(string(data), `"1.36"]`, `"1.36", "1.37"]`, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	err = verify.Repository(t.Context(), os.DirFS(dir))
	var at *fleet.FileError
	if err == nil || !errors.As(err, &at) || !strings.Contains(err.Error(), "Kubernetes 1.37 in environment nonprod: render the cluster chart: eksAddons.coredns has no version") {
		t.Errorf("a tested version that does not render is not found: %v", err)
	}
}

// TestExample checks the example's teams and accounts against the API's types and
// the fleet's environments.
func TestExample(t *testing.T) {
	f, err := fleet.Load(os.DirFS(repository(t)))
	if err != nil {
		t.Fatal(err)
	}
	teams := map[string]bool{}
	err = fs.WalkDir(template.Example(), "management/teams", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(template.Example(), name)
		for document := range strings.SplitSeq(string(data), "\n---\n") {
			switch {
			case strings.Contains(document, "kind: Team\n"):
				var team v1alpha1.Team
				if err := yaml.UnmarshalStrict([]byte(document), &team); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				teams[team.Name] = true
			case strings.Contains(document, "kind: Account\n"):
				var account v1alpha1.Account
				if err := yaml.UnmarshalStrict([]byte(document), &account); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if !teams[account.Namespace] || f.Environments[account.Spec.Environment] == nil {
					t.Errorf("%s: account %s is of an unknown team or environment", name, account.Name)
				}
			}
		}
		return err
	})
	if err != nil || len(teams) != 2 {
		t.Errorf("teams %v, error %v", teams, err)
	}
}

func TestClean(t *testing.T) {
	tr := tree{
		"Chart.yaml": nil, "values.yaml": nil, "values.schema.json": nil, "templates/NOTES.txt": nil, "templates/tests/x.yaml": nil, "LICENSE": nil,
		"README.md": nil, "README.md.gotmpl": nil, "ci/values.yaml": nil, "tests/a_test.yaml": nil, ".gitignore": nil, "CHANGELOG.md": nil, "templates/crds/README.md": nil,
	}
	tr.clean()
	want := tree{"Chart.yaml": nil, "values.yaml": nil, "values.schema.json": nil, "templates/NOTES.txt": nil, "templates/tests/x.yaml": nil, "LICENSE": nil}
	if diff := cmp.Diff(want, tr); diff != "" {
		t.Error(diff)
	}
}

func TestDropMissingDependencies(t *testing.T) {
	const meta = "# a comment\nname: x\ndependencies:\n  - {name: a, condition: a.enabled}\n  - {name: b, condition: b.enabled}\n"
	cases := map[string]struct {
		reason string
		files  tree
		want   string
		err    string
	}{
		"All":  {reason: "off and missing", files: tree{"Chart.yaml": []byte(meta), "values.yaml": []byte("a: {enabled: false}\nb: {enabled: false}\n")}, want: "# a comment\nname: x\n"},
		"Some": {reason: "one is there", files: tree{"Chart.yaml": []byte(meta), "charts/a/Chart.yaml": nil, "values.yaml": []byte("b: {enabled: false}\n")}, want: "# a comment\nname: x\ndependencies:\n  - {name: a, condition: a.enabled}\n"},
		"On":   {reason: "it would be missed", files: tree{"Chart.yaml": []byte(meta), "values.yaml": []byte("a: {enabled: true}\n")}, err: "dependency a is missing"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := tc.files.dropMissingDependencies()
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("%s: got error %v", tc.reason, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(tc.files["Chart.yaml"])); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
