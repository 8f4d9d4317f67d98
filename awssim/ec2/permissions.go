package ec2

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/policy"
)

var _ api.Guarded = (*Service)(nil)

// needed is a resource that an operation needs its action on: one that exists, by
// the parameter or list of parameters with its id, or a new one of the type.
type needed struct {
	resourceType, param string
	optional            bool // no permission is needed on what is not named
}

const made = "" // the param of what the call makes

// permissionTable lists by operation the resources it needs its action on, after
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html.
// An operation that is not in it needs its action on "*".
func permissionTable() map[string][]needed {
	one := func(resourceType, param string) []needed { return []needed{{resourceType: resourceType, param: param}} }
	inVPC := func(resourceType string) []needed {
		return []needed{{resourceType: resourceType, param: made}, {resourceType: "vpc", param: "VpcId"}}
	}
	gateway := []needed{{resourceType: "internet-gateway", param: "InternetGatewayId"}, {resourceType: "vpc", param: "VpcId"}}
	endpointParts := func(prefix string) []needed {
		return []needed{
			{"route-table", prefix + "RouteTableId", true}, {"security-group", prefix + "SecurityGroupId", true}, {"subnet", prefix + "SubnetId", true},
		}
	}
	return map[string][]needed{
		"AllocateAddress":                 one("elastic-ip", made),
		"AllocateIpamPoolCidr":            one("ipam-pool", "IpamPoolId"),
		"AssociateAddress":                {{"elastic-ip", "AllocationId", true}, {"instance", "InstanceId", true}, {"network-interface", "NetworkInterfaceId", true}},
		"AssociateRouteTable":             {{"route-table", "RouteTableId", false}, {"subnet", "SubnetId", true}, {"internet-gateway", "GatewayId", true}},
		"AssociateVpcCidrBlock":           one("vpc", "VpcId"),
		"AttachInternetGateway":           gateway,
		"AuthorizeSecurityGroupEgress":    one("security-group", "GroupId"),
		"AuthorizeSecurityGroupIngress":   one("security-group", "GroupId"),
		"CreateCarrierGateway":            inVPC("carrier-gateway"),
		"CreateEgressOnlyInternetGateway": inVPC("egress-only-internet-gateway"),
		"CreateInternetGateway":           one("internet-gateway", made),
		"CreateIpam":                      one("ipam", made),
		"CreateIpamPool":                  {{"ipam-pool", made, false}, {"ipam-scope", "IpamScopeId", false}, {"ipam-pool", "SourceIpamPoolId", true}},
		"CreateLaunchTemplate":            one("launch-template", made),
		"CreateLaunchTemplateVersion":     one("launch-template", "LaunchTemplateId"),
		"CreateNatGateway":                {{"natgateway", made, false}, {"elastic-ip", "AllocationId", true}, {"subnet", "SubnetId", false}},
		"CreateNetworkInterface":          {{"network-interface", made, false}, {"subnet", "SubnetId", false}, {"security-group", "SecurityGroupId", true}},
		"CreateRoute":                     one("route-table", "RouteTableId"),
		"CreateRouteTable":                inVPC("route-table"),
		"CreateSecurityGroup":             inVPC("security-group"),
		"CreateSubnet":                    inVPC("subnet"),
		"CreateVpc":                       one("vpc", made),
		"CreateVpcEndpoint":               append(inVPC("vpc-endpoint"), endpointParts("")...),
		"DeleteCarrierGateway":            one("carrier-gateway", "CarrierGatewayId"),
		"DeleteEgressOnlyInternetGateway": one("egress-only-internet-gateway", "EgressOnlyInternetGatewayId"),
		"DeleteInternetGateway":           one("internet-gateway", "InternetGatewayId"),
		"DeleteIpam":                      one("ipam", "IpamId"),
		"DeleteIpamPool":                  one("ipam-pool", "IpamPoolId"),
		"DeleteLaunchTemplate":            one("launch-template", "LaunchTemplateId"),
		"DeleteLaunchTemplateVersions":    one("launch-template", "LaunchTemplateId"),
		"DeleteNatGateway":                one("natgateway", "NatGatewayId"),
		"DeleteNetworkInterface":          one("network-interface", "NetworkInterfaceId"),
		"DeleteRoute":                     one("route-table", "RouteTableId"),
		"DeleteRouteTable":                one("route-table", "RouteTableId"),
		"DeleteSecurityGroup":             one("security-group", "GroupId"),
		"DeleteSubnet":                    one("subnet", "SubnetId"),
		"DeleteVpc":                       one("vpc", "VpcId"),
		"DeleteVpcEndpoints":              one("vpc-endpoint", "VpcEndpointId"),
		"DeprovisionIpamPoolCidr":         one("ipam-pool", "IpamPoolId"),
		"DescribeVpcAttribute":            one("vpc", "VpcId"),
		"DetachInternetGateway":           gateway,
		"GetIpamPoolAllocations":          one("ipam-pool", "IpamPoolId"),
		"GetIpamPoolCidrs":                one("ipam-pool", "IpamPoolId"),
		"ModifyLaunchTemplate":            one("launch-template", "LaunchTemplateId"),
		"ModifySubnetAttribute":           one("subnet", "SubnetId"),
		"ModifyVpcAttribute":              one("vpc", "VpcId"),
		"ModifyVpcEndpoint":               append(one("vpc-endpoint", "VpcEndpointId"), endpointParts("Add")...),
		"ProvisionIpamPoolCidr":           one("ipam-pool", "IpamPoolId"),
		"ReleaseAddress":                  one("elastic-ip", "AllocationId"),
		"ReleaseIpamPoolAllocation":       one("ipam-pool", "IpamPoolId"),
		"ReplaceRoute":                    one("route-table", "RouteTableId"),
		"ReplaceRouteTableAssociation":    {{"route-table", "RouteTableId", false}, {"subnet", "SubnetId", true}},
		"DisassociateAddress":             {{"elastic-ip", "AllocationId", false}, {"network-interface", "NetworkInterfaceId", true}},
		"DisassociateRouteTable":          {{"route-table", "RouteTableId", false}, {"subnet", "SubnetId", true}},
		"DisassociateVpcCidrBlock":        one("vpc", "VpcId"),
		"RevokeSecurityGroupEgress":       one("security-group", "GroupId"),
		"RevokeSecurityGroupIngress":      one("security-group", "GroupId"),
		"RunInstances": {
			{"image", "ImageId", false}, {"instance", made, false}, {"network-interface", made, false}, {"volume", made, false},
			{"security-group", "SecurityGroupId", false}, {"subnet", "SubnetId", false}, {"key-pair", "KeyName", true},
		},
		"TerminateInstances": one("instance", "InstanceId"),
	}
}

