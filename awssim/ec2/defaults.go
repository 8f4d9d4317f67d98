package ec2

// What every VPC has without anybody asking: a DHCP option set and a network ACL.

// dhcpOptions as it is stored and answered.
type dhcpOptions struct {
	ID      string       `xml:"dhcpOptionsId"`
	OwnerID string       `xml:"ownerId"`
	Options []dhcpOption `xml:"dhcpConfigurationSet>item"`
	Tags    Tags         `xml:"tagSet>item"`
}

type dhcpOption struct {
	Key    string      `xml:"key"`
	Values []dhcpValue `xml:"valueSet>item"`
}

type dhcpValue struct {
	Value string `xml:"value"`
}

func dhcpOptionsKind() kind[dhcpOptions] {
	return kind[dhcpOptions]{
		resourceType: "dhcp-options", prefix: "dopt", idParam: "DhcpOptionsId", set: "dhcpOptionsSet",
		notFound: "InvalidDhcpOptionID.NotFound", noun: "dhcpOption ID",
		id:      func(d *dhcpOptions) string { return d.ID },
		tags:    func(d *dhcpOptions) *Tags { return &d.Tags },
		builtin: func(*dhcpOptions) bool { return true },
		filters: map[string]func(*dhcpOptions) []string{
			"dhcp-options-id": one(func(d *dhcpOptions) string { return d.ID }),
			"owner-id":        one(func(d *dhcpOptions) string { return d.OwnerID }),
			"key":             func(d *dhcpOptions) []string { return each(d.Options, func(o dhcpOption) string { return o.Key }) },
			"value": func(d *dhcpOptions) []string {
				var values []string
				for _, o := range d.Options {
					values = append(values, each(o.Values, func(v dhcpValue) string { return v.Value })...)
				}
				return values
			},
		},
	}
}

// defaultDHCPOptions is the region's option set, made when it is first needed.
func (sc scope) defaultDHCPOptions() (id string, err error) {
	for _, d := range sc.dhcp.where(sc, func(*dhcpOptions) bool { return true }) {
		return d.ID, nil
	}
	domain := sc.region + ".compute.internal"
	if sc.region == "us-east-1" {
		domain = "ec2.internal"
	}
	d := dhcpOptions{ID: sc.dhcp.newID(), OwnerID: sc.account, Options: []dhcpOption{
		{"domain-name", []dhcpValue{{domain}}},
		{"domain-name-servers", []dhcpValue{{"AmazonProvidedDNS"}}},
	}}
	return d.ID, sc.dhcp.put(sc, &d)
}

// networkACL as it is stored and answered.
type networkACL struct {
	ID           string           `xml:"networkAclId"`
	VPCID        string           `xml:"vpcId"`
	OwnerID      string           `xml:"ownerId"`
	Default      bool             `xml:"default"`
	Entries      []aclEntry       `xml:"entrySet>item"`
	Associations []aclAssociation `xml:"associationSet>item"`
	Tags         Tags             `xml:"tagSet>item"`
}

type aclEntry struct {
	Number   int    `xml:"ruleNumber"`
	Protocol string `xml:"protocol"`
	Action   string `xml:"ruleAction"`
	Egress   bool   `xml:"egress"`
	CIDR     string `xml:"cidrBlock"`
}

type aclAssociation struct {
	ID       string `xml:"networkAclAssociationId"`
	ACLID    string `xml:"networkAclId"`
	SubnetID string `xml:"subnetId"`
}

// lastACLRule is the number of the rule that denies what no other rule allows.
const lastACLRule = 32767

func networkACLKind() kind[networkACL] {
	return kind[networkACL]{
		resourceType: "network-acl", prefix: "acl", idParam: "NetworkAclId", set: "networkAclSet",
		notFound: "InvalidNetworkAclID.NotFound", noun: "networkAcl ID",
		id:      func(a *networkACL) string { return a.ID },
		tags:    func(a *networkACL) *Tags { return &a.Tags },
		builtin: func(a *networkACL) bool { return a.Default },
		show: func(sc scope, a *networkACL) {
			for _, s := range sc.subnets.where(sc, func(s *subnet) bool { return s.VPCID == a.VPCID }) {
				// One association per subnet, with an id as stable as the subnet's.
				a.Associations = append(a.Associations, aclAssociation{"aclassoc-" + s.ID[len("subnet-"):], a.ID, s.ID})
			}
		},
		filters: map[string]func(*networkACL) []string{
			"network-acl-id": one(func(a *networkACL) string { return a.ID }),
			"vpc-id":         one(func(a *networkACL) string { return a.VPCID }),
			"owner-id":       one(func(a *networkACL) string { return a.OwnerID }),
			"default":        yesNo(func(a *networkACL) bool { return a.Default }),
			"association.subnet-id": func(a *networkACL) []string {
				return each(a.Associations, func(s aclAssociation) string { return s.SubnetID })
			},
		},
	}
}

// makeDefaultACL lets everything in and out, as AWS's does.
func (sc scope) makeDefaultACL(vpcID string) error {
	a := networkACL{ID: sc.acls.newID(), VPCID: vpcID, OwnerID: sc.account, Default: true}
	for _, egress := range []bool{true, false} {
		a.Entries = append(a.Entries,
			aclEntry{100, "-1", "allow", egress, "0.0.0.0/0"},
			aclEntry{lastACLRule, "-1", "deny", egress, "0.0.0.0/0"})
	}
	return sc.acls.put(sc, &a)
}
