package platform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"

	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/local"
	"kargo.dev/kargo/internal/local/profile"
	"kargo.dev/kargo/internal/process"
)

func factory(t *testing.T) (*command.Factory, *bytes.Buffer) {
	t.Helper()
	t.Setenv("KARGO_HOME", t.TempDir())
	t.Setenv("KARGO_PROFILE", "")
	streams, _, out, _ := command.TestIO()
	return command.New(streams, "test"), out
}

func TestUpFlags(t *testing.T) {
	f, _ := factory(t)
	var got *UpOptions
	cmd := NewCmdUp(f, func(o *UpOptions) error { got = o; return nil })
	cmd.SetArgs([]string{"--no-example", "--timeout", "3m", "--engine-dir", "/engine"})
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	if !got.NoExample || got.Timeout != 3*time.Minute || got.EngineDir != "/engine" {
		t.Errorf("options %+v", got)
	}
}

func TestDownFlags(t *testing.T) {
	f, _ := factory(t)
	var got *DownOptions
	cmd := NewCmdDown(f, func(o *DownOptions) error { got = o; return nil })
	cmd.SetArgs([]string{"--purge"})
	if err := cmd.Execute(); err != nil || !got.Purge {
		t.Errorf("options %+v, %v", got, err)
	}
}

func TestStatusOfNoPlatform(t *testing.T) {
	f, out := factory(t)
	cmd := NewCmdStatus(f, nil)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs([]string{"-o", "json"})
	err := cmd.Execute()
	if command.ExitCode(err) != command.ExitFailed {
		t.Errorf("exit code %d (%v), want 1", command.ExitCode(err), err)
	}
	var st local.Status
	if err := json.Unmarshal(out.Bytes(), &st); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if st.Running || st.Processes == nil || st.Profile != profile.Default {
		t.Errorf("status %+v", st)
	}
}

func TestStatusRefusesUnknownFormats(t *testing.T) {
	f, _ := factory(t)
	cmd := NewCmdStatus(f, nil)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs([]string{"-o", "xml"})
	if err := cmd.Execute(); command.ExitCode(err) != command.ExitUsage {
		t.Errorf("error %v, want exit code 2", err)
	}
}

func TestPrintTable(t *testing.T) {
	out := &bytes.Buffer{}
	err := printTable(out, local.Status{
		Profile: "p", Running: true,
		Processes: []local.ProcessStatus{
			{Name: "etcd", PID: 12, State: process.StateRunning, Memory: 40 << 20},
			{Name: "git", State: process.StateBackOff, Restarts: 2, LastExit: "exit status 1"},
		},
		Addresses: profile.Addresses{Kubeconfig: "/k"},
	})
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	var got []string
	for _, l := range lines[:4] {
		got = append(got, strings.Join(strings.Fields(l), " "))
	}
	want := []string{
		"PROCESS PID STATE RESTARTS MEMORY LAST EXIT",
		"etcd 12 running 0 40 MiB",
		"git - backoff 2 - exit status 1",
		"all 40 MiB",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLogsOfAPlatformThatIsDown(t *testing.T) {
	f, out := factory(t)
	p, err := profile.Open("")
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(p.SupervisorDir(), "logs", "eks", "1", "kwok.log")
	if err := profile.WriteFile(log, []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason, process, want string
		code                  int
	}{
		"Known":   {reason: "logs stay when the platform is down", process: "eks/1/kwok", want: "hello\n"},
		"Unknown": {reason: "an unknown process is wrong usage", process: "nope", code: command.ExitUsage},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			out.Reset()
			o := &LogsOptions{IO: f.IO, Clock: clock.RealClock{}, Profile: f.Profile, Process: tc.process}
			err := o.Run(t.Context())
			if command.ExitCode(err) != tc.code || out.String() != tc.want {
				t.Errorf("%s: %v, printed %q", tc.reason, err, out)
			}
		})
	}
}

// writes collects what is printed while it is being printed.
type writes chan string

func (w writes) Write(p []byte) (int, error) { w <- string(p); return len(p), nil }

func TestLogsFollow(t *testing.T) {
	f, _ := factory(t)
	path := filepath.Join(t.TempDir(), "a.log")
	write := func(text string) {
		t.Helper()
		file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = file.WriteString(text)
		}
		if err = errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	printed := make(writes, 10)
	f.IO.Out = printed
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	o := &LogsOptions{IO: f.IO, Clock: clock.RealClock{}, Follow: true}
	ended := make(chan error, 1)
	go func() { ended <- o.copy(ctx, path) }()
	expect := func(want string) {
		t.Helper()
		select {
		case got := <-printed:
			if got != want {
				t.Errorf("printed %q, want %q", got, want)
			}
		case <-ctx.Done():
			t.Fatalf("%q is not printed", want)
		}
	}
	expect("one")
	write("two")
	expect("two")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write("three")
	expect("three")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
