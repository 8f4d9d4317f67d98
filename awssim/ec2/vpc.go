package ec2

import (
	"slices"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/quota"
)

// vpc as it is stored and answered.
type vpc struct {
	ID            string            `xml:"vpcId"`
	OwnerID       string            `xml:"ownerId"`
	State         string            `xml:"state"`
	CIDR          string            `xml:"cidrBlock"`
	CIDRs         []cidrAssociation `xml:"cidrBlockAssociationSet>item"`
	IPv6CIDRs     []ipv6Association `xml:"ipv6CidrBlockAssociationSet>item"`
	DHCPOptionsID string            `xml:"dhcpOptionsId"`
	Tenancy       string            `xml:"instanceTenancy"`
	IsDefault     bool              `xml:"isDefault"`
	Tags          Tags              `xml:"tagSet>item"`

	DNSSupport   bool `xml:"-"`
	DNSHostnames bool `xml:"-"`
	UsageMetrics bool `xml:"-"`
}

// cidrAssociation is an IPv4 block of a VPC.
type cidrAssociation struct {
	ID    string    `xml:"associationId"`
	CIDR  string    `xml:"cidrBlock"`
	State cidrState `xml:"cidrBlockState"`
}

// ipv6Association is an IPv6 block of a VPC or a subnet.
type ipv6Association struct {
	ID    string    `xml:"associationId"`
	CIDR  string    `xml:"ipv6CidrBlock"`
	State cidrState `xml:"ipv6CidrBlockState"`
	Pool  string    `xml:"ipv6Pool,omitempty"`
}

type cidrState struct {
	State string `xml:"state"`
}

func vpcKind() kind[vpc] {
	return kind[vpc]{
		resourceType: "vpc", prefix: "vpc", idParam: "VpcId", set: "vpcSet",
		notFound: "InvalidVpcID.NotFound", noun: "vpc ID",
		id:    func(v *vpc) string { return v.ID },
		tags:  func(v *vpc) *Tags { return &v.Tags },
		state: func(v *vpc) string { return v.State },
		move:  func(_ scope, v *vpc, to string) error { v.State = to; return nil },
		filters: map[string]func(*vpc) []string{
			"vpc-id":          one(func(v *vpc) string { return v.ID }),
			"state":           one(func(v *vpc) string { return v.State }),
			"cidr":            one(func(v *vpc) string { return v.CIDR }),
			"owner-id":        one(func(v *vpc) string { return v.OwnerID }),
			"dhcp-options-id": one(func(v *vpc) string { return v.DHCPOptionsID }),
			"is-default":      yesNo(func(v *vpc) bool { return v.IsDefault }),
			"isDefault":       yesNo(func(v *vpc) bool { return v.IsDefault }),
			"cidr-block-association.cidr-block": func(v *vpc) []string {
				return each(v.CIDRs, func(a cidrAssociation) string { return a.CIDR })
			},
			"cidr-block-association.association-id": func(v *vpc) []string {
				return each(v.CIDRs, func(a cidrAssociation) string { return a.ID })
			},
			"cidr-block-association.state": func(v *vpc) []string {
				return each(v.CIDRs, func(a cidrAssociation) string { return a.State.State })
			},
			"ipv6-cidr-block-association.ipv6-cidr-block": func(v *vpc) []string {
				return each(v.IPv6CIDRs, func(a ipv6Association) string { return a.CIDR })
			},
		},
	}
}

func (s *Service) vpcOperations() map[string]handler {
	return map[string]handler{
		"CreateVpc":                (*request).createVPC,
		"DeleteVpc":                (*request).deleteVPC,
		"DescribeVpcs":             s.vpcs.describe,
		"DescribeVpcAttribute":     (*request).describeVPCAttribute,
		"ModifyVpcAttribute":       (*request).modifyVPCAttribute,
		"AssociateVpcCidrBlock":    (*request).associateVPCCIDR,
		"DisassociateVpcCidrBlock": (*request).disassociateVPCCIDR,
		"DescribeDhcpOptions":      s.dhcp.describe,
		"DescribeNetworkAcls":      s.acls.describe,
	}
}

func (sc scope) hasVPC(id string) bool {
	_, err := sc.vpcs.get(sc, id)
	return err == nil
}

