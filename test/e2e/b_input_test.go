//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kargo.dev/kargo/test/platform"
)

func TestB_BadInput(t *testing.T) {
	before := len(suite.Clusters(t))
	create := func(flags ...string) []string {
		return append([]string{"create", "cluster", "bad"}, flags...)
	}
	tests := map[string]struct {
		code int
		why  string
		args []string
	}{
		"UnknownTeam":        {1, "shop", create("--team", "shopp", "--account", "shop-lab")},
		"UnknownAccount":     {1, "shop-lab", create("--team", "shop", "--account", "shop-la")},
		"UnknownFlavor":      {1, "standard", create("--team", "shop", "--account", "shop-lab", "--flavor", "standrd")},
		"UnknownVersion":     {1, "1.36", create("--team", "shop", "--account", "shop-lab", "--kubernetes-version", "1.99")},
		"UnknownSetting":     {1, "nodePools.default.maxSize", create("--team", "shop", "--account", "shop-lab", "--set", "nodePools.default.maxSiez=3")},
		"SettingOfWrongType": {1, "nodePools.default.maxSize", create("--team", "shop", "--account", "shop-lab", "--set", "nodePools.default.maxSize=many")},
		"BadName":            {2, "name", []string{"create", "cluster", "Bad_Name", "--team", "shop", "--account", "shop-lab"}},
		"NoTeam":             {2, "team", []string{"create", "cluster", "bad"}},
		"SkippedVersion":     {1, "one minor", []string{"create", "cluster", "shop-nonprod", "--team", "shop", "--account", "shop-nonprod", "--kubernetes-version", "1.36"}},
		"WrongConfirmation":  {2, "shop-prod", []string{"delete", "cluster", "shop-prod", "-n", "shop", "--confirm", "shop-pro"}},
		"TeamName":           {2, "hyphen", []string{"create", "team", "my-team", "--owner", "group:x"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) { suite.MustFail(t, tc.code, tc.why, tc.args...) })
	}
	if after := len(suite.Clusters(t)); after != before {
		t.Errorf("%d clusters after bad input, %d before", after, before)
	}
}

func TestB_ClaimedAccountAndOverlap(t *testing.T) {
	for name, tc := range map[string]struct{ id, cidr, why string }{
		"Claimed": {"111111111111", "10.200.0.0/16", "claimed by account shop-prod of team shop"},
		"Overlap": {"222222222223", "10.16.128.0/17", "overlaps"},
	} {
		t.Run(name, func(t *testing.T) {
			r := suite.Try("create", "account", "bad", "--team", "media", "--id", tc.id, "--environment", "prod", "--region", "eu-central-1", "--cidr", tc.cidr)
			defer suite.Management(t, "delete", "account", "bad", "-n", "media", "--ignore-not-found")
			if r.Code != 1 || !strings.Contains(r.Stderr, tc.why) {
				t.Errorf("exit code %d, want 1 and %q:\n%s%s", r.Code, tc.why, r.Stdout, r.Stderr)
			}
		})
	}
}

// TestB_ClusterAPISamples applies what Cluster API's own quick starts look like.
func TestB_ClusterAPISamples(t *testing.T) {
	kubeconfig := suite.Status(t).Addresses.Kubeconfig
	for name, tc := range map[string]struct{ manifest, why string }{
		"DefaultNamespace": {`{apiVersion: cluster.x-k8s.io/v1beta2, kind: Cluster, metadata: {name: quickstart, namespace: default}, spec: {
			controlPlaneRef: {apiGroup: controlplane.cluster.x-k8s.io, kind: AWSManagedControlPlane, name: quickstart-control-plane},
			infrastructureRef: {apiGroup: infrastructure.cluster.x-k8s.io, kind: AWSManagedCluster, name: quickstart}}}`, "factory namespaces"},
		"FactoryIdentity": {`{apiVersion: controlplane.cluster.x-k8s.io/v1beta2, kind: AWSManagedControlPlane, metadata: {name: quickstart, namespace: a111111111113}, spec: {
			region: eu-central-1, version: v1.34.0}}`, "factory's own identity"},
		"SelfManaged": {`{apiVersion: infrastructure.cluster.x-k8s.io/v1beta2, kind: AWSCluster, metadata: {name: quickstart, namespace: a111111111113}, spec: {region: eu-central-1}}`, "factory's own identity"},
	} {
		t.Run(name, func(t *testing.T) {
			r := suite.Command(tc.manifest, suite.Binaries.Kubectl, []string{"KUBECONFIG=" + kubeconfig}, "create", "-f", "-")
			if r.Code == 0 || !strings.Contains(r.Stderr, tc.why) {
				t.Errorf("exit code %d, want a refusal saying %q:\n%s%s", r.Code, tc.why, r.Stdout, r.Stderr)
			}
		})
	}
}

// TestB_UpAgain: a second `up` of a running platform changes nothing.
func TestB_UpAgain(t *testing.T) {
	before := pids(suite.Status(t))
	suite.Must(t, "up")
	for name, pid := range pids(suite.Status(t)) {
		if before[name] != pid {
			t.Errorf("%s was restarted by a second up", name)
		}
	}
}

func pids(s platform.Status) map[string]int {
	out := map[string]int{}
	for _, p := range s.Processes {
		out[p.Name] = p.PID
	}
	return out
}

func TestB_NoGit(t *testing.T) {
	home := t.TempDir()
	empty := filepath.Join(home, "bin")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	r := suite.Command("", suite.Kargoctl, []string{"KARGO_HOME=" + home, "PATH=" + empty}, "up")
	if r.Code != 1 || !strings.Contains(r.Stderr, "git") {
		t.Errorf("without git: exit code %d\n%s", r.Code, r.Stderr)
	}
}