// Permissions implements api.Guarded.
func (s *Service) Permissions(c *api.Call) []policy.Permission {
	a := asked{
		form: form{c.Params}, operation: c.Operation,
		scope: scope{Service: s, account: c.Caller.AccountID, region: c.Region, now: c.Now.UTC()},
	}
	a.form = a.named()
	switch c.Operation {
	case "CreateTags", "DeleteTags":
		return a.tagging()
	}
	var list []policy.Permission
	for _, n := range permissionTable()[c.Operation] {
		list = append(list, a.on(n)...)
	}
	if len(list) == 0 {
		return []policy.Permission{{Action: "ec2:" + c.Operation, Resource: "*", Context: policy.Context{"ec2:Region": {c.Region}}}}
	}
	return append(list, a.creationTags()...)
}

// asked is a call whose permissions are wanted.
type asked struct {
	form
	scope
	operation string
}

// on are the permissions for the resources of one kind.
func (a asked) on(n needed) []policy.Permission {
	if n.param == made {
		p := a.permission(n.resourceType, "*")
		p.Context.RequestTags(a.tagsOfNew(n.resourceType))
		a.factsOfNew(n.resourceType, p.Context)
		return []policy.Permission{p}
	}
	ids := a.list(n.param)
	if id := a.text(n.param); id != "" {
		ids = append(ids, id)
	}
	if len(ids) == 0 && !n.optional {
		ids = []string{"*"} // the call is refused for what it lacks, or means a default
	}
	var list []policy.Permission
	for _, id := range ids {
		list = append(list, a.permission(n.resourceType, id))
	}
	return list
}

// permission to do the operation with a resource, with what is known of it.
func (a asked) permission(resourceType, id string) policy.Permission {
	account := a.account
	if resourceType == "image" {
		account = "" // images are not an account's in ARNs
	}
	p := policy.Permission{
		Action:   "ec2:" + a.operation,
		Resource: fmt.Sprintf("arn:aws:ec2:%s:%s:%s/%s", a.arnRegion(resourceType), account, resourceType, id),
		Context:  policy.Context{"ec2:Region": {a.region}},
	}
	switch resourceType {
	case "image":
		p.Context.Set("ec2:ImageID", id)
		for key, value := range map[string]string{"Owner": "amazon", "Public": "true", "ImageType": "machine", "RootDeviceType": "ebs"} {
			p.Context.Set("ec2:"+key, value)
		}
	case "key-pair":
		p.Context.Set("ec2:KeyPairName", id)
	}
	for _, k := range a.kinds {
		if k.typeName() != resourceType || !k.owns(id) {
			continue
		}
		if v, tags, ok := k.look(a.scope, id); ok {
			p.Context.ResourceTags("ec2", tags.asMap())
			a.facts(v, p.Context)
		}
	}
	return p
}

