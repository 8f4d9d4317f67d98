package ec2

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"

	"kargo.dev/kargo/awssim/api"
)

// allProtocols is how AWS spells any protocol; such rules have no ports.
const allProtocols = "-1"

// securityGroupRule allows one peer in or out, as it is stored and answered.
type securityGroupRule struct {
	ID           string       `xml:"securityGroupRuleId"`
	GroupID      string       `xml:"groupId"`
	OwnerID      string       `xml:"groupOwnerId"`
	Egress       bool         `xml:"isEgress"`
	Protocol     string       `xml:"ipProtocol"`
	FromPort     int          `xml:"fromPort"`
	ToPort       int          `xml:"toPort"`
	CIDR         string       `xml:"cidrIpv4,omitempty"`
	IPv6CIDR     string       `xml:"cidrIpv6,omitempty"`
	PrefixListID string       `xml:"prefixListId,omitempty"`
	Source       *sourceGroup `xml:"referencedGroupInfo"`
	Description  string       `xml:"description,omitempty"`
	Tags         Tags         `xml:"tagSet>item"`
}

type sourceGroup struct {
	GroupID string `xml:"groupId"`
	UserID  string `xml:"userId"`
}

// revokedRule is how Revoke operations answer a rule.
type revokedRule struct {
	ID           string `xml:"securityGroupRuleId"`
	GroupID      string `xml:"groupId"`
	Egress       bool   `xml:"isEgress"`
	Protocol     string `xml:"ipProtocol"`
	FromPort     int    `xml:"fromPort"`
	ToPort       int    `xml:"toPort"`
	CIDR         string `xml:"cidrIpv4,omitempty"`
	IPv6CIDR     string `xml:"cidrIpv6,omitempty"`
	PrefixListID string `xml:"prefixListId,omitempty"`
	SourceID     string `xml:"referencedGroupId,omitempty"`
	Description  string `xml:"description,omitempty"`
}

func revokedRuleOf(r securityGroupRule) revokedRule {
	v := revokedRule{
		ID: r.ID, GroupID: r.GroupID, Egress: r.Egress, Protocol: r.Protocol, FromPort: r.FromPort, ToPort: r.ToPort,
		CIDR: r.CIDR, IPv6CIDR: r.IPv6CIDR, PrefixListID: r.PrefixListID, Description: r.Description,
	}
	if r.Source != nil {
		v.SourceID = r.Source.GroupID
	}
	return v
}

func securityGroupRuleKind() kind[securityGroupRule] {
	return kind[securityGroupRule]{
		resourceType: "security-group-rule", prefix: "sgr", idParam: "SecurityGroupRuleId", set: "securityGroupRuleSet",
		notFound: "InvalidSecurityGroupRuleId.NotFound", noun: "security group rule ID", unlisted: true,
		id:   func(r *securityGroupRule) string { return r.ID },
		tags: func(r *securityGroupRule) *Tags { return &r.Tags },
		filters: map[string]func(*securityGroupRule) []string{
			"group-id":               one(func(r *securityGroupRule) string { return r.GroupID }),
			"security-group-rule-id": one(func(r *securityGroupRule) string { return r.ID }),
		},
	}
}

// peer is whom the rule allows: a CIDR block, a prefix list or a group.
func (r *securityGroupRule) peer() string {
	if r.Source != nil {
		return r.Source.GroupID
	}
	return cmp.Or(r.CIDR, r.IPv6CIDR, r.PrefixListID)
}

func (r *securityGroupRule) describe() string {
	if r.Protocol == allProtocols {
		return "ALL"
	}
	return fmt.Sprintf("%s, from port: %d, to port: %d", r.Protocol, r.FromPort, r.ToPort)
}

// same tells whether the rules allow the same, whatever their descriptions.
func (r *securityGroupRule) same(o securityGroupRule) bool {
	return r.Egress == o.Egress && r.Protocol == o.Protocol && r.FromPort == o.FromPort && r.ToPort == o.ToPort && r.peer() == o.peer()
}

// permission is the grouped form of rules: one protocol and port range, many peers.
type permission struct {
	Protocol    string       `xml:"ipProtocol"`
	FromPort    *int         `xml:"fromPort"`
	ToPort      *int         `xml:"toPort"`
	Groups      []groupPair  `xml:"groups>item"`
	Ranges      []ipRange    `xml:"ipRanges>item"`
	IPv6Ranges  []ipv6Range  `xml:"ipv6Ranges>item"`
	PrefixLists []prefixList `xml:"prefixListIds>item"`
}

type groupPair struct {
	UserID      string `xml:"userId"`
	GroupID     string `xml:"groupId"`
	Description string `xml:"description,omitempty"`
}

type ipRange struct {
	CIDR        string `xml:"cidrIp"`
	Description string `xml:"description,omitempty"`
}

type ipv6Range struct {
	CIDR        string `xml:"cidrIpv6"`
	Description string `xml:"description,omitempty"`
}

type prefixList struct {
	ID          string `xml:"prefixListId"`
	Description string `xml:"description,omitempty"`
}

// permissions groups the rules of one direction.
func permissions(rules []securityGroupRule, egress bool) []permission {
	var list []permission
	index := map[string]int{}
	for _, r := range rules {
		if r.Egress != egress {
			continue
		}
		i, ok := index[r.describe()]
		if !ok {
			i = len(list)
			index[r.describe()] = i
			p := permission{Protocol: r.Protocol}
			if r.Protocol != allProtocols {
				p.FromPort, p.ToPort = &r.FromPort, &r.ToPort
			}
			list = append(list, p)
		}
		list[i].add(r)
	}
	return list
}

