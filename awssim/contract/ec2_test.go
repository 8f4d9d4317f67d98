package contract_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	gocmp "github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/awssim/api"
	ec2sim "kargo.dev/kargo/awssim/ec2"
)

// withEC2 adds EC2 to a simulator; a factor makes it as slow as AWS.
func withEC2(factor float64, into **ec2sim.Service) func(t *testing.T, c core) api.Service {
	return func(t *testing.T, c core) api.Service {
		t.Helper()
		c.Clock.Factor = factor
		s, err := ec2sim.New(ec2sim.Options{Store: c.Store, Clock: c.Clock})
		if err != nil {
			t.Fatal(err)
		}
		if into != nil {
			*into = s
		}
		return s
	}
}

// startEC2 runs a simulator on the fast clock and returns a client of the shop's administrator.
func startEC2(t *testing.T) (*simulator, *ec2.Client, *ec2sim.Service) {
	t.Helper()
	var service *ec2sim.Service
	sim := start(t, withEC2(0, &service))
	return sim, ec2.NewFromConfig(sim.account(t, shopID)), service
}

func tagSpec(kind types.ResourceType, tags ...string) []types.TagSpecification {
	spec := types.TagSpecification{ResourceType: kind}
	for i := 0; i < len(tags); i += 2 {
		spec.Tags = append(spec.Tags, types.Tag{Key: aws.String(tags[i]), Value: aws.String(tags[i+1])})
	}
	return []types.TagSpecification{spec}
}

func where(name string, values ...string) types.Filter {
	return types.Filter{Name: aws.String(name), Values: values}
}

// must returns a call's answer, or fails the test.
func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newVPC(t *testing.T, c *ec2.Client, cidr string, tags ...string) string {
	t.Helper()
	in := &ec2.CreateVpcInput{CidrBlock: aws.String(cidr)}
	if len(tags) > 0 {
		in.TagSpecifications = tagSpec(types.ResourceTypeVpc, tags...)
	}
	return *must[*ec2.CreateVpcOutput](t)(c.CreateVpc(t.Context(), in)).Vpc.VpcId
}

func newSubnet(t *testing.T, c *ec2.Client, vpc, cidr, zone string) string {
	t.Helper()
	out := must[*ec2.CreateSubnetOutput](t)(c.CreateSubnet(t.Context(), &ec2.CreateSubnetInput{
		VpcId: &vpc, CidrBlock: &cidr, AvailabilityZone: aws.String(region + zone)}))
	return *out.Subnet.SubnetId
}

func newGateway(t *testing.T, c *ec2.Client, vpc string) string {
	t.Helper()
	id := must[*ec2.CreateInternetGatewayOutput](t)(c.CreateInternetGateway(t.Context(), &ec2.CreateInternetGatewayInput{})).InternetGateway.InternetGatewayId
	must[*ec2.AttachInternetGatewayOutput](t)(c.AttachInternetGateway(t.Context(), &ec2.AttachInternetGatewayInput{InternetGatewayId: id, VpcId: &vpc}))
	return *id
}

func newAddress(t *testing.T, c *ec2.Client) string {
	t.Helper()
	return *must[*ec2.AllocateAddressOutput](t)(c.AllocateAddress(t.Context(), &ec2.AllocateAddressInput{Domain: types.DomainTypeVpc})).AllocationId
}

func newNATGateway(t *testing.T, c *ec2.Client, subnet, allocation string) string {
	t.Helper()
	out := must[*ec2.CreateNatGatewayOutput](t)(c.CreateNatGateway(t.Context(), &ec2.CreateNatGatewayInput{SubnetId: &subnet, AllocationId: &allocation}))
	return *out.NatGateway.NatGatewayId
}

func natGateway(t *testing.T, c *ec2.Client, id string) types.NatGateway {
	t.Helper()
	return must[*ec2.DescribeNatGatewaysOutput](t)(c.DescribeNatGateways(t.Context(), &ec2.DescribeNatGatewaysInput{NatGatewayIds: []string{id}})).NatGateways[0]
}

