package ec2

import (
	"net/netip"
	"strconv"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/quota"
)

// reservedAddresses of every subnet: the first four and the last.
const reservedAddresses = 5

// subnet as it is stored and answered.
type subnet struct {
	ID                 string            `xml:"subnetId"`
	ARN                string            `xml:"subnetArn"`
	VPCID              string            `xml:"vpcId"`
	OwnerID            string            `xml:"ownerId"`
	State              string            `xml:"state"`
	CIDR               string            `xml:"cidrBlock,omitempty"`
	IPv6CIDRs          []ipv6Association `xml:"ipv6CidrBlockAssociationSet>item"`
	Zone               string            `xml:"availabilityZone"`
	ZoneID             string            `xml:"availabilityZoneId"`
	AvailableAddresses int               `xml:"availableIpAddressCount"`
	DefaultForZone     bool              `xml:"defaultForAz"`
	MapPublicIP        bool              `xml:"mapPublicIpOnLaunch"`
	AssignIPv6         bool              `xml:"assignIpv6AddressOnCreation"`
	IPv6Native         bool              `xml:"ipv6Native"`
	DNS64              bool              `xml:"enableDns64"`
	DNSNames           dnsNameOptions    `xml:"privateDnsNameOptionsOnLaunch"`
	Tags               Tags              `xml:"tagSet>item"`
}

type dnsNameOptions struct {
	HostnameType string `xml:"hostnameType"`
	ARecord      bool   `xml:"enableResourceNameDnsARecord"`
	AAAARecord   bool   `xml:"enableResourceNameDnsAAAARecord"`
}

func subnetKind() kind[subnet] {
	return kind[subnet]{
		resourceType: "subnet", prefix: "subnet", idParam: "SubnetId", set: "subnetSet",
		notFound: "InvalidSubnetID.NotFound", noun: "subnet ID",
		id:    func(s *subnet) string { return s.ID },
		tags:  func(s *subnet) *Tags { return &s.Tags },
		state: func(s *subnet) string { return s.State },
		move:  func(_ scope, s *subnet, to string) error { s.State = to; return nil },
		show:  func(sc scope, s *subnet) { s.AvailableAddresses = sc.freeAddresses(s) },
		filters: map[string]func(*subnet) []string{
			"subnet-id":                  one(func(s *subnet) string { return s.ID }),
			"subnet-arn":                 one(func(s *subnet) string { return s.ARN }),
			"vpc-id":                     one(func(s *subnet) string { return s.VPCID }),
			"owner-id":                   one(func(s *subnet) string { return s.OwnerID }),
			"state":                      one(func(s *subnet) string { return s.State }),
			"cidr":                       one(func(s *subnet) string { return s.CIDR }),
			"cidr-block":                 one(func(s *subnet) string { return s.CIDR }),
			"cidrBlock":                  one(func(s *subnet) string { return s.CIDR }),
			"availability-zone":          one(func(s *subnet) string { return s.Zone }),
			"availabilityZone":           one(func(s *subnet) string { return s.Zone }),
			"availability-zone-id":       one(func(s *subnet) string { return s.ZoneID }),
			"default-for-az":             yesNo(func(s *subnet) bool { return s.DefaultForZone }),
			"map-public-ip-on-launch":    yesNo(func(s *subnet) bool { return s.MapPublicIP }),
			"available-ip-address-count": one(func(s *subnet) string { return strconv.Itoa(s.AvailableAddresses) }),
			"ipv6-native":                yesNo(func(s *subnet) bool { return s.IPv6Native }),
			"ipv6-cidr-block-association.ipv6-cidr-block": func(s *subnet) []string {
				return each(s.IPv6CIDRs, func(a ipv6Association) string { return a.CIDR })
			},
		},
	}
}

func (s *Service) subnetOperations() map[string]handler {
	return map[string]handler{
		"CreateSubnet":          (*request).createSubnet,
		"DeleteSubnet":          (*request).deleteSubnet,
		"DescribeSubnets":       s.subnets.describe,
		"ModifySubnetAttribute": (*request).modifySubnetAttribute,
	}
}

