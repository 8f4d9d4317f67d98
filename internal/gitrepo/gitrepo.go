// Package gitrepo is the one reader of the fleet repository's history: it keeps
// a bare mirror, resolves branches and tags to commits, and gives a commit's
// files as a file system.
package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
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
	// fetching lets one fetch run at a time. It may take as long as the Git server
	// likes, so it has a handle of its own: whoever reads never waits for it.
	fetching sync.Mutex
	mu       sync.Mutex // guards repo, the readers' handle, and the files of commits
	repo     *git.Repository

	state sync.Mutex
	last  Fetched
}

// Fetched says how fetching goes.
type Fetched struct {
	// At is when a fetch last succeeded; zero if none has since the start.
	At time.Time
	// Err is why the last fetch failed, nil if it succeeded. It holds no credential.
	Err error
	// FailingSince is when the first of the fetches failed that failed without a
	// success in between; zero if the last one succeeded.
	FailingSince time.Time
}

func (o Options) mirrorDir() string { return filepath.Join(o.Dir, "mirror.git") }

// Open opens or makes the mirror; it does not fetch.
func Open(opts Options) (*Repository, error) {
	if opts.Timeout == 0 {
		opts.Timeout = time.Minute
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	dir := opts.mirrorDir()
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

// setRemote points the mirror at the URL, whose branches and tags it follows. go-git
// follows a tag that was moved, too, although its refspec is not forced.
func setRemote(repo *git.Repository, address string) error {
	cfg, err := repo.Config()
	if err != nil {
		return err
	}
	cfg.Remotes[git.DefaultRemoteName] = &config.RemoteConfig{
		Name:  git.DefaultRemoteName,
		URLs:  []string{address},
		Fetch: []config.RefSpec{"+refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*"},
	}
	return repo.SetConfig(cfg)
}

// Fetch brings the mirror up to date. When it fails, the mirror stays as it was.
func (r *Repository) Fetch(ctx context.Context) error {
	r.fetching.Lock()
	defer r.fetching.Unlock()
	err := r.fetch(ctx)
	if err != nil && ctx.Err() != nil {
		return err // the caller gave up, which says nothing of the repository
	}
	r.state.Lock()
	defer r.state.Unlock()
	switch now := r.opts.Now(); {
	case err == nil:
		r.last = Fetched{At: now}
	case r.last.Err == nil:
		r.last.Err, r.last.FailingSince = err, now
	default:
		r.last.Err = err
	}
	return err
}

func (r *Repository) fetch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.opts.Timeout)
	defer cancel()
	repo, err := git.PlainOpen(r.opts.mirrorDir())
	if err == nil {
		err = repo.FetchContext(ctx, &git.FetchOptions{Tags: git.NoTags, Prune: true})
	}
	if err == nil || errors.Is(err, git.NoErrAlreadyUpToDate) {
		return nil
	}
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err // what is around it is the URL once more
	}
	return errors.New(userInfo.ReplaceAllString(fmt.Sprintf("fetch %s: %s", r.opts.URL, err), "://"))
}

// userInfo is what a URL in a text says of user, password or token.
var userInfo = regexp.MustCompile(`://[^/\s"]*@`)

// Fetched says how fetching goes.
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
	var hash *plumbing.Hash
	err := r.read(func(repo *git.Repository) (err error) {
		hash, err = repo.ResolveRevision(plumbing.Revision(ref.String()))
		return err
	})
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return "", fmt.Errorf("%s: %w", ref, ErrNotFound)
	}
	if err != nil {
		return "", fmt.Errorf("resolve %s: %w", ref, err)
	}
	return hash.String(), nil
}

// read lets f read the mirror. A handle does not see the packs that were fetched
// after it was opened, so when something is missing it is opened anew.
func (r *Repository) read(f func(*git.Repository) error) error {
	err := f(r.repo)
	if !errors.Is(err, plumbing.ErrReferenceNotFound) && !errors.Is(err, plumbing.ErrObjectNotFound) {
		return err
	}
	repo, err := git.PlainOpen(r.opts.mirrorDir())
	if err != nil {
		return err
	}
	r.repo = repo
	return f(repo)
}

// commit reads a commit; ErrNotFound if the mirror has none such.
func (r *Repository) commit(hash string) (*object.Commit, error) {
	var c *object.Commit
	err := r.read(func(repo *git.Repository) (err error) {
		c, err = repo.CommitObject(plumbing.NewHash(hash))
		return err
	})
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("commit %s: %w", hash, err)
	}
	return c, nil
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