// made lists what an account has that somebody made, by type.
func made(s api.Service, account string) map[string]int {
	counts := map[string]int{}
	for _, r := range s.Inventory(account) {
		if !r.Builtin {
			counts[r.Type]++
		}
	}
	return counts
}

// TestManagedNetwork goes through a cluster network's life with the calls, and in
// the order, of the Cluster API provider for AWS.
func TestManagedNetwork(t *testing.T) {
	sim, c, service := startEC2(t)
	ctx := t.Context()
	vpc := newVPC(t, c, "10.20.0.0/16", "Name", "c1-vpc", "sigs.k8s.io/cluster-api-provider-aws/cluster/c1", "owned")

	found := must[*ec2.DescribeVpcsOutput](t)(c.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{
		Filters: []types.Filter{where("tag:Name", "c1-vpc"), where("state", "pending", "available")}}))
	if len(found.Vpcs) != 1 || found.Vpcs[0].State != types.VpcStateAvailable || *found.Vpcs[0].CidrBlock != "10.20.0.0/16" {
		t.Fatalf("the VPC is not found by name: %+v", found.Vpcs)
	}
	must[*ec2.ModifyVpcAttributeOutput](t)(c.ModifyVpcAttribute(ctx, &ec2.ModifyVpcAttributeInput{
		VpcId: &vpc, EnableDnsHostnames: &types.AttributeBooleanValue{Value: aws.Bool(true)}}))
	attribute := must[*ec2.DescribeVpcAttributeOutput](t)(c.DescribeVpcAttribute(ctx, &ec2.DescribeVpcAttributeInput{
		VpcId: &vpc, Attribute: types.VpcAttributeNameEnableDnsHostnames}))
	if !*attribute.EnableDnsHostnames.Value {
		t.Error("enableDnsHostnames was not kept")
	}

	public, private := newSubnet(t, c, vpc, "10.20.0.0/20", "a"), newSubnet(t, c, vpc, "10.20.64.0/18", "a")
	if err := ec2.NewSubnetAvailableWaiter(c).Wait(ctx, &ec2.DescribeSubnetsInput{SubnetIds: []string{public}}, time.Minute); err != nil {
		t.Fatal(err)
	}
	must[*ec2.ModifySubnetAttributeOutput](t)(c.ModifySubnetAttribute(ctx, &ec2.ModifySubnetAttributeInput{
		SubnetId: &public, MapPublicIpOnLaunch: &types.AttributeBooleanValue{Value: aws.Bool(true)}}))

	igw := newGateway(t, c, vpc)
	eip := newAddress(t, c)
	nat := newNATGateway(t, c, public, eip)
	if err := ec2.NewNatGatewayAvailableWaiter(c).Wait(ctx, &ec2.DescribeNatGatewaysInput{NatGatewayIds: []string{nat}}, time.Minute); err != nil {
		t.Fatal(err)
	}
	tables := map[string]string{}
	for subnet, route := range map[string]*ec2.CreateRouteInput{public: {GatewayId: &igw}, private: {NatGatewayId: &nat}} {
		table := must[*ec2.CreateRouteTableOutput](t)(c.CreateRouteTable(ctx, &ec2.CreateRouteTableInput{VpcId: &vpc})).RouteTable.RouteTableId
		route.RouteTableId, route.DestinationCidrBlock = table, aws.String("0.0.0.0/0")
		must[*ec2.CreateRouteOutput](t)(c.CreateRoute(ctx, route))
		tables[subnet] = *must[*ec2.AssociateRouteTableOutput](t)(c.AssociateRouteTable(ctx, &ec2.AssociateRouteTableInput{
			RouteTableId: table, SubnetId: aws.String(subnet)})).AssociationId
	}
	want := map[string]int{"vpc": 1, "subnet": 2, "internet-gateway": 1, "elastic-ip": 1, "nat-gateway": 1, "network-interface": 1, "route-table": 2}
	if diff := gocmp.Diff(want, made(service, shopID)); diff != "" {
		t.Errorf("what was made: -want +got\n%s", diff)
	}
	deleteNetwork(t, c, vpc)
	if diff := gocmp.Diff(map[string]int{}, made(service, shopID)); diff != "" {
		t.Errorf("what is left: -want +got\n%s", diff)
	}
	if v := admin[struct{ Count int }](t, sim, "/_awssim/violations"); v.Count != 0 {
		t.Errorf("%d violations", v.Count)
	}
}

