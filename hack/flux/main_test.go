package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCommittedManifestsAreUpToDate(t *testing.T) {
	files, err := generate(t.Context(), filepath.Join("..", "..", "engine"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join("..", "..", "internal", "flux", "manifests")
	committed, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range committed {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(b)
	}
	want := map[string]string{}
	for name, b := range files {
		want[name] = string(b)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("run `make generate` (-generated +committed):\n%s", diff)
	}
}