func (r *request) createVPC() (any, error) {
	block, err := r.need("CidrBlock")
	if err != nil {
		return nil, err
	}
	cidr, err := parseVPCCIDR(block)
	if err != nil {
		return nil, err
	}
	tags, err := r.newTags("vpc")
	if err != nil {
		return nil, err
	}
	if r.vpcs.count(r.scope, func(*vpc) bool { return true }) >= r.limit(quota.VPCs) {
		return nil, api.Errorf("VpcLimitExceeded", "The maximum number of VPCs has been reached.")
	}
	options, err := r.defaultDHCPOptions()
	if err != nil {
		return nil, err
	}
	v := vpc{
		ID: r.vpcs.newID(), OwnerID: r.account, State: statePending, CIDR: cidr.String(),
		CIDRs:         []cidrAssociation{{newID("vpc-cidr-assoc"), cidr.String(), cidrState{"associated"}}},
		DHCPOptionsID: options, Tenancy: "default", Tags: tags, DNSSupport: true,
	}
	if r.flag("AmazonProvidedIpv6CidrBlock") {
		v.IPv6CIDRs = []ipv6Association{r.amazonIPv6()}
	}
	if err := r.makeVPC(&v); err != nil {
		return nil, err
	}
	return answer{{"vpc", v}}, nil
}

// makeVPC writes a VPC after what AWS makes with it: the main route table, the
// default network ACL and the default security group.
func (sc scope) makeVPC(v *vpc) error {
	if err := sc.makeMainRouteTable(v); err != nil {
		return err
	}
	if err := sc.makeDefaultACL(v.ID); err != nil {
		return err
	}
	if err := sc.makeDefaultGroup(v.ID); err != nil {
		return err
	}
	if err := sc.becomes(v.ID, stateAvailable, networkTakes); err != nil {
		return err
	}
	return sc.vpcs.put(sc, v)
}

func (r *request) deleteVPC() (any, error) {
	v, err := r.vpcs.need(r, "VpcId")
	if err != nil {
		return nil, err
	}
	if r.vpcInUse(v.ID) {
		return nil, api.Errorf("DependencyViolation", "The vpc '%s' has dependencies and cannot be deleted.", v.ID)
	}
	for _, t := range r.tables.where(r.scope, func(t *routeTable) bool { return t.VPCID == v.ID }) {
		if err := r.tables.drop(r.scope, t.ID); err != nil {
			return nil, err
		}
	}
	for _, a := range r.acls.where(r.scope, func(a *networkACL) bool { return a.VPCID == v.ID }) {
		if err := r.acls.drop(r.scope, a.ID); err != nil {
			return nil, err
		}
	}
	for _, g := range r.groups.where(r.scope, func(g *securityGroup) bool { return g.VPCID == v.ID }) {
		if err := r.dropGroup(g.ID); err != nil {
			return nil, err
		}
	}
	if err := r.vpcs.drop(r.scope, v.ID); err != nil {
		return nil, err
	}
	return done()
}

// vpcInUse tells whether anything is in the VPC that AWS does not delete with it.
func (sc scope) vpcInUse(id string) bool {
	return sc.subnets.any(sc, func(s *subnet) bool { return s.VPCID == id }) ||
		sc.igws.any(sc, func(g *internetGateway) bool { return g.attachedTo(id) }) ||
		sc.eigws.any(sc, func(g *egressOnlyGateway) bool { return g.attachedTo(id) }) ||
		sc.cagws.any(sc, func(g *carrierGateway) bool { return g.VPCID == id }) ||
		sc.interfaces.any(sc, func(n *networkInterface) bool { return n.VPCID == id }) ||
		sc.endpoints.any(sc, func(e *vpcEndpoint) bool { return e.VPCID == id && !e.gone() }) ||
		sc.tables.any(sc, func(t *routeTable) bool { return t.VPCID == id && !t.main() }) ||
		sc.groups.any(sc, func(g *securityGroup) bool { return g.VPCID == id && g.Name != defaultGroup })
}

// vpcAttributes by AWS's name in questions and answers.
func (v *vpc) attribute(name string) (value *bool, ok bool) {
	switch name {
	case "enableDnsSupport":
		return &v.DNSSupport, true
	case "enableDnsHostnames":
		return &v.DNSHostnames, true
	case "enableNetworkAddressUsageMetrics":
		return &v.UsageMetrics, true
	}
	return nil, false
}

// attributeValue is how EC2 answers a boolean attribute.
type attributeValue struct {
	Value bool `xml:"value"`
}

func (r *request) describeVPCAttribute() (any, error) {
	v, err := r.vpcs.need(r, "VpcId")
	if err != nil {
		return nil, err
	}
	name, err := r.need("Attribute")
	if err != nil {
		return nil, err
	}
	value, ok := v.attribute(name)
	if !ok {
		return nil, api.Errorf("InvalidParameterValue", "Value (%s) for parameter attribute is invalid.", name)
	}
	return answer{{"vpcId", v.ID}, {name, attributeValue{*value}}}, nil
}

