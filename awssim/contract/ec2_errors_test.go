package contract_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// network is what the cases of TestEC2Errors find in the account.
type network struct {
	client                            *ec2.Client
	vpc, other, subnet, igw, nat, eip string
	table, mainTable, group           string
	foreign                           string // a VPC of another account
}

func newNetwork(t *testing.T) network {
	t.Helper()
	sim, c, _ := startEC2(t)
	ctx := t.Context()
	n := network{client: c, vpc: newVPC(t, c, "10.0.0.0/16"), other: newVPC(t, c, "10.1.0.0/16")}
	n.foreign = newVPC(t, ec2.NewFromConfig(sim.account(t, bankID)), "10.0.0.0/16")
	n.subnet = newSubnet(t, c, n.vpc, "10.0.0.0/24", "a")
	n.igw = newGateway(t, c, n.vpc)
	n.eip = newAddress(t, c)
	n.nat = newNATGateway(t, c, n.subnet, n.eip)
	n.mainTable = *must[*ec2.DescribeRouteTablesOutput](t)(c.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{
		Filters: []types.Filter{where("vpc-id", n.vpc), where("association.main", "true")}})).RouteTables[0].RouteTableId
	n.table = *must[*ec2.CreateRouteTableOutput](t)(c.CreateRouteTable(ctx, &ec2.CreateRouteTableInput{VpcId: &n.vpc})).RouteTable.RouteTableId
	must[*ec2.CreateRouteOutput](t)(c.CreateRoute(ctx, &ec2.CreateRouteInput{RouteTableId: &n.table, DestinationCidrBlock: aws.String("0.0.0.0/0"), NatGatewayId: &n.nat}))
	must[*ec2.AssociateRouteTableOutput](t)(c.AssociateRouteTable(ctx, &ec2.AssociateRouteTableInput{RouteTableId: &n.table, SubnetId: &n.subnet}))
	n.group = *must[*ec2.CreateSecurityGroupOutput](t)(c.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{
		GroupName: aws.String("g"), Description: aws.String("g"), VpcId: &n.vpc})).GroupId
	must[*ec2.CreateNetworkInterfaceOutput](t)(c.CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: &n.subnet, Groups: []string{n.group}}))
	return n
}

func (n network) subnetOf(vpc, cidr string) *ec2.CreateSubnetInput {
	return &ec2.CreateSubnetInput{VpcId: &vpc, CidrBlock: &cidr}
}

