package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"kargo.dev/kargo/internal/local/profile"
	"kargo.dev/kargo/internal/process"
)

// supervisorStart is how long a supervisor may take until it answers.
const supervisorStart = 10 * time.Second

// Supervise runs the profile's supervisor until ctx ends or somebody asks it
// to stop. It starts nothing by itself: Up and awssim ask it to, in order.
func Supervise(ctx context.Context, p profile.Profile, log *slog.Logger) error {
	s, err := process.NewSupervisor(process.Options{Dir: p.SupervisorDir(), Logger: log})
	if err != nil {
		return err
	}
	l, err := process.ListenUnix(p.Socket())
	if err != nil {
		return err
	}
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	log.Info("supervisor started", "profile", p.Name, "pid", os.Getpid())

	select {
	case <-ctx.Done():
		log.Info("supervisor stops", "cause", context.Cause(ctx))
	case <-s.Stopped():
	case err := <-served:
		s.Stop()
		return fmt.Errorf("serve the supervisor's socket: %w", err)
	}
	s.Stop()
	// Whoever asked for the stop gets the answer before the socket closes.
	closing, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := server.Shutdown(closing); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("close the supervisor's socket: %w", err)
	}
	log.Info("supervisor ended")
	return nil
}

// supervisorPID answers the pid of the supervisor that serves the profile's
// socket, 0 if none does.
func supervisorPID(ctx context.Context, p profile.Profile) (int, error) {
	if _, err := process.NewClient(p.Socket()).List(ctx, "none"); err != nil {
		return 0, nil // no supervisor is an answer, no error
	}
	b, err := os.ReadFile(p.Path("supervisor", "lock"))
	if err != nil {
		return 0, fmt.Errorf("read the supervisor's pid: %w", err)
	}
	var pid int
	if _, err := fmt.Sscan(string(b), &pid); err != nil {
		return 0, fmt.Errorf("read the supervisor's pid %q: %w", strings.TrimSpace(string(b)), err)
	}
	return pid, nil
}

// startSupervisor starts the supervisor in the background, in a session of its
// own, so that it outlives this command and its terminal.
func startSupervisor(ctx context.Context, p profile.Profile, kargoctl string) error {
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		return fmt.Errorf("make the profile's directory: %w", err)
	}
	log, err := os.OpenFile(p.SupervisorLog(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the supervisor's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(kargoctl, "supervise", "--profile", p.Name)
	cmd.Dir = p.Dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()

	client := process.NewClient(p.Socket())
	ctx, cancel := context.WithTimeout(ctx, supervisorStart)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		if _, err := client.List(ctx, "none"); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case err := <-ended:
			return fmt.Errorf("the supervisor ended at once (%w): %s", err, tail(p.SupervisorLog(), 3))
		case <-ctx.Done():
			return fmt.Errorf("the supervisor does not answer; see %s", p.SupervisorLog())
		}
	}
}

// tail returns the last lines of a file for an error message.
func tail(path string, lines int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	all := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