func (r *request) modifyVPCAttribute() (any, error) {
	v, err := r.vpcs.need(r, "VpcId")
	if err != nil {
		return nil, err
	}
	changed := 0
	for param, name := range map[string]string{
		"EnableDnsSupport":                 "enableDnsSupport",
		"EnableDnsHostnames":               "enableDnsHostnames",
		"EnableNetworkAddressUsageMetrics": "enableNetworkAddressUsageMetrics",
	} {
		if !r.Has(param + ".Value") {
			continue
		}
		value, _ := v.attribute(name)
		*value = r.flag(param + ".Value")
		changed++
	}
	if changed != 1 {
		return nil, api.Errorf("InvalidParameterCombination", "Exactly one attribute must be modified at a time, not %d.", changed)
	}
	if err := r.vpcs.put(r.scope, v); err != nil {
		return nil, err
	}
	return done()
}

func (r *request) associateVPCCIDR() (any, error) {
	v, err := r.vpcs.need(r, "VpcId")
	if err != nil {
		return nil, err
	}
	name, used, limit := "ipv6CidrBlockAssociation", len(v.IPv6CIDRs), r.limit(quota.IPv6BlocksPerVPC)
	if !r.flag("AmazonProvidedIpv6CidrBlock") {
		name, used, limit = "cidrBlockAssociation", len(v.CIDRs), r.limit(quota.IPv4BlocksPerVPC)
	}
	if used >= limit {
		return nil, api.Errorf("CidrLimitExceeded", "This network '%s' has met its maximum number of allowed CIDRs: %d", v.ID, used)
	}
	if r.flag("AmazonProvidedIpv6CidrBlock") {
		a := r.amazonIPv6()
		v.IPv6CIDRs = append(v.IPv6CIDRs, a)
		if err := r.extendLocalRoutes(v.ID, route{DestinationIPv6: a.CIDR, GatewayID: localGateway}); err != nil {
			return nil, err
		}
		return answer{{"vpcId", v.ID}, {name, a}}, r.vpcs.put(r.scope, v)
	}
	cidr, err := r.secondaryCIDR(v)
	if err != nil {
		return nil, err
	}
	a := cidrAssociation{newID("vpc-cidr-assoc"), cidr.String(), cidrState{"associated"}}
	v.CIDRs = append(v.CIDRs, a)
	if err := r.extendLocalRoutes(v.ID, route{Destination: a.CIDR, GatewayID: localGateway}); err != nil {
		return nil, err
	}
	return answer{{"vpcId", v.ID}, {name, a}}, r.vpcs.put(r.scope, v)
}

func (r *request) disassociateVPCCIDR() (any, error) {
	id, err := r.need("AssociationId")
	if err != nil {
		return nil, err
	}
	for _, v := range r.vpcs.where(r.scope, func(*vpc) bool { return true }) {
		if i := slices.IndexFunc(v.CIDRs, func(a cidrAssociation) bool { return a.ID == id }); i >= 0 {
			return r.removeCIDR(&v, i)
		}
		if i := slices.IndexFunc(v.IPv6CIDRs, func(a ipv6Association) bool { return a.ID == id }); i >= 0 {
			a := v.IPv6CIDRs[i]
			if r.cidrInUse(v.ID, a.CIDR) {
				return nil, cidrDependency(&v, a.CIDR)
			}
			v.IPv6CIDRs = slices.Delete(v.IPv6CIDRs, i, i+1)
			a.State.State = "disassociated"
			return answer{{"vpcId", v.ID}, {"ipv6CidrBlockAssociation", a}}, r.forgetCIDR(&v, a.CIDR)
		}
	}
	return nil, api.Errorf("InvalidVpcCidrBlockAssociationID.NotFound",
		"The vpc CIDR block association ID '%s' does not exist", id)
}

func (r *request) removeCIDR(v *vpc, i int) (any, error) {
	a := v.CIDRs[i]
	switch {
	case a.CIDR == v.CIDR:
		return nil, api.Errorf("OperationNotPermitted",
			"The vpc CIDR block with association ID %s may not be disassociated. It is the primary IPv4 CIDR block of the VPC", a.ID)
	case r.cidrInUse(v.ID, a.CIDR):
		return nil, cidrDependency(v, a.CIDR)
	}
	v.CIDRs = slices.Delete(v.CIDRs, i, i+1)
	a.State.State = "disassociated"
	return answer{{"vpcId", v.ID}, {"cidrBlockAssociation", a}}, r.forgetCIDR(v, a.CIDR)
}

func cidrDependency(v *vpc, cidr string) error {
	return api.Errorf("DependencyViolation",
		"The CIDR block '%s' of the vpc '%s' has dependencies and cannot be disassociated.", cidr, v.ID)
}

// forgetCIDR removes the local routes of a block and writes the VPC.
func (sc scope) forgetCIDR(v *vpc, cidr string) error {
	for _, t := range sc.tables.where(sc, func(t *routeTable) bool { return t.VPCID == v.ID }) {
		t.Routes = slices.DeleteFunc(t.Routes, func(r route) bool { return r.key() == cidr && r.GatewayID == localGateway })
		if err := sc.tables.put(sc, &t); err != nil {
			return err
		}
	}
	return sc.vpcs.put(sc, v)
}
