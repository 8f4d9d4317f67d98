package process

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// quick is a back-off that tests can wait for.
func quick() Backoff {
	return Backoff{First: 10 * time.Millisecond, Max: 40 * time.Millisecond, Reset: time.Minute}
}

func newSupervisor(t *testing.T, dir string) *Supervisor {
	t.Helper()
	s, err := NewSupervisor(Options{Dir: dir, Backoff: quick()})
	if err != nil {
		t.Fatalf("NewSupervisor: %v", err)
	}
	t.Cleanup(s.Stop)
	return s
}

func sh(name, script string) Spec {
	return Spec{Name: name, Path: "/bin/sh", Args: []string{"-c", script}, StopGrace: 200 * time.Millisecond}
}

func ensure(t *testing.T, r Runner, spec Spec) {
	t.Helper()
	if err := r.Ensure(t.Context(), spec); err != nil {
		t.Fatalf("Ensure(%s): %v", spec.Name, err)
	}
}

// await polls the status of a process until ok, at most 10 s.
func await(t *testing.T, r Runner, name, what string, ok func(Status) bool) Status {
	t.Helper()
	var last Status
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		list, err := r.List(t.Context(), name)
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		for _, last = range list {
			if last.Name == name && ok(last) {
				return last
			}
		}
	}
	t.Fatalf("%s: waited for %s, last status %+v", name, what, last)
	return last
}

func running(s Status) bool { return s.State == StateRunning && s.PID != 0 }

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func awaitDead(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if !alive(pid) {
			return
		}
	}
	t.Fatalf("pid %d lives on", pid)
}