// tagging is CreateTags or DeleteTags of resources that exist.
func (a asked) tagging() []policy.Permission {
	tags := map[string]string{}
	for _, t := range a.tags() {
		tags[t.Key] = t.Value
	}
	var list []policy.Permission
	for _, id := range a.list("ResourceId") {
		p := a.permission(a.typeOf(id), id)
		p.Context.RequestTags(tags)
		list = append(list, p)
	}
	if len(list) == 0 {
		return []policy.Permission{{Action: "ec2:" + a.operation, Resource: "*"}}
	}
	return list
}

// typeOf is the resource type of an id. What is no resource that the simulator
// knows (a volume) goes by the id's prefix; the operation does not find it.
func (a asked) typeOf(id string) string {
	for _, k := range a.kinds {
		if k.owns(id) {
			return k.typeName()
		}
	}
	if strings.HasPrefix(id, "vol-") {
		return "volume"
	}
	return "*"
}

// creationTags are the permissions to tag what the call makes.
func (a asked) creationTags() []policy.Permission {
	var list []policy.Permission
	for _, spec := range a.structs("TagSpecification") {
		resourceType := spec.text("ResourceType")
		tags := a.tagsOfNew(resourceType)
		if len(tags) == 0 {
			continue
		}
		p := policy.Permission{
			Action: "ec2:CreateTags", Resource: a.arn(resourceType, "*"),
			Context: policy.Context{"ec2:Region": {a.region}, "ec2:CreateAction": {a.operation}},
		}
		p.Context.RequestTags(tags)
		list = append(list, p)
	}
	return list
}

// tagsOfNew are the tags that the call gives to what it makes of a type.
func (a asked) tagsOfNew(resourceType string) map[string]string {
	tags := map[string]string{}
	for _, spec := range a.structs("TagSpecification") {
		if spec.text("ResourceType") == resourceType {
			for _, t := range spec.tags() {
				tags[t.Key] = t.Value
			}
		}
	}
	return tags
}

// named is the form with the ids of what the call names otherwise: a launch template
// by its name, the parts of an association by its id. What is found that way stands
// for whatever the form says of it, and "*" for what is not found.
func (a asked) named() form {
	f := form{maps.Clone(a.Values)}
	set := func(param, id string) { f.Set(param, cmp.Or(id, "*")) }
	association := a.text("AssociationId")
	switch a.operation {
	case "CreateLaunchTemplateVersion", "ModifyLaunchTemplate", "DeleteLaunchTemplate", "DeleteLaunchTemplateVersions":
		if name := a.text("LaunchTemplateName"); name != "" && a.text("LaunchTemplateId") == "" {
			set("LaunchTemplateId", "")
			if t, err := a.templateByName(name); err == nil {
				set("LaunchTemplateId", t.ID)
			}
		}
	case "DisassociateAddress":
		set("AllocationId", "")
		f.Del("NetworkInterfaceId")
		for _, ip := range a.addresses.where(a.scope, func(v *address) bool { return v.AssociationID == association && association != "" }) {
			set("AllocationId", ip.AllocationID)
			set("NetworkInterfaceId", ip.InterfaceID)
		}
	case "DisassociateVpcCidrBlock":
		set("VpcId", "")
		for _, v := range a.vpcs.where(a.scope, func(v *vpc) bool { return v.hasAssociation(association) }) {
			set("VpcId", v.ID)
		}
	case "DisassociateRouteTable", "ReplaceRouteTableAssociation":
		f.Del("SubnetId")
		tables := a.tables.where(a.scope, func(t *routeTable) bool { return t.association(association) != nil })
		if a.operation == "DisassociateRouteTable" {
			set("RouteTableId", "")
		}
		for _, t := range tables {
			if found := t.association(association); found.SubnetID != "" {
				set("SubnetId", found.SubnetID)
			}
			if a.operation == "DisassociateRouteTable" {
				set("RouteTableId", t.ID)
			}
		}
	}
	return f
}

func (v *vpc) hasAssociation(id string) bool {
	return slices.ContainsFunc(v.CIDRs, func(c cidrAssociation) bool { return c.ID == id }) ||
		slices.ContainsFunc(v.IPv6CIDRs, func(c ipv6Association) bool { return c.ID == id })
}

func (t *routeTable) association(id string) *tableAssociation {
	i := slices.IndexFunc(t.Associations, func(o tableAssociation) bool { return o.ID == id })
	if i < 0 {
		return nil
	}
	return &t.Associations[i]
}
