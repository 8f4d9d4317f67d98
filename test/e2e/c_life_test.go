//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	labTeam    = "shop"
	labAccount = "shop-lab"
	labID      = "111111111113"
)

// TestC_LifeOfACluster creates a fifth cluster with one command, changes it,
// upgrades it and deletes it: the account is as empty as it was.
func TestC_LifeOfACluster(t *testing.T) {
	if left := suite.inventory(t, labID); len(left) != 0 {
		t.Fatalf("account %s is not empty before: %v", labID, left)
	}
	ok := t.Run("Create", func(t *testing.T) { createLab(t) }) &&
		t.Run("CreateAgainSaysSo", func(t *testing.T) { createAgain(t) }) &&
		t.Run("Scale", func(t *testing.T) { scaleLab(t) }) &&
		t.Run("Upgrade", func(t *testing.T) { upgradeLab(t) }) &&
		t.Run("ProtectedByAnyRoute", func(t *testing.T) { deleteProtected(t) })
	if !ok {
		t.Log("deleting what the failed test left")
	}
	t.Run("Delete", func(t *testing.T) { deleteLab(t) })
	suite.noViolations(t)
}

func createLab(t *testing.T) {
	r := suite.try("create", "cluster", "lab", "--team", labTeam, "--account", labAccount, "--wait", "--timeout", "10m")
	if r.code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	at := -1
	for _, phase := range []string{"network", "control plane", "nodes", "flux", "add-ons"} {
		i := strings.Index(strings.ToLower(r.stderr), phase)
		if i < 0 {
			t.Errorf("progress does not tell of %s:\n%s", phase, r.stderr)
		}
		at = max(at, i)
	}
	c := suite.cluster(t, labTeam, "lab")
	if c.condition("Ready").Status != "True" || c.Status.AccountID != labID {
		t.Errorf("after --wait: %+v", c.Status)
	}
	if n := suite.resources(t, "vpc"); n != 1 {
		t.Errorf("%d VPCs in the account, want 1", n)
	}
}

// resources counts what the lab account has of a type.
func (p *platform) resources(t *testing.T, kind string) int {
	t.Helper()
	n := 0
	for _, r := range p.inventory(t, labID) {
		if r.Type == kind {
			n++
		}
	}
	return n
}

