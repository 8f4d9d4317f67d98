package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Limits of what is read out of a commit. A fleet repository is text; more is a
// mistake or an attack, and is refused instead of filling the disk.
const (
	maxFiles     = 20_000
	maxFileBytes = 4 << 20
	maxBytes     = 64 << 20
)

// Files gives the regular files of a commit that wanted accepts, as a file
// system. They are written to disk once for each commit; symlinks and submodules
// are left out, so that nothing outside the repository is ever read. ErrNotFound
// if the mirror has no such commit.
func (r *Repository) Files(ctx context.Context, commit string, wanted func(path string) bool) (fs.FS, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	dir := r.filesDir(commit)
	if _, err := os.Stat(dir); err == nil {
		return os.DirFS(dir), nil
	}
	c, err := r.commit(commit)
	if err != nil {
		return nil, err
	}
	tree, err := c.Tree()
	if err != nil {
		return nil, fmt.Errorf("tree of commit %s: %w", commit, err)
	}
	if err := writeTree(ctx, tree, dir, wanted); err != nil {
		return nil, fmt.Errorf("files of commit %s: %w", commit, err)
	}
	return os.DirFS(dir), nil
}

// writeTree writes into a temporary directory and renames it, so that a process
// that is killed leaves no half-written commit.
func writeTree(ctx context.Context, tree *object.Tree, dir string, wanted func(string) bool) (err error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".new-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(tmp))
		}
	}()
	root, err := os.OpenRoot(tmp)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	files, bytes := 0, int64(0)
	err = tree.Files().ForEach(func(f *object.File) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !wanted(f.Name) || (f.Mode != filemode.Regular && f.Mode != filemode.Executable) {
			return nil
		}
		files, bytes = files+1, bytes+f.Size
		switch {
		case files > maxFiles:
			return fmt.Errorf("more than %d files", maxFiles)
		case f.Size > maxFileBytes:
			return fmt.Errorf("%s has %d bytes; at most %d are read", f.Name, f.Size, maxFileBytes)
		case bytes > maxBytes:
			return fmt.Errorf("more than %d bytes in all", maxBytes)
		}
		return writeFile(root, f)
	})
	if err != nil {
		return err
	}
	return os.Rename(tmp, dir)
}

func writeFile(root *os.Root, f *object.File) (err error) {
	if err := root.MkdirAll(path.Dir(f.Name), 0o755); err != nil {
		return err
	}
	in, err := f.Reader()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := root.Create(f.Name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}