// deleteNetwork deletes a VPC and all in it, as the provider does.
func deleteNetwork(t *testing.T, c *ec2.Client, vpc string) {
	t.Helper()
	ctx := t.Context()
	inVPC := []types.Filter{where("vpc-id", vpc)}
	for _, table := range must[*ec2.DescribeRouteTablesOutput](t)(c.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{
		Filters: append(inVPC, where("association.main", "false"))})).RouteTables {
		for _, a := range table.Associations {
			must[*ec2.DisassociateRouteTableOutput](t)(c.DisassociateRouteTable(ctx, &ec2.DisassociateRouteTableInput{AssociationId: a.RouteTableAssociationId}))
		}
		must[*ec2.DeleteRouteTableOutput](t)(c.DeleteRouteTable(ctx, &ec2.DeleteRouteTableInput{RouteTableId: table.RouteTableId}))
	}
	for _, n := range must[*ec2.DescribeNatGatewaysOutput](t)(c.DescribeNatGateways(ctx, &ec2.DescribeNatGatewaysInput{
		Filter: append(inVPC, where("state", "pending", "available"))})).NatGateways {
		must[*ec2.DeleteNatGatewayOutput](t)(c.DeleteNatGateway(ctx, &ec2.DeleteNatGatewayInput{NatGatewayId: n.NatGatewayId}))
		if state := natGateway(t, c, *n.NatGatewayId).State; state != types.NatGatewayStateDeleted {
			t.Fatalf("the NAT gateway is %s, want deleted", state)
		}
	}
	for _, a := range must[*ec2.DescribeAddressesOutput](t)(c.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{})).Addresses {
		if a.AssociationId != nil {
			t.Fatalf("the address %s is still associated", *a.PublicIp)
		}
		must[*ec2.ReleaseAddressOutput](t)(c.ReleaseAddress(ctx, &ec2.ReleaseAddressInput{AllocationId: a.AllocationId}))
	}
	for _, g := range must[*ec2.DescribeInternetGatewaysOutput](t)(c.DescribeInternetGateways(ctx, &ec2.DescribeInternetGatewaysInput{
		Filters: []types.Filter{where("attachment.vpc-id", vpc)}})).InternetGateways {
		must[*ec2.DetachInternetGatewayOutput](t)(c.DetachInternetGateway(ctx, &ec2.DetachInternetGatewayInput{InternetGatewayId: g.InternetGatewayId, VpcId: &vpc}))
		must[*ec2.DeleteInternetGatewayOutput](t)(c.DeleteInternetGateway(ctx, &ec2.DeleteInternetGatewayInput{InternetGatewayId: g.InternetGatewayId}))
	}
	for _, s := range must[*ec2.DescribeSubnetsOutput](t)(c.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: inVPC})).Subnets {
		must[*ec2.DeleteSubnetOutput](t)(c.DeleteSubnet(ctx, &ec2.DeleteSubnetInput{SubnetId: s.SubnetId}))
	}
	must[*ec2.DeleteVpcOutput](t)(c.DeleteVpc(ctx, &ec2.DeleteVpcInput{VpcId: &vpc}))
}

