package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"kargo.dev/kargo/internal/local/profile"
	"kargo.dev/kargo/internal/process"
)

// Down stops the platform; its data stays. It tells whether there was anything to stop.
func Down(ctx context.Context, p profile.Profile) (stopped bool, err error) {
	pid, err := supervisorPID(ctx, p)
	if err != nil || pid == 0 {
		return false, err
	}
	if err := process.NewClient(p.Socket()).Stop(ctx); err != nil && !errors.Is(err, process.ErrStopping) {
		return false, fmt.Errorf("stop the platform: %w", err)
	}
	return true, waitGone(ctx, pid)
}

// waitGone waits until a process that is no child of ours has ended.
func waitGone(ctx context.Context, pid int) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the supervisor (pid %d) does not end: %w", pid, ctx.Err())
		}
	}
}

// Purge removes all data of a platform that is down.
func Purge(ctx context.Context, p profile.Profile) error {
	unlock, err := lock(p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	if pid, err := supervisorPID(ctx, p); err != nil || pid != 0 {
		return fmt.Errorf("profile %s still runs (supervisor pid %d): stop it with `kargoctl down` first", p.Name, pid)
	}
	if dir := filepath.Dir(p.Socket()); dir != p.Dir {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove the supervisor's socket: %w", err)
		}
	}
	if err := os.RemoveAll(p.Dir); err != nil {
		return fmt.Errorf("remove the data of profile %s: %w", p.Name, err)
	}
	return nil
}

// lock keeps two commands from changing a profile at a time. The kernel drops
// it when its holder dies. It is fs.ErrNotExist if there is no such profile.
func lock(p profile.Profile) (unlock func(), err error) {
	f, err := os.OpenFile(p.Path("up.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the profile: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("another `kargoctl up` or `kargoctl down --purge` works on profile %s: wait for it, or end it: %w", p.Name, err)
	}
	return func() { _ = f.Close() }, nil
}
