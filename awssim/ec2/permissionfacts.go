package ec2

import "kargo.dev/kargo/awssim/policy"

// look finds a resource of any kind with its tags.
func (k *kind[T]) look(sc scope, id string) (any, Tags, bool) {
	v, ok := k.table.Get(sc.account, sc.region, id)
	if !ok {
		return nil, nil, false
	}
	return &v, *k.tags(&v), true
}

// facts sets EC2's condition keys of a resource that exists, as the tables of
// resource types in the Service Authorization Reference list them.
func (sc scope) facts(v any, c policy.Context) {
	inVPC := func(id string) { c.Set("ec2:Vpc", sc.arnOf("vpc", id)) }
	switch v := v.(type) {
	case *vpc:
		c.Set("ec2:VpcID", v.ID)
		c.Set("ec2:Tenancy", v.Tenancy)
	case *subnet:
		c.Set("ec2:SubnetID", v.ID)
		sc.zoneFacts(v.Zone, c)
		inVPC(v.VPCID)
	case *routeTable:
		c.Set("ec2:RouteTableID", v.ID)
		inVPC(v.VPCID)
	case *securityGroup:
		c.Set("ec2:SecurityGroupID", v.ID)
		inVPC(v.VPCID)
	case *internetGateway:
		c.Set("ec2:InternetGatewayID", v.ID)
	case *carrierGateway:
		inVPC(v.VPCID)
	case *networkACL:
		c.Set("ec2:NetworkAclID", v.ID)
		inVPC(v.VPCID)
	case *dhcpOptions:
		c.Set("ec2:DhcpOptionsID", v.ID)
	case *networkInterface:
		c.Set("ec2:NetworkInterfaceID", v.ID)
		c.Set("ec2:Subnet", sc.arnOf("subnet", v.SubnetID))
		sc.zoneFacts(v.Zone, c)
		inVPC(v.VPCID)
	case *address:
		c.Set("ec2:AllocationId", v.AllocationID)
		c.Set("ec2:Domain", v.Domain)
		c.Set("ec2:PublicIpAddress", v.PublicIP)
	case *vpcEndpoint:
		c.Set("ec2:VpceServiceName", v.ServiceName)
	case *instance:
		market := "on-demand"
		if v.Lifecycle == "spot" {
			market = "spot"
		}
		c.Set("ec2:InstanceID", v.ID)
		sc.instanceFacts(v.Type, market, c)
		sc.zoneFacts(v.Placement.Zone, c)
	}
}

// factsOfNew sets EC2's condition keys of what the call makes.
func (a asked) factsOfNew(resourceType string, c policy.Context) {
	switch resourceType {
	case "vpc-endpoint":
		c.Set("ec2:VpceServiceName", a.text("ServiceName"))
	case "instance":
		market := "on-demand"
		if a.text("InstanceMarketOptions.MarketType") == "spot" {
			market = "spot"
		}
		a.instanceFacts(a.text("InstanceType"), market, c)
		if s, err := a.subnets.get(a.scope, a.text("SubnetId")); err == nil {
			a.zoneFacts(s.Zone, c)
		}
	case "volume":
		if s, err := a.subnets.get(a.scope, a.text("SubnetId")); err == nil {
			a.zoneFacts(s.Zone, c)
		}
	case "network-interface":
		if s, err := a.subnets.get(a.scope, a.text("SubnetId")); err == nil && a.operation == "RunInstances" {
			c.Set("ec2:Subnet", a.arnOf("subnet", s.ID))
			c.Set("ec2:Vpc", a.arnOf("vpc", s.VPCID))
			a.zoneFacts(s.Zone, c)
		}
	}
}

func (sc scope) instanceFacts(instanceType, market string, c policy.Context) {
	c.Set("ec2:InstanceType", instanceType)
	c.Set("ec2:InstanceMarketType", market)
	c.Set("ec2:RootDeviceType", "ebs")
	c.Set("ec2:Tenancy", "default")
}

func (sc scope) zoneFacts(name string, c policy.Context) {
	c.Set("ec2:AvailabilityZone", name)
	for _, z := range sc.world.zones(sc.region) {
		if z.Name == name {
			c.Set("ec2:AvailabilityZoneId", z.ID)
		}
	}
}

// arnOf is the ARN of a resource, "" of none.
func (sc scope) arnOf(resourceType, id string) string {
	if id == "" {
		return ""
	}
	return sc.arn(resourceType, id)
}
