package preflight

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestShort(t *testing.T) {
	usages := func(used map[string]int64) []Usage {
		var out []Usage
		for _, q := range Quotas() {
			out = append(out, Usage{Quota: q, Limit: 5, Used: used[q.Code]})
		}
		return out
	}
	cases := map[string]struct {
		reason string
		used   map[string]int64
		need   Need
		want   []string
	}{
		"Empty":    {"an empty account holds a cluster", nil, ClusterNeed(3, nil), nil},
		"JustFits": {"a limit may be reached", map[string]int64{QuotaElasticIPs: 2, QuotaVPCs: 4}, ClusterNeed(3, nil), nil},
		"OneShort": {"each zone takes an Elastic IP", map[string]int64{QuotaElasticIPs: 3}, ClusterNeed(3, nil), []string{
			"Elastic IPs: 3 of 5 used, 3 more needed; ask for more with `aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-0263D0A3 --desired-value 6`"}},
		"Overfull":   {"more may be used than a lowered limit allows", map[string]int64{QuotaClusters: 9}, Need{}, nil},
		"NodesOfAll": {"the vCPUs of all pools add up", nil, ClusterNeed(1, []Pool{{Nodes: 2, VCPUs: 2}, {Nodes: 1, VCPUs: 1}}), nil},
		"TooManyCPUs": {"a pool takes its nodes at once", nil, ClusterNeed(1, []Pool{{Nodes: 3, VCPUs: 2}}), []string{
			"vCPUs of running on-demand standard instances: 0 of 5 used, 6 more needed; ask for more with `aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-1216C47A --desired-value 6`"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, s := range Short(usages(c.used), c.need) {
				got = append(got, s.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", c.reason, diff)
			}
		})
	}
}

func TestStandardFamily(t *testing.T) {
	for instanceType, want := range map[string]bool{
		"m7i.large": true, "t3.micro": true, "c7gn.xlarge": true, "im4gn.large": true, "z1d.large": true, "a1.large": true,
		"inf2.xlarge": false, "trn1.2xlarge": false, "dl1.24xlarge": false, "p5.48xlarge": false, "g6.xlarge": false,
		"x2idn.16xlarge": false, "mac2.metal": false, "hpc7a.96xlarge": false, "u-6tb1.metal": false, "": false,
	} {
		if got := standardFamily(instanceType); got != want {
			t.Errorf("%q counts as standard: %t, want %t", instanceType, got, want)
		}
	}
}
