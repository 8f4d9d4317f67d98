//go:build e2e

package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"kargo.dev/kargo/test/platform"
)

func TestA_FleetIsUp(t *testing.T) {
	want := map[string]string{
		"shop/shop-prod": "111111111111", "shop/shop-nonprod": "111111111112",
		"media/media-prod": "222222222221", "media/media-nonprod": "222222222222",
	}
	clusters := suite.Clusters(t)
	if len(clusters) != len(want) {
		t.Fatalf("%d clusters, want %d", len(clusters), len(want))
	}
	for _, c := range clusters {
		name := c.Metadata.Namespace + "/" + c.Metadata.Name
		if c.Condition("Ready").Status != "True" {
			t.Errorf("%s: Ready is %+v", name, c.Condition("Ready"))
		}
		s := c.Status
		if s.AccountID != want[name] || !strings.HasPrefix(s.ControlPlane.Endpoint, "https://127.0.0.1:") || s.ControlPlane.Version != "1.34" {
			t.Errorf("%s: account %s, endpoint %s, version %s", name, s.AccountID, s.ControlPlane.Endpoint, s.ControlPlane.Version)
		}
		if s.Commit == "" || !strings.HasSuffix(s.AppliedRevision, s.Commit) {
			t.Errorf("%s: Flux applied %q, want commit %q", name, s.AppliedRevision, s.Commit)
		}
		if s.Nodes != (platform.Count{Ready: 2, Total: 2}) || s.Addons.Ready != s.Addons.Total || s.Addons.Total < 6 {
			t.Errorf("%s: nodes %+v, add-ons %+v", name, s.Nodes, s.Addons)
		}
	}
	suite.NoViolations(t)
}

func TestA_OutputFormats(t *testing.T) {
	if got := suite.Must(t, "get", "clusters", "-n", "shop", "-o", "name"); !strings.Contains(got, "/shop-prod") {
		t.Errorf("-o name: %q", got)
	}
	table := suite.Must(t, "get", "clusters", "-o", "wide")
	for _, want := range []string{"NAME", "VERSION", "shop-prod", "media-nonprod", "1.34", "https://"} {
		if !strings.Contains(table, want) {
			t.Errorf("-o wide lacks %q:\n%s", want, table)
		}
	}
	tree := suite.Must(t, "describe", "cluster", "shop-prod", "-n", "shop")
	for _, want := range []string{"AWSManagedControlPlane", "MachinePool", "HelmRelease", "Kustomization"} {
		if !strings.Contains(tree, want) {
			t.Errorf("describe lacks %q:\n%s", want, tree)
		}
	}
	suite.Must(t, "wait", "cluster", "shop-prod", "-n", "shop", "--for", "condition=Ready", "--timeout", "10s")
	suite.MustFail(t, 3, "", "wait", "cluster", "shop-prod", "-n", "shop", "--for", "version=1.36", "--timeout", "1s")
}

// TestA_EKSVersion: Helm's kubeVersion checks see the version EKS would say.
func TestA_EKSVersion(t *testing.T) {
	r := suite.Kubectl(suite.Kubeconfig(t, "shop", "shop-prod", "--admin"), "get", "--raw", "/version")
	if r.Code != 0 || !strings.Contains(r.Stdout, `"gitVersion": "v1.34`) || !strings.Contains(r.Stdout, "-eks-") {
		t.Errorf("/version: %s %s", r.Stdout, r.Stderr)
	}
}

func TestA_Kubeconfig(t *testing.T) {
	viewer := suite.Kubeconfig(t, "shop", "shop-prod")
	if r := suite.Kubectl(viewer, "get", "nodes,helmreleases", "-A"); r.Code != 0 {
		t.Errorf("a viewer cannot look: %s", r.Stderr)
	}
	if r := suite.Kubectl(viewer, "create", "namespace", "x"); r.Code == 0 || !strings.Contains(r.Stderr, "forbidden") {
		t.Errorf("a viewer may create: %s", r.Stdout)
	}
	if r := suite.Kubectl(viewer, "get", "secrets", "-A"); r.Code == 0 {
		t.Error("a viewer may read Secrets")
	}
	admin := suite.Kubeconfig(t, "shop", "shop-prod", "--admin")
	if r := suite.Kubectl(admin, "create", "namespace", "mine"); r.Code != 0 {
		t.Errorf("an administrator cannot create: %s", r.Stderr)
	}
	if r := suite.Kubectl(admin, "delete", "namespace", "mine", "--wait=false"); r.Code != 0 {
		t.Errorf("an administrator cannot delete: %s", r.Stderr)
	}
}

// TestA_OtherTeamsCluster takes one team's credentials to another team's cluster.
func TestA_OtherTeamsCluster(t *testing.T) {
	media := suite.Kubeconfig(t, "media", "media-prod", "--admin")
	endpoint := suite.Cluster(t, "shop", "shop-prod").Status.ControlPlane.Endpoint
	r := suite.Kubectl(media, "--server", endpoint, "--insecure-skip-tls-verify", "get", "namespaces")
	if r.Code == 0 || !strings.Contains(r.Stderr, "logged in") && !strings.Contains(r.Stderr, "Unauthorized") {
		t.Errorf("media's token at shop's cluster: %s %s", r.Stdout, r.Stderr)
	}
}

func TestA_AWSCommandLine(t *testing.T) {
	aws, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("SKIPPED: no aws command line; `apt-get install awscli` brings it")
	}
	base := suite.Status(t).Addresses.AWSSim
	keys := suite.Credentials(t)
	call := func(account, secret string, args ...string) platform.Result {
		k := keys[account]
		if secret == "" {
			secret = k.Secret
		}
		env := []string{"AWS_ACCESS_KEY_ID=" + k.ID, "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_DEFAULT_REGION=eu-central-1",
			"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_PAGER="}
		return suite.Command("", aws, env, append([]string{"--endpoint-url", base, "--output", "json"}, args...)...)
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
		if r := call(shop, "", strings.Fields(tc.args)...); r.Code != 0 || !strings.Contains(r.Stdout, tc.want) {
			t.Errorf("aws %s: exit code %d, want %q in\n%s%s", tc.args, r.Code, tc.want, r.Stdout, r.Stderr)
		}
	}
	if r := call(shop, "", "eks", "describe-cluster", "--name", "media-prod"); r.Code == 0 || !strings.Contains(r.Stderr, "ResourceNotFoundException") {
		t.Errorf("another account's cluster: %s%s", r.Stdout, r.Stderr)
	}
	if r := call(shop, "wrong", "sts", "get-caller-identity"); r.Code == 0 || !strings.Contains(r.Stderr, "SignatureDoesNotMatch") {
		t.Errorf("a wrong secret: %s%s", r.Stdout, r.Stderr)
	}
}
