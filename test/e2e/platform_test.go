//go:build e2e

// Package e2e runs the whole local platform and uses it as its users would: with
// kargoctl, kubectl, git, helm and the aws command line. One platform is started
// for the suite; the tests run in the order of the files' names and leave it as
// they found it.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kargo.dev/kargo/internal/engine"
)

// suite is the platform the tests share.
var suite *platform

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	p, err := newPlatform()
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	suite = p
	code := 1
	started := time.Now()
	if r := p.try("up"); r.code != 0 {
		fmt.Fprintf(os.Stderr, "kargoctl up failed with %d after %s:\n%s\n%s\n", r.code, time.Since(started), r.stdout, r.stderr)
	} else {
		fmt.Printf("kargoctl up took %s\n", time.Since(started).Round(time.Second))
		code = m.Run()
	}
	if os.Getenv("KARGO_E2E_KEEP") != "" {
		fmt.Println("kept: KARGO_HOME=" + p.home)
		return code
	}
	if code != 0 {
		p.saveLogs()
	}
	if r := p.try("down", "--purge"); r.code != 0 {
		fmt.Fprintln(os.Stderr, "kargoctl down:", r.stderr)
	}
	return code
}

// platform is a local platform in a KARGO_HOME of its own.
type platform struct {
	home, kargoctl string
	binaries       *engine.Binaries
}

func newPlatform() (*platform, error) {
	kargoctl, err := filepath.Abs("../../bin/kargoctl")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(kargoctl); err != nil {
		return nil, fmt.Errorf("%w; run `make build`, or the tests by `make test-e2e`", err)
	}
	binaries, err := engine.Find(context.Background(), engine.SearchFromEnv("", os.Getenv))
	if err != nil {
		return nil, err
	}
	home := os.Getenv("KARGO_HOME")
	if home == "" {
		if home, err = os.MkdirTemp("", "kargo-e2e-"); err != nil {
			return nil, err
		}
	}
	return &platform{home: home, kargoctl: kargoctl, binaries: binaries}, nil
}

// saveLogs keeps the processes' logs of a failed run where CI can show them.
func (p *platform) saveLogs() {
	target := filepath.Join(os.TempDir(), "kargo-e2e-logs")
	_ = os.RemoveAll(target)
	if err := os.CopyFS(target, os.DirFS(filepath.Join(p.home, "profiles", "default", "logs"))); err == nil {
		fmt.Println("logs of the failed run:", target)
	}
}

// result of a command.
type result struct {
	stdout, stderr string
	code           int
}

func (p *platform) env() []string { return append(os.Environ(), "KARGO_HOME="+p.home, "NO_COLOR=1") }

// command runs a program with the platform's environment, bounded in time.
func (p *platform) command(stdin, name string, env []string, args ...string) result {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(p.env(), env...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	code := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		code = -1
		stderr.WriteString(err.Error())
	}
	return result{stdout.String(), stderr.String(), code}
}

// try runs kargoctl.
func (p *platform) try(args ...string) result { return p.command("", p.kargoctl, nil, args...) }

