package blueprint_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/charts"
	"kargo.dev/kargo/internal/blueprint"
	"kargo.dev/kargo/internal/fleet"
	"kargo.dev/kargo/internal/gitrepo"
	"kargo.dev/kargo/template"
)

var main = gitrepo.Ref{Branch: "main"}

// repository is a mirror in memory. A commit without files holds no fleet.
type repository struct {
	mu      sync.Mutex
	refs    map[gitrepo.Ref]string
	files   map[string]fs.FS // by commit
	fetched gitrepo.Fetched
	err     error // of reading
	reads   []string
	kept    []string // at the last Forget
	paths   func(string) bool
}

func (r *repository) Resolve(ref gitrepo.Ref) (string, error) {
	if commit, ok := r.refs[ref]; ok {
		return commit, nil
	}
	return "", fmt.Errorf("%s: %w", ref, gitrepo.ErrNotFound)
}

func (r *repository) Files(_ context.Context, commit string, wanted func(string) bool) (fs.FS, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reads, r.paths = append(r.reads, commit), wanted
	if files, ok := r.files[commit]; ok {
		return files, r.err
	}
	return fstest.MapFS{}, r.err
}

func (r *repository) LastChange(commit, path string) (string, error) {
	return "last change of " + path + " at " + commit, nil
}

func (r *repository) Fetched() gitrepo.Fetched { return r.fetched }

func (r *repository) Forget(keep map[string]bool) error {
	r.kept = slices.Sorted(maps.Keys(keep))
	return nil
}

// templateFiles is the fleet repository that KARGO makes.
func templateFiles(t *testing.T) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
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
	return files
}

func TestGet(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	tag := gitrepo.Ref{Tag: "v1.0.0"}
	r := &repository{refs: map[gitrepo.Ref]string{main: commit, tag: commit}, files: map[string]fs.FS{commit: templateFiles(t)}}
	store := blueprint.NewStore(r)
	got, err := store.Get(t.Context(), main)
	if err != nil {
		t.Fatal(err)
	}
	if got.Commit != commit || got.ChartsCommit != "last change of charts at "+commit {
		t.Errorf("commit %q, charts of %q", got.Commit, got.ChartsCommit)
	}
	if diff := cmp.Diff([]string{"economy", "standard"}, got.Catalog.FlavorNames()); diff != "" {
		t.Errorf("flavors: -want, +got:\n%s", diff)
	}
	if _, err := got.Fleet.Layers("standard", "prod"); err != nil {
		t.Error(err)
	}
	if got.Chart == nil {
		t.Error("the blueprint has no cluster chart")
	}
	if again, err := store.Get(t.Context(), tag); err != nil || again != got {
		t.Errorf("a tag at the same commit gives another blueprint, %v", err)
	}
	if diff := cmp.Diff([]string{commit}, r.reads); diff != "" {
		t.Errorf("a commit is read once: -want, +got:\n%s", diff)
	}
	for path, want := range map[string]bool{
		"flavors/standard/flavor.yaml": true, "charts/cluster/Chart.yaml": true, "charts/clusterless/Chart.yaml": false,
		"charts/karpenter/values.yaml": false, "addons/karpenter/helmrelease.yaml": true, "chartsmith.yaml": true,
	} {
		if r.paths(path) != want {
			t.Errorf("the manager reads %s: %t, want %t", path, !want, want)
		}
	}
}

