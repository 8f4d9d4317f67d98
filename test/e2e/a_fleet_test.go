//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestA_FleetIsUp(t *testing.T) {
	want := map[string]string{
		"shop/shop-prod": "111111111111", "shop/shop-nonprod": "111111111112",
		"media/media-prod": "222222222221", "media/media-nonprod": "222222222222",
	}
	clusters := suite.clusters(t)
	if len(clusters) != len(want) {
		t.Fatalf("%d clusters, want %d", len(clusters), len(want))
	}
	for _, c := range clusters {
		name := c.Metadata.Namespace + "/" + c.Metadata.Name
		if c.condition("Ready").Status != "True" {
			t.Errorf("%s: Ready is %+v", name, c.condition("Ready"))
		}
		s := c.Status
		if s.AccountID != want[name] || !strings.HasPrefix(s.ControlPlane.Endpoint, "https://127.0.0.1:") || s.ControlPlane.Version != "1.34" {
			t.Errorf("%s: account %s, endpoint %s, version %s", name, s.AccountID, s.ControlPlane.Endpoint, s.ControlPlane.Version)
		}
		if s.Commit == "" || !strings.HasSuffix(s.AppliedRevision, s.Commit) {
			t.Errorf("%s: Flux applied %q, want commit %q", name, s.AppliedRevision, s.Commit)
		}
		if s.Nodes != (count{2, 2}) || s.Addons.Ready != s.Addons.Total || s.Addons.Total < 6 {
			t.Errorf("%s: nodes %+v, add-ons %+v", name, s.Nodes, s.Addons)
		}
	}
	suite.noViolations(t)
}

func TestA_OutputFormats(t *testing.T) {
	if got := suite.must(t, "get", "clusters", "-n", "shop", "-o", "name"); !strings.Contains(got, "/shop-prod") {
		t.Errorf("-o name: %q", got)
	}
	table := suite.must(t, "get", "clusters", "-o", "wide")
	for _, want := range []string{"NAME", "VERSION", "shop-prod", "media-nonprod", "1.34", "https://"} {
		if !strings.Contains(table, want) {
			t.Errorf("-o wide lacks %q:\n%s", want, table)
		}
	}
	tree := suite.must(t, "describe", "cluster", "shop-prod", "-n", "shop")
	for _, want := range []string{"AWSManagedControlPlane", "MachinePool", "HelmRelease", "Kustomization"} {
		if !strings.Contains(tree, want) {
			t.Errorf("describe lacks %q:\n%s", want, tree)
		}
	}
	suite.must(t, "wait", "cluster", "shop-prod", "-n", "shop", "--for", "condition=Ready", "--timeout", "10s")
	suite.mustFail(t, 3, "", "wait", "cluster", "shop-prod", "-n", "shop", "--for", "version=1.36", "--timeout", "1s")
}

// TestA_EKSVersion: Helm's kubeVersion checks see the version EKS would say.
func TestA_EKSVersion(t *testing.T) {
	r := suite.kubectl(suite.kubeconfig(t, "shop", "shop-prod", "--admin"), "get", "--raw", "/version")
	if r.code != 0 || !strings.Contains(r.stdout, `"gitVersion": "v1.34`) || !strings.Contains(r.stdout, "-eks-") {
		t.Errorf("/version: %s %s", r.stdout, r.stderr)
	}
}