// must runs kargoctl, which has to succeed, and returns its stdout.
func (p *platform) must(t *testing.T, args ...string) string {
	t.Helper()
	r := p.try(args...)
	if r.code != 0 {
		t.Fatalf("kargoctl %s: exit code %d\n%s\n%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// mustFail runs kargoctl, which has to fail with this code and say why.
func (p *platform) mustFail(t *testing.T, code int, why string, args ...string) {
	t.Helper()
	r := p.try(args...)
	if r.code != code || !strings.Contains(r.stderr, why) {
		t.Errorf("kargoctl %s: exit code %d and\n%s\nwant code %d and %q", strings.Join(args, " "), r.code, r.stderr, code, why)
	}
}

// kubectl runs the engine's kubectl against a kubeconfig.
func (p *platform) kubectl(kubeconfig string, args ...string) result {
	return p.command("", p.binaries.Kubectl, []string{"KUBECONFIG=" + kubeconfig}, args...)
}

// management runs kubectl against the management cluster and returns its stdout.
func (p *platform) management(t *testing.T, args ...string) string {
	t.Helper()
	r := p.kubectl(p.status(t).Addresses.Kubeconfig, args...)
	if r.code != 0 {
		t.Fatalf("kubectl %s: %s", strings.Join(args, " "), r.stderr)
	}
	return r.stdout
}

// status is what `kargoctl status -o json` prints, as far as the tests read it.
type status struct {
	Processes []process `json:"processes"`
	Addresses struct {
		Kubeconfig string `json:"kubeconfig"`
		Git        struct {
			URL         string `json:"url"`
			Credentials string `json:"credentials"`
		} `json:"git"`
		AWSSim string `json:"awssim"`
	} `json:"addresses"`
}

type process struct {
	Name     string `json:"name"`
	PID      int    `json:"pid"`
	State    string `json:"state"`
	Restarts int    `json:"restarts"`
	Memory   int64  `json:"memory"`
}

func (p *platform) status(t *testing.T) status {
	t.Helper()
	var s status
	decode(t, p.must(t, "status", "-o", "json"), &s)
	return s
}

// cluster is a WorkloadCluster, as far as the tests read it.
type cluster struct {
	Metadata struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
		UID       string `json:"uid"`
	} `json:"metadata"`
	Status struct {
		AccountID    string `json:"accountID"`
		ControlPlane struct {
			Version  string `json:"version"`
			Endpoint string `json:"endpoint"`
		} `json:"controlPlane"`
		NodePools []struct {
			Name    string `json:"name"`
			Version string `json:"version"`
			Ready   int    `json:"ready"`
		} `json:"nodePools"`
		Nodes           count       `json:"nodes"`
		Addons          count       `json:"addons"`
		Commit          string      `json:"commit"`
		AppliedRevision string      `json:"appliedRevision"`
		Conditions      []condition `json:"conditions"`
	} `json:"status"`
}

type count struct {
	Ready int `json:"ready"`
	Total int `json:"total"`
}

type condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// condition of the cluster; the zero value if it has none of this type.
func (c cluster) condition(conditionType string) condition {
	for _, x := range c.Status.Conditions {
		if x.Type == conditionType {
			return x
		}
	}
	return condition{}
}

func (p *platform) clusters(t *testing.T) []cluster {
	t.Helper()
	var list struct {
		Kind  string    `json:"kind"`
		Items []cluster `json:"items"`
	}
	decode(t, p.must(t, "get", "clusters", "-A", "-o", "json"), &list)
	if list.Kind != "List" && !strings.HasSuffix(list.Kind, "List") {
		t.Errorf("get clusters -o json prints kind %q, want a List", list.Kind)
	}
	return list.Items
}

func (p *platform) cluster(t *testing.T, team, name string) cluster {
	t.Helper()
	var c cluster
	decode(t, p.must(t, "get", "clusters", name, "-n", team, "-o", "json"), &c)
	return c
}

// resource is a line of an account's inventory in the simulator.
type resource struct {
	Service string `json:"service"`
	Type    string `json:"type"`
	ID      string `json:"id"`
	Builtin bool   `json:"builtin"`
}

// inventory is what exists in an account beyond what it began with.
func (p *platform) inventory(t *testing.T, account string) []resource {
	t.Helper()
	var inv struct {
		Resources []resource `json:"resources"`
	}
	p.awssim(t, "/_awssim/inventory?account="+account, &inv)
	var made []resource
	for _, r := range inv.Resources {
		if !r.Builtin {
			made = append(made, r)
		}
	}
	return made
}

// noViolations checks that no call ever touched another account's resources.
func (p *platform) noViolations(t *testing.T) {
	t.Helper()
	var v struct {
		Count int               `json:"count"`
		Items []json.RawMessage `json:"items"`
	}
	p.awssim(t, "/_awssim/violations", &v)
	if v.Count != 0 || len(v.Items) != 0 {
		t.Errorf("%d calls reached across accounts: %s", v.Count, v.Items)
	}
}

func (p *platform) awssim(t *testing.T, path string, into any) {
	t.Helper()
	resp, err := http.Get(p.status(t).Addresses.AWSSim + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s %s %v", path, resp.Status, body, err)
	}
	decode(t, string(body), into)
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("no JSON: %v\n%s", err, text)
	}
}

// eventually polls check until it returns nil.
func eventually(t *testing.T, timeout time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s: %v", timeout, err)
		}
		time.Sleep(250 * time.Millisecond)
	}
}