func TestNATGatewayTakesItsTime(t *testing.T) {
	sim := start(t, withEC2(1, nil))
	c := ec2.NewFromConfig(sim.account(t, shopID))
	vpc := newVPC(t, c, "10.0.0.0/16")
	subnet := newSubnet(t, c, vpc, "10.0.0.0/24", "a")
	newGateway(t, c, vpc)
	nat := newNATGateway(t, c, subnet, newAddress(t, c))
	for _, step := range []struct {
		forward time.Duration
		want    types.NatGatewayState
		do      func()
	}{
		{want: types.NatGatewayStatePending},
		{forward: 90 * time.Second, want: types.NatGatewayStatePending},
		{forward: 11 * time.Second, want: types.NatGatewayStateAvailable},
		{want: types.NatGatewayStateDeleting, do: func() {
			must[*ec2.DeleteNatGatewayOutput](t)(c.DeleteNatGateway(t.Context(), &ec2.DeleteNatGatewayInput{NatGatewayId: &nat}))
		}},
		{forward: 61 * time.Second, want: types.NatGatewayStateDeleted},
	} {
		if step.do != nil {
			step.do()
		}
		sim.clock.forward(step.forward)
		if got := natGateway(t, c, nat).State; got != step.want {
			t.Fatalf("after %s more it is %s, want %s", step.forward, got, step.want)
		}
	}
}

func TestNATGatewayFailures(t *testing.T) {
	_, c, _ := startEC2(t)
	vpc := newVPC(t, c, "10.0.0.0/16")
	subnet := newSubnet(t, c, vpc, "10.0.0.0/24", "a")
	eip := newAddress(t, c)
	if n := natGateway(t, c, newNATGateway(t, c, subnet, eip)); n.State != types.NatGatewayStateFailed || *n.FailureCode != "Gateway.NotAttached" {
		t.Errorf("without an internet gateway it is %s (%s)", n.State, aws.ToString(n.FailureCode))
	}
	newGateway(t, c, vpc)
	newNATGateway(t, c, subnet, eip)
	if n := natGateway(t, c, newNATGateway(t, c, subnet, eip)); n.State != types.NatGatewayStateFailed || *n.FailureCode != "Resource.AlreadyAssociated" {
		t.Errorf("with an address in use it is %s (%s)", n.State, aws.ToString(n.FailureCode))
	}
}

func TestClientTokens(t *testing.T) {
	_, c, service := startEC2(t)
	vpc := newVPC(t, c, "10.0.0.0/16")
	in := &ec2.CreateRouteTableInput{VpcId: &vpc, ClientToken: aws.String("once")}
	first := must[*ec2.CreateRouteTableOutput](t)(c.CreateRouteTable(t.Context(), in)).RouteTable.RouteTableId
	second := must[*ec2.CreateRouteTableOutput](t)(c.CreateRouteTable(t.Context(), in)).RouteTable.RouteTableId
	if *first != *second || made(service, shopID)["route-table"] != 1 {
		t.Errorf("a repeated request made %s beside %s", *second, *first)
	}
	other := newVPC(t, c, "10.1.0.0/16")
	_, err := c.CreateRouteTable(t.Context(), &ec2.CreateRouteTableInput{VpcId: &other, ClientToken: aws.String("once")})
	wantCode(t, err, "IdempotentParameterMismatch")
}

