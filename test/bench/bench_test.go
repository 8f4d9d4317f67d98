//go:build bench

// Package bench measures the local platform. Every claim about speed is measured
// here, next to what it is compared with, in one run; nothing here fails because
// a machine is slow.
package bench

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"kargo.dev/kargo/test/platform"
)

// Result is one figure.
type Result struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Aim is the figure to reach at most, 0 for none.
	Aim float64 `json:"aim,omitempty"`
}

// Report of a run.
type Report struct {
	CPUs    int      `json:"cpus"`
	Memory  string   `json:"memory"`
	Results []Result `json:"results"`
}

// The spare account shop-lab, and its factory namespace.
const (
	account   = "111111111113"
	namespace = "a" + account
)

// rounds is how often each thing is measured; the median counts.
func rounds(t *testing.T) int {
	t.Helper()
	text := cmp.Or(os.Getenv("KARGO_BENCH_ROUNDS"), "3")
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("KARGO_BENCH_ROUNDS=%s: want a number from 1 on", text)
	}
	return n
}

func median(times []float64) float64 {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)/2]
}

func TestBench(t *testing.T) {
	p, err := platform.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Try("down", "--purge") })
	report := &Report{CPUs: runtime.NumCPU(), Memory: memory(t)}
	add := func(name, unit string, value, aim float64) {
		report.Results = append(report.Results, Result{name, value, unit, aim})
		t.Logf("%s: %.2f %s", name, value, unit)
	}
	if os.Getenv("KARGO_BENCH_COLD") != "" {
		measureCold(t, add)
	}
	add("first up: start, 4 clusters Ready", "s", seconds(func() { p.Must(t, "up") }), 0)
	p.Must(t, "down")
	add("second up: all back and Ready", "s", seconds(func() {
		p.Must(t, "up")
		p.Must(t, "wait", "cluster", "--all", "-A", "--for", "condition=Ready", "--timeout", "5m")
	}), 0)
	measurePush(t, p, add)
	measureCreate(t, p, add)
	measureIdle(t, p, add)
	measureMemory(t, p, add) // last: what the platform has grown to
	write(t, report)
}

func seconds(f func()) float64 {
	start := time.Now()
	f()
	return time.Since(start).Seconds()
}

