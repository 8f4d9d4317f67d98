//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"kargo.dev/kargo/test/platform"
)

// TestD_KilledProcesses creates a cluster and meanwhile kills the platform's
// processes with SIGKILL, one after the other: those of the management cluster
// and AWS, then those of the new cluster itself. The cluster becomes ready all
// the same, and nothing exists twice in AWS. Those of a cluster that was ready
// before come back too.
func TestD_KilledProcesses(t *testing.T) {
	suite.Must(t, "create", "cluster", "lab", "--team", labTeam, "--account", labAccount)
	ofLab := "eks/" + labID + "/lab/"
	kill(t, "the platform", creating, func(name string) bool { return !strings.HasPrefix(name, "eks/") || name == "eks/etcd" },
		"etcd", "kube-apiserver", "kube-controller-manager", "cluster-api", "cluster-api-provider-aws", "kargo-manager", "awssim", "git",
		"source-controller", "kustomize-controller", "helm-controller", "eks/etcd")
	suite.Must(t, "wait", "cluster", "lab", "-n", labTeam, "--for", "condition=ControlPlaneReady", "--timeout", "10m")
	kill(t, "the new cluster", creating, func(name string) bool { return strings.HasPrefix(name, ofLab) && !strings.Contains(name, "/pods/") },
		ofLab+"kube-apiserver", ofLab+"kube-controller-manager", ofLab+"kube-scheduler", ofLab+"kwok")
	suite.Must(t, "wait", "cluster", "lab", "-n", labTeam, "--for", "condition=Ready", "--timeout", "15m")
	kill(t, "a ready cluster", nil, func(name string) bool { return strings.Contains(name, "/shop-prod/") })
	for kind, want := range map[string]int{"vpc": 1, "nat-gateway": 2, "cluster": 1, "nodegroup": 1, "internet-gateway": 1} {
		if got := resources(t, kind); got != want {
			t.Errorf("%d of %s in the account, want %d", got, kind, want)
		}
	}
	suite.Must(t, "delete", "cluster", "lab", "-n", labTeam, "--confirm", "lab", "--wait", "--timeout", "10m")
	if left := suite.Inventory(t, labID); len(left) != 0 {
		t.Errorf("left behind in the account: %v", left)
	}
	suite.Must(t, "wait", "cluster", "--all", "-A", "--for", "condition=Ready", "--timeout", "5m")
	suite.NoViolations(t)
}

// creating fails when the lab cluster is ready: a kill would not be during its creation.
func creating(t *testing.T, name string) {
	t.Helper()
	platform.Eventually(t, time.Minute, func() error { // the management API may just be coming back
		r := suite.Try("get", "clusters", "lab", "-n", labTeam, "-o", "json")
		if r.Code != 0 {
			return errors.New(r.Stderr)
		}
		var c platform.Cluster
		platform.Decode(t, r.Stdout, &c)
		if c.Condition("Ready").Status == "True" {
			t.Errorf("the cluster was ready before %s was to be killed", name)
		}
		return nil
	})
}

// kill kills the chosen processes one by one and sees each run again; those
// named in want must be among them.
func kill(t *testing.T, what string, before func(*testing.T, string), chosen func(string) bool, want ...string) {
	t.Helper()
	killed := map[string]bool{}
	for _, p := range suite.Status(t).Processes {
		if !chosen(p.Name) {
			continue
		}
		if before != nil {
			before(t, p.Name)
		}
		killed[p.Name] = killAndSeeRestart(t, p)
	}
	t.Logf("killed of %s: %v", what, slices.Sorted(maps.Keys(killed)))
	for _, name := range want {
		if !killed[name] {
			t.Errorf("%s: %s was not killed", what, name)
		}
	}
	if len(killed) == 0 {
		t.Errorf("%s: no process was killed", what)
	}
}

// killAndSeeRestart tells whether it killed the process.
func killAndSeeRestart(t *testing.T, p platform.Process) bool {
	t.Helper()
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
		t.Errorf("%s (pid %d) cannot be killed: %v", p.Name, p.PID, err)
		return false
	}
	platform.Eventually(t, 2*time.Minute, func() error {
		for _, now := range suite.Status(t).Processes {
			if now.Name == p.Name && now.PID != p.PID && now.State == "running" {
				return nil
			}
		}
		return fmt.Errorf("%s does not run again", p.Name)
	})
	return true
}

// TestD_RestartOfThePlatform: everything comes back as it was.
func TestD_RestartOfThePlatform(t *testing.T) {
	before := suite.Clusters(t)
	inventory := fmt.Sprint(suite.Inventory(t, "111111111111"))
	suite.Must(t, "down")
	suite.MustFail(t, 1, "", "status")
	suite.Must(t, "up")
	suite.Must(t, "wait", "cluster", "--all", "-A", "--for", "condition=Ready", "--timeout", "5m")
	after := suite.Clusters(t)
	if len(after) != len(before) {
		t.Fatalf("%d clusters after the restart, %d before", len(after), len(before))
	}
	for i := range before {
		b, a := before[i], after[i]
		if a.Metadata.UID != b.Metadata.UID || a.Status.ControlPlane.Endpoint != b.Status.ControlPlane.Endpoint || a.Status.AppliedRevision != b.Status.AppliedRevision {
			t.Errorf("%s came back as another: %+v, before %+v", b.Metadata.Name, a, b)
		}
	}
	if got := fmt.Sprint(suite.Inventory(t, "111111111111")); got != inventory {
		t.Errorf("the account's inventory changed:\n%s\nbefore\n%s", got, inventory)
	}
	suite.NoViolations(t)
}
