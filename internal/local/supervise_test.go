package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"kargo.dev/kargo/internal/local/profile"
	"kargo.dev/kargo/internal/process"
)

// TestMain lets the test binary stand in for kargoctl as the supervisor.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "supervise" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		p, err := profile.Open(os.Args[3])
		if err == nil {
			err = Supervise(ctx, p, slog.New(slog.NewTextHandler(os.Stderr, nil)))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// running starts a supervisor with one process in a new profile.
func running(t *testing.T) (profile.Profile, string) {
	t.Helper()
	t.Setenv("KARGO_HOME", t.TempDir())
	p, err := profile.Open("test")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	start(t, p, self)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
		defer cancel()
		if _, err := Down(ctx, p); err != nil {
			t.Errorf("stop the supervisor: %v", err)
		}
	})
	if err := p.Save(&profile.Platform{Addresses: profile.Addresses{AWSSim: "http://127.0.0.1:1"}}); err != nil {
		t.Fatal(err)
	}
	return p, self
}

func start(t *testing.T, p profile.Profile, self string) {
	t.Helper()
	if err := startSupervisor(t.Context(), p, self); err != nil {
		t.Fatal(err)
	}
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	if err := process.NewClient(p.Socket()).Ensure(t.Context(), process.Spec{Name: "sleeper", Path: sleep, Args: []string{"600"}}); err != nil {
		t.Fatal(err)
	}
}

// sleeper polls until the process runs.
func sleeper(t *testing.T, p profile.Profile) (Status, ProcessStatus) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		st, err := ReadStatus(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		if len(st.Processes) == 1 && st.Processes[0].State == process.StateRunning {
			return st, st.Processes[0]
		}
	}
	t.Fatal("the process does not run")
	return Status{}, ProcessStatus{}
}

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func TestDownStopsAndKeepsData(t *testing.T) {
	p, _ := running(t)
	st, sl := sleeper(t, p)
	if !st.Running || st.Supervisor.PID == 0 || st.Addresses.AWSSim == "" {
		t.Errorf("status of a running platform: %+v", st)
	}
	if err := Purge(t.Context(), p); err == nil || !strings.Contains(err.Error(), "still runs") {
		t.Errorf("purge while it runs: %v, want a refusal", err)
	}
	stopped, err := Down(t.Context(), p)
	if err != nil || !stopped {
		t.Fatalf("down: %v, %v", stopped, err)
	}
	if !gone(st.Supervisor.PID) || !gone(sl.PID) {
		t.Error("after down a process is left")
	}
	if st, err := ReadStatus(t.Context(), p); err != nil || st.Running || st.Addresses.AWSSim == "" {
		t.Errorf("status after down: %+v, %v; want not running, addresses known", st, err)
	}
	if again, err := Down(t.Context(), p); err != nil || again {
		t.Errorf("a second down: %v, %v; want nothing to do", again, err)
	}
	if err := Purge(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Load(); !errors.Is(err, profile.ErrNoPlatform) {
		t.Errorf("after purge: %v", err)
	}
}

func TestSupervisorStartsAgainAfterItWasKilled(t *testing.T) {
	p, self := running(t)
	st, sl := sleeper(t, p)
	if err := syscall.Kill(st.Supervisor.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !gone(sl.PID); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a process outlives its killed supervisor")
		}
	}
	if st, err := ReadStatus(t.Context(), p); err != nil || st.Running {
		t.Errorf("status after the kill: %+v, %v", st, err)
	}
	start(t, p, self)
	if again, _ := sleeper(t, p); again.Supervisor.PID == st.Supervisor.PID {
		t.Error("the dead supervisor is taken for the new one")
	}
}

func TestSecondSupervisorIsRefused(t *testing.T) {
	p, self := running(t)
	cmd := exec.CommandContext(t.Context(), self, "supervise", "--profile", p.Name)
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another supervisor") {
		t.Errorf("a second supervisor: %v\n%s", err, out)
	}
}

func TestStatusOfNoPlatform(t *testing.T) {
	t.Setenv("KARGO_HOME", t.TempDir())
	p, err := profile.Open("none")
	if err != nil {
		t.Fatal(err)
	}
	st, err := ReadStatus(t.Context(), p)
	if err != nil || st.Running || st.Processes == nil {
		t.Errorf("status %+v, %v; want not running, and an empty list of processes", st, err)
	}
	if err := Purge(t.Context(), p); err != nil {
		t.Errorf("purge of nothing: %v", err)
	}
}
