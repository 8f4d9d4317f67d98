package profile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOpen(t *testing.T) {
	t.Setenv("KARGO_HOME", "/data/kargo")
	cases := map[string]struct {
		reason string
		name   string
		want   Profile
		err    string
	}{
		"Default":  {reason: "no name means the default profile", want: Profile{Name: "default", Dir: "/data/kargo/profiles/default"}},
		"Named":    {reason: "profiles lie side by side", name: "e2e", want: Profile{Name: "e2e", Dir: "/data/kargo/profiles/e2e"}},
		"Outside":  {reason: "a name must not lead out of the directory", name: "../x", err: "profile name"},
		"UpperOne": {reason: "names are lower-case", name: "Mine", err: "profile name"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Open(tc.name)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("%s: error %v, want %q", tc.reason, err, tc.err)
				}
				return
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
				t.Errorf("%s: %v\n%s", tc.reason, err, diff)
			}
		})
	}
}

func TestLoadSave(t *testing.T) {
	t.Setenv("KARGO_HOME", t.TempDir())
	if _, err := Load("one"); !errors.Is(err, ErrNoPlatform) {
		t.Fatalf("a profile without a platform: %v, want ErrNoPlatform", err)
	}
	p, err := Open("one")
	if err != nil {
		t.Fatal(err)
	}
	want := &Platform{
		KubernetesVersion: "1.36",
		Addresses:         Addresses{Kubeconfig: p.Kubeconfig(), Git: Git{URL: "http://127.0.0.1:20001/fleet.git"}, AWSSim: "http://127.0.0.1:20002"},
		Ports:             map[string]int{"git": 20001},
	}
	if err := p.Save(want); err != nil {
		t.Fatal(err)
	}
	got, err := Load("one")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	names, err := List()
	if diff := cmp.Diff([]string{"one"}, names); diff != "" || err != nil {
		t.Errorf("profiles: %v\n%s", err, diff)
	}
}

func TestLoadOtherSchema(t *testing.T) {
	t.Setenv("KARGO_HOME", t.TempDir())
	p, err := Open("new")
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(p.Path("platform.json"), []byte(`{"schema": 99}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Load(); err == nil || !strings.Contains(err.Error(), "--purge") {
		t.Errorf("data of another version: %v, want an error that says how to go on", err)
	}
}

func TestSocketOfADeepProfile(t *testing.T) {
	p := Profile{Name: "x", Dir: "/" + strings.Repeat("deep/", 30)}
	if s := p.Socket(); len(s) > maxSocketPath {
		t.Errorf("socket path %s has %d bytes, a socket's may have %d", s, len(s), maxSocketPath)
	}
	if p.Socket() == (Profile{Name: "x", Dir: p.Dir + "/other"}).Socket() {
		t.Error("two profiles have one socket")
	}
}

func TestWriteFileMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "secret")
	if err := WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o, want 600", info.Mode().Perm())
	}
}
