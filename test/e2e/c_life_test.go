//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kargo.dev/kargo/test/platform"
)

const (
	labTeam    = "shop"
	labAccount = "shop-lab"
	labID      = "111111111113"
)

// TestC_LifeOfACluster creates a fifth cluster with one command, changes it,
// upgrades it and deletes it: the account is as empty as it was.
func TestC_LifeOfACluster(t *testing.T) {
	if left := suite.Inventory(t, labID); len(left) != 0 {
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
	suite.NoViolations(t)
}

func createLab(t *testing.T) {
	r := suite.Try("create", "cluster", "lab", "--team", labTeam, "--account", labAccount, "--wait", "--timeout", "10m")
	if r.Code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", r.Code, r.Stdout, r.Stderr)
	}
	for _, phase := range []string{"network", "control plane", "nodes", "flux", "add-ons"} {
		if !strings.Contains(strings.ToLower(r.Stderr), phase) {
			t.Errorf("progress does not tell of %s:\n%s", phase, r.Stderr)
		}
	}
	c := suite.Cluster(t, labTeam, "lab")
	if c.Condition("Ready").Status != "True" || c.Status.AccountID != labID {
		t.Errorf("after --wait: %+v", c.Status)
	}
	if n := resources(t, "vpc"); n != 1 {
		t.Errorf("%d VPCs in the account, want 1", n)
	}
}

// resources counts what the lab account has of a type.
func resources(t *testing.T, kind string) int {
	t.Helper()
	n := 0
	for _, r := range suite.Inventory(t, labID) {
		if r.Type == kind {
			n++
		}
	}
	return n
}

