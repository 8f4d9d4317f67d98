package gitrepo

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/google/go-cmp/cmp"
)

// upstream is a repository with a work tree to push from.
type upstream struct {
	t    *testing.T
	dir  string
	repo *git.Repository
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	dir := t.TempDir()
	repo, err := git.PlainInitWithOptions(dir, &git.PlainInitOptions{
		InitOptions: git.InitOptions{DefaultBranch: plumbing.NewBranchReferenceName("main")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &upstream{t: t, dir: dir, repo: repo}
}

func (u *upstream) commit(files map[string]string) string {
	u.t.Helper()
	tree, err := u.repo.Worktree()
	if err != nil {
		u.t.Fatal(err)
	}
	for name, content := range files {
		path := filepath.Join(u.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			u.t.Fatal(err)
		}
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o600)
		}
		if err != nil {
			u.t.Fatal(err)
		}
		if _, err := tree.Add(name); err != nil {
			u.t.Fatal(err)
		}
	}
	hash, err := tree.Commit("change", &git.CommitOptions{Author: &object.Signature{Name: "T", Email: "t@example.org", When: time.Unix(1, 0)}})
	if err != nil {
		u.t.Fatal(err)
	}
	return hash.String()
}

func (u *upstream) mirror() *Repository {
	u.t.Helper()
	r, err := Open(Options{URL: u.dir, Dir: u.t.TempDir()})
	if err != nil {
		u.t.Fatal(err)
	}
	return r
}

func TestFetchAndResolve(t *testing.T) {
	u := newUpstream(t)
	first := u.commit(map[string]string{"a.txt": "1"})
	if _, err := u.repo.CreateTag("v1.0.0", plumbing.NewHash(first), nil); err != nil {
		t.Fatal(err)
	}
	r := u.mirror()
	if _, err := r.Resolve(Ref{Branch: "main"}); !errors.Is(err, ErrNotFound) {
		t.Fatalf("before the first fetch: %v", err)
	}
	if err := r.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := u.commit(map[string]string{"a.txt": "2"})
	if got, err := r.Resolve(Ref{Branch: "main"}); err != nil || got != first {
		t.Fatalf("main = %s, %v before the second fetch; want %s", got, err, first)
	}
	if err := r.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[Ref]string{{Branch: "main"}: second, {Tag: "v1.0.0"}: first} {
		if got, err := r.Resolve(ref); err != nil || got != want {
			t.Errorf("%s = %s, %v; want %s", ref, got, err, want)
		}
	}
	if _, err := r.Resolve(Ref{Tag: "v2.0.0"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown tag: %v", err)
	}
}

func TestUnreadableIsNotEmpty(t *testing.T) {
	u := newUpstream(t)
	want := u.commit(map[string]string{"a.txt": "1"})
	r := u.mirror()
	if err := r.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(u.dir); err != nil {
		t.Fatal(err)
	}
	if err := r.Fetch(t.Context()); err == nil {
		t.Fatal("fetching from nowhere succeeded")
	}
	if got, err := r.Resolve(Ref{Branch: "main"}); err != nil || got != want {
		t.Errorf("main = %s, %v after a failed fetch; want %s as before", got, err, want)
	}
	if f := r.Fetched(); f.Err == nil || f.At.IsZero() {
		t.Errorf("Fetched() = %+v does not tell of the failure and of the last success", f)
	}
}

// TestFetched: an outage has one beginning, however often it is noticed, and an end.
func TestFetched(t *testing.T) {
	u := newUpstream(t)
	u.commit(map[string]string{"a.txt": "1"})
	broken := httptest.NewServer(http.NotFoundHandler())
	defer broken.Close()
	stopped, stop := context.WithCancel(t.Context())
	stop()
	type state struct {
		At, FailingSince int64 // the number of the step, 0 for never
		Failed           bool
	}
	steps := []struct {
		reason string
		ctx    context.Context
		url    string
		want   state
	}{
		{"a success", t.Context(), u.dir, state{At: 1}},
		{"a failure begins an outage", t.Context(), broken.URL, state{At: 1, FailingSince: 2, Failed: true}},
		{"another one goes on with it", t.Context(), broken.URL, state{At: 1, FailingSince: 2, Failed: true}},
		{"a success ends it", t.Context(), u.dir, state{At: 4}},
		{"a manager that stops is no outage", stopped, broken.URL, state{At: 4}},
		{"the next outage has its own beginning", t.Context(), broken.URL, state{At: 4, FailingSince: 6, Failed: true}},
	}
	now := int64(0)
	r, err := Open(Options{URL: u.dir, Dir: t.TempDir(), Now: func() time.Time { return time.Unix(now, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	if f := r.Fetched(); !f.At.IsZero() || !f.FailingSince.IsZero() || f.Err != nil {
		t.Errorf("before the first fetch something is known: %+v", f)
	}
	unix := func(at time.Time) int64 {
		if at.IsZero() {
			return 0
		}
		return at.Unix()
	}
	for _, step := range steps {
		now++
		if err := setRemote(r.repo, step.url); err != nil {
			t.Fatal(err)
		}
		_ = r.Fetch(step.ctx)
		f := r.Fetched()
		if diff := cmp.Diff(step.want, state{unix(f.At), unix(f.FailingSince), f.Err != nil}); diff != "" {
			t.Errorf("%s: -want, +got:\n%s", step.reason, diff)
		}
	}
}

// TestErrorsHoldNoCredential: they go into logs and conditions.
func TestErrorsHoldNoCredential(t *testing.T) {
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer broken.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, server := range map[string]string{"Refused": gone.URL, "Answered": broken.URL} {
		for _, user := range []string{"token1234", "bob:s3cret", "bob:s3@cret"} {
			t.Run(name+"/"+user, func(t *testing.T) {
				r, err := Open(Options{URL: strings.Replace(server, "://", "://"+user+"@", 1) + "/fleet.git", Dir: t.TempDir()})
				if err != nil {
					t.Fatal(err)
				}
				err = r.Fetch(t.Context())
				if err == nil || !strings.Contains(err.Error(), server+"/fleet.git") {
					t.Fatalf("the error does not say what was fetched: %v", err)
				}
				for _, secret := range []string{"token1234", "bob", "cret"} {
					if strings.Contains(err.Error(), secret) {
						t.Errorf("the error says %q: %v", secret, err)
					}
				}
			})
		}
	}
}

// TestReadingDoesNotWaitForFetching: a Git server that hangs stops nobody who
// asks for what the mirror has.
func TestReadingDoesNotWaitForFetching(t *testing.T) {
	u := newUpstream(t)
	want := u.commit(map[string]string{"a.txt": "1"})
	r := u.mirror()
	if err := r.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		close(asked)
		<-request.Context().Done()
	}))
	defer hangs.Close()
	if err := setRemote(r.repo, hangs.URL); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	fetched := make(chan error, 1)
	go func() { fetched <- r.Fetch(ctx) }()
	<-asked
	if got, err := r.Resolve(Ref{Branch: "main"}); err != nil || got != want {
		t.Errorf("main = %s, %v; want %s", got, err, want)
	}
	if _, err := r.Files(t.Context(), want, func(string) bool { return true }); err != nil {
		t.Error(err)
	}
	if err := r.Forget(nil); err != nil {
		t.Error(err)
	}
	select {
	case err := <-fetched:
		t.Errorf("the fetch did not hang: %v", err)
	default:
	}
	cancel()
	if err := <-fetched; err == nil {
		t.Error("a fetch that was given up succeeded")
	}
}

func TestFiles(t *testing.T) {
	u := newUpstream(t)
	commit := u.commit(map[string]string{
		"flavors/standard/flavor.yaml": "a: 1", "charts/big/values.yaml": "x", "evil": "-> /etc/passwd",
	})
	r := u.mirror()
	if err := r.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	wanted := func(p string) bool { return !strings.HasPrefix(p, "charts/") }
	for range 2 { // the second time from disk
		files, err := r.Files(t.Context(), commit, wanted)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		err = fs.WalkDir(files, ".", func(p string, d fs.DirEntry, err error) error {
			if !d.IsDir() {
				got = append(got, p)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"flavors/standard/flavor.yaml"}, got); diff != "" {
			t.Fatalf("files: -want, +got:\n%s", diff)
		}
	}
	if err := r.Forget(map[string]bool{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(r.filesDir(commit)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("forgotten commit still on disk: %v", err)
	}
	if _, err := r.Files(t.Context(), strings.Repeat("0", 40), wanted); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown commit: %v", err)
	}
}

func TestFilesAreBounded(t *testing.T) {
	u := newUpstream(t)
	commit := u.commit(map[string]string{"huge.yaml": strings.Repeat("x", maxFileBytes+1)})
	r := u.mirror()
	if err := r.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := r.Files(t.Context(), commit, func(string) bool { return true })
	if err == nil || !strings.Contains(err.Error(), "huge.yaml") {
		t.Fatalf("a file over the limit: %v", err)
	}
	entries, err := os.ReadDir(filepath.Dir(r.filesDir(commit)))
	if err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestNewCommitsAreSeen, whichever method is asked for one first.
func TestNewCommitsAreSeen(t *testing.T) {
	read := map[string]func(r *Repository, commit string) error{
		"Resolve": func(r *Repository, commit string) error {
			got, err := r.Resolve(Ref{Branch: "main"})
			if err == nil && got != commit {
				err = errors.New("main is at " + got)
			}
			return err
		},
		"Files": func(r *Repository, commit string) error {
			_, err := r.Files(t.Context(), commit, func(string) bool { return true })
			return err
		},
		"LastChange": func(r *Repository, commit string) error {
			_, err := r.LastChange(commit, "a.txt")
			return err
		},
	}
	for name, sees := range read {
		t.Run(name, func(t *testing.T) {
			u := newUpstream(t)
			r := u.mirror()
			for _, text := range []string{"1", "2", "3"} {
				commit := u.commit(map[string]string{"a.txt": text})
				if err := r.Fetch(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := sees(r, commit); err != nil {
					t.Errorf("commit %s: %v", text, err)
				}
			}
		})
	}
}

// TestLastChange: charts that did not change keep their commit.
func TestLastChange(t *testing.T) {
	u := newUpstream(t)
	first := u.commit(map[string]string{"README.md": "1"})
	second := u.commit(map[string]string{"charts/a/Chart.yaml": "1"})
	third := u.commit(map[string]string{"README.md": "2"})
	fourth := u.commit(map[string]string{"charts/b/Chart.yaml": "1"})
	fifth := u.commit(map[string]string{"README.md": "3"})
	r := u.mirror()
	if err := r.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	for commit, want := range map[string]string{first: first, second: second, third: second, fourth: fourth, fifth: fourth} {
		if got, err := r.LastChange(commit, "charts"); err != nil || got != want {
			t.Errorf("charts of %s were last changed by %s, %v; want %s", commit, got, err, want)
		}
	}
	if _, err := r.LastChange(strings.Repeat("0", 40), "charts"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown commit: %v", err)
	}
}
