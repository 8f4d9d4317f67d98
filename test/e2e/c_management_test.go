//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kargo.dev/kargo/test/platform"
)

// declaredCluster is management/lab.yaml; it ends in the spec, so that a line may be added.
const declaredCluster = `apiVersion: kargo.dev/v1alpha1
kind: WorkloadCluster
metadata: {name: lab, namespace: shop}
spec:
  accountRef: {name: shop-lab}
  flavor: standard
  branch: main
`

const declaredTeam = `apiVersion: kargo.dev/v1alpha1
kind: Team
metadata: {name: fromgit}
spec:
  owners:
    - {kind: Group, name: fromgit-owners}
`

// TestC_ManagementAsCode creates and deletes a cluster and a team by merges to
// management/ of the fleet repository. Taking a protected cluster out of Git
// does not delete it: Flux's pruning is refused, its Kustomization says so, and
// all else in the same merge is applied. Only a merge that switches the
// protection off, and another that takes the cluster out, delete it.
func TestC_ManagementAsCode(t *testing.T) {
	w := suite.Clone(t)
	kustomization, err := os.ReadFile(filepath.Join(w.Dir, "management", "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// declare merges a management/ of the files it had and these.
	declare := func(t *testing.T, why string, files map[string]string) (commit string) {
		t.Helper()
		list := string(kustomization)
		for _, name := range []string{"lab.yaml", "fromgit.yaml"} {
			path := filepath.Join(w.Dir, "management", name)
			_ = os.Remove(path) // it may not be there
			if text := files[name]; text != "" {
				list += "  - " + name + "\n"
				write(t, path, text)
			}
		}
		write(t, filepath.Join(w.Dir, "management", "kustomization.yaml"), list)
		return w.Push(t, why)
	}
	t.Run("Create", func(t *testing.T) {
		declare(t, "a cluster", map[string]string{"lab.yaml": declaredCluster})
		createdFromGit(t)
	})
	t.Run("TakenOutWhileProtected", func(t *testing.T) {
		declare(t, "no cluster, but a team", map[string]string{"fromgit.yaml": declaredTeam})
		keptAlthoughTakenOut(t)
	})
	t.Run("Unprotected", func(t *testing.T) {
		commit := declare(t, "the cluster may be deleted; no team", map[string]string{"lab.yaml": declaredCluster + "  deletionProtection: false\n"})
		management(t, "True", commit)
		if got := suite.Management(t, "get", "workloadcluster", "lab", "-n", labTeam, "-o", "jsonpath={.spec.deletionProtection}"); got != "false" {
			t.Errorf("deletionProtection is %q after the merge", got)
		}
		platform.Eventually(t, time.Minute, func() error {
			if r := suite.Try("get", "teams", "fromgit"); r.Code == 0 {
				return fmt.Errorf("the team, which nothing protects, is still there: %s", r.Stdout)
			}
			return nil
		})
	})
	t.Run("TakenOut", func(t *testing.T) {
		commit := declare(t, "no cluster", nil)
		management(t, "True", commit)
		suite.Must(t, "wait", "cluster", "lab", "-n", labTeam, "--for", "delete", "--timeout", "10m")
		if left := suite.Inventory(t, labID); len(left) != 0 {
			t.Errorf("left behind in the account: %v", left)
		}
		suite.Applied(t, commit, 3*time.Minute)
	})
	suite.NoViolations(t)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func createdFromGit(t *testing.T) {
	platform.Eventually(t, time.Minute, func() error {
		if r := suite.Try("get", "clusters", "lab", "-n", labTeam); r.Code != 0 {
			return fmt.Errorf("the push made no cluster: %s", r.Stderr)
		}
		return nil
	})
	suite.Must(t, "wait", "cluster", "lab", "-n", labTeam, "--for", "condition=Ready", "--timeout", "10m")
	if c := suite.Cluster(t, labTeam, "lab"); c.Status.AccountID != labID || c.Status.Nodes != (platform.Count{Ready: 2, Total: 2}) {
		t.Errorf("the cluster from Git: %+v", c.Status)
	}
	suite.MustFail(t, 1, "declared in Git", "create", "cluster", "lab", "--team", labTeam, "--account", labAccount, "--set", "nodePools.default.size=3")
	suite.MustFail(t, 1, "declared in Git", "delete", "cluster", "lab", "-n", labTeam, "--confirm", "lab")
}

func keptAlthoughTakenOut(t *testing.T) {
	management(t, "False", "cluster lab is protected from deletion")
	platform.Eventually(t, time.Minute, func() error {
		if r := suite.Try("get", "teams", "fromgit"); r.Code != 0 || !strings.Contains(r.Stdout, "True") {
			return fmt.Errorf("the team of the same merge: %s%s", r.Stdout, r.Stderr)
		}
		return nil
	})
	if got := suite.Management(t, "get", "workloadcluster", "lab", "-n", labTeam, "-o", "jsonpath={.metadata.deletionTimestamp}"); got != "" {
		t.Errorf("the protected cluster is being deleted since %s", got)
	}
	suite.Must(t, "wait", "cluster", "lab", "-n", labTeam, "--for", "condition=Ready", "--timeout", "3m") // the push moved it to another commit
}

// management waits until the Kustomization of management/ has this condition Ready.
func management(t *testing.T, status, message string) {
	t.Helper()
	platform.Eventually(t, 2*time.Minute, func() error {
		var ready platform.Condition
		platform.Decode(t, suite.Management(t, "get", "kustomizations.kustomize.toolkit.fluxcd.io", "management", "-n", "flux-system",
			"-o", `jsonpath={.status.conditions[?(@.type=="Ready")]}`), &ready)
		if ready.Status != status || !strings.Contains(ready.Message, message) {
			return fmt.Errorf("want Ready=%s with %q: %+v", status, message, ready)
		}
		return nil
	})
}