func TestSecurityGroupRules(t *testing.T) {
	_, c, _ := startEC2(t)
	ctx := t.Context()
	vpc := newVPC(t, c, "10.0.0.0/16")
	id := *must[*ec2.CreateSecurityGroupOutput](t)(c.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{
		GroupName: aws.String("nodes"), Description: aws.String("nodes"), VpcId: &vpc})).GroupId
	web := types.IpPermission{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(443), ToPort: aws.Int32(443),
		IpRanges:         []types.IpRange{{CidrIp: aws.String("10.0.0.0/8"), Description: aws.String("inside")}},
		UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: &id}}}
	allow := &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: []types.IpPermission{web}}
	rules := must[*ec2.AuthorizeSecurityGroupIngressOutput](t)(c.AuthorizeSecurityGroupIngress(ctx, allow)).SecurityGroupRules
	if len(rules) != 2 {
		t.Errorf("%d rules were made, want one per peer", len(rules))
	}
	_, err := c.AuthorizeSecurityGroupIngress(ctx, allow)
	wantCode(t, err, "InvalidPermission.Duplicate")

	group := must[*ec2.DescribeSecurityGroupsOutput](t)(c.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{
		Filters: []types.Filter{where("ip-permission.cidr", "10.0.0.0/8")}})).SecurityGroups[0]
	if len(group.IpPermissions) != 1 || len(group.IpPermissions[0].IpRanges) != 1 || len(group.IpPermissions[0].UserIdGroupPairs) != 1 {
		t.Errorf("inbound: %+v", group.IpPermissions)
	}
	if len(group.IpPermissionsEgress) != 1 || *group.IpPermissionsEgress[0].IpProtocol != "-1" || group.IpPermissionsEgress[0].FromPort != nil {
		t.Errorf("outbound: %+v", group.IpPermissionsEgress)
	}
	must[*ec2.RevokeSecurityGroupIngressOutput](t)(c.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{
		GroupId: &id, IpPermissions: group.IpPermissions}))
	_, err = c.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{GroupId: &id, IpPermissions: group.IpPermissions})
	wantCode(t, err, "InvalidPermission.NotFound")

	// The provider empties the default group, too.
	defaults := must[*ec2.DescribeSecurityGroupsOutput](t)(c.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{
		Filters: []types.Filter{where("vpc-id", vpc), where("group-name", "default")}})).SecurityGroups
	must[*ec2.RevokeSecurityGroupIngressOutput](t)(c.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{
		GroupId: defaults[0].GroupId, IpPermissions: defaults[0].IpPermissions}))
	must[*ec2.RevokeSecurityGroupEgressOutput](t)(c.RevokeSecurityGroupEgress(ctx, &ec2.RevokeSecurityGroupEgressInput{
		GroupId: defaults[0].GroupId, IpPermissions: defaults[0].IpPermissionsEgress}))
}

func TestPages(t *testing.T) {
	_, c, _ := startEC2(t)
	vpc := newVPC(t, c, "10.0.0.0/16")
	var want []string
	for _, cidr := range []string{"10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24", "10.0.4.0/24", "10.0.5.0/24", "10.0.6.0/24"} {
		want = append(want, newSubnet(t, c, vpc, cidr, "b"))
	}
	slices.Sort(want)
	var got []string
	pages := ec2.NewDescribeSubnetsPaginator(c, &ec2.DescribeSubnetsInput{MaxResults: aws.Int32(5)})
	for pages.HasMorePages() {
		page := must[*ec2.DescribeSubnetsOutput](t)(pages.NextPage(t.Context()))
		if len(page.Subnets) > 5 {
			t.Errorf("a page of %d", len(page.Subnets))
		}
		for _, s := range page.Subnets {
			got = append(got, *s.SubnetId)
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	_, err := c.DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{MaxResults: aws.Int32(2)})
	wantCode(t, err, "InvalidParameterValue")
}

func TestTags(t *testing.T) {
	_, c, _ := startEC2(t)
	ctx := t.Context()
	vpc := newVPC(t, c, "10.0.0.0/16", "Name", "a", "team", "shop")
	must[*ec2.CreateTagsOutput](t)(c.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{vpc},
		Tags: []types.Tag{{Key: aws.String("Name"), Value: aws.String("b")}, {Key: aws.String("empty"), Value: aws.String("")}}}))
	must[*ec2.DeleteTagsOutput](t)(c.DeleteTags(ctx, &ec2.DeleteTagsInput{Resources: []string{vpc},
		Tags: []types.Tag{{Key: aws.String("team")}, {Key: aws.String("Name"), Value: aws.String("other")}}}))
	tags := must[*ec2.DescribeTagsOutput](t)(c.DescribeTags(ctx, &ec2.DescribeTagsInput{
		Filters: []types.Filter{where("resource-id", vpc), where("resource-type", "vpc")}})).Tags
	got := map[string]string{}
	for _, tag := range tags {
		got[*tag.Key] = aws.ToString(tag.Value)
	}
	if diff := gocmp.Diff(map[string]string{"Name": "b", "empty": ""}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for key, want := range map[string]string{"aws:eks:cluster-name": "InvalidParameterValue", "": "InvalidParameterValue"} {
		_, err := c.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{vpc}, Tags: []types.Tag{{Key: &key, Value: aws.String("x")}}})
		wantCode(t, err, want)
	}
}

