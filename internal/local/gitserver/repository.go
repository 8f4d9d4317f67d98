package gitserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Branch is the branch a new repository starts with.
const Branch = "main"

// EnsureRepository makes a bare repository whose first commit is the content of
// a folder that fill writes. An existing repository is left alone.
func EnsureRepository(ctx context.Context, path string, fill func(dir string) error) (created bool, err error) {
	if _, err := os.Stat(filepath.Join(path, "HEAD")); err == nil {
		return false, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("look for the repository: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, fmt.Errorf("make the repository's directory: %w", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return false, fmt.Errorf("make the repository: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	work, bare := filepath.Join(tmp, "work"), filepath.Join(tmp, "bare")
	if err := os.Mkdir(work, 0o700); err != nil {
		return false, fmt.Errorf("make the repository: %w", err)
	}
	if err := fill(work); err != nil {
		return false, fmt.Errorf("make the repository's first content: %w", err)
	}
	steps := [][]string{
		{"-C", work, "init", "--quiet", "--initial-branch=" + Branch},
		{"-C", work, "add", "--all", "--force"},
		{"-C", work, "-c", "user.name=KARGO", "-c", "user.email=kargo@localhost", "-c", "commit.gpgsign=false",
			"commit", "--quiet", "--message=A new fleet"},
		{"clone", "--quiet", "--bare", work, bare},
		{"-C", bare, "remote", "remove", "origin"},
		// Releases and what clusters run on must not vanish: history is only ever added to.
		{"-C", bare, "config", "receive.denyNonFastForwards", "true"},
	}
	for _, args := range steps {
		if err := git(ctx, args...); err != nil {
			return false, err
		}
	}
	if err := os.Rename(bare, path); err != nil {
		return false, fmt.Errorf("put the repository in place: %w", err)
	}
	return true, nil
}

// git runs a command without the user's settings, hooks and templates.
func git(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_TEMPLATE_DIR=", "GIT_TERMINAL_PROMPT=0")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(out.String()))
	}
	return nil
}