func TestGetErrors(t *testing.T) {
	disk := errors.New("the disk is full")
	long := strings.Repeat("ab", 20)
	noChart := templateFiles(t)
	delete(noChart, "charts/cluster/Chart.yaml")
	tests := map[string]struct {
		reason string
		repo   *repository
		want   string
		is     error
		broken bool
		reads  int // of three attempts
	}{
		"NotFetched": {
			reason: "what was never read may have the branch: it is not missing",
			repo:   &repository{fetched: gitrepo.Fetched{Err: errors.New("refused")}},
			is:     blueprint.ErrNotFetched, want: "the fleet repository has not been read yet",
		},
		"NotFound": {
			reason: "it was read, and has no such branch",
			repo:   &repository{fetched: gitrepo.Fetched{At: time.Unix(1, 0)}},
			is:     gitrepo.ErrNotFound, want: "refs/heads/main: not in the fleet repository",
		},
		"NoFleet": {
			reason: "a commit does not change: it is judged once",
			repo:   &repository{refs: map[gitrepo.Ref]string{main: long}, fetched: gitrepo.Fetched{At: time.Unix(1, 0)}},
			broken: true, want: "the fleet repository is broken at commit abababab: fleet.yaml: open fleet.yaml: file does not exist", reads: 1,
		},
		"NoChart": {
			reason: "clusters are made of the chart",
			repo:   &repository{refs: map[gitrepo.Ref]string{main: long}, files: map[string]fs.FS{long: noChart}},
			broken: true, want: "the fleet repository is broken at commit abababab: ", reads: 1,
		},
		"ShortCommit": {
			reason: "a message must not panic",
			repo:   &repository{refs: map[gitrepo.Ref]string{main: "abc"}},
			broken: true, want: "the fleet repository is broken at commit abc: ", reads: 1,
		},
		"Unreadable": {
			reason: "what cannot be read now is tried again, and is not broken",
			repo:   &repository{refs: map[gitrepo.Ref]string{main: long}, err: disk},
			is:     disk, want: "the disk is full", reads: 3,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			store := blueprint.NewStore(tc.repo)
			for range 3 {
				got, err := store.Get(t.Context(), main)
				if got != nil || err == nil || !strings.HasPrefix(err.Error(), tc.want) {
					t.Fatalf("%s: got %v and error %v, want %s", tc.reason, got, err, tc.want)
				}
				if tc.is != nil && !errors.Is(err, tc.is) {
					t.Errorf("%s: %v is not %v", tc.reason, err, tc.is)
				}
				var broken *blueprint.BrokenError
				if errors.As(err, &broken) != tc.broken {
					t.Errorf("%s: broken is %t", tc.reason, !tc.broken)
				}
			}
			if len(tc.repo.reads) != tc.reads {
				t.Errorf("%s: read %d times, want %d", tc.reason, len(tc.repo.reads), tc.reads)
			}
		})
	}
}

// TestBrokenErrorNamesTheFile, for whoever wants more than the words.
func TestBrokenErrorNamesTheFile(t *testing.T) {
	_, err := blueprint.NewStore(&repository{refs: map[gitrepo.Ref]string{main: "c"}}).Get(t.Context(), main)
	var at *fleet.FileError
	if !errors.As(err, &at) || at.File != "fleet.yaml" {
		t.Errorf("%v names no file", err)
	}
}

// TestOldCommitsAreForgotten: those not used for longest, on disk too.
func TestOldCommitsAreForgotten(t *testing.T) {
	r := &repository{refs: map[gitrepo.Ref]string{}}
	store := blueprint.NewStore(r)
	get := func(commit string) {
		ref := gitrepo.Ref{Branch: commit}
		r.refs[ref] = commit
		if _, err := store.Get(t.Context(), ref); err == nil {
			t.Fatalf("commit %s holds no fleet", commit)
		}
	}
	for _, commit := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
		get(commit)
	}
	if r.kept != nil {
		t.Errorf("with 8 commits nothing is forgotten yet: %v are kept", r.kept)
	}
	get("1") // in use again
	get("9")
	if diff := cmp.Diff([]string{"1", "3", "4", "5", "6", "7", "8", "9"}, r.kept); diff != "" {
		t.Errorf("kept on disk: -want, +got:\n%s", diff)
	}
	r.reads = nil
	get("1")
	get("2")
	if diff := cmp.Diff([]string{"2"}, r.reads); diff != "" {
		t.Errorf("read again: -want, +got:\n%s", diff)
	}
}

// TestGetAtOnce: ten clusters at a new commit cost one parse.
func TestGetAtOnce(t *testing.T) {
	r := &repository{refs: map[gitrepo.Ref]string{main: "c"}, files: map[string]fs.FS{"c": templateFiles(t)}}
	store := blueprint.NewStore(r)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, err := store.Get(t.Context(), main); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(r.reads) != 1 {
		t.Errorf("read %d times", len(r.reads))
	}
}
