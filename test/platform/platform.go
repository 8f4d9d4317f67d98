// Package platform drives a whole local platform as its users would: with
// kargoctl, kubectl, git and the aws command line. The end-to-end tests and the
// benchmarks share it.
package platform

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

// Platform is a local platform in a KARGO_HOME of its own.
type Platform struct {
	Home, Kargoctl string
	Binaries       *engine.Binaries
}

// New finds what `make build engine` built. The platform is not started.
func New() (*Platform, error) {
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
	return &Platform{Home: home, Kargoctl: kargoctl, Binaries: binaries}, nil
}

// SaveLogs keeps the processes' logs of a failed run where CI can show them.
func (p *Platform) SaveLogs() {
	target := filepath.Join(os.TempDir(), "kargo-e2e-logs")
	_ = os.RemoveAll(target)
	if err := os.CopyFS(target, os.DirFS(filepath.Join(p.Home, "profiles", "default", "logs"))); err == nil {
		fmt.Println("logs of the failed run:", target)
	}
}

// Result of a command.
type Result struct {
	Stdout, Stderr string
	Code           int
}

func (p *Platform) env() []string { return append(os.Environ(), "KARGO_HOME="+p.Home, "NO_COLOR=1") }

// Command runs a program with the platform's environment, bounded in time.
func (p *Platform) Command(stdin, name string, env []string, args ...string) Result {
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
	return Result{stdout.String(), stderr.String(), code}
}

// Try runs kargoctl.
func (p *Platform) Try(args ...string) Result { return p.Command("", p.Kargoctl, nil, args...) }

// Must runs kargoctl, which has to succeed, and returns its stdout.
func (p *Platform) Must(t *testing.T, args ...string) string {
	t.Helper()
	r := p.Try(args...)
	if r.Code != 0 {
		t.Fatalf("kargoctl %s: exit code %d\n%s\n%s", strings.Join(args, " "), r.Code, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// MustFail runs kargoctl, which has to fail with this code and say why.
func (p *Platform) MustFail(t *testing.T, code int, why string, args ...string) {
	t.Helper()
	r := p.Try(args...)
	if r.Code != code || !strings.Contains(r.Stderr, why) {
		t.Errorf("kargoctl %s: exit code %d and\n%s\nwant code %d and %q", strings.Join(args, " "), r.Code, r.Stderr, code, why)
	}
}

// Kubectl runs the engine's kubectl against a kubeconfig.
func (p *Platform) Kubectl(kubeconfig string, args ...string) Result {
	return p.Command("", p.Binaries.Kubectl, []string{"KUBECONFIG=" + kubeconfig}, args...)
}

// Management runs kubectl against the management cluster and returns its stdout.
func (p *Platform) Management(t *testing.T, args ...string) string {
	t.Helper()
	r := p.Kubectl(p.Status(t).Addresses.Kubeconfig, args...)
	if r.Code != 0 {
		t.Fatalf("kubectl %s: %s", strings.Join(args, " "), r.Stderr)
	}
	return r.Stdout
}

// Status is what `kargoctl status -o json` prints, as far as the tests read it.
type Status struct {
	Processes []Process `json:"processes"`
	Addresses struct {
		Kubeconfig string `json:"kubeconfig"`
		Git        struct {
			URL         string `json:"url"`
			Credentials string `json:"credentials"`
		} `json:"git"`
		AWSSim string `json:"awssim"`
	} `json:"addresses"`
}

// Process of the platform.
type Process struct {
	Name     string `json:"name"`
	PID      int    `json:"pid"`
	State    string `json:"state"`
	Restarts int    `json:"restarts"`
	Memory   int64  `json:"memory"`
}

// Status is what `kargoctl status -o json` prints.
func (p *Platform) Status(t *testing.T) Status {
	t.Helper()
	var s Status
	Decode(t, p.Must(t, "status", "-o", "json"), &s)
	return s
}

// Cluster is a WorkloadCluster, as far as the tests read it.
type Cluster struct {
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
		Nodes           Count       `json:"nodes"`
		Addons          Count       `json:"addons"`
		Commit          string      `json:"commit"`
		AppliedRevision string      `json:"appliedRevision"`
		Conditions      []Condition `json:"conditions"`
	} `json:"status"`
}

// Count of ready and all.
type Count struct {
	Ready int `json:"ready"`
	Total int `json:"total"`
}

// Condition of a cluster.
type Condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// Condition of the cluster; the zero value if it has none of this type.
func (c Cluster) Condition(conditionType string) Condition {
	for _, x := range c.Status.Conditions {
		if x.Type == conditionType {
			return x
		}
	}
	return Condition{}
}

// Clusters lists all clusters.
func (p *Platform) Clusters(t *testing.T) []Cluster {
	t.Helper()
	var list struct {
		Kind  string    `json:"kind"`
		Items []Cluster `json:"items"`
	}
	Decode(t, p.Must(t, "get", "clusters", "-A", "-o", "json"), &list)
	if list.Kind != "List" && !strings.HasSuffix(list.Kind, "List") {
		t.Errorf("get clusters -o json prints kind %q, want a List", list.Kind)
	}
	return list.Items
}

// Cluster gets one cluster.
func (p *Platform) Cluster(t *testing.T, team, name string) Cluster {
	t.Helper()
	var c Cluster
	Decode(t, p.Must(t, "get", "clusters", name, "-n", team, "-o", "json"), &c)
	return c
}

// Resource is a line of an account's inventory in the simulator.
type Resource struct {
	Service string `json:"service"`
	Type    string `json:"type"`
	ID      string `json:"id"`
	Builtin bool   `json:"builtin"`
}

// Inventory is what exists in an account beyond what it began with.
func (p *Platform) Inventory(t *testing.T, account string) []Resource {
	t.Helper()
	var inv struct {
		Resources []Resource `json:"resources"`
	}
	p.AWSSim(t, "/_awssim/inventory?account="+account, &inv)
	var made []Resource
	for _, r := range inv.Resources {
		if !r.Builtin {
			made = append(made, r)
		}
	}
	return made
}

// NoViolations checks that no call ever touched another account's resources.
func (p *Platform) NoViolations(t *testing.T) {
	t.Helper()
	var v struct {
		Count int               `json:"count"`
		Items []json.RawMessage `json:"items"`
	}
	p.AWSSim(t, "/_awssim/violations", &v)
	if v.Count != 0 || len(v.Items) != 0 {
		t.Errorf("%d calls reached across accounts: %s", v.Count, v.Items)
	}
}

// AWSSim gets a JSON document from the simulator.
func (p *Platform) AWSSim(t *testing.T, path string, into any) {
	t.Helper()
	resp, err := http.Get(p.Status(t).Addresses.AWSSim + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s %s %v", path, resp.Status, body, err)
	}
	Decode(t, string(body), into)
}

// Decode reads JSON, or fails the test.
func Decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("no JSON: %v\n%s", err, text)
	}
}