func createAgain(t *testing.T) {
	r := suite.Try("create", "cluster", "lab", "--team", labTeam, "--account", labAccount)
	if r.Code != 0 || !strings.Contains(r.Stdout+r.Stderr, "unchanged") {
		t.Errorf("creating what exists: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

func scaleLab(t *testing.T) {
	suite.Must(t, "create", "cluster", "lab", "--team", labTeam, "--account", labAccount, "--set", "nodePools.default.size=3", "--wait", "--timeout", "5m")
	c := suite.Cluster(t, labTeam, "lab")
	if c.Status.Nodes != (platform.Count{Ready: 3, Total: 3}) {
		t.Errorf("nodes %+v after scaling to 3", c.Status.Nodes)
	}
	r := suite.Kubectl(suite.Kubeconfig(t, labTeam, "lab"), "get", "nodes", "--no-headers")
	if n := strings.Count(r.Stdout, " Ready "); n != 3 {
		t.Errorf("%d nodes Ready in the cluster, want 3:\n%s%s", n, r.Stdout, r.Stderr)
	}
}

// upgradeLab goes one minor up, and checks in the record of AWS calls that the
// control plane went before the nodes.
func upgradeLab(t *testing.T) {
	suite.Must(t, "create", "cluster", "lab", "--team", labTeam, "--account", labAccount, "--kubernetes-version", "1.35", "--wait", "--timeout", "10m")
	c := suite.Cluster(t, labTeam, "lab")
	if c.Status.ControlPlane.Version != "1.35" || len(c.Status.NodePools) != 1 || c.Status.NodePools[0].Version != "1.35" {
		t.Errorf("after the upgrade: control plane %s, pools %+v", c.Status.ControlPlane.Version, c.Status.NodePools)
	}
	if got := suite.Cluster(t, labTeam, "lab").Status.Nodes; got != (platform.Count{Ready: 3, Total: 3}) {
		t.Errorf("nodes %+v after the upgrade: the size set before was lost", got)
	}
	var calls struct {
		Items []struct {
			Operation string `json:"operation"`
			Code      string `json:"code"`
		} `json:"items"`
	}
	suite.AWSSim(t, "/_awssim/calls?service=eks&account="+labID, &calls)
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
	kubeconfig := suite.Status(t).Addresses.Kubeconfig
	for _, args := range [][]string{
		{"delete", "workloadcluster", "lab", "-n", labTeam}, {"delete", "cluster.cluster.x-k8s.io", "lab", "-n", "a" + labID},
		{"delete", "namespace", labTeam}, {"delete", "namespace", "a" + labID},
	} {
		if r := suite.Kubectl(kubeconfig, append(args, "--wait=false")...); r.Code == 0 || !strings.Contains(r.Stderr, "protected from deletion") {
			t.Errorf("kubectl %v: %s%s", args, r.Stdout, r.Stderr)
		}
	}
}

func deleteLab(t *testing.T) {
	suite.Must(t, "delete", "cluster", "lab", "-n", labTeam, "--confirm", "lab", "--wait", "--timeout", "10m")
	if left := suite.Inventory(t, labID); len(left) != 0 {
		t.Errorf("left behind in the account: %v", left)
	}
	r := suite.Try("get", "clusters", "lab", "-n", labTeam)
	if r.Code != 1 {
		t.Errorf("a deleted cluster is still listed: %s", r.Stdout)
	}
	left := suite.Management(t, "get", "clusters.cluster.x-k8s.io,machinepools.cluster.x-k8s.io,awsmanagedcontrolplanes,awsmanagedmachinepools,secrets", "-n", "a"+labID, "-o", "name")
	if left != "" {
		t.Errorf("left behind in the factory namespace: %s", left)
	}
}

func TestC_PushReachesAllClusters(t *testing.T) {
	w := suite.Clone(t)
	w.Replace(t, "environments/nonprod/settings.yaml", "dnsZone: nonprod.example.internal", "dnsZone: pushed.example.internal")
	w.Replace(t, "addons/external-dns/helmrelease.yaml", "cpu: 20m", "cpu: 21m")
	commit := w.Push(t, "external-dns: more CPU, another zone in nonprod")
	suite.Applied(t, commit, 3*time.Minute)
	for team, name := range map[string]string{"shop": "shop-nonprod", "media": "media-prod"} {
		r := suite.Kubectl(suite.Kubeconfig(t, team, name), "get", "deployment", "external-dns", "-n", "external-dns", "-o", "yaml")
		if !strings.Contains(r.Stdout, "cpu: 21m") {
			t.Errorf("%s: the add-on did not change: %s", name, r.Stderr)
		}
		if changed := strings.Contains(r.Stdout, "pushed.example.internal"); changed != strings.HasSuffix(name, "-nonprod") {
			t.Errorf("%s: the setting of nonprod is there: %v", name, changed)
		}
	}
	w.Git(t, w.Dir, "revert", "--no-edit", "HEAD")
	w.Git(t, w.Dir, "push", "-q", "origin", "main")
	suite.Applied(t, strings.TrimSpace(w.Git(t, w.Dir, "rev-parse", "HEAD")), 3*time.Minute)
}

func TestC_BrokenRepository(t *testing.T) {
	good := suite.Cluster(t, "shop", "shop-prod").Status.AppliedRevision
	w := suite.Clone(t)
	w.Replace(t, "flavors/standard/flavor.yaml", "minSize: 2", "minSize: {two: [")
	w.Push(t, "a mistake")
	platform.Eventually(t, time.Minute, func() error {
		c := suite.Cluster(t, "shop", "shop-prod")
		if r := c.Condition("Resolved"); r.Status != "False" || r.Reason != "FleetUnreadable" || !strings.Contains(r.Message, "flavors/standard/flavor.yaml") {
			return fmt.Errorf("Resolved is %+v", r)
		}
		return nil
	})
	c := suite.Cluster(t, "shop", "shop-prod")
	if c.Status.AppliedRevision != good || c.Status.Nodes != (platform.Count{Ready: 2, Total: 2}) {
		t.Errorf("the broken repository changed the cluster: %s, nodes %+v", c.Status.AppliedRevision, c.Status.Nodes)
	}
	w.Git(t, w.Dir, "revert", "--no-edit", "HEAD")
	w.Git(t, w.Dir, "push", "-q", "origin", "main")
	suite.Applied(t, strings.TrimSpace(w.Git(t, w.Dir, "rev-parse", "HEAD")), 2*time.Minute)
}

func TestC_PushNeedsTheCredential(t *testing.T) {
	w := suite.Clone(t)
	w.Git(t, w.Dir, "commit", "-q", "--allow-empty", "-m", "nobody")
	r := suite.Command("", "git", []string{"GIT_TERMINAL_PROMPT=0"}, "-C", w.Dir, "-c", "credential.helper=", "push", "-q", "origin", "main")
	if r.Code == 0 {
		t.Error("pushing without a credential succeeded")
	}
}
