//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"kargo.dev/kargo/test/platform"
)

// TestD_KilledProcesses creates a cluster and meanwhile kills every process of
// the platform with SIGKILL, one after the other: the cluster becomes ready all
// the same, and nothing exists twice in AWS.
func TestD_KilledProcesses(t *testing.T) {
	suite.Must(t, "create", "cluster", "lab", "--team", labTeam, "--account", labAccount)
	killed := map[string]bool{}
	for _, p := range suite.Status(t).Processes {
		// One of each kind: the clusters' processes are alike, and those of one are enough.
		if strings.HasPrefix(p.Name, "eks/") && p.Name != "eks/etcd" && !strings.Contains(p.Name, "/shop-prod/") {
			continue
		}
		killAndSeeRestart(t, p)
		killed[p.Name] = true
	}
	for _, want := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "cluster-api", "kargo-manager", "awssim"} {
		if !containsPrefix(killed, want) {
			t.Errorf("no process %s was killed: %v", want, killed)
		}
	}
	suite.Must(t, "wait", "cluster", "lab", "-n", labTeam, "--for", "condition=Ready", "--timeout", "15m")
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

func containsPrefix(set map[string]bool, prefix string) bool {
	for name := range set {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func killAndSeeRestart(t *testing.T, p platform.Process) {
	t.Helper()
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
		t.Logf("%s (pid %d) had gone already: %v", p.Name, p.PID, err)
		return
	}
	platform.Eventually(t, 2*time.Minute, func() error {
		for _, now := range suite.Status(t).Processes {
			if now.Name == p.Name && now.PID != p.PID && now.State == "running" {
				return nil
			}
		}
		return fmt.Errorf("%s does not run again", p.Name)
	})
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