// kubeconfig writes what `kargoctl kubeconfig` prints into a file.
func (p *platform) kubeconfig(t *testing.T, team, name string, flags ...string) string {
	t.Helper()
	text := p.must(t, append([]string{"kubeconfig", name, "-n", team}, flags...)...)
	if strings.Contains(text, "token:") || strings.Contains(text, "client-key-data") {
		t.Errorf("the kubeconfig of %s holds a secret", name)
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestA_Kubeconfig(t *testing.T) {
	viewer := suite.kubeconfig(t, "shop", "shop-prod")
	if r := suite.kubectl(viewer, "get", "nodes,helmreleases", "-A"); r.code != 0 {
		t.Errorf("a viewer cannot look: %s", r.stderr)
	}
	if r := suite.kubectl(viewer, "create", "namespace", "x"); r.code == 0 || !strings.Contains(r.stderr, "forbidden") {
		t.Errorf("a viewer may create: %s", r.stdout)
	}
	if r := suite.kubectl(viewer, "get", "secrets", "-A"); r.code == 0 {
		t.Error("a viewer may read Secrets")
	}
	admin := suite.kubeconfig(t, "shop", "shop-prod", "--admin")
	if r := suite.kubectl(admin, "create", "namespace", "mine"); r.code != 0 {
		t.Errorf("an administrator cannot create: %s", r.stderr)
	}
	if r := suite.kubectl(admin, "delete", "namespace", "mine", "--wait=false"); r.code != 0 {
		t.Errorf("an administrator cannot delete: %s", r.stderr)
	}
}

// TestA_OtherTeamsCluster takes one team's credentials to another team's cluster.
func TestA_OtherTeamsCluster(t *testing.T) {
	media := suite.kubeconfig(t, "media", "media-prod", "--admin")
	endpoint := suite.cluster(t, "shop", "shop-prod").Status.ControlPlane.Endpoint
	r := suite.kubectl(media, "--server", endpoint, "--insecure-skip-tls-verify", "get", "namespaces")
	if r.code == 0 || !strings.Contains(r.stderr, "logged in") && !strings.Contains(r.stderr, "Unauthorized") {
		t.Errorf("media's token at shop's cluster: %s %s", r.stdout, r.stderr)
	}
}

func TestA_AWSCommandLine(t *testing.T) {
	aws, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("SKIPPED: no aws command line; `apt-get install awscli` brings it")
	}
	base := suite.status(t).Addresses.AWSSim
	keys := suite.credentials(t)
	call := func(account, secret string, args ...string) result {
		k := keys[account]
		if secret == "" {
			secret = k.Secret
		}
		env := []string{"AWS_ACCESS_KEY_ID=" + k.ID, "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_DEFAULT_REGION=eu-central-1",
			"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_PAGER="}
		return suite.command("", aws, env, append([]string{"--endpoint-url", base, "--output", "json"}, args...)...)
	}
	const shop = "111111111111"
	for _, tc := range []struct{ args, want string }{
		{"sts get-caller-identity", shop},
		{"eks list-clusters", "shop-prod"},
		{"eks describe-cluster --name shop-prod", `"status": "ACTIVE"`},
		{"eks list-nodegroups --cluster-name shop-prod", "default"},
		{"ec2 describe-vpcs", "10.16.0.0/18"},
		{"ec2 describe-subnets", "subnet-"},
		{"ec2 describe-nat-gateways", `"State": "available"`},
		{"iam get-role --role-name kargo-factory", "sts:ExternalId"},
	} {
		if r := call(shop, "", strings.Fields(tc.args)...); r.code != 0 || !strings.Contains(r.stdout, tc.want) {
			t.Errorf("aws %s: exit code %d, want %q in\n%s%s", tc.args, r.code, tc.want, r.stdout, r.stderr)
		}
	}
	if r := call(shop, "", "eks", "describe-cluster", "--name", "media-prod"); r.code == 0 || !strings.Contains(r.stderr, "ResourceNotFoundException") {
		t.Errorf("another account's cluster: %s%s", r.stdout, r.stderr)
	}
	if r := call(shop, "wrong", "sts", "get-caller-identity"); r.code == 0 || !strings.Contains(r.stderr, "SignatureDoesNotMatch") {
		t.Errorf("a wrong secret: %s%s", r.stdout, r.stderr)
	}
}

type credential struct {
	Account string `json:"id"`
	ID      string `json:"accessKeyId"`
	Secret  string `json:"secretAccessKey"`
}

// credentials are the simulator's test keys by account.
func (p *platform) credentials(t *testing.T) map[string]credential {
	t.Helper()
	var answer struct {
		Accounts []credential `json:"accounts"`
	}
	p.awssim(t, "/_awssim/credentials", &answer)
	out := map[string]credential{}
	for _, c := range answer.Accounts {
		out[c.Account] = c
	}
	return out
}
