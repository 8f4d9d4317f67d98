// Package blueprint gives what a commit of the fleet repository says clusters
// are made of: flavors, environments, settings and the cluster chart, parsed
// once for each commit.
package blueprint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"kargo.dev/kargo/internal/clusterchart"
	"kargo.dev/kargo/internal/fleet"
	"kargo.dev/kargo/internal/gitrepo"
)

// kept is how many commits stay parsed: those of the branches and releases in
// use, which are few in a fleet that moves in waves.
const kept = 8

// Blueprint is the fleet repository at one commit. It is read-only.
type Blueprint struct {
	Commit string
	// ChartsCommit is the last one up to Commit that changed anything below charts/.
	ChartsCommit string
	Fleet        *fleet.Fleet
	Catalog      *fleet.Catalog
	Chart        *clusterchart.Chart
}

// Repository is what the store reads: a mirror of the fleet repository.
type Repository interface {
	Resolve(ref gitrepo.Ref) (string, error)
	Files(ctx context.Context, commit string, wanted func(path string) bool) (fs.FS, error)
	LastChange(commit, path string) (string, error)
	Fetched() gitrepo.Fetched
	Forget(keep map[string]bool) error
}

// BrokenError says that a commit holds no usable fleet repository.
type BrokenError struct {
	Commit string
	Err    error
}

// Error implements error.
func (e *BrokenError) Error() string {
	return fmt.Sprintf("the fleet repository is broken at commit %s: %s", e.Commit[:min(8, len(e.Commit))], e.Err)
}

// Unwrap returns the cause.
func (e *BrokenError) Unwrap() error { return e.Err }

// ErrNotFetched says that the fleet repository was never read since the manager started.
var ErrNotFetched = errors.New("the fleet repository has not been read yet")

// Store parses commits and keeps the newest ones.
type Store struct {
	repo Repository

	mu     sync.Mutex
	recent []result // most recently used last
}

// result is a parsed commit, or why it cannot be parsed: that does not change.
type result struct {
	commit    string
	blueprint *Blueprint
	broken    error
}

// NewStore makes a Store over a mirror.
func NewStore(repo Repository) *Store { return &Store{repo: repo} }

// Get returns the blueprint at a branch's head or a tag. The error is
// ErrNotFetched, gitrepo.ErrNotFound, a *BrokenError, or one worth a retry.
func (s *Store) Get(ctx context.Context, ref gitrepo.Ref) (*Blueprint, error) {
	commit, err := s.repo.Resolve(ref)
	if errors.Is(err, gitrepo.ErrNotFound) && s.repo.Fetched().At.IsZero() {
		return nil, ErrNotFetched
	}
	if err != nil {
		return nil, err
	}
	return s.at(ctx, commit)
}

func (s *Store) at(ctx context.Context, commit string) (*Blueprint, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.recent, func(r result) bool { return r.commit == commit }); i >= 0 {
		r := s.recent[i]
		s.recent = append(slices.Delete(s.recent, i, i+1), r)
		return r.blueprint, r.broken
	}
	files, err := s.repo.Files(ctx, commit, wanted)
	if err != nil {
		return nil, err
	}
	charts, err := s.repo.LastChange(commit, "charts")
	if err != nil {
		return nil, err
	}
	r := result{commit: commit}
	if r.blueprint, err = parse(files); err != nil {
		r.broken = &BrokenError{Commit: commit, Err: err}
	} else {
		r.blueprint.Commit, r.blueprint.ChartsCommit = commit, charts
	}
	s.recent = append(s.recent, r)
	return r.blueprint, errors.Join(r.broken, s.shrink())
}

// shrink lets go of the commits not used for longest.
func (s *Store) shrink() error {
	if len(s.recent) <= kept {
		return nil
	}
	s.recent = slices.Clone(s.recent[len(s.recent)-kept:])
	keep := map[string]bool{}
	for _, r := range s.recent {
		keep[r.commit] = true
	}
	return s.repo.Forget(keep)
}

// wanted are the files the manager reads. Flux reads the others, the vendored
// charts above all, in the clusters.
func wanted(path string) bool {
	return strings.HasPrefix(path, "charts/cluster/") || !strings.HasPrefix(path, "charts/")
}

func parse(files fs.FS) (*Blueprint, error) {
	f, err := fleet.Load(files)
	if err != nil {
		return nil, err
	}
	chartFiles, err := fs.Sub(files, "charts/cluster")
	if err != nil {
		return nil, err
	}
	chart, err := clusterchart.Load(chartFiles)
	if err != nil {
		return nil, err
	}
	return &Blueprint{Fleet: f, Catalog: f.Catalog(), Chart: chart}, nil
}
