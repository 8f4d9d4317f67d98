package local

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"kargo.dev/kargo/internal/process"
)

// readyTimeout is how long processes may take to serve; a machine that builds
// something at the same time is slow.
const readyTimeout = 3 * time.Minute

// run makes processes run, all at once, and waits until they serve. One that
// waits for its next try after a failure is started at once: the cause may be mended.
func (u *up) run(ctx context.Context, names ...string) error {
	list, err := u.runner.List(ctx, "")
	if err != nil {
		return err
	}
	for _, s := range u.layout.Specs() {
		if !slices.Contains(names, s.Name) {
			continue
		}
		i := slices.IndexFunc(list, func(st process.Status) bool { return st.Name == s.Name })
		if i >= 0 && list[i].State == process.StateBackOff {
			if err := u.runner.Remove(ctx, s.Name); err != nil {
				return err
			}
		}
		s.Env = append(s.Env, programStamp(s.Path))
		if err := u.runner.Ensure(ctx, s); err != nil {
			return err
		}
	}
	return u.waitReady(ctx, names)
}

// programStamp is a variable that changes when a program is built anew, so that
// the supervisor restarts its process.
func programStamp(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "KARGO_PROGRAM=missing"
	}
	return fmt.Sprintf("KARGO_PROGRAM=%d-%d", info.ModTime().UnixNano(), info.Size())
}

func (u *up) waitReady(ctx context.Context, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var waiting []string
	for {
		list, err := u.runner.List(ctx, "")
		if err != nil && ctx.Err() == nil {
			return err
		}
		if ctx.Err() == nil {
			if waiting, err = notReady(list, names); err != nil || len(waiting) == 0 {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s not ready after %s: see `kargoctl logs %s`: %w", strings.Join(waiting, ", "), readyTimeout, waiting[0], ctx.Err())
		}
	}
}

// giveUpAfter restarts a process is not waited for any longer.
const giveUpAfter = 6

// notReady names the processes that do not serve yet; one that keeps ending is an error.
func notReady(list []process.Status, names []string) ([]string, error) {
	var waiting []string
	for _, name := range names {
		i := slices.IndexFunc(list, func(s process.Status) bool { return s.Name == name })
		switch {
		case i < 0:
			return nil, fmt.Errorf("%s was stopped by somebody else: run `kargoctl up` again", name)
		case list[i].State == process.StateRunning:
		case list[i].Restarts >= giveUpAfter:
			return nil, fmt.Errorf("%s keeps ending (%s), see `kargoctl logs %s`; it says last:\n%s",
				name, list[i].LastExit, name, tail(list[i].LogFile, 8))
		default:
			waiting = append(waiting, name)
		}
	}
	return waiting, nil
}