func TestZonesAndTypes(t *testing.T) {
	_, c, _ := startEC2(t)
	ctx := t.Context()
	var zones []string
	for _, z := range must[*ec2.DescribeAvailabilityZonesOutput](t)(c.DescribeAvailabilityZones(ctx, &ec2.DescribeAvailabilityZonesInput{
		Filters: []types.Filter{where("state", "available"), where("opt-in-status", "opt-in-not-required")}})).AvailabilityZones {
		zones = append(zones, *z.ZoneName+" "+*z.ZoneId+" "+*z.ZoneType)
	}
	want := []string{"eu-central-1a euc1-az1 availability-zone", "eu-central-1b euc1-az2 availability-zone", "eu-central-1c euc1-az3 availability-zone"}
	if diff := gocmp.Diff(want, zones); diff != "" {
		t.Errorf("zones: -want +got\n%s", diff)
	}
	info := must[*ec2.DescribeInstanceTypesOutput](t)(c.DescribeInstanceTypes(ctx, &ec2.DescribeInstanceTypesInput{
		InstanceTypes: []types.InstanceType{types.InstanceTypeG4dn12xlarge}})).InstanceTypes[0]
	got := []int32{*info.VCpuInfo.DefaultVCpus, int32(*info.MemoryInfo.SizeInMiB), *info.GpuInfo.Gpus[0].Count, *info.NetworkInfo.MaximumNetworkInterfaces}
	if diff := gocmp.Diff([]int32{48, 196608, 4, 8}, got); diff != "" {
		t.Errorf("g4dn.12xlarge (vCPUs, MiB, GPUs, interfaces): -want +got\n%s", diff)
	}
	count := 0
	pages := ec2.NewDescribeInstanceTypeOfferingsPaginator(c, &ec2.DescribeInstanceTypeOfferingsInput{MaxResults: aws.Int32(100),
		LocationType: types.LocationTypeAvailabilityZone, Filters: []types.Filter{where("instance-type", "m5.*")}})
	for pages.HasMorePages() {
		count += len(must[*ec2.DescribeInstanceTypeOfferingsOutput](t)(pages.NextPage(ctx)).InstanceTypeOfferings)
	}
	if count != 8*3 {
		t.Errorf("%d offerings of m5 in three zones, want 24", count)
	}
	regions := must[*ec2.DescribeRegionsOutput](t)(c.DescribeRegions(ctx, &ec2.DescribeRegionsInput{})).Regions
	if !slices.ContainsFunc(regions, func(r types.Region) bool { return *r.RegionName == region }) {
		t.Errorf("%s is not among the regions", region)
	}
}

