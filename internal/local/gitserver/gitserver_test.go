package gitserver

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMain lets the test binary stand in for kargoctl when Git runs the hook.
func TestMain(m *testing.M) {
	if len(os.Args) > 4 && os.Args[1] == "hook" {
		if err := PostReceive(context.Background(), os.Stdin, os.Args[4]); err != nil {
			fmt.Fprintln(os.Stderr, "kargo:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// listener records what the hook posts.
type listener struct {
	mu     sync.Mutex
	pushes []Push
}

func (l *listener) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var p Push
	if json.NewDecoder(r.Body).Decode(&p) == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.pushes = append(l.pushes, p)
	}
}

func (l *listener) heard() []Push {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pushes
}

// fixture is a served repository with one file.
type fixture struct {
	url, credentials string
	repository       string
	hook             *listener
	hookServer       *httptest.Server
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	dir := t.TempDir()
	f := &fixture{repository: filepath.Join(dir, "repos", "fleet.git"), credentials: filepath.Join(dir, "credentials"), hook: &listener{}}
	created, err := EnsureRepository(t.Context(), f.repository, func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "README.md"), []byte("fleet\n"), 0o644)
	})
	if err != nil || !created {
		t.Fatalf("make the repository: created %v, %v", created, err)
	}
	server := httptest.NewUnstartedServer(nil)
	server.Start()
	t.Cleanup(server.Close)
	credential, err := EnsureCredential(filepath.Join(dir, "password"))
	if err != nil {
		t.Fatal(err)
	}
	if err := credential.WriteStore(f.credentials, server.URL); err != nil {
		t.Fatal(err)
	}
	server.Config.Handler, err = Handler(Options{Root: filepath.Dir(f.repository), Credential: credential})
	if err != nil {
		t.Fatal(err)
	}
	f.hookServer = httptest.NewServer(f.hook)
	t.Cleanup(f.hookServer.Close)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := InstallHook(f.repository, self, f.hookServer.URL+"/hooks/fleet"); err != nil {
		t.Fatal(err)
	}
	f.url = server.URL + "/fleet.git"
	return f
}

func run(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@localhost", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@localhost")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func mustRun(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := run(t, dir, args...)
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return out
}

// cloned clones without a credential and commits a file of a size.
func (f *fixture) cloned(t *testing.T, size int) (dir, commit string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "clone")
	mustRun(t, t.TempDir(), "clone", "--quiet", f.url, dir)
	content := make([]byte, size)
	_, _ = rand.Read(content)
	if err := os.WriteFile(filepath.Join(dir, "new"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	mustRun(t, dir, "add", ".")
	mustRun(t, dir, "commit", "--quiet", "-m", "new")
	return dir, mustRun(t, dir, "rev-parse", "HEAD")
}

func (f *fixture) head(t *testing.T) string {
	t.Helper()
	return mustRun(t, f.repository, "rev-parse", "refs/heads/main")
}

func TestPushNeedsTheCredential(t *testing.T) {
	f := newFixture(t)
	wrong := filepath.Join(t.TempDir(), "wrong")
	right, err := os.ReadFile(f.credentials)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(wrong, []byte(strings.Replace(string(right), "kargo:", "kargo:x", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason      string
		credentials string
	}{
		"Anonymous": {reason: "nobody pushes without a credential"},
		"Wrong":     {reason: "a wrong credential is refused", credentials: wrong},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir, commit := f.cloned(t, 10)
			args := []string{"push", "--quiet", "origin", "main"}
			if tc.credentials != "" {
				args = append([]string{"-c", "credential.helper=store --file=" + tc.credentials}, args...)
			}
			if out, err := run(t, dir, args...); err == nil {
				t.Errorf("%s: the push went through: %s", tc.reason, out)
			}
			if f.head(t) == commit {
				t.Errorf("%s: the commit arrived", tc.reason)
			}
		})
	}
	if pushes := f.hook.heard(); len(pushes) > 0 {
		t.Errorf("refused pushes were told: %v", pushes)
	}
}

func TestAnonymousPushAnswers401(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/info/refs?service=git-receive-pack", "/git-receive-pack"} {
		resp, err := http.Post(f.url+path, "application/x-git-receive-pack-request", strings.NewReader("0000"))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: status %d, want 401", path, resp.StatusCode)
		}
	}
}

func TestPush(t *testing.T) {
	cases := map[string]struct {
		reason string
		size   int
		deaf   bool
	}{
		"Small":    {reason: "a push reaches the repository and the hook", size: 10},
		"Chunked":  {reason: "git sends a push over 1 MiB in chunks", size: 3 << 20},
		"NobodyUp": {reason: "a push goes through although nobody listens to the hook", size: 10, deaf: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			if tc.deaf {
				f.hookServer.Close()
			}
			before := f.head(t)
			dir, commit := f.cloned(t, tc.size)
			out := mustRun(t, dir, "-c", "credential.helper=store --file="+f.credentials, "push", "origin", "main")
			if got := f.head(t); got != commit {
				t.Fatalf("%s: the repository is at %s, want %s", tc.reason, got, commit)
			}
			if tc.deaf {
				if !strings.Contains(out, "tell KARGO of the push") {
					t.Errorf("%s: the user is not told; git said:\n%s", tc.reason, out)
				}
				return
			}
			want := []Push{{Ref: "refs/heads/main", Before: before, After: commit}}
			if diff := cmp.Diff(want, f.hook.heard()); diff != "" {
				t.Errorf("%s: pushes told\n%s", tc.reason, diff)
			}
		})
	}
}

func TestEnsureRepositoryKeepsWhatIsThere(t *testing.T) {
	f := newFixture(t)
	before := f.head(t)
	created, err := EnsureRepository(t.Context(), f.repository, func(string) error {
		t.Error("an existing repository is filled again")
		return nil
	})
	if err != nil || created {
		t.Errorf("created %v, %v; want neither", created, err)
	}
	if got := f.head(t); got != before {
		t.Errorf("head moved from %s to %s", before, got)
	}
}

func TestCredentialOutlivesGitsOwnWrites(t *testing.T) {
	dir := t.TempDir()
	password, store := filepath.Join(dir, "password"), filepath.Join(dir, "credentials")
	first, err := EnsureCredential(password)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.WriteStore(store, "http://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(store, nil, 0o600); err != nil { // as Git does when the password was refused
		t.Fatal(err)
	}
	second, err := EnsureCredential(password)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the credential changed:\n%s", diff)
	}
	if err := second.WriteStore(store, "http://127.0.0.1:2"); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(store)
	if want := "http://kargo:" + first.Password + "@127.0.0.1:2\n"; err != nil || string(b) != want {
		t.Errorf("the store holds %q (%v), want %q", b, err, want)
	}
	if err := os.WriteFile(password, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := EnsureCredential(password); err == nil {
		t.Error("an empty password is taken")
	}
}
