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

// TestE_PackagedRoute makes a bare cluster with Helm, without KARGO's API, and
// takes it over with kargoctl adopt.
func TestE_PackagedRoute(t *testing.T) {
	helm, err := filepath.Abs("../../bin/tools/helm")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(helm); err != nil {
		t.Skip("SKIPPED: no bin/tools/helm; `make test-e2e` builds it")
	}
	values := filepath.Join(t.TempDir(), "values.yaml")
	text := `cluster: {team: shop, accountID: "111111111113", environment: nonprod, region: eu-central-1}
network: {cidr: 10.18.0.0/18}
nodePools: {default: {instanceType: m7i.large, minSize: 2, maxSize: 3}}
accessEntries: {administrators: {role: team-admin, policy: AmazonEKSClusterAdminPolicy}}
`
	if err := os.WriteFile(values, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"KUBECONFIG=" + suite.Status(t).Addresses.Kubeconfig}
	r := suite.Command("", helm, env, "upgrade", "--install", "bare", "../../charts/cluster", "-f", values, "-n", "a"+labID)
	if r.Code != 0 {
		t.Fatalf("helm: %s%s", r.Stdout, r.Stderr)
	}
	suite.MustFail(t, 1, "adopt", "create", "cluster", "bare", "--team", labTeam, "--account", labAccount)
	suite.Management(t, "patch", "workloadcluster", "bare", "-n", labTeam, "--type=merge", "-p", `{"spec":{"deletionProtection":false}}`)
	suite.Management(t, "delete", "workloadcluster", "bare", "-n", labTeam, "--wait=true", "--timeout=30s")
	if got := suite.Management(t, "get", "clusters.cluster.x-k8s.io", "bare", "-n", "a"+labID, "-o", "name"); got == "" {
		t.Fatal("deleting a WorkloadCluster that never took over the bare cluster deleted it")
	}
	suite.Must(t, "adopt", "cluster", "bare", "--team", labTeam, "--account", labAccount)
	suite.Must(t, "wait", "cluster", "bare", "-n", labTeam, "--for", "condition=Ready", "--timeout", "10m")
	platform.Eventually(t, time.Minute, func() error {
		owner := suite.Management(t, "get", "cluster.cluster.x-k8s.io", "bare", "-n", "a"+labID, "-o", "yaml")
		if strings.Contains(owner, "meta.helm.sh") {
			return fmt.Errorf("still Helm's: %s", owner)
		}
		return nil
	})
	suite.Must(t, "delete", "cluster", "bare", "-n", labTeam, "--confirm", "bare", "--wait", "--timeout", "10m")
	if left := suite.Inventory(t, labID); len(left) != 0 {
		t.Errorf("left behind in the account: %v", left)
	}
}
