package eks

import (
	"errors"
	"net/netip"
	"slices"

	"kargo.dev/kargo/awssim/api"
)

// checkClusterNetwork checks the subnets and security groups of a cluster, and
// returns the subnets.
func (s *Service) checkClusterNetwork(account, region string, in vpcConfigInput) ([]Subnet, error) {
	subnets, err := s.subnetsOf(account, region, in.SubnetIDs)
	if err != nil {
		return nil, err
	}
	var zones []string
	for _, n := range subnets {
		if n.VPCID != subnets[0].VPCID {
			return nil, invalidParameter("The subnets %s and %s are not in the same VPC.", subnets[0].ID, n.ID)
		}
		if !slices.Contains(zones, n.Zone) {
			zones = append(zones, n.Zone)
		}
	}
	if len(zones) < 2 {
		return nil, invalidParameter("Subnets specified must be in at least two different AZs")
	}
	if err := s.network.CheckSecurityGroups(account, region, subnets[0].VPCID, in.SecurityGroupIDs); err != nil {
		return nil, fromEC2(err)
	}
	return subnets, checkCIDRs(in.PublicAccessCIDRs)
}

// subnetsOf looks the subnets up in the caller's account.
func (s *Service) subnetsOf(account, region string, ids []string) ([]Subnet, error) {
	if len(ids) == 0 {
		return nil, invalidParameter("Subnets are not specified.")
	}
	subnets, err := s.network.Subnets(account, region, ids)
	if err != nil {
		return nil, fromEC2(err)
	}
	return subnets, nil
}

// fromEC2 answers an error of EC2 as EKS does: as its own, with EC2's message.
func fromEC2(err error) error {
	var e *api.Error
	if errors.As(err, &e) && e.Status() < 500 {
		return invalidParameter("%s (Service: AmazonEC2; Status Code: %d; Error Code: %s)", e.Message, e.Status(), e.Code)
	}
	return err
}

func checkCIDRs(cidrs []string) error {
	for _, cidr := range cidrs {
		if _, err := netip.ParsePrefix(cidr); err != nil {
			return invalidParameter("The following CIDRs are invalid in publicAccessCidrs: [%s]", cidr)
		}
	}
	return nil
}

// serviceNetwork is the cluster's service network: the one asked for, or one of
// EKS's two that does not meet the VPC.
func serviceNetwork(in NetworkConfig, subnets []Subnet) (string, error) {
	meets := func(p netip.Prefix) bool {
		return slices.ContainsFunc(subnets, func(n Subnet) bool {
			other, err := netip.ParsePrefix(n.CIDR)
			return err == nil && p.Overlaps(other)
		})
	}
	if in.ServiceIPv4CIDR == "" {
		inTen := netip.MustParsePrefix("10.0.0.0/8")
		for _, n := range subnets {
			if p, err := netip.ParsePrefix(n.CIDR); err == nil && p.Overlaps(inTen) {
				return "172.20.0.0/16", nil
			}
		}
		return "10.100.0.0/16", nil
	}
	p, err := netip.ParsePrefix(in.ServiceIPv4CIDR)
	if err != nil || p != p.Masked() || p.Bits() < 12 || p.Bits() > 24 || !isPrivate(p) {
		return "", invalidParameter("The serviceIpv4Cidr '%s' is not valid: it must be a /24 to /12 within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16.", in.ServiceIPv4CIDR)
	}
	if meets(p) {
		return "", invalidParameter("The serviceIpv4Cidr '%s' overlaps with the VPC of the cluster.", in.ServiceIPv4CIDR)
	}
	return in.ServiceIPv4CIDR, nil
}

func isPrivate(p netip.Prefix) bool {
	for _, private := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"} {
		if q := netip.MustParsePrefix(private); q.Contains(p.Addr()) && p.Bits() >= q.Bits() {
			return true
		}
	}
	return false
}

// mergeVPCConfig is the configuration after a request that may leave things out.
func mergeVPCConfig(v VPCConfig, in vpcConfigInput) VPCConfig {
	if len(in.SubnetIDs) > 0 {
		v.SubnetIDs = in.SubnetIDs
	}
	if in.SecurityGroupIDs != nil {
		v.SecurityGroupIDs = in.SecurityGroupIDs
	}
	if in.EndpointPublicAccess != nil {
		v.EndpointPublicAccess = *in.EndpointPublicAccess
	}
	if in.EndpointPrivateAccess != nil {
		v.EndpointPrivateAccess = *in.EndpointPrivateAccess
	}
	if len(in.PublicAccessCIDRs) > 0 {
		v.PublicAccessCIDRs = in.PublicAccessCIDRs
	}
	return v
}
