package settings

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSubstitutions(t *testing.T) {
	facts := Facts{ClusterName: "shop-prod", AccountID: "123456789012", Region: "eu-central-1", VPCID: "vpc-1"}
	got := Substitutions(tree{
		"nodePools": tree{"x": "not an add-on's"},
		"addons": tree{
			"dnsZone":     "shop.example.com",
			"clusterName": "a fact is no setting",
			"externalDNS": tree{"replicas": int64(2), "dryRun": false},
		},
	}, facts)
	for variable, want := range map[string]string{
		"dnsZone":              "shop.example.com",
		"externalDNS_replicas": "2",
		"externalDNS_dryRun":   "false",
		"clusterName":          "shop-prod",
		"accountID":            "123456789012",
		"externalDNSRoleARN":   "arn:aws:iam::123456789012:role/kargo-shop-prod-external-dns",
	} {
		if got[variable] != want {
			t.Errorf("${%s} is %q, want %q", variable, got[variable], want)
		}
	}
	if _, ok := got["x"]; ok {
		t.Error("only addons are variables")
	}
	if want := []string{"clusterEndpoint", "environment", "kubernetesVersion", "oidcIssuer", "team"}; !cmp.Equal(want, facts.Missing()) {
		t.Errorf("Missing() = %v, want %v", facts.Missing(), want)
	}
	for _, name := range FactNames() {
		if _, ok := got[name]; !ok {
			t.Errorf("the fact %s is not handed out", name)
		}
	}
	if names := VariableNames(tree{"b": tree{"c": "x"}, "a": "y"}); !slices.Equal(names, []string{"a", "b_c"}) {
		t.Errorf("VariableNames = %v", names)
	}
}

func TestRoleName(t *testing.T) {
	cases := map[string]struct{ reason, cluster, addon, want string }{
		"Short": {"the name is readable", "shop-prod", "external-dns", "kargo-shop-prod-external-dns"},
		"Long": {
			"IAM allows 64 characters", "a-cluster-with-a-name-of-forty-character", "aws-load-balancer-controller",
			"kargo-a-cluster-with-a-nam-8eac6f35-aws-load-balancer-controller",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := RoleName(tc.cluster, tc.addon)
			if got != tc.want || len(got) > 64 {
				t.Errorf("%s: got %s (%d), want %s", tc.reason, got, len(got), tc.want)
			}
		})
	}
}