// measureCold times `make up` in a fresh clone with empty caches, as on a new
// machine whose module cache is filled, and once more when all is built.
func measureCold(t *testing.T, add func(string, string, float64, float64)) {
	clone, cache := filepath.Join(t.TempDir(), "kargo"), t.TempDir()
	run := func(name string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Env = append(os.Environ(), "GOCACHE="+filepath.Join(cache, "go"), "XDG_CACHE_HOME="+cache, "KARGO_HOME="+filepath.Join(cache, "home"), "KUBEBUILDER_ASSETS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	run("git", "clone", "--quiet", "../..", clone)
	t.Cleanup(func() { run("make", "-C", clone, "down", "PURGE=1") })
	add("make up in a fresh clone, nothing built before", "s", seconds(func() { run("make", "-C", clone, "up") }), 0)
	run("make", "-C", clone, "down", "PURGE=1")
	add("make up again from no data, all built", "s", seconds(func() { run("make", "-C", clone, "up") }), 0)
}

// measureMemory adds up proportional set sizes: shared pages count once.
func measureMemory(t *testing.T, p *platform.Platform, add func(string, string, float64, float64)) {
	const mib = 1 << 20
	all, clusters, manager, shared := 0.0, 0.0, 0.0, 0.0
	for _, proc := range p.Status(t).Processes {
		size := float64(proc.Memory) / mib
		all += size
		switch {
		case proc.Name == "eks/etcd":
			shared = size
		case strings.HasPrefix(proc.Name, "eks/"):
			clusters += size
		case proc.Name == "kargo-manager":
			manager = size
		}
	}
	n := float64(len(p.Clusters(t)))
	add("memory per cluster, everything counted", "MiB", (clusters+shared)/n, 700)
	add("memory of kargo-manager", "MiB", manager, 100)
	add("memory of the platform with 4 clusters", "MiB", all, 0)
}

// measureIdle adds up what all processes compute while nothing is asked of them.
func measureIdle(t *testing.T, p *platform.Platform, add func(string, string, float64, float64)) {
	const window = 30 * time.Second
	used := func() (total float64) {
		for _, proc := range p.Status(t).Processes {
			total += cpuSeconds(t, proc.PID)
		}
		return total
	}
	before := used()
	time.Sleep(window) // the window of the measurement
	add("idle, computing with 4 clusters", "cores", (used()-before)/window.Seconds(), 0)
}

// cpuSeconds is the time a process has computed: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html.
func cpuSeconds(t *testing.T, pid int) float64 {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	const ticksPerSecond = 100                                                      // USER_HZ, fixed on Linux
	fields := strings.Fields(string(stat[strings.LastIndex(string(stat), ")")+1:])) // from field 3 on; the name may hold anything
	user, err1 := strconv.ParseFloat(fields[14-3], 64)
	system, err2 := strconv.ParseFloat(fields[15-3], 64)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatalf("process %d: %v", pid, err)
	}
	return (user + system) / ticksPerSecond
}

// measurePush times a push until Flux has applied it on all clusters.
func measurePush(t *testing.T, p *platform.Platform, add func(string, string, float64, float64)) {
	w := p.Clone(t)
	var times []float64
	for i := range rounds(t) {
		w.Replace(t, "addons/external-dns/helmrelease.yaml", fmt.Sprintf("cpu: %dm", 20+i), fmt.Sprintf("cpu: %dm", 21+i))
		commit := w.Push(t, "bench")
		times = append(times, seconds(func() {
			platform.Eventually(t, 2*time.Minute, func() error {
				for _, c := range p.Clusters(t) {
					if !strings.HasSuffix(c.Status.AppliedRevision, commit) {
						return fmt.Errorf("%s is at %s", c.Metadata.Name, c.Status.AppliedRevision)
					}
				}
				return nil
			})
		}))
		p.Must(t, "wait", "cluster", "--all", "-A", "--for", "condition=Ready", "--timeout", "3m")
	}
	add("push to applied on 4 clusters", "s", median(times), 10)
}

// measureCreate times a cluster through KARGO, and the same Cluster API objects
// applied straight to Cluster API by Helm, in turns. Both end at the same sight.
func measureCreate(t *testing.T, p *platform.Platform, add func(string, string, float64, float64)) {
	var nodes, addons, bare []float64
	for range rounds(t) {
		n, a := createWithKARGO(t, p)
		nodes, addons = append(nodes, n), append(addons, a)
		bare = append(bare, createBare(t, p))
	}
	add("create to nodes Ready", "s", median(nodes), 60)
	add("nodes Ready to all add-ons Ready", "s", median(addons)-median(nodes), 45)
	add("the same objects straight to Cluster API, to nodes Ready", "s", median(bare), 0)
	add("KARGO against bare Cluster API, to nodes Ready", "x", median(nodes)/median(bare), 1.05)
}

// readyNodes waits until both nodes of the new cluster are Ready, seen in the
// cluster itself with the kubeconfig that Cluster API keeps for it.
func readyNodes(t *testing.T, p *platform.Platform) {
	t.Helper()
	management := p.Status(t).Addresses.Kubeconfig
	kubeconfig := filepath.Join(t.TempDir(), "bench.kubeconfig")
	platform.Eventually(t, 10*time.Minute, func() error {
		secret := p.Kubectl(management, "get", "secret", "bench-kubeconfig", "-n", namespace, "-o", `go-template={{.data.value | base64decode}}`)
		if secret.Code != 0 {
			return errors.New(secret.Stderr)
		}
		if err := os.WriteFile(kubeconfig, []byte(secret.Stdout), 0o600); err != nil {
			return err
		}
		nodes := p.Kubectl(kubeconfig, "get", "nodes", "-o", `jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}`)
		if nodes.Stdout != "True True" {
			return fmt.Errorf("nodes are Ready: %q %s", nodes.Stdout, nodes.Stderr)
		}
		return nil
	})
}

func createWithKARGO(t *testing.T, p *platform.Platform) (nodes, addons float64) {
	start := time.Now()
	p.Must(t, "create", "cluster", "bench", "--team", "shop", "--account", "shop-lab")
	readyNodes(t, p)
	nodes = time.Since(start).Seconds()
	p.Must(t, "wait", "cluster", "bench", "-n", "shop", "--for", "condition=Ready", "--timeout", "10m")
	addons = time.Since(start).Seconds()
	p.Must(t, "delete", "cluster", "bench", "-n", "shop", "--confirm", "bench", "--wait", "--timeout", "10m")
	return nodes, addons
}

// createBare applies the cluster chart with Helm and waits for the same nodes.
func createBare(t *testing.T, p *platform.Platform) float64 {
	values := filepath.Join(t.TempDir(), "values.yaml")
	text := `cluster: {team: shop, accountID: "` + account + `", environment: nonprod, region: eu-central-1}
kubernetesVersion: "1.34"
network: {cidr: 10.18.0.0/18}
nodePools: {default: {instanceType: m7i.large, minSize: 2, maxSize: 6}}
accessEntries: {administrators: {role: team-admin, policy: AmazonEKSClusterAdminPolicy}}
deletionProtection: false
`
	if err := os.WriteFile(values, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"KUBECONFIG=" + p.Status(t).Addresses.Kubeconfig}
	helm := func(args ...string) {
		t.Helper()
		if r := p.Command("", "../../bin/tools/helm", env, append(args, "-n", namespace)...); r.Code != 0 {
			t.Fatalf("helm %v: %s", args, r.Stderr)
		}
	}
	took := seconds(func() {
		helm("upgrade", "--install", "bench", "../../charts/cluster", "-f", values)
		readyNodes(t, p)
	})
	p.Management(t, "delete", "clusters.cluster.x-k8s.io", "bench", "-n", namespace, "--timeout=10m")
	helm("uninstall", "bench")
	return took
}

func memory(t *testing.T) string {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.Join(strings.Fields(strings.TrimPrefix(line, "MemTotal:")), " ")
}

// write prints the report as a table, and writes it to bench.json.
func write(t *testing.T, report *Report) {
	var table strings.Builder
	fmt.Fprintf(&table, "%d CPUs, %s\n", report.CPUs, report.Memory)
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	for _, r := range report.Results {
		aim := ""
		if r.Aim != 0 {
			aim = fmt.Sprintf("aim: at most %g", r.Aim)
		}
		fmt.Fprintf(w, "%s\t%.2f %s\t%s\n", r.Name, r.Value, r.Unit, aim)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	fmt.Println(table.String())
	data, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("../../bench.json", append(data, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}