func TestKilledProcessComesBackAtOnce(t *testing.T) {
	s, err := NewSupervisor(Options{Dir: t.TempDir(), Backoff: Backoff{First: time.Hour, Max: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	ensure(t, s, sh("worker", "exec sleep 1000"))
	first := await(t, s, "worker", "running", running)
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	again := await(t, s, "worker", "a new pid", func(st Status) bool { return running(st) && st.PID != first.PID })
	if again.Restarts != 1 || again.LastExit != "signal: killed" {
		t.Errorf("after kill -9: got %+v, want one restart, signal: killed", again)
	}
	if again.MemoryBytes <= 0 {
		t.Errorf("memory of a running process: got %d", again.MemoryBytes)
	}
}

func TestCrashLoopBacksOff(t *testing.T) {
	s := newSupervisor(t, t.TempDir())
	ensure(t, s, sh("crash", "echo broken configuration >&2; exit 3"))
	st := await(t, s, "crash", "three restarts", func(st Status) bool { return st.Restarts >= 3 && st.State == StateBackOff })
	if st.LastExit != "exit status 3" {
		t.Errorf("last exit: got %q", st.LastExit)
	}
	log, err := os.ReadFile(st.LogFile)
	if err != nil || !strings.Contains(string(log), "broken configuration") {
		t.Errorf("log: got %q, %v", log, err)
	}
	ensure(t, s, Spec{Name: "missing", Path: "/nonexistent/binary"})
	await(t, s, "missing", "a reason", func(st Status) bool { return strings.HasPrefix(st.LastExit, "not started: ") })
}

func TestBackoffDelay(t *testing.T) {
	for name, tc := range map[string]struct {
		reason   string
		failures int
		killed   bool
		want     time.Duration
	}{
		"FirstKill":   {reason: "a process killed from outside is not at fault", killed: true, want: 0},
		"SecondKill":  {reason: "but whoever kills it may do so for ever", failures: 1, killed: true, want: time.Second},
		"FirstExit":   {reason: "a process that ends by itself waits", want: 500 * time.Millisecond},
		"FourthExit":  {reason: "twice as long each time", failures: 3, want: 4 * time.Second},
		"HundredExit": {reason: "with an upper bound", failures: 100, want: 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, (Backoff{}).withDefaults().delay(tc.failures, tc.killed)); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

func TestEnsure(t *testing.T) {
	s := newSupervisor(t, t.TempDir())
	spec := sh("a/b/server", "trap 'echo bye; exit 0' TERM; echo $GREETING; while :; do sleep 0.01; done")
	spec.Env = []string{"GREETING=hello"}
	ensure(t, s, spec)
	first := await(t, s, "a/b/server", "running", running)

	ensure(t, s, spec)
	if st := await(t, s, "a/b/server", "running", running); st.PID != first.PID {
		t.Errorf("an equal spec restarted the process: pid %d, then %d", first.PID, st.PID)
	}
	spec.Env = []string{"GREETING=good evening"}
	ensure(t, s, spec)
	second := await(t, s, "a/b/server", "the changed process", func(st Status) bool { return running(st) && st.PID != first.PID })
	if alive(first.PID) {
		t.Errorf("the former process lives on")
	}
	want := filepath.Join("logs", "a", "b", "server.log")
	if !strings.HasSuffix(second.LogFile, want) {
		t.Errorf("log file: got %s, want .../%s", second.LogFile, want)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		log, _ := os.ReadFile(second.LogFile)
		if strings.Contains(string(log), "hello\n") && strings.Contains(string(log), "bye\n") && strings.Contains(string(log), "good evening\n") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("log lacks a line:\n%s", log)
		}
	}
	if err := s.Remove(t.Context(), "a/b/server"); err != nil {
		t.Fatal(err)
	}
	if alive(second.PID) {
		t.Error("Remove returned before the process had ended")
	}
	list, err := s.List(t.Context(), "")
	if err != nil || len(list) != 0 {
		t.Errorf("after Remove: got %v, %v", list, err)
	}
	if _, err := os.Stat(filepath.Dir(second.LogFile)); !os.IsNotExist(err) {
		t.Errorf("the log directory is left: %v", err)
	}
	if err := s.Remove(t.Context(), "a/b/server"); err != nil {
		t.Errorf("Remove of an unknown name: %v", err)
	}
}

func TestRemoveKillsWhatIgnoresSIGTERM(t *testing.T) {
	s := newSupervisor(t, t.TempDir())
	ensure(t, s, sh("stubborn", "trap '' TERM; sleep 1000 & while :; do sleep 1000; done"))
	st := await(t, s, "stubborn", "running", running)
	if err := s.Remove(t.Context(), "stubborn"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(-st.PID, 0); err != syscall.ESRCH {
		// The kernel may need a moment to bury killed descendants.
		awaitDead(t, -st.PID)
	}
}

func TestSpecsSurviveTheSupervisor(t *testing.T) {
	dir := t.TempDir()
	s, err := NewSupervisor(Options{Dir: dir, Backoff: quick()})
	if err != nil {
		t.Fatal(err)
	}
	order := filepath.Join(dir, "order")
	for _, name := range []string{"first", "second", "third"} {
		ensure(t, s, sh(name, fmt.Sprintf("trap 'echo %s >>%s; exit 0' TERM; while :; do sleep 0.01; done", name, order)))
		await(t, s, name, "running", running)
	}
	if err := s.Remove(t.Context(), "second"); err != nil {
		t.Fatal(err)
	}
	if _, err := NewSupervisor(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "another supervisor") {
		t.Errorf("two supervisors in a directory: got %v", err)
	}
	s.Stop()
	if err := s.Ensure(t.Context(), sh("late", "true")); err == nil {
		t.Error("Ensure after Stop: got no error")
	}
	got, err := os.ReadFile(order)
	if diff := cmp.Diff("second\nthird\nfirst\n", string(got)); diff != "" || err != nil {
		t.Errorf("order of stopping (after the removed one, the last started first): %v -want +got\n%s", err, diff)
	}

	again := newSupervisor(t, dir)
	list, err := again.List(t.Context(), "")
	if err != nil || len(list) != 2 || list[0].State != StateStopped {
		t.Fatalf("before Start: got %+v, %v", list, err)
	}
	again.Start()
	for _, name := range []string{"first", "third"} {
		await(t, again, name, "running", running)
	}
}

func TestProcessesDieWithTheSupervisor(t *testing.T) {
	if dir := os.Getenv("SUPERVISOR_TO_KILL"); dir != "" {
		s, err := NewSupervisor(Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		ensure(t, s, sh("orphan", "exec sleep 1000"))
		st := await(t, s, "orphan", "running", running)
		if err := os.WriteFile(filepath.Join(dir, "pid"), []byte(strconv.Itoa(st.PID)), 0o600); err != nil {
			t.Fatal(err)
		}
		select {}
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestProcessesDieWithTheSupervisor$")
	cmd.Env = append(os.Environ(), "SUPERVISOR_TO_KILL="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	for deadline := time.Now().Add(10 * time.Second); pid == 0; time.Sleep(5 * time.Millisecond) {
		if b, err := os.ReadFile(filepath.Join(dir, "pid")); err == nil {
			pid, _ = strconv.Atoi(string(b))
		}
		if time.Now().After(deadline) {
			t.Fatal("the supervisor did not start its process")
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	awaitDead(t, pid)

	s := newSupervisor(t, dir)
	s.Start()
	await(t, s, "orphan", "running again", running)
}

func TestReadiness(t *testing.T) {
	ready := make(chan struct{})
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		select {
		case <-ready:
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.crt")
	s := newSupervisor(t, t.TempDir())
	spec := sh("web", "exec sleep 1000")
	spec.ReadyURL, spec.ReadyCAFile = server.URL, ca
	ensure(t, s, spec)
	await(t, s, "web", "starting", func(st Status) bool { return st.State == StateStarting && st.PID != 0 })
	close(ready)
	writeCA(t, ca, server)
	await(t, s, "web", "running", running)
}

func TestServerAndClient(t *testing.T) {
	s := newSupervisor(t, t.TempDir())
	socket := filepath.Join(t.TempDir(), "run", "supervisor.sock")
	l, err := ListenUnix(socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(l) }()
	defer func() { _ = server.Close() }()
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: got %v, %v, want mode 0600", info.Mode(), err)
	}
	if _, err := ListenUnix(socket); err == nil {
		t.Error("a second server took the socket over")
	}
	c := NewClient(socket)
	ensure(t, c, sh("x/one", "exec sleep 1000"))
	ensure(t, c, sh("y/two", "exec sleep 1000"))
	await(t, c, "x/one", "running", running)
	list, err := c.List(t.Context(), "y/")
	if err != nil || len(list) != 1 || list[0].Name != "y/two" {
		t.Errorf("List(y/): got %+v, %v", list, err)
	}
	if err := c.Ensure(t.Context(), Spec{Name: "../../etc", Path: "sh", Env: []string{"AWS_SECRET_ACCESS_KEY=x"}}); err == nil ||
		!strings.Contains(err.Error(), "want segments") || !strings.Contains(err.Error(), "absolute path") || !strings.Contains(err.Error(), "no secrets") {
		t.Errorf("an invalid spec: got %v", err)
	}
	if err := c.Remove(t.Context(), "x/one"); err != nil {
		t.Error(err)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	<-s.Stopped()
	if err := c.Ensure(t.Context(), sh("z", "true")); err == nil {
		t.Error("Ensure after Stop: got no error")
	}
	_ = server.Close()
	if _, err := c.List(context.Background(), ""); err == nil || !strings.Contains(err.Error(), "is it running?") {
		t.Errorf("no server: got %v", err)
	}
}

func TestLogRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	l := &logFile{path: path, max: 11}
	for _, line := range []string{"one\n", "two\n", "three\n", "four\n"} {
		if _, err := l.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	l.close()
	now, _ := os.ReadFile(path)
	before, _ := os.ReadFile(path + ".1")
	if diff := cmp.Diff("one\ntwo\n", string(before)); diff != "" {
		t.Errorf("rotated log: -want +got\n%s", diff)
	}
	if diff := cmp.Diff("three\nfour\n", string(now)); diff != "" {
		t.Errorf("log: -want +got\n%s", diff)
	}
}

func writeCA(t *testing.T, path string, server *httptest.Server) {
	t.Helper()
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(path, block, 0o600); err != nil {
		t.Fatal(err)
	}
}