func createAgain(t *testing.T) {
	r := suite.try("create", "cluster", "lab", "--team", labTeam, "--account", labAccount)
	if r.code != 0 || !strings.Contains(r.stdout+r.stderr, "unchanged") {
		t.Errorf("creating what exists: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

func scaleLab(t *testing.T) {
	suite.must(t, "create", "cluster", "lab", "--team", labTeam, "--account", labAccount, "--set", "nodePools.default.size=3", "--wait", "--timeout", "5m")
	c := suite.cluster(t, labTeam, "lab")
	if c.Status.Nodes != (count{3, 3}) {
		t.Errorf("nodes %+v after scaling to 3", c.Status.Nodes)
	}
	r := suite.kubectl(suite.kubeconfig(t, labTeam, "lab"), "get", "nodes", "--no-headers")
	if n := strings.Count(r.stdout, " Ready "); n != 3 {
		t.Errorf("%d nodes Ready in the cluster, want 3:\n%s%s", n, r.stdout, r.stderr)
	}
}

// upgradeLab goes one minor up, and checks in the record of AWS calls that the
// control plane went before the nodes.
func upgradeLab(t *testing.T) {
	suite.must(t, "create", "cluster", "lab", "--team", labTeam, "--account", labAccount, "--kubernetes-version", "1.35", "--wait", "--timeout", "10m")
	c := suite.cluster(t, labTeam, "lab")
	if c.Status.ControlPlane.Version != "1.35" || len(c.Status.NodePools) != 1 || c.Status.NodePools[0].Version != "1.35" {
		t.Errorf("after the upgrade: control plane %s, pools %+v", c.Status.ControlPlane.Version, c.Status.NodePools)
	}
	if got := suite.cluster(t, labTeam, "lab").Status.Nodes; got != (count{3, 3}) {
		t.Errorf("nodes %+v after the upgrade: the size set before was lost", got)
	}
	var calls struct {
		Items []struct {
			Operation string `json:"operation"`
			Code      string `json:"code"`
		} `json:"items"`
	}
	suite.awssim(t, "/_awssim/calls?service=eks&account="+labID, &calls)
	var order []string
	for _, call := range calls.Items {
		if call.Operation == "UpdateClusterVersion" || call.Operation == "UpdateNodegroupVersion" {
			order = append(order, call.Operation)
		}
	}
	if len(order) < 2 || order[0] != "UpdateClusterVersion" || slices.Contains(order[1:], "UpdateClusterVersion") {
		t.Errorf("order of upgrades: %v", order)
	}
}

func deleteProtected(t *testing.T) {
	kubeconfig := suite.status(t).Addresses.Kubeconfig
	for _, args := range [][]string{
		{"delete", "workloadcluster", "lab", "-n", labTeam}, {"delete", "cluster.cluster.x-k8s.io", "lab", "-n", "a" + labID},
		{"delete", "namespace", labTeam}, {"delete", "namespace", "a" + labID},
	} {
		if r := suite.kubectl(kubeconfig, append(args, "--wait=false")...); r.code == 0 || !strings.Contains(r.stderr, "protected from deletion") {
			t.Errorf("kubectl %v: %s%s", args, r.stdout, r.stderr)
		}
	}
}

func deleteLab(t *testing.T) {
	suite.must(t, "delete", "cluster", "lab", "-n", labTeam, "--confirm", "lab", "--wait", "--timeout", "10m")
	if left := suite.inventory(t, labID); len(left) != 0 {
		t.Errorf("left behind in the account: %v", left)
	}
	r := suite.try("get", "clusters", "lab", "-n", labTeam)
	if r.code != 1 {
		t.Errorf("a deleted cluster is still listed: %s", r.stdout)
	}
	left := suite.management(t, "get", "clusters.cluster.x-k8s.io,machinepools.cluster.x-k8s.io,awsmanagedcontrolplanes,awsmanagedmachinepools,secrets", "-n", "a"+labID, "-o", "name")
	if left != "" {
		t.Errorf("left behind in the factory namespace: %s", left)
	}
}

// clone makes a work tree of the fleet repository that may push.
func (p *platform) clone(t *testing.T) *worktree {
	t.Helper()
	git := p.status(t).Addresses.Git
	w := &worktree{p: p, dir: filepath.Join(t.TempDir(), "fleet"), credentials: git.Credentials}
	w.git(t, "", "clone", "-q", git.URL, w.dir)
	return w
}

// worktree of the fleet repository.
type worktree struct {
	p                *platform
	dir, credentials string
}

func (w *worktree) git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	all := append([]string{"-C", filepath.Clean("/" + dir), "-c", "user.name=E2E", "-c", "user.email=e2e@localhost",
		"-c", "credential.helper=store --file=" + w.credentials}, args...)
	r := w.p.command("", "git", nil, all...)
	if r.code != 0 {
		t.Fatalf("git %v: %s", args, r.stderr)
	}
	return r.stdout
}

// replace changes a text in a file, which must be there.
func (w *worktree) replace(t *testing.T, file, before, after string) {
	t.Helper()
	path := filepath.Join(w.dir, file)
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), before) {
		t.Fatalf("%s: %v, no %q in it", file, err, before)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), before, after, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// push commits all and pushes; it returns the commit.
func (w *worktree) push(t *testing.T, why string) string {
	t.Helper()
	w.git(t, w.dir, "add", "-A")
	w.git(t, w.dir, "commit", "-q", "-m", why)
	w.git(t, w.dir, "push", "-q", "origin", "main")
	return strings.TrimSpace(w.git(t, w.dir, "rev-parse", "HEAD"))
}

// applied waits until Flux has applied the commit on all clusters and all is Ready.
func (p *platform) applied(t *testing.T, commit string, timeout time.Duration) {
	t.Helper()
	eventually(t, timeout, func() error {
		for _, c := range p.clusters(t) {
			if !strings.HasSuffix(c.Status.AppliedRevision, commit) || c.condition("Ready").Status != "True" {
				return fmt.Errorf("%s applied %s, want %s; Ready: %s", c.Metadata.Name, c.Status.AppliedRevision, commit, c.condition("Ready").Message)
			}
		}
		return nil
	})
}

func TestC_PushReachesAllClusters(t *testing.T) {
	w := suite.clone(t)
	w.replace(t, "environments/nonprod/settings.yaml", "dnsZone: nonprod.example.internal", "dnsZone: pushed.example.internal")
	w.replace(t, "addons/external-dns/helmrelease.yaml", "cpu: 20m", "cpu: 21m")
	commit := w.push(t, "external-dns: more CPU, another zone in nonprod")
	suite.applied(t, commit, 3*time.Minute)
	for team, name := range map[string]string{"shop": "shop-nonprod", "media": "media-prod"} {
		r := suite.kubectl(suite.kubeconfig(t, team, name), "get", "deployment", "external-dns", "-n", "external-dns", "-o", "yaml")
		if !strings.Contains(r.stdout, "cpu: 21m") {
			t.Errorf("%s: the add-on did not change: %s", name, r.stderr)
		}
		if changed := strings.Contains(r.stdout, "pushed.example.internal"); changed != strings.HasSuffix(name, "-nonprod") {
			t.Errorf("%s: the setting of nonprod is there: %v", name, changed)
		}
	}
	w.git(t, w.dir, "revert", "--no-edit", "HEAD")
	w.git(t, w.dir, "push", "-q", "origin", "main")
	suite.applied(t, strings.TrimSpace(w.git(t, w.dir, "rev-parse", "HEAD")), 3*time.Minute)
}

func TestC_BrokenRepository(t *testing.T) {
	good := suite.cluster(t, "shop", "shop-prod").Status.AppliedRevision
	w := suite.clone(t)
	w.replace(t, "flavors/standard/flavor.yaml", "minSize: 2", "minSize: {two: [")
	w.push(t, "a mistake")
	eventually(t, time.Minute, func() error {
		c := suite.cluster(t, "shop", "shop-prod")
		if r := c.condition("Resolved"); r.Status != "False" || r.Reason != "FleetUnreadable" || !strings.Contains(r.Message, "flavors/standard/flavor.yaml") {
			return fmt.Errorf("Resolved is %+v", r)
		}
		return nil
	})
	c := suite.cluster(t, "shop", "shop-prod")
	if c.Status.AppliedRevision != good || c.Status.Nodes != (count{2, 2}) {
		t.Errorf("the broken repository changed the cluster: %s, nodes %+v", c.Status.AppliedRevision, c.Status.Nodes)
	}
	w.git(t, w.dir, "revert", "--no-edit", "HEAD")
	w.git(t, w.dir, "push", "-q", "origin", "main")
	suite.applied(t, strings.TrimSpace(w.git(t, w.dir, "rev-parse", "HEAD")), 2*time.Minute)
}

func TestC_PushNeedsTheCredential(t *testing.T) {
	w := suite.clone(t)
	w.git(t, w.dir, "commit", "-q", "--allow-empty", "-m", "nobody")
	r := suite.command("", "git", []string{"GIT_TERMINAL_PROMPT=0"}, "-C", w.dir, "-c", "credential.helper=", "push", "-q", "origin", "main")
	if r.code == 0 {
		t.Error("pushing without a credential succeeded")
	}
}

// TestC_ClusterAsCode creates a team with a merge to management/.
func TestC_TeamAsCode(t *testing.T) {
	w := suite.clone(t)
	team := "apiVersion: kargo.dev/v1alpha1\nkind: Team\nmetadata:\n  name: fromgit\nspec:\n  owners:\n    - {kind: Group, name: fromgit-owners}\n"
	if err := os.WriteFile(filepath.Join(w.dir, "management", "fromgit.yaml"), []byte(team), 0o600); err != nil {
		t.Fatal(err)
	}
	w.replace(t, "management/kustomization.yaml", "resources:", "resources:\n  - fromgit.yaml")
	w.push(t, "a new team")
	eventually(t, time.Minute, func() error {
		if r := suite.try("get", "teams", "fromgit"); r.code != 0 || !strings.Contains(r.stdout, "True") {
			return fmt.Errorf("%s%s", r.stdout, r.stderr)
		}
		return nil
	})
	w.git(t, w.dir, "revert", "--no-edit", "HEAD")
	w.git(t, w.dir, "push", "-q", "origin", "main")
	eventually(t, 2*time.Minute, func() error {
		if r := suite.try("get", "teams", "fromgit"); r.code == 0 {
			return fmt.Errorf("still there: %s", r.stdout)
		}
		return nil
	})
}