func TestIPv6Network(t *testing.T) {
	_, c, _ := startEC2(t)
	ctx := t.Context()
	vpc := *must[*ec2.CreateVpcOutput](t)(c.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16"), AmazonProvidedIpv6CidrBlock: aws.Bool(true)})).Vpc.VpcId
	block := *must[*ec2.DescribeVpcsOutput](t)(c.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{VpcIds: []string{vpc}})).Vpcs[0].Ipv6CidrBlockAssociationSet[0].Ipv6CidrBlock
	subnet := must[*ec2.CreateSubnetOutput](t)(c.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: &vpc, CidrBlock: aws.String("10.0.0.0/24"),
		Ipv6CidrBlock: aws.String(block[:len(block)-2] + "64")})).Subnet
	if len(subnet.Ipv6CidrBlockAssociationSet) != 1 {
		t.Errorf("the subnet has no IPv6 block of %s", block)
	}
	gateway := must[*ec2.CreateEgressOnlyInternetGatewayOutput](t)(c.CreateEgressOnlyInternetGateway(ctx, &ec2.CreateEgressOnlyInternetGatewayInput{VpcId: &vpc,
		TagSpecifications: tagSpec(types.ResourceTypeEgressOnlyInternetGateway, "cluster", "c1")})).EgressOnlyInternetGateway.EgressOnlyInternetGatewayId
	found := must[*ec2.DescribeEgressOnlyInternetGatewaysOutput](t)(c.DescribeEgressOnlyInternetGateways(ctx, &ec2.DescribeEgressOnlyInternetGatewaysInput{
		Filters: []types.Filter{where("tag-key", "cluster")}})).EgressOnlyInternetGateways
	if len(found) != 1 || *found[0].Attachments[0].VpcId != vpc {
		t.Fatalf("egress-only gateways: %+v", found)
	}
	table := must[*ec2.CreateRouteTableOutput](t)(c.CreateRouteTable(ctx, &ec2.CreateRouteTableInput{VpcId: &vpc})).RouteTable.RouteTableId
	must[*ec2.CreateRouteOutput](t)(c.CreateRoute(ctx, &ec2.CreateRouteInput{RouteTableId: table, DestinationIpv6CidrBlock: aws.String("::/0"), EgressOnlyInternetGatewayId: gateway}))
	must[*ec2.DeleteEgressOnlyInternetGatewayOutput](t)(c.DeleteEgressOnlyInternetGateway(ctx, &ec2.DeleteEgressOnlyInternetGatewayInput{EgressOnlyInternetGatewayId: gateway}))
	routes := must[*ec2.DescribeRouteTablesOutput](t)(c.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{RouteTableIds: []string{*table}})).RouteTables[0].Routes
	slices.SortFunc(routes, func(a, b types.Route) int {
		return cmp.Compare(aws.ToString(a.DestinationIpv6CidrBlock), aws.ToString(b.DestinationIpv6CidrBlock))
	})
	if state := routes[2].State; len(routes) != 3 && state != types.RouteStateBlackhole {
		t.Errorf("the route to the deleted gateway is %s", state)
	}
}

func TestVPCEndpoints(t *testing.T) {
	_, c, _ := startEC2(t)
	ctx := t.Context()
	vpc := newVPC(t, c, "10.0.0.0/16")
	table := *must[*ec2.CreateRouteTableOutput](t)(c.CreateRouteTable(ctx, &ec2.CreateRouteTableInput{VpcId: &vpc})).RouteTable.RouteTableId
	service := "com.amazonaws." + region + ".s3"
	id := *must[*ec2.CreateVpcEndpointOutput](t)(c.CreateVpcEndpoint(ctx, &ec2.CreateVpcEndpointInput{VpcId: &vpc, ServiceName: &service,
		RouteTableIds: []string{table}, TagSpecifications: tagSpec(types.ResourceTypeVpcEndpoint, "cluster", "c1")})).VpcEndpoint.VpcEndpointId
	_, err := c.DeleteRouteTable(ctx, &ec2.DeleteRouteTableInput{RouteTableId: &table})
	wantCode(t, err, "DependencyViolation")
	must[*ec2.ModifyVpcEndpointOutput](t)(c.ModifyVpcEndpoint(ctx, &ec2.ModifyVpcEndpointInput{VpcEndpointId: &id, RemoveRouteTableIds: []string{table}}))
	found := must[*ec2.DescribeVpcEndpointsOutput](t)(c.DescribeVpcEndpoints(ctx, &ec2.DescribeVpcEndpointsInput{
		Filters: []types.Filter{where("vpc-id", vpc), where("tag:cluster", "c1"), where("service-name", service)}})).VpcEndpoints
	if len(found) != 1 || len(found[0].RouteTableIds) != 0 {
		t.Errorf("endpoints: %+v", found)
	}
	out := must[*ec2.DeleteVpcEndpointsOutput](t)(c.DeleteVpcEndpoints(ctx, &ec2.DeleteVpcEndpointsInput{VpcEndpointIds: []string{id, "vpce-0"}}))
	if len(out.Unsuccessful) != 1 || *out.Unsuccessful[0].ResourceId != "vpce-0" {
		t.Errorf("unsuccessful: %+v", out.Unsuccessful)
	}
	must[*ec2.DeleteRouteTableOutput](t)(c.DeleteRouteTable(ctx, &ec2.DeleteRouteTableInput{RouteTableId: &table}))
	must[*ec2.DeleteVpcOutput](t)(c.DeleteVpc(ctx, &ec2.DeleteVpcInput{VpcId: &vpc}))
}
