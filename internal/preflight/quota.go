// Package preflight finds out whether an AWS account is ready for a cluster,
// before anything is created in it. Probe asks AWS; the rest judges, without a client.
package preflight

import (
	"fmt"
	"slices"
	"strings"
)

// Quota is a limit of AWS on an account in a region.
type Quota struct {
	// Service and Code name it in Service Quotas, Name in words.
	Service, Code, Name string
}

// The quotas that a cluster uses up, with the codes of
// https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html.
const (
	QuotaVPCs             = "L-F678F1CE"
	QuotaInternetGateways = "L-A4707A72"
	QuotaNATGateways      = "L-FE5A380F" // per availability zone
	QuotaElasticIPs       = "L-0263D0A3"
	QuotaClusters         = "L-1194D53C"
	QuotaVCPUs            = "L-1216C47A" // of running on-demand standard instances
)

// Quotas lists those that are checked.
func Quotas() []Quota {
	return []Quota{
		{"vpc", QuotaVPCs, "VPCs per Region"},
		{"vpc", QuotaInternetGateways, "internet gateways per Region"},
		{"vpc", QuotaNATGateways, "NAT gateways per availability zone"},
		{"ec2", QuotaElasticIPs, "Elastic IPs"},
		{"eks", QuotaClusters, "EKS clusters"},
		{"ec2", QuotaVCPUs, "vCPUs of running on-demand standard instances"},
	}
}

// Usage is how much of a quota is used.
type Usage struct {
	Quota
	Limit, Used int64
}

// Free is what is left.
func (u Usage) Free() int64 { return max(0, u.Limit-u.Used) }

// Need is how much of each quota, by its code, something will use up.
type Need map[string]int64

// Pool is a node pool as far as quotas are concerned.
type Pool struct {
	// Nodes it starts with, of VCPUs each.
	Nodes, VCPUs int64
}

// ClusterNeed is what a new cluster with a VPC of its own needs: a VPC with its
// internet gateway, in each zone a NAT gateway with its Elastic IP, the cluster, its nodes.
func ClusterNeed(zones int64, pools []Pool) Need {
	n := Need{QuotaVPCs: 1, QuotaInternetGateways: 1, QuotaElasticIPs: zones, QuotaNATGateways: 1, QuotaClusters: 1}
	for _, p := range pools {
		n[QuotaVCPUs] += p.Nodes * p.VCPUs
	}
	return n
}

// Shortage is a quota that does not suffice.
type Shortage struct {
	Usage
	Need int64
}

// String says what is short, and the command that asks AWS for more.
func (s Shortage) String() string {
	return fmt.Sprintf("%s: %d of %d used, %d more needed; ask for more with `aws service-quotas request-service-quota-increase --service-code %s --quota-code %s --desired-value %d`",
		s.Name, s.Used, s.Limit, s.Need, s.Service, s.Code, s.Used+s.Need)
}

// Short lists the quotas that do not suffice, by name.
func Short(usages []Usage, need Need) []Shortage {
	var short []Shortage
	for _, u := range usages {
		if n := need[u.Code]; n > u.Free() {
			short = append(short, Shortage{u, n})
		}
	}
	slices.SortFunc(short, func(a, b Shortage) int { return strings.Compare(a.Name, b.Name) })
	return short
}
