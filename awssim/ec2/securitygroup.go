package ec2

import (
	"slices"
	"strconv"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/quota"
)

// defaultGroup is the name of the security group that every VPC has.
const defaultGroup = "default"

// securityGroup as it is stored and answered. Its rules are records of their own.
type securityGroup struct {
	ID          string `xml:"groupId"`
	ARN         string `xml:"securityGroupArn"`
	Name        string `xml:"groupName"`
	Description string `xml:"groupDescription"`
	OwnerID     string `xml:"ownerId"`
	VPCID       string `xml:"vpcId"`
	Tags        Tags   `xml:"tagSet>item"`

	// Ingress and Egress are the rules in the grouped form, made at the look.
	Ingress []permission `xml:"ipPermissions>item" json:"-"`
	Egress  []permission `xml:"ipPermissionsEgress>item" json:"-"`
}

func securityGroupKind() kind[securityGroup] {
	return kind[securityGroup]{
		resourceType: "security-group", prefix: "sg", idParam: "GroupId", set: "securityGroupInfo",
		notFound: "InvalidGroup.NotFound", noun: "security group",
		id:      func(g *securityGroup) string { return g.ID },
		tags:    func(g *securityGroup) *Tags { return &g.Tags },
		builtin: func(g *securityGroup) bool { return g.Name == defaultGroup },
		show: func(sc scope, g *securityGroup) {
			rules := sc.rulesOf(g.ID)
			g.Ingress, g.Egress = permissions(rules, false), permissions(rules, true)
		},
		filters: securityGroupFilters(),
	}
}

func securityGroupFilters() map[string]func(*securityGroup) []string {
	filters := map[string]func(*securityGroup) []string{
		"group-id":    one(func(g *securityGroup) string { return g.ID }),
		"group-name":  one(func(g *securityGroup) string { return g.Name }),
		"description": one(func(g *securityGroup) string { return g.Description }),
		"owner-id":    one(func(g *securityGroup) string { return g.OwnerID }),
		"vpc-id":      one(func(g *securityGroup) string { return g.VPCID }),
	}
	for prefix, rules := range map[string]func(*securityGroup) []permission{
		"ip-permission.":        func(g *securityGroup) []permission { return g.Ingress },
		"egress.ip-permission.": func(g *securityGroup) []permission { return g.Egress },
	} {
		for name, value := range permissionFilters() {
			filters[prefix+name] = func(g *securityGroup) []string {
				var values []string
				for _, p := range rules(g) {
					values = append(values, value(p)...)
				}
				return values
			}
		}
	}
	return filters
}

// permissionFilters are the parts of a rule that groups can be found by.
func permissionFilters() map[string]func(permission) []string {
	port := func(n *int) []string {
		if n == nil {
			return nil
		}
		return []string{strconv.Itoa(*n)}
	}
	return map[string]func(permission) []string{
		"protocol":  func(p permission) []string { return []string{p.Protocol} },
		"from-port": func(p permission) []string { return port(p.FromPort) },
		"to-port":   func(p permission) []string { return port(p.ToPort) },
		"cidr":      func(p permission) []string { return each(p.Ranges, func(r ipRange) string { return r.CIDR }) },
		"ipv6-cidr": func(p permission) []string { return each(p.IPv6Ranges, func(r ipv6Range) string { return r.CIDR }) },
		"group-id":  func(p permission) []string { return each(p.Groups, func(g groupPair) string { return g.GroupID }) },
	}
}

func (s *Service) securityGroupOperations() map[string]handler {
	return map[string]handler{
		"CreateSecurityGroup":           (*request).createSecurityGroup,
		"DeleteSecurityGroup":           (*request).deleteSecurityGroup,
		"DescribeSecurityGroups":        (*request).describeSecurityGroups,
		"DescribeSecurityGroupRules":    s.rules.describe,
		"AuthorizeSecurityGroupIngress": func(r *request) (any, error) { return r.authorize(false) },
		"AuthorizeSecurityGroupEgress":  func(r *request) (any, error) { return r.authorize(true) },
		"RevokeSecurityGroupIngress":    func(r *request) (any, error) { return r.revoke(false) },
		"RevokeSecurityGroupEgress":     func(r *request) (any, error) { return r.revoke(true) },
	}
}