// Eventually polls check until it returns nil.
func Eventually(t *testing.T, timeout time.Duration, check func() error) {
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

// Kubeconfig writes what `kargoctl kubeconfig` prints into a file.
func (p *Platform) Kubeconfig(t *testing.T, team, name string, flags ...string) string {
	t.Helper()
	text := p.Must(t, append([]string{"kubeconfig", name, "-n", team}, flags...)...)
	if strings.Contains(text, "token:") || strings.Contains(text, "client-key-data") {
		t.Errorf("the kubeconfig of %s holds a secret", name)
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Credential is a test key of an account.
type Credential struct {
	Account string `json:"id"`
	ID      string `json:"accessKeyId"`
	Secret  string `json:"secretAccessKey"`
}

// Credentials are the simulator's test keys by account.
func (p *Platform) Credentials(t *testing.T) map[string]Credential {
	t.Helper()
	var answer struct {
		Accounts []Credential `json:"accounts"`
	}
	p.AWSSim(t, "/_awssim/credentials", &answer)
	out := map[string]Credential{}
	for _, c := range answer.Accounts {
		out[c.Account] = c
	}
	return out
}

// Clone makes a work tree of the fleet repository that may push.
func (p *Platform) Clone(t *testing.T) *Worktree {
	t.Helper()
	git := p.Status(t).Addresses.Git
	w := &Worktree{p: p, Dir: filepath.Join(t.TempDir(), "fleet"), credentials: git.Credentials}
	w.Git(t, "", "clone", "-q", git.URL, w.Dir)
	return w
}

// Worktree of the fleet repository.
type Worktree struct {
	// Dir of the work tree.
	Dir         string
	p           *Platform
	credentials string
}

// Git runs git in a directory with the credential for pushing.
func (w *Worktree) Git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	all := append([]string{"-C", filepath.Clean("/" + dir), "-c", "user.name=E2E", "-c", "user.email=e2e@localhost",
		"-c", "credential.helper=store --file=" + w.credentials}, args...)
	r := w.p.Command("", "git", nil, all...)
	if r.Code != 0 {
		t.Fatalf("git %v: %s", args, r.Stderr)
	}
	return r.Stdout
}

// Replace changes a text in a file, which must be there.
func (w *Worktree) Replace(t *testing.T, file, before, after string) {
	t.Helper()
	path := filepath.Join(w.Dir, file)
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), before) {
		t.Fatalf("%s: %v, no %q in it", file, err, before)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), before, after, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Push commits all and pushes; it returns the commit.
func (w *Worktree) Push(t *testing.T, why string) string {
	t.Helper()
	w.Git(t, w.Dir, "add", "-A")
	w.Git(t, w.Dir, "commit", "-q", "-m", why)
	w.Git(t, w.Dir, "push", "-q", "origin", "main")
	return strings.TrimSpace(w.Git(t, w.Dir, "rev-parse", "HEAD"))
}

// Applied waits until Flux has applied the commit on all clusters and all is Ready.
func (p *Platform) Applied(t *testing.T, commit string, timeout time.Duration) {
	t.Helper()
	Eventually(t, timeout, func() error {
		for _, c := range p.Clusters(t) {
			if !strings.HasSuffix(c.Status.AppliedRevision, commit) || c.Condition("Ready").Status != "True" {
				return fmt.Errorf("%s applied %s, want %s; Ready: %s", c.Metadata.Name, c.Status.AppliedRevision, commit, c.Condition("Ready").Message)
			}
		}
		return nil
	})
}
