package gitrepo

import (
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// LastChange is the oldest commit, going back from commit by first parents,
// with the same content at path: the one that brought what is there. A path
// that does not exist gives the commit since which that is so.
func (r *Repository) LastChange(commit, path string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last, err := r.commit(commit)
	if err != nil {
		return "", err
	}
	want, err := contentAt(last, path)
	if err != nil {
		return "", err
	}
	for last.NumParents() > 0 {
		parent, err := last.Parent(0)
		if err != nil {
			return "", fmt.Errorf("parent of commit %s: %w", last.Hash, err)
		}
		got, err := contentAt(parent, path)
		if err != nil {
			return "", err
		}
		if got != want {
			break
		}
		last = parent
	}
	return last.Hash.String(), nil
}

// contentAt is the hash of what a commit has at path, zero for nothing.
func contentAt(c *object.Commit, path string) (plumbing.Hash, error) {
	tree, err := c.Tree()
	if err != nil {
		return plumbing.ZeroHash, fmt.Errorf("tree of commit %s: %w", c.Hash, err)
	}
	entry, err := tree.FindEntry(path)
	if errors.Is(err, object.ErrEntryNotFound) || errors.Is(err, object.ErrDirectoryNotFound) {
		return plumbing.ZeroHash, nil
	}
	if err != nil {
		return plumbing.ZeroHash, fmt.Errorf("%s of commit %s: %w", path, c.Hash, err)
	}
	return entry.Hash, nil
}