func TestEC2Errors(t *testing.T) {
	n := newNetwork(t)
	c, ctx, any4 := n.client, t.Context(), aws.String("0.0.0.0/0")
	for name, tc := range map[string]struct {
		reason string
		do     func() error
		want   string
	}{
		"UnknownVPC": {"an id that does not exist", func() error {
			_, err := c.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{VpcIds: []string{"vpc-00000000000000000"}})
			return err
		}, "InvalidVpcID.NotFound"},
		"ForeignVPC": {"another account's resources do not exist for the caller", func() error {
			_, err := c.DeleteVpc(ctx, &ec2.DeleteVpcInput{VpcId: &n.foreign})
			return err
		}, "InvalidVpcID.NotFound"},
		"NoVPC": {"a missing parameter is told, which the provider reads at deletion", func() error {
			_, err := c.DeleteVpc(ctx, &ec2.DeleteVpcInput{VpcId: aws.String("")})
			return err
		}, "MissingParameter"},
		"VPCTooLarge": {"a VPC has at least /16", func() error {
			_, err := c.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/15")})
			return err
		}, "InvalidVpc.Range"},
		"VPCNoCIDR": {"what is no block", func() error {
			_, err := c.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0/16")})
			return err
		}, "InvalidParameterValue"},
		"VPCInUse": {"a VPC with subnets", func() error {
			_, err := c.DeleteVpc(ctx, &ec2.DeleteVpcInput{VpcId: &n.vpc})
			return err
		}, "DependencyViolation"},
		"SecondaryOverlaps": {"a secondary block overlaps the first", func() error {
			_, err := c.AssociateVpcCidrBlock(ctx, &ec2.AssociateVpcCidrBlockInput{VpcId: &n.vpc, CidrBlock: aws.String("10.0.128.0/20")})
			return err
		}, "InvalidVpc.Range"},
		"SubnetOutside": {"a subnet outside its VPC", func() error {
			_, err := c.CreateSubnet(ctx, n.subnetOf(n.vpc, "10.1.0.0/24"))
			return err
		}, "InvalidSubnet.Range"},
		"SubnetTooSmall": {"a subnet has at most /28", func() error {
			_, err := c.CreateSubnet(ctx, n.subnetOf(n.vpc, "10.0.1.0/29"))
			return err
		}, "InvalidSubnet.Range"},
		"SubnetConflict": {"a subnet over another", func() error {
			_, err := c.CreateSubnet(ctx, n.subnetOf(n.vpc, "10.0.0.128/25"))
			return err
		}, "InvalidSubnet.Conflict"},
		"UnknownZone": {"a zone of another region", func() error {
			in := n.subnetOf(n.vpc, "10.0.9.0/24")
			in.AvailabilityZone = aws.String("us-east-1a")
			_, err := c.CreateSubnet(ctx, in)
			return err
		}, "InvalidParameterValue"},
		"TwoSubnetAttributes": {"only one attribute at a time", func() error {
			_, err := c.ModifySubnetAttribute(ctx, &ec2.ModifySubnetAttributeInput{SubnetId: &n.subnet,
				MapPublicIpOnLaunch: &types.AttributeBooleanValue{Value: aws.Bool(true)}, EnableDns64: &types.AttributeBooleanValue{Value: aws.Bool(true)}})
			return err
		}, "InvalidParameterCombination"},
		"SubnetInUse": {"a subnet with a NAT gateway", func() error {
			_, err := c.DeleteSubnet(ctx, &ec2.DeleteSubnetInput{SubnetId: &n.subnet})
			return err
		}, "DependencyViolation"},
		"GatewayInUse": {"an internet gateway with mapped addresses", func() error {
			_, err := c.DetachInternetGateway(ctx, &ec2.DetachInternetGatewayInput{InternetGatewayId: &n.igw, VpcId: &n.vpc})
			return err
		}, "DependencyViolation"},
		"GatewayAttached": {"an attached internet gateway", func() error {
			_, err := c.DeleteInternetGateway(ctx, &ec2.DeleteInternetGatewayInput{InternetGatewayId: &n.igw})
			return err
		}, "DependencyViolation"},
		"GatewayTwice": {"an internet gateway for two VPCs", func() error {
			_, err := c.AttachInternetGateway(ctx, &ec2.AttachInternetGatewayInput{InternetGatewayId: &n.igw, VpcId: &n.other})
			return err
		}, "Resource.AlreadyAssociated"},
		"GatewayElsewhere": {"a gateway that is attached elsewhere", func() error {
			_, err := c.DetachInternetGateway(ctx, &ec2.DetachInternetGatewayInput{InternetGatewayId: &n.igw, VpcId: &n.other})
			return err
		}, "Gateway.NotAttached"},
		"UnknownNAT": {"the code that the SDK's waiter knows", func() error {
			_, err := c.DescribeNatGateways(ctx, &ec2.DescribeNatGatewaysInput{NatGatewayIds: []string{"nat-00000000000000000"}})
			return err
		}, "NatGatewayNotFound"},
		"RouteToUnknownNAT": {"the code that the provider retries", func() error {
			_, err := c.CreateRoute(ctx, &ec2.CreateRouteInput{RouteTableId: &n.table, DestinationCidrBlock: aws.String("10.9.0.0/16"), NatGatewayId: aws.String("nat-0")})
			return err
		}, "InvalidNatGatewayID.NotFound"},
		"RouteToUnknownGateway": {"the code that the provider retries", func() error {
			_, err := c.CreateRoute(ctx, &ec2.CreateRouteInput{RouteTableId: &n.table, DestinationCidrBlock: aws.String("10.9.0.0/16"), GatewayId: aws.String("igw-0")})
			return err
		}, "InvalidGatewayID.NotFound"},
		"RouteExists": {"another target for the same destination", func() error {
			_, err := c.CreateRoute(ctx, &ec2.CreateRouteInput{RouteTableId: &n.table, DestinationCidrBlock: any4, GatewayId: &n.igw})
			return err
		}, "RouteAlreadyExists"},
		"RouteRepeated": {"the same route again is no error", func() error {
			_, err := c.CreateRoute(ctx, &ec2.CreateRouteInput{RouteTableId: &n.table, DestinationCidrBlock: any4, NatGatewayId: &n.nat})
			return err
		}, ""},
		"ReplaceNothing": {"a route that does not exist", func() error {
			_, err := c.ReplaceRoute(ctx, &ec2.ReplaceRouteInput{RouteTableId: &n.table, DestinationCidrBlock: aws.String("10.8.0.0/16"), GatewayId: &n.igw})
			return err
		}, "InvalidRoute.NotFound"},
		"LocalRoute": {"the local route stays", func() error {
			_, err := c.DeleteRoute(ctx, &ec2.DeleteRouteInput{RouteTableId: &n.table, DestinationCidrBlock: aws.String("10.0.0.0/16")})
			return err
		}, "InvalidParameterValue"},
		"TableInUse": {"a route table with a subnet", func() error {
			_, err := c.DeleteRouteTable(ctx, &ec2.DeleteRouteTableInput{RouteTableId: &n.table})
			return err
		}, "DependencyViolation"},
		"MainTable": {"a VPC's main route table", func() error {
			_, err := c.DeleteRouteTable(ctx, &ec2.DeleteRouteTableInput{RouteTableId: &n.mainTable})
			return err
		}, "DependencyViolation"},
		"SubnetHasTable": {"a subnet has one route table", func() error {
			_, err := c.AssociateRouteTable(ctx, &ec2.AssociateRouteTableInput{RouteTableId: &n.mainTable, SubnetId: &n.subnet})
			return err
		}, "Resource.AlreadyAssociated"},
		"UnknownAssociation": {"an association that does not exist", func() error {
			_, err := c.DisassociateRouteTable(ctx, &ec2.DisassociateRouteTableInput{AssociationId: aws.String("rtbassoc-0")})
			return err
		}, "InvalidAssociationID.NotFound"},
		"AddressInUse": {"an address of a NAT gateway", func() error {
			_, err := c.ReleaseAddress(ctx, &ec2.ReleaseAddressInput{AllocationId: &n.eip})
			return err
		}, "InvalidIPAddress.InUse"},
		"GroupInUse": {"a security group of an interface", func() error {
			_, err := c.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: &n.group})
			return err
		}, "DependencyViolation"},
		"GroupTwice": {"a name is unique in its VPC", func() error {
			_, err := c.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: aws.String("g"), Description: aws.String("g"), VpcId: &n.vpc})
			return err
		}, "InvalidGroup.Duplicate"},
		"UnknownGroup": {"the code that the provider reads over", func() error {
			_, err := c.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: aws.String("sg-00000000000000000")})
			return err
		}, "InvalidGroup.NotFound"},
		"UnknownFilter": {"a filter that EC2 does not know", func() error {
			_, err := c.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{Filters: []types.Filter{where("colour", "blue")}})
			return err
		}, "InvalidParameterValue"},
		"DryRun": {"a dry run changes nothing", func() error {
			_, err := c.DeleteVpc(ctx, &ec2.DeleteVpcInput{VpcId: &n.other, DryRun: aws.Bool(true)})
			return err
		}, "DryRunOperation"},
		"UnknownInstanceType": {"a type that AWS does not have", func() error {
			_, err := c.DescribeInstanceTypes(ctx, &ec2.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{"m5.gigantic"}})
			return err
		}, "InvalidInstanceType"},
		"TagsOfNothing": {"tags for what does not exist", func() error {
			_, err := c.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{n.vpc, "subnet-0"}, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})
			return err
		}, "InvalidSubnetID.NotFound"},
		"TagsOfOtherType": {"a tag specification for another type", func() error {
			_, err := c.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.7.0.0/16"), TagSpecifications: tagSpec(types.ResourceTypeSubnet, "a", "b")})
			return err
		}, "InvalidParameterValue"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			wantCode(t, tc.do(), tc.want)
		})
	}
}

