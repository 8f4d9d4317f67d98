package verify_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"kargo.dev/kargo/charts"
	"kargo.dev/kargo/internal/fleet"
	"kargo.dev/kargo/internal/fleet/verify"
	"kargo.dev/kargo/template"
)

// repository is what KARGO makes, with one vendored chart.
func repository(t *testing.T) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{"charts/dns/Chart.yaml": {Data: []byte("name: dns\n")}}
	for prefix, source := range map[string]fs.FS{"": template.Fleet(), "charts/cluster/": charts.Cluster()} {
		err := fs.WalkDir(source, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := fs.ReadFile(source, name)
			files[prefix+name] = &fstest.MapFile{Data: data}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	chart, err := fs.Sub(files, "charts/dns")
	if err != nil {
		t.Fatal(err)
	}
	digest, err := fleet.Digest(chart)
	if err != nil {
		t.Fatal(err)
	}
	files[fleet.LockFile] = &fstest.MapFile{Data: []byte("charts:\n- {name: dns, version: 1.0.0, origin: \"https://example.org/dns.tgz\", digest: \"" + digest + "\"}\n")}
	return files
}

func TestRepository(t *testing.T) {
	replace := func(file, from, to string) func(*testing.T, fstest.MapFS) {
		return func(t *testing.T, files fstest.MapFS) {
			before := string(files[file].Data)
			after := strings.Replace(before, from, to, 1)
			if before == after {
				t.Fatalf("%s does not hold %q", file, from)
			}
			files[file] = &fstest.MapFile{Data: []byte(after)}
		}
	}
	tests := map[string]struct {
		reason string
		change func(*testing.T, fstest.MapFS)
		file   string
		want   string
	}{
		"Good": {reason: "what KARGO makes is good", change: func(*testing.T, fstest.MapFS) {}},
		"Load": {
			reason: "what Load finds is found", change: replace("flavors/standard/flavor.yaml", "maxSize", "maxSise"),
			file: "flavors/standard/flavor.yaml", want: "did you mean nodePools.default.maxSize?",
		},
		"Render": {
			reason: "a version that is called tested must render", change: replace("flavors/standard/flavor.yaml", `"1.36"]`, `"1.36", "1.37"]`),
			file: "flavors/standard/flavor.yaml", want: "Kubernetes 1.37 in environment prod: render the cluster chart: eksAddons.coredns has no version",
		},
		"Chart": {
			reason: "the cluster chart must be one", change: func(_ *testing.T, files fstest.MapFS) { delete(files, "charts/cluster/Chart.yaml") },
			want: "Chart.yaml",
		},
		"Changed": {
			reason: "a vendored chart is as it came", change: replace("charts/dns/Chart.yaml", "dns", "dsn"),
			file: "charts/dns", want: "it is not what charts/vendor.yaml says: digest sha256:",
		},
		"Added": {
			reason: "a file more is a change too",
			change: func(_ *testing.T, files fstest.MapFS) { files["charts/dns/x.yaml"] = &fstest.MapFile{} },
			file:   "charts/dns", want: "it is not what charts/vendor.yaml says",
		},
		"Gone": {
			reason: "a chart of the lock is there", change: func(_ *testing.T, files fstest.MapFS) { delete(files, "charts/dns/Chart.yaml") },
			file: "charts/dns", want: "file does not exist",
		},
		"NoLock": {
			reason: "nobody could tell where the charts came from", change: func(_ *testing.T, files fstest.MapFS) { delete(files, fleet.LockFile) },
			file: fleet.LockFile, want: "file does not exist",
		},
		"Outside": {
			reason: "the lock names folders below charts/", change: replace(fleet.LockFile, "name: dns", "name: ../../etc"),
			file: fleet.LockFile, want: "invalid",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := repository(t)
			tc.change(t, files)
			err := verify.Repository(t.Context(), files)
			if (err != nil) != (tc.want != "") || (err != nil && !strings.Contains(err.Error(), tc.want)) {
				t.Fatalf("%s: error %v, want %q", tc.reason, err, tc.want)
			}
			var at *fleet.FileError
			if tc.file != "" && (!errors.As(err, &at) || at.File != tc.file) {
				t.Errorf("%s: the error is not about %s: %v", tc.reason, tc.file, err)
			}
		})
	}
}
