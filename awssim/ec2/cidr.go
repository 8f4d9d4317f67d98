package ec2

import (
	"crypto/rand"
	"net/netip"

	"kargo.dev/kargo/awssim/api"
)

// AWS's bounds of IPv4 blocks of VPCs and subnets, in prefix bits.
const (
	largestBlock  = 16
	smallestBlock = 28
	// subnetIPv6Bits is the size of a subnet's IPv6 block.
	subnetIPv6Bits = 64
	vpcIPv6Bits    = 56
)

// parseCIDR reads an IPv4 block; AWS zeroes host bits silently.
func parseCIDR(param, s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is4() {
		return netip.Prefix{}, api.Errorf("InvalidParameterValue",
			"Value (%s) for parameter %s is invalid. This is not a valid CIDR block.", s, param)
	}
	return p.Masked(), nil
}

func parseVPCCIDR(s string) (netip.Prefix, error) {
	p, err := parseCIDR("cidrBlock", s)
	if err != nil {
		return p, err
	}
	if p.Bits() < largestBlock || p.Bits() > smallestBlock {
		return p, api.Errorf("InvalidVpc.Range", "The CIDR '%s' is invalid.", s)
	}
	return p, nil
}

// contains tells whether the inner block lies within the outer one.
func contains(outer, inner string) bool {
	o, err1 := netip.ParsePrefix(outer)
	i, err2 := netip.ParsePrefix(inner)
	return err1 == nil && err2 == nil && o.Bits() <= i.Bits() && o.Contains(i.Addr())
}

func overlaps(a, b string) bool {
	p, err1 := netip.ParsePrefix(a)
	q, err2 := netip.ParsePrefix(b)
	return err1 == nil && err2 == nil && p.Overlaps(q)
}

// secondaryCIDR reads and checks the block that a request adds to a VPC.
func (r *request) secondaryCIDR(v *vpc) (netip.Prefix, error) {
	block, err := r.need("CidrBlock")
	if err != nil {
		return netip.Prefix{}, err
	}
	cidr, err := parseVPCCIDR(block)
	if err != nil {
		return cidr, err
	}
	for _, a := range v.CIDRs {
		if overlaps(a.CIDR, cidr.String()) {
			return cidr, api.Errorf("InvalidVpc.Range",
				"The CIDR '%s' conflicts with the CIDR '%s' of the vpc '%s'.", cidr, a.CIDR, v.ID)
		}
	}
	return cidr, nil
}

// cidrInUse tells whether a subnet of the VPC lies in the block.
func (sc scope) cidrInUse(vpcID, block string) bool {
	return sc.subnets.any(sc, func(s *subnet) bool {
		if s.VPCID != vpcID {
			return false
		}
		for _, a := range s.IPv6CIDRs {
			if contains(block, a.CIDR) {
				return true
			}
		}
		return contains(block, s.CIDR)
	})
}

// amazonIPv6 gives a VPC a /56 out of Amazon's pool.
func (sc scope) amazonIPv6() ipv6Association {
	a := netip.MustParseAddr("2600:1f00::").As16()
	_, _ = rand.Read(a[2:7]) // never fails, see its documentation
	block := netip.PrefixFrom(netip.AddrFrom16(a), vpcIPv6Bits).Masked()
	return ipv6Association{newID("vpc-cidr-assoc"), block.String(), cidrState{"associated"}, "Amazon"}
}