func TestEC2Quotas(t *testing.T) {
	_, c, _ := startEC2(t)
	ctx := t.Context()
	vpc := newVPC(t, c, "10.0.0.0/16")
	subnet := newSubnet(t, c, vpc, "10.0.0.0/24", "a")
	newGateway(t, c, vpc)
	for name, tc := range map[string]struct {
		reason string
		left   int // that the quota allows
		do     func() error
		want   string
	}{
		"VPCs": {"5 per region, one exists", 4, func() error {
			_, err := c.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")})
			return err
		}, "VpcLimitExceeded"},
		"Addresses": {"5 per region", 5, func() error {
			_, err := c.AllocateAddress(ctx, &ec2.AllocateAddressInput{})
			return err
		}, "AddressLimitExceeded"},
		"InternetGateways": {"as many as VPCs, one exists", 4, func() error {
			_, err := c.CreateInternetGateway(ctx, &ec2.CreateInternetGatewayInput{})
			return err
		}, "InternetGatewayLimitExceeded"},
		"NATGateways": {"5 per zone", 5, func() error {
			_, err := c.CreateNatGateway(ctx, &ec2.CreateNatGatewayInput{SubnetId: &subnet, ConnectivityType: types.ConnectivityTypePrivate})
			return err
		}, "NatGatewayLimitExceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			for range tc.left {
				wantCode(t, tc.do(), "")
			}
			wantCode(t, tc.do(), tc.want)
		})
	}
}

