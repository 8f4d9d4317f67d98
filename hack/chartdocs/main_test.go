package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReferenceIsUpToDate(t *testing.T) {
	var page bytes.Buffer
	if err := write(&page); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../../docs/reference/cluster-chart.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), page.String()); diff != "" {
		t.Errorf("run `make generate` (-file +schema):\n%s", diff)
	}
}