// describeSecurityGroups may also name groups by name.
func (r *request) describeSecurityGroups() (any, error) {
	names := r.list("GroupName")
	for _, name := range names {
		if !r.groups.any(r.scope, func(g *securityGroup) bool { return g.Name == name }) {
			return nil, api.Errorf("InvalidGroup.NotFound", "The security group '%s' does not exist", name)
		}
	}
	list, next, err := r.groups.find(r)
	if err != nil {
		return nil, err
	}
	if len(names) > 0 {
		list = keep(list, func(g securityGroup) bool { return slices.Contains(names, g.Name) })
	}
	return answer{{"securityGroupInfo", list}, {"nextToken", next}}, nil
}

func (r *request) createSecurityGroup() (any, error) {
	name, err := r.need("GroupName")
	if err != nil {
		return nil, err
	}
	description, err := r.need("GroupDescription")
	if err != nil {
		return nil, err
	}
	v, err := r.vpcs.need(r, "VpcId")
	if err != nil {
		return nil, err
	}
	if name == defaultGroup || len(name) > 255 || len(name) > 2 && name[:3] == "sg-" {
		return nil, api.Errorf("InvalidParameterValue", "Value (%s) for parameter groupName is invalid.", name)
	}
	tags, err := r.newTags("security-group")
	if err != nil {
		return nil, err
	}
	g := securityGroup{Name: name, Description: description, VPCID: v.ID, Tags: tags}
	if err := r.makeGroup(&g); err != nil {
		return nil, err
	}
	return answer{{"return", true}, {"groupId", g.ID}, {"securityGroupArn", g.ARN}, {"tagSet", g.Tags}}, nil
}

// makeGroup writes a new group, which lets everything out.
func (sc scope) makeGroup(g *securityGroup, more ...securityGroupRule) error {
	if sc.groups.any(sc, func(o *securityGroup) bool { return o.VPCID == g.VPCID && o.Name == g.Name }) {
		return api.Errorf("InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%s'", g.Name, g.VPCID)
	}
	if sc.groups.count(sc, func(*securityGroup) bool { return true }) >= sc.limit(quota.SecurityGroups) {
		return api.Errorf("SecurityGroupLimitExceeded", "The maximum number of security groups has been reached.")
	}
	if g.ID == "" {
		g.ID = sc.groups.newID()
	}
	g.OwnerID, g.ARN = sc.account, sc.arn("security-group", g.ID)
	out := securityGroupRule{Egress: true, Protocol: allProtocols, FromPort: -1, ToPort: -1, CIDR: "0.0.0.0/0"}
	for _, r := range append(more, out) {
		r.ID, r.GroupID, r.OwnerID = sc.rules.newID(), g.ID, sc.account
		if err := sc.rules.put(sc, &r); err != nil {
			return err
		}
	}
	return sc.groups.put(sc, g)
}

// membersRule lets the members of a group talk to each other.
func (sc scope) membersRule(groupID string) securityGroupRule {
	return securityGroupRule{
		Protocol: allProtocols, FromPort: -1, ToPort: -1, Source: &sourceGroup{GroupID: groupID, UserID: sc.account},
	}
}

func (sc scope) makeDefaultGroup(vpcID string) error {
	g := securityGroup{ID: sc.groups.newID(), Name: defaultGroup, Description: "default VPC security group", VPCID: vpcID}
	return sc.makeGroup(&g, sc.membersRule(g.ID))
}