func TestSecondaryCIDR(t *testing.T) {
	_, c, _ := startEC2(t)
	ctx := t.Context()
	vpc := newVPC(t, c, "10.0.0.0/16")
	second := aws.String("100.64.0.0/16")
	association := must[*ec2.AssociateVpcCidrBlockOutput](t)(c.AssociateVpcCidrBlock(ctx, &ec2.AssociateVpcCidrBlockInput{VpcId: &vpc, CidrBlock: second})).CidrBlockAssociation.AssociationId
	subnet := newSubnet(t, c, vpc, "100.64.0.0/17", "a")
	_, err := c.DisassociateVpcCidrBlock(ctx, &ec2.DisassociateVpcCidrBlockInput{AssociationId: association})
	wantCode(t, err, "DependencyViolation")
	must[*ec2.DeleteSubnetOutput](t)(c.DeleteSubnet(ctx, &ec2.DeleteSubnetInput{SubnetId: &subnet}))
	must[*ec2.DisassociateVpcCidrBlockOutput](t)(c.DisassociateVpcCidrBlock(ctx, &ec2.DisassociateVpcCidrBlockInput{AssociationId: association}))
	v := must[*ec2.DescribeVpcsOutput](t)(c.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{VpcIds: []string{vpc}})).Vpcs[0]
	if len(v.CidrBlockAssociationSet) != 1 {
		t.Errorf("blocks: %+v", v.CidrBlockAssociationSet)
	}
	_, err = c.DisassociateVpcCidrBlock(ctx, &ec2.DisassociateVpcCidrBlockInput{AssociationId: v.CidrBlockAssociationSet[0].AssociationId})
	wantCode(t, err, "OperationNotPermitted")
}
