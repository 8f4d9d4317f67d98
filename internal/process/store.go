package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// store keeps the specs of a supervisor in one file, in order of start.
type store struct {
	path string
}

func (s store) load() ([]Spec, error) {
	b, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the process list: %w", err)
	}
	var specs []Spec
	if err := json.Unmarshal(b, &specs); err != nil {
		return nil, fmt.Errorf("read the process list %s (remove it to start with none): %w", s.path, err)
	}
	return specs, nil
}

// save replaces the file at once, so that a supervisor killed here leaves the old or the new list.
func (s store) save(specs []Spec) error {
	b, err := json.MarshalIndent(specs, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the process list: %w", err)
	}
	tmp := s.path + ".new"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the process list: %w", err)
	}
	if err := os.Rename(tmp, s.path); err != nil {
		return fmt.Errorf("write the process list: %w", err)
	}
	return nil
}

// lockDir keeps a second supervisor out of a directory. The kernel drops the lock when the holder dies.
func lockDir(dir string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the supervisor's lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		pid, _ := os.ReadFile(path)
		_ = f.Close()
		return nil, fmt.Errorf("another supervisor (pid %s) runs in %s; stop it first: %w", strings.TrimSpace(string(pid)), dir, err)
	}
	if err := f.Truncate(0); err == nil {
		_, _ = fmt.Fprintln(f, os.Getpid())
	}
	return f, nil
}