func (r *request) createSubnet() (any, error) {
	v, err := r.vpcs.need(r, "VpcId")
	if err != nil {
		return nil, err
	}
	zone, err := r.subnetZone()
	if err != nil {
		return nil, err
	}
	tags, err := r.newTags("subnet")
	if err != nil {
		return nil, err
	}
	s := subnet{
		ID: r.subnets.newID(), VPCID: v.ID, OwnerID: r.account, State: statePending, Zone: zone.Name, ZoneID: zone.ID,
		IPv6Native: r.flag("Ipv6Native"), Tags: tags, DNSNames: dnsNameOptions{HostnameType: "ip-name"},
	}
	s.ARN = r.arn("subnet", s.ID)
	siblings := r.subnets.where(r.scope, func(o *subnet) bool { return o.VPCID == v.ID })
	if len(siblings) >= r.limit(quota.SubnetsPerVPC) {
		return nil, api.Errorf("SubnetLimitExceeded", "The maximum number of subnets has been reached.")
	}
	if err := r.subnetBlocks(&s, v, siblings); err != nil {
		return nil, err
	}
	if err := r.becomes(s.ID, stateAvailable, networkTakes); err != nil {
		return nil, err
	}
	if err := r.subnets.put(r.scope, &s); err != nil {
		return nil, err
	}
	r.subnets.complete(r.scope, &s)
	return answer{{"subnet", s}}, nil
}

// subnetZone is the zone asked for, or the region's first.
func (r *request) subnetZone() (zone, error) {
	name, id := r.text("AvailabilityZone"), r.text("AvailabilityZoneId")
	for _, z := range r.world.zones(r.region) {
		if name == z.Name || id == z.ID || name == "" && id == "" {
			return z, nil
		}
	}
	return zone{}, api.Errorf("InvalidParameterValue",
		"Value (%s%s) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: %s.",
		name, id, r.world.zoneNames(r.region))
}

// subnetBlocks reads and checks the subnet's address ranges.
func (r *request) subnetBlocks(s *subnet, v *vpc, siblings []subnet) error {
	if block := r.text("CidrBlock"); block != "" {
		cidr, err := parseCIDR("cidrBlock", block)
		if err != nil {
			return err
		}
		s.CIDR = cidr.String()
		fits := cidr.Bits() >= largestBlock && cidr.Bits() <= smallestBlock
		if inVPC := anyContains(v.CIDRs, s.CIDR); !fits || !inVPC {
			return api.Errorf("InvalidSubnet.Range", "The CIDR '%s' is invalid.", block)
		}
	} else if !s.IPv6Native {
		return api.Errorf("MissingParameter", "Either 'cidrBlock' or 'ipv4IpamPoolId' should be provided.")
	}
	if block := r.text("Ipv6CidrBlock"); block != "" {
		cidr, err := netip.ParsePrefix(block)
		if err != nil || !cidr.Addr().Is6() {
			return api.Errorf("InvalidParameterValue",
				"Value (%s) for parameter ipv6CidrBlock is invalid. This is not a valid CIDR block.", block)
		}
		if cidr.Bits() != subnetIPv6Bits || !anyContainsIPv6(v.IPv6CIDRs, cidr.String()) {
			return api.Errorf("InvalidSubnet.Range", "The IPv6 CIDR '%s' is invalid.", block)
		}
		s.IPv6CIDRs = []ipv6Association{{ID: newID("subnet-cidr-assoc"), CIDR: cidr.Masked().String(), State: cidrState{"associated"}}}
	}
	for _, o := range siblings {
		if block, ok := s.conflict(&o); ok {
			return api.Errorf("InvalidSubnet.Conflict", "The CIDR '%s' conflicts with another subnet", block)
		}
	}
	return nil
}

func anyContains(blocks []cidrAssociation, cidr string) bool {
	for _, a := range blocks {
		if contains(a.CIDR, cidr) {
			return true
		}
	}
	return false
}

func anyContainsIPv6(blocks []ipv6Association, cidr string) bool {
	for _, a := range blocks {
		if contains(a.CIDR, cidr) {
			return true
		}
	}
	return false
}