func (r *request) deleteSecurityGroup() (any, error) {
	g, err := r.groups.need(r, "GroupId")
	if err != nil {
		return nil, err
	}
	if g.Name == defaultGroup {
		return nil, api.Errorf("CannotDelete", "the specified group: %q name: %q cannot be deleted by a user", g.ID, g.Name)
	}
	if r.groupInUse(g.ID) {
		return nil, api.Errorf("DependencyViolation", "resource %s has a dependent object", g.ID)
	}
	if err := r.dropGroup(g.ID); err != nil {
		return nil, err
	}
	return answer{{"return", true}, {"groupId", g.ID}}, nil
}

// groupInUse tells whether interfaces or rules of other groups refer to a group.
func (sc scope) groupInUse(id string) bool {
	return sc.interfaces.any(sc, func(n *networkInterface) bool {
		return slices.ContainsFunc(n.Groups, func(g groupName) bool { return g.ID == id })
	}) || sc.rules.any(sc, func(r *securityGroupRule) bool {
		return r.GroupID != id && r.Source != nil && r.Source.GroupID == id
	})
}

// dropGroup removes a group with its rules.
func (sc scope) dropGroup(id string) error {
	for _, r := range sc.rulesOf(id) {
		if err := sc.rules.drop(sc, r.ID); err != nil {
			return err
		}
	}
	return sc.groups.drop(sc, id)
}

func (sc scope) rulesOf(groupID string) []securityGroupRule {
	return sc.rules.where(sc, func(r *securityGroupRule) bool { return r.GroupID == groupID })
}

func (r *request) authorize(egress bool) (any, error) {
	g, err := r.groups.need(r, "GroupId")
	if err != nil {
		return nil, err
	}
	tags, err := r.newTags("security-group-rule")
	if err != nil {
		return nil, err
	}
	wanted, err := r.requestedRules(g.ID, egress)
	if err != nil {
		return nil, err
	}
	existing := keep(r.rulesOf(g.ID), func(o securityGroupRule) bool { return o.Egress == egress })
	for i := range wanted {
		w := &wanted[i]
		if err := r.checkSource(w); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(existing, w.same) {
			return nil, api.Errorf("InvalidPermission.Duplicate", "the specified rule %q already exists", "peer: "+w.peer()+
				", "+w.describe()+", ALLOW")
		}
		if slices.ContainsFunc(wanted[:i], w.same) {
			return nil, api.Errorf("InvalidParameterValue", "The same permission must not appear multiple times")
		}
		w.ID, w.OwnerID, w.Tags = r.rules.newID(), r.account, tags
	}
	if len(existing)+len(wanted) > r.limit(quota.RulesPerSecurityGroup) {
		return nil, api.Errorf("RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")
	}
	for i := range wanted {
		if err := r.rules.put(r.scope, &wanted[i]); err != nil {
			return nil, err
		}
	}
	return answer{{"return", true}, {"securityGroupRuleSet", wanted}}, nil
}

func (r *request) revoke(egress bool) (any, error) {
	g, err := r.groups.need(r, "GroupId")
	if err != nil {
		return nil, err
	}
	rules := keep(r.rulesOf(g.ID), func(o securityGroupRule) bool { return o.Egress == egress })
	var revoked []securityGroupRule
	for _, id := range r.list("SecurityGroupRuleId") {
		i := slices.IndexFunc(rules, func(o securityGroupRule) bool { return o.ID == id })
		if i < 0 {
			return nil, r.rules.missing(id)
		}
		revoked = append(revoked, rules[i])
	}
	if len(revoked) == 0 {
		wanted, err := r.requestedRules(g.ID, egress)
		if err != nil {
			return nil, err
		}
		for _, w := range wanted {
			i := slices.IndexFunc(rules, w.same)
			if i < 0 {
				return nil, api.Errorf("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
			}
			revoked = append(revoked, rules[i])
		}
	}
	for _, o := range revoked {
		if err := r.rules.drop(r.scope, o.ID); err != nil {
			return nil, err
		}
	}
	return answer{{"return", true}, {"revokedSecurityGroupRuleSet", each(revoked, revokedRuleOf)}}, nil
}
