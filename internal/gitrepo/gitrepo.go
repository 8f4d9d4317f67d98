// Package gitrepo is the one reader of the fleet repository's history: it keeps
// a bare mirror, resolves branches and tags to commits, and gives a commit's
// files as a file system.
package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
)

// ErrNotFound says that the mirror has no such branch, tag or commit.
var ErrNotFound = errors.New("not in the fleet repository")

// Options of a Repository.
type Options struct {
	// URL to fetch from: http(s), ssh or a path.
	URL string
	// Dir holds the mirror and the files of the commits in use.
	Dir string
	// Timeout bounds one fetch; 1 minute if 0.
	Timeout time.Duration
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// Repository is a mirror of a Git repository. Its methods may be called at once
// from several goroutines.
type Repository struct {
	opts Options
	mu   sync.Mutex // guards repo and the files below Dir
	repo *git.Repository

	state sync.Mutex
	last  Fetched
}

// Fetched says how the last fetch went.
type Fetched struct {
	// At is when a fetch last succeeded; zero if none has since the start.
	At time.Time
	// Err is why the last fetch failed, nil if it succeeded.
	Err error
}

// Open opens or makes the mirror; it does not fetch.
func Open(opts Options) (*Repository, error) {
	if opts.Timeout == 0 {
		opts.Timeout = time.Minute
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	dir := filepath.Join(opts.Dir, "mirror.git")
	repo, err := git.PlainOpen(dir)
	if errors.Is(err, git.ErrRepositoryNotExists) {
		repo, err = git.PlainInit(dir, true)
	}
	if err != nil {
		return nil, fmt.Errorf("open mirror %s: %w", dir, err)
	}
	if err := setRemote(repo, opts.URL); err != nil {
		return nil, fmt.Errorf("mirror %s: %w", dir, err)
	}
	return &Repository{opts: opts, repo: repo}, nil
}

// setRemote points the mirror at the URL. Branches may be rewritten, tags may not.
func setRemote(repo *git.Repository, url string) error {
	cfg, err := repo.Config()
	if err != nil {
		return err
	}
	cfg.Remotes[git.DefaultRemoteName] = &config.RemoteConfig{
		Name:  git.DefaultRemoteName,
		URLs:  []string{url},
		Fetch: []config.RefSpec{"+refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*"},
	}
	return repo.SetConfig(cfg)
}

// Fetch brings the mirror up to date. When it fails, the mirror stays as it was.
func (r *Repository) Fetch(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, r.opts.Timeout)
	defer cancel()
	err := r.repo.FetchContext(ctx, &git.FetchOptions{Tags: git.NoTags, Prune: true})
	if errors.Is(err, git.NoErrAlreadyUpToDate) {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("fetch %s: %w", r.opts.URL, err)
	}
	r.state.Lock()
	defer r.state.Unlock()
	r.last.Err = err
	if err == nil {
		r.last.At = r.opts.Now()
	}
	return err
}

// Fetched says how the last fetch went.
func (r *Repository) Fetched() Fetched {
	r.state.Lock()
	defer r.state.Unlock()
	return r.last
}

// Ref names a branch or a tag; exactly one is set.
type Ref struct {
	Branch string
	Tag    string
}

// String is the ref as Git spells it: refs/heads/main.
func (r Ref) String() string {
	if r.Tag != "" {
		return "refs/tags/" + r.Tag
	}
	return "refs/heads/" + r.Branch
}

// Resolve returns the commit a branch or tag points to; ErrNotFound if there is none.
func (r *Repository) Resolve(ref Ref) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	hash, err := r.repo.ResolveRevision(plumbing.Revision(ref.String()))
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return "", fmt.Errorf("%s: %w", ref, ErrNotFound)
	}
	if err != nil {
		return "", fmt.Errorf("resolve %s: %w", ref, err)
	}
	return hash.String(), nil
}

// filesDir is where a commit's files lie.
func (r *Repository) filesDir(commit string) string {
	return filepath.Join(r.opts.Dir, "commits", commit)
}

// Forget removes the files of all commits but those to keep.
func (r *Repository) Forget(keep map[string]bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	entries, err := os.ReadDir(filepath.Join(r.opts.Dir, "commits"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !keep[e.Name()] {
			err = errors.Join(err, os.RemoveAll(filepath.Join(r.opts.Dir, "commits", e.Name())))
		}
	}
	return err
}