// conflict returns the block of the subnet that overlaps one of the other's.
func (s *subnet) conflict(o *subnet) (block string, ok bool) {
	if overlaps(s.CIDR, o.CIDR) {
		return s.CIDR, true
	}
	for _, a := range s.IPv6CIDRs {
		for _, b := range o.IPv6CIDRs {
			if overlaps(a.CIDR, b.CIDR) {
				return a.CIDR, true
			}
		}
	}
	return "", false
}

func (r *request) deleteSubnet() (any, error) {
	s, err := r.subnets.need(r, "SubnetId")
	if err != nil {
		return nil, err
	}
	if r.interfaces.any(r.scope, func(n *networkInterface) bool { return n.SubnetID == s.ID }) {
		return nil, api.Errorf("DependencyViolation", "The subnet '%s' has dependencies and cannot be deleted.", s.ID)
	}
	if err := r.disassociateSubnet(s.ID); err != nil {
		return nil, err
	}
	if err := r.subnets.drop(r.scope, s.ID); err != nil {
		return nil, err
	}
	return done()
}

func (r *request) modifySubnetAttribute() (any, error) {
	s, err := r.subnets.need(r, "SubnetId")
	if err != nil {
		return nil, err
	}
	changed := 0
	for param, value := range map[string]*bool{
		"MapPublicIpOnLaunch":                     &s.MapPublicIP,
		"AssignIpv6AddressOnCreation":             &s.AssignIPv6,
		"EnableDns64":                             &s.DNS64,
		"EnableResourceNameDnsARecordOnLaunch":    &s.DNSNames.ARecord,
		"EnableResourceNameDnsAAAARecordOnLaunch": &s.DNSNames.AAAARecord,
	} {
		if r.Has(param + ".Value") {
			*value = r.flag(param + ".Value")
			changed++
		}
	}
	if t := r.text("PrivateDnsHostnameTypeOnLaunch"); t != "" {
		if t != "ip-name" && t != "resource-name" {
			return nil, api.Errorf("InvalidParameterValue", "Value (%s) for parameter privateDnsHostnameTypeOnLaunch is invalid.", t)
		}
		s.DNSNames.HostnameType = t
		changed++
	}
	if changed != 1 {
		return nil, api.Errorf("InvalidParameterCombination", "Only one subnet attribute can be modified at a time")
	}
	if s.AssignIPv6 && len(s.IPv6CIDRs) == 0 {
		return nil, api.Errorf("InvalidParameterValue",
			"Invalid value 'true' for assignIpv6AddressOnCreation. Subnet must be associated with an IPv6 CIDR block.")
	}
	if err := r.subnets.put(r.scope, s); err != nil {
		return nil, err
	}
	return done()
}

// usedAddresses of a subnet.
func (sc scope) usedAddresses(subnetID string) map[string]bool {
	used := map[string]bool{}
	for _, n := range sc.interfaces.where(sc, func(n *networkInterface) bool { return n.SubnetID == subnetID }) {
		used[n.PrivateIP] = true
	}
	return used
}

func (sc scope) freeAddresses(s *subnet) int {
	cidr, err := netip.ParsePrefix(s.CIDR)
	if err != nil {
		return 0 // IPv6 only
	}
	return 1<<(32-cidr.Bits()) - reservedAddresses - len(sc.usedAddresses(s.ID))
}

// freeAddress is the subnet's lowest address that is neither reserved nor used.
func (sc scope) freeAddress(s *subnet) (string, error) {
	cidr, err := netip.ParsePrefix(s.CIDR)
	if err == nil {
		used := sc.usedAddresses(s.ID)
		addr := cidr.Addr()
		for range 4 {
			addr = addr.Next()
		}
		for ; cidr.Contains(addr.Next()); addr = addr.Next() {
			if !used[addr.String()] {
				return addr.String(), nil
			}
		}
	}
	return "", api.Errorf("InsufficientFreeAddressesInSubnet",
		"There are not enough free addresses in subnet '%s' to satisfy the requested number of instances.", s.ID)
}