func (p *permission) add(r securityGroupRule) {
	switch {
	case r.Source != nil:
		p.Groups = append(p.Groups, groupPair{r.Source.UserID, r.Source.GroupID, r.Description})
	case r.CIDR != "":
		p.Ranges = append(p.Ranges, ipRange{r.CIDR, r.Description})
	case r.IPv6CIDR != "":
		p.IPv6Ranges = append(p.IPv6Ranges, ipv6Range{r.IPv6CIDR, r.Description})
	default:
		p.PrefixLists = append(p.PrefixLists, prefixList{r.PrefixListID, r.Description})
	}
}

// requestedRules reads the rules of an Authorize or Revoke request, one per peer.
func (r *request) requestedRules(groupID string, egress bool) ([]securityGroupRule, error) {
	asked := r.structs("IpPermissions")
	if len(asked) == 0 && r.text("CidrIp") != "" { // the older, flat form
		flat := form{map[string][]string{"IpRanges.1.CidrIp": {r.text("CidrIp")}}}
		for _, name := range []string{"IpProtocol", "FromPort", "ToPort"} {
			if r.Has(name) {
				flat.Set(name, r.text(name))
			}
		}
		asked = []form{flat}
	}
	if len(asked) == 0 {
		return nil, api.Errorf("MissingParameter", "The request must contain the parameter ipPermissions")
	}
	var rules []securityGroupRule
	for _, f := range asked {
		base := securityGroupRule{GroupID: groupID, Egress: egress}
		if err := base.readPorts(f); err != nil {
			return nil, err
		}
		peers, err := r.peers(base, f)
		if err != nil {
			return nil, err
		}
		rules = append(rules, peers...)
	}
	return rules, nil
}

// readPorts reads protocol and ports of a permission.
func (r *securityGroupRule) readPorts(f form) (err error) {
	if r.Protocol, err = f.need("IpProtocol"); err != nil {
		return err
	}
	switch r.Protocol {
	case "6":
		r.Protocol = "tcp"
	case "17":
		r.Protocol = "udp"
	case "1":
		r.Protocol = "icmp"
	case "58":
		r.Protocol = "icmpv6"
	case "all":
		r.Protocol = allProtocols
	}
	r.FromPort, r.ToPort = -1, -1
	switch r.Protocol {
	case "tcp", "udp":
		return r.readPortRange(f)
	case "icmp", "icmpv6":
		if r.FromPort, err = f.number("FromPort", -1); err != nil {
			return err
		}
		r.ToPort, err = f.number("ToPort", -1)
		return err
	}
	if n, err := strconv.Atoi(r.Protocol); err != nil || n < -1 || n > 255 {
		return api.Errorf("InvalidPermission.Malformed", "Unsupported IP protocol %q - supported: [tcp, udp, icmp]", r.Protocol)
	}
	return nil
}

func (r *securityGroupRule) readPortRange(f form) (err error) {
	if r.FromPort, err = f.number("FromPort", -1); err != nil {
		return err
	}
	if r.ToPort, err = f.number("ToPort", -1); err != nil {
		return err
	}
	if r.FromPort < 0 || r.ToPort > 65535 || r.FromPort > r.ToPort {
		return api.Errorf("InvalidParameterValue", "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange: %d-%d",
			r.FromPort, r.ToPort)
	}
	return nil
}

// peers makes a rule of a permission's base for each of its peers.
func (sc scope) peers(base securityGroupRule, f form) ([]securityGroupRule, error) {
	var rules []securityGroupRule
	add := func(m form, set func(*securityGroupRule)) {
		rule := base
		rule.Description = m.text("Description")
		set(&rule)
		rules = append(rules, rule)
	}
	for _, m := range f.structs("IpRanges") {
		block, err := netip.ParsePrefix(m.text("CidrIp"))
		if err != nil || !block.Addr().Is4() {
			return nil, api.Errorf("InvalidParameterValue", "CIDR block %s is malformed", m.text("CidrIp"))
		}
		add(m, func(r *securityGroupRule) { r.CIDR = block.Masked().String() })
	}
	for _, m := range f.structs("Ipv6Ranges") {
		block, err := netip.ParsePrefix(m.text("CidrIpv6"))
		if err != nil || !block.Addr().Is6() {
			return nil, api.Errorf("InvalidParameterValue", "IPv6 CIDR block %s is malformed", m.text("CidrIpv6"))
		}
		add(m, func(r *securityGroupRule) { r.IPv6CIDR = block.Masked().String() })
	}
	for _, m := range f.structs("PrefixListIds") {
		add(m, func(r *securityGroupRule) { r.PrefixListID = m.text("PrefixListId") })
	}
	for _, m := range f.structs("Groups") {
		add(m, func(r *securityGroupRule) {
			r.Source = &sourceGroup{GroupID: m.text("GroupId"), UserID: cmp.Or(m.text("UserId"), sc.account)}
		})
	}
	if len(rules) == 0 {
		return nil, api.Errorf("MissingParameter", "The request must contain a source or destination for each permission")
	}
	return rules, nil
}

// checkSource checks that the group a rule refers to exists, if it is the account's own.
func (sc scope) checkSource(r *securityGroupRule) error {
	if r.Source == nil || r.Source.UserID != sc.account {
		return nil
	}
	_, err := sc.groups.get(sc, r.Source.GroupID)
	return err
}
