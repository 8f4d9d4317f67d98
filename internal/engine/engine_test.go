package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLockIsOfTheEngineModule(t *testing.T) {
	lock, err := ReadLock()
	if err != nil {
		t.Fatal(err)
	}
	sum, err := SumOf(filepath.Join("..", "..", "engine"))
	if err != nil {
		t.Fatal(err)
	}
	if sum != lock.Sum {
		t.Errorf("lock.json is of another engine/go.mod or go.sum; run `make generate`")
	}
}

func TestRecipes(t *testing.T) {
	lock, err := ReadLock()
	if err != nil {
		t.Fatal(err)
	}
	recipes, err := Recipes(lock)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range recipes {
		if seen[r.Name] {
			t.Errorf("two recipes for %s", r.Name)
		}
		seen[r.Name] = true
		if r.Package != r.Module && !strings.HasPrefix(r.Package, r.Module+"/") {
			t.Errorf("%s: package %s is not of module %s", r.Name, r.Package, r.Module)
		}
		if lock.Modules[r.Module] == "" {
			t.Errorf("%s: module %s is not in the lock", r.Name, r.Module)
		}
	}
	minors := Minors()
	newest := minors[len(minors)-1]
	if v := lock.Modules[ModuleKubernetes]; !strings.HasPrefix(v, "v"+newest+".") {
		t.Errorf("newest minor is %s, but Kubernetes is %s", newest, v)
	}
	if len(minors) > 4 {
		t.Errorf("%d minors, but Kubernetes goes back three", len(minors))
	}
}

func TestLDFlags(t *testing.T) {
	got := Recipe{Set: map[string]string{"x/version.b": "2", "x/version.a": "1"}}.LDFlags()
	if want := "-s -w -X x/version.a=1 -X x/version.b=2"; got != want {
		t.Errorf("LDFlags: %q, want %q", got, want)
	}
}

func TestKeyDiffers(t *testing.T) {
	lock, err := ReadLock()
	if err != nil {
		t.Fatal(err)
	}
	base, err := key(lock, "linux", "amd64", "go1.26.8")
	if err != nil {
		t.Fatal(err)
	}
	otherSum := lock
	otherSum.Sum = "0"
	cases := map[string]struct {
		lock            Lock
		goos, arch, goV string
		same            bool
		reason          string
	}{
		"same":       {lock, "linux", "amd64", "go1.26.8", true, "an engine is found again"},
		"sum":        {otherSum, "linux", "amd64", "go1.26.8", false, "other module versions"},
		"platform":   {lock, "linux", "arm64", "go1.26.8", false, "a shared home directory"},
		"go version": {lock, "linux", "amd64", "go1.26.9", false, "another standard library"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := key(c.lock, c.goos, c.arch, c.goV)
			if err != nil {
				t.Fatal(err)
			}
			if (got == base) != c.same {
				t.Errorf("key %s, base %s: same is %t, want %t (%s)", got, base, got == base, c.same, c.reason)
			}
		})
	}
}

// fill makes a folder with programs and manifests, without a list of names.
func fill(t *testing.T, dir string, without ...string) {
	t.Helper()
	lock, err := ReadLock()
	if err != nil {
		t.Fatal(err)
	}
	recipes, err := Recipes(lock)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range recipes {
		if !slices.Contains(without, r.Name) {
			program(t, filepath.Join(dir, r.Name), "")
		}
	}
	for _, m := range Manifests() {
		file := filepath.Join(dir, ManifestsDir, m)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// program makes a program that prints something.
func program(t *testing.T, path, output string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, "#!/bin/sh\necho '%s'\n", output), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestFindPrefersGivenPlaces(t *testing.T) {
	cache, assets, given := t.TempDir(), t.TempDir(), t.TempDir()
	own, err := Dir(cache)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, own)
	program(t, filepath.Join(assets, Etcd), "")
	program(t, filepath.Join(assets, Kubectl), "")
	program(t, filepath.Join(assets, KubeAPIServer), "Kubernetes v1.35.7")
	program(t, filepath.Join(given, Etcd), "")

	b, err := Find(t.Context(), Search{Dir: given, Assets: assets, Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{
		"etcd": b.Etcd, "kubectl": b.Kubectl, "kwok": b.KWOK, "1.34": b.APIServers["1.34"],
		"1.35": b.APIServers["1.35"], "newest": b.NewestAPIServer(), "manifests": b.Manifests,
	}
	want := map[string]string{
		"etcd":      filepath.Join(given, Etcd),
		"kubectl":   filepath.Join(assets, Kubectl),
		"kwok":      filepath.Join(own, KWOK),
		"1.34":      filepath.Join(own, APIServerName("1.34")),
		"1.35":      filepath.Join(assets, KubeAPIServer),
		"newest":    filepath.Join(own, APIServerName("1.36")),
		"manifests": filepath.Join(own, ManifestsDir),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
	if _, err := b.APIServer("1.29"); err == nil || !strings.Contains(err.Error(), "1.34, 1.35, 1.36") {
		t.Errorf("APIServer(1.29): %v, want an error that names the minors there are", err)
	}
}

func TestFindSaysWhatIsMissing(t *testing.T) {
	cache := t.TempDir()
	own, err := Dir(cache)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, own, KWOK, APIServerName("1.35"))
	if err := os.Chmod(filepath.Join(own, Etcd), 0o644); err != nil { // as an interrupted copy
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(own, ManifestsDir, ManifestKWOKPodFast)); err != nil {
		t.Fatal(err)
	}
	_, err = Find(t.Context(), Search{Cache: cache})
	var missing *MissingError
	if !errors.As(err, &missing) {
		t.Fatalf("Find: %v, want a MissingError", err)
	}
	want := []string{Etcd, APIServerName("1.35"), KWOK}
	for _, m := range Manifests() {
		want = append(want, "manifests/"+m)
	}
	if diff := cmp.Diff(want, missing.Names); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	if !strings.Contains(err.Error(), "make engine") {
		t.Errorf("%q does not say what to do", err)
	}
}

func TestSearchFromEnv(t *testing.T) {
	env := map[string]string{"KUBEBUILDER_ASSETS": "/assets", "KARGO_CACHE": "/cache"}
	got := SearchFromEnv("/given", func(k string) string { return env[k] })
	if diff := cmp.Diff(Search{Dir: "/given", Assets: "/assets", Cache: "/cache"}, got); diff != "" {
		t.Errorf("search (-want +got):\n%s", diff)
	}
}

func TestMinorsAreOrderedAsNumbers(t *testing.T) {
	b := Binaries{APIServers: map[string]string{"1.9": "old", "1.34": "mid", "1.100": "new"}}
	if diff := cmp.Diff([]string{"1.9", "1.34", "1.100"}, b.Minors()); diff != "" {
		t.Errorf("minors (-want +got):\n%s", diff)
	}
	if got := b.NewestAPIServer(); got != "new" {
		t.Errorf("newest: %s", got)
	}
}
