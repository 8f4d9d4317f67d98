package app

import (
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/awssim/eks"
	"kargo.dev/kargo/awssim/org"
	"kargo.dev/kargo/awssim/store"
)

// noPlane stands for a data plane where none is needed: nothing is called here.
type noPlane struct{ eks.DataPlane }

// operationRow is a row of a table of operations: | `DescribeVpcs` | ...
var operationRow = regexp.MustCompile("(?m)^\\| `([A-Za-z0-9]+)` \\|")

// TestEveryOperationIsDocumented compares docs/awssim.md with the services: each
// has a section "### Name (`signing name`)" with a row per operation.
func TestEveryOperationIsDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "awssim.md"))
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	config := org.Config{Factory: org.Factory{Account: "000000000001", User: "factory"}, Accounts: []org.AccountConfig{{ID: "000000000001", Name: "factory"}}}
	c, err := newCore(st, config, 0)
	if err != nil {
		t.Fatal(err)
	}
	services, err := (&assembly{log: slog.New(slog.DiscardHandler)}).services(c, noPlane{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range services {
		t.Run(s.Name(), func(t *testing.T) {
			want := map[string]bool{}
			for _, op := range s.Operations() {
				want[op.Name] = true
			}
			documented := operationRow.FindAllStringSubmatch(section(string(page), s.Name()), -1)
			got := map[string]bool{}
			for _, m := range documented {
				got[m[1]] = true
			}
			if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
				t.Errorf("docs/awssim.md and the service differ: -service +page\n%s", diff)
			}
		})
	}
}

// section is the part of a page about a service.
func section(page, service string) string {
	for part := range strings.SplitSeq(page, "\n### ") {
		heading, _, _ := strings.Cut(part, "\n")
		if strings.HasSuffix(heading, "(`"+service+"`)") {
			return part
		}
	}
	return ""
}

func TestListenIsLocal(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:80", "localhost"} {
		if l, err := listen(t.Context(), address); err == nil {
			_ = l.Close()
			t.Errorf("listens on %s", address)
		}
	}
}
