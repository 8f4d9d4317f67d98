package contract_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/authz"
	ec2sim "kargo.dev/kargo/awssim/ec2"
	"kargo.dev/kargo/awssim/policy"
	"kargo.dev/kargo/awssim/server"
	"kargo.dev/kargo/awssim/tagging"
)

// trustShop lets everybody in the shop's account in whose own policies do.
const trustShop = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + shopID + `:root"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`

func (c core) authorizer() *authz.Authorizer {
	return authz.New(authz.Options{Keys: c.Keys, Principals: c.IAM, Membership: c.Tree})
}

// statements make a policy document.
func statements(list ...string) string {
	return `{"Version":"2012-10-17","Statement":[{` + strings.Join(list, "},{") + `}]}`
}

// as makes a role in the shop with one inline policy ("" for none) and returns the
// configuration of a session of it.
func (s *simulator) as(t *testing.T, name, document string) aws.Config {
	t.Helper()
	admin := iam.NewFromConfig(s.account(t, shopID))
	must[*iam.CreateRoleOutput](t)(admin.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(trustShop)}))
	if document != "" {
		must[*iam.PutRolePolicyOutput](t)(admin.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("own"), PolicyDocument: &document}))
	}
	return assume(t, s, s.account(t, shopID), &sts.AssumeRoleInput{RoleArn: shopRole(name), RoleSessionName: aws.String("test")})
}

// wantDenied checks code and message of a denial.
func wantDenied(t *testing.T, err error, code, message string) {
	t.Helper()
	wantCode(t, err, code)
	var failure smithy.APIError
	if errors.As(err, &failure) && !strings.Contains(failure.ErrorMessage(), message) {
		t.Errorf("the message is\n%s\nwant in it\n%s", failure.ErrorMessage(), message)
	}
}

// TestDenialsInTheServicesWords asks each protocol without any permission.
func TestDenialsInTheServicesWords(t *testing.T) {
	lab := startEKS(t)
	config := lab.as(t, "nobody", "")
	const who = "User: arn:aws:sts::" + shopID + ":assumed-role/nobody/test is not authorized to perform: "
	cases := map[string]struct {
		call          func() error
		code, message string
	}{
		"EC2": {func() error {
			_, err := ec2.NewFromConfig(config).DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})
			return err
		}, "UnauthorizedOperation", "You are not authorized to perform this operation. " + who + "ec2:DescribeVpcs because no identity-based policy allows the ec2:DescribeVpcs action"},
		"EC2, a resource": {func() error {
			_, err := ec2.NewFromConfig(config).DeleteVpc(t.Context(), &ec2.DeleteVpcInput{VpcId: &lab.vpc})
			return err
		}, "UnauthorizedOperation", who + "ec2:DeleteVpc on resource: arn:aws:ec2:" + region + ":" + shopID + ":vpc/" + lab.vpc + " because"},
		"IAM": {func() error {
			_, err := iam.NewFromConfig(config).DeleteRole(t.Context(), &iam.DeleteRoleInput{RoleName: aws.String("kargo")})
			return err
		}, "AccessDenied", who + "iam:DeleteRole on resource: " + kargoRole + " because no identity-based policy allows the iam:DeleteRole action"},
		"EKS": {func() error {
			_, err := eks.NewFromConfig(config).DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: shop})
			return err
		}, "AccessDeniedException", who + "eks:DescribeCluster on resource: arn:aws:eks:" + region + ":" + shopID + ":cluster/shop-1 because"},
		"Auto Scaling": {func() error {
			_, err := autoscaling.NewFromConfig(config).DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{})
			return err
		}, "AccessDenied", who + "autoscaling:DescribeAutoScalingGroups"},
		"assuming a role": {func() error {
			_, err := sts.NewFromConfig(config).AssumeRole(t.Context(), team("other"))
			return err
		}, "AccessDenied", who + "sts:AssumeRole on resource: arn:aws:iam::" + shopID + ":role/team"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { wantDenied(t, tc.call(), tc.code, tc.message) })
	}
	t.Run("who am I", func(t *testing.T) {
		_, err := sts.NewFromConfig(config).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		wantCode(t, err, "")
	})
}

func TestTagConditions(t *testing.T) {
	s, admin, _ := startEC2(t)
	c := ec2.NewFromConfig(s.as(t, "tagger", statements(
		`"Effect":"Allow","Action":"ec2:CreateVpc","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/owner":"kargo"},"ForAllValues:StringEquals":{"aws:TagKeys":["owner","Name"]}}`,
		`"Effect":"Allow","Action":"ec2:CreateTags","Resource":"arn:aws:ec2:*:*:vpc/*","Condition":{"StringEquals":{"ec2:CreateAction":"CreateVpc"}}`,
		`"Effect":"Allow","Action":"ec2:DeleteVpc","Resource":"*","Condition":{"StringEquals":{"ec2:ResourceTag/owner":"kargo"}}`,
		`"Effect":"Allow","Action":"ec2:CreateSubnet","Resource":"*","Condition":{"ArnLikeIfExists":{"ec2:Vpc":"arn:aws:ec2:*:*:vpc/*"},"StringEquals":{"ec2:Region":"`+region+`"}}`)))
	foreign := newVPC(t, admin, "10.0.0.0/16", "owner", "team")
	create := func(tags ...string) error {
		in := &ec2.CreateVpcInput{CidrBlock: aws.String("10.1.0.0/16")}
		if len(tags) > 0 {
			in.TagSpecifications = tagSpec(types.ResourceTypeVpc, tags...)
		}
		_, err := c.CreateVpc(t.Context(), in)
		return err
	}
	wantDenied(t, create(), "UnauthorizedOperation", "ec2:CreateVpc on resource: arn:aws:ec2:"+region+":"+shopID+":vpc/*")
	wantCode(t, create("owner", "team"), "UnauthorizedOperation")
	wantCode(t, create("owner", "kargo", "other", "x"), "UnauthorizedOperation")
	own := newVPC(t, c, "10.2.0.0/16", "owner", "kargo", "Name", "n")

	_, err := c.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{foreign}, Tags: []types.Tag{{Key: aws.String("owner"), Value: aws.String("kargo")}}})
	wantDenied(t, err, "UnauthorizedOperation", "ec2:CreateTags on resource: arn:aws:ec2:"+region+":"+shopID+":vpc/"+foreign)
	_, err = c.DeleteVpc(t.Context(), &ec2.DeleteVpcInput{VpcId: &foreign})
	wantCode(t, err, "UnauthorizedOperation")
	newSubnet(t, c, own, "10.2.0.0/24", "a")
	subnets := must[*ec2.DescribeSubnetsOutput](t)(admin.DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{Filters: []types.Filter{where("vpc-id", own)}}))
	must[*ec2.DeleteSubnetOutput](t)(admin.DeleteSubnet(t.Context(), &ec2.DeleteSubnetInput{SubnetId: subnets.Subnets[0].SubnetId}))
	_, err = c.DeleteVpc(t.Context(), &ec2.DeleteVpcInput{VpcId: &own})
	wantCode(t, err, "")
}

func TestDryRun(t *testing.T) {
	s, admin, _ := startEC2(t)
	vpc := newVPC(t, admin, "10.0.0.0/16")
	reader := ec2.NewFromConfig(s.as(t, "reader", statements(`"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"`)))
	cases := map[string]struct {
		client *ec2.Client
		want   string
	}{"allowed": {admin, "DryRunOperation"}, "not allowed": {reader, "UnauthorizedOperation"}}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := tc.client.DeleteVpc(t.Context(), &ec2.DeleteVpcInput{VpcId: &vpc, DryRun: aws.Bool(true)})
			wantCode(t, err, tc.want)
			_, err = tc.client.CreateVpc(t.Context(), &ec2.CreateVpcInput{CidrBlock: aws.String("10.1.0.0/16"), DryRun: aws.Bool(true)})
			wantCode(t, err, tc.want)
		})
	}
	_, err := reader.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{DryRun: aws.Bool(true)})
	wantCode(t, err, "DryRunOperation")
	if list := must[*ec2.DescribeVpcsOutput](t)(admin.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})); len(list.Vpcs) != 1 {
		t.Errorf("%d VPCs after dry runs", len(list.Vpcs))
	}
}

// TestPassRole hands roles to EKS.
func TestPassRole(t *testing.T) {
	lab := startEKS(t)
	c := eks.NewFromConfig(lab.as(t, "operator", statements(`"Effect":"Allow","Action":["eks:*"],"Resource":"*"`,
		`"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::*:role/cluster","Condition":{"StringEquals":{"iam:PassedToService":"eks.amazonaws.com"}}`,
		`"Effect":"Allow","Action":"iam:CreateServiceLinkedRole","Resource":"arn:aws:iam::*:role/aws-service-role/eks.amazonaws.com/*","Condition":{"StringLike":{"iam:AWSServiceName":"eks.amazonaws.com"}}`)))
	cluster := func(role string) error {
		_, err := c.CreateCluster(t.Context(), &eks.CreateClusterInput{Name: shop, RoleArn: shopRole(role), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: lab.subnets}})
		return err
	}
	wantDenied(t, cluster("pod"), "AccessDeniedException", "iam:PassRole on resource: arn:aws:iam::"+shopID+":role/pod because")
	wantCode(t, cluster("cluster"), "")
	_, err := c.CreateNodegroup(t.Context(), &eks.CreateNodegroupInput{ClusterName: shop, NodegroupName: aws.String("ng"), NodeRole: shopRole("node"), Subnets: lab.subnets})
	wantDenied(t, err, "AccessDeniedException", "iam:PassRole on resource: arn:aws:iam::"+shopID+":role/node")
	_, err = c.CreateNodegroup(t.Context(), &eks.CreateNodegroupInput{ClusterName: shop, NodegroupName: aws.String("ng"), NodeRole: shopRole("cluster"), Subnets: lab.subnets})
	wantDenied(t, err, "AccessDeniedException", "iam:CreateServiceLinkedRole on resource: arn:aws:iam::"+shopID+
		":role/aws-service-role/eks-nodegroup.amazonaws.com/AWSServiceRoleForAmazonEKSNodegroup")
	_, err = c.CreatePodIdentityAssociation(t.Context(), &eks.CreatePodIdentityAssociationInput{ClusterName: shop, Namespace: aws.String("n"), ServiceAccount: aws.String("s"), RoleArn: shopRole("cluster")})
	wantDenied(t, err, "AccessDeniedException", "iam:PassRole")
}

// TestRecordedPermissions decides on recorded calls again, with a policy that has
// all they needed, and with one that lacks a statement.
func TestRecordedPermissions(t *testing.T) {
	s, c, _ := startEC2(t)
	vpc := newVPC(t, c, "10.0.0.0/16", "owner", "kargo")
	newSubnet(t, c, vpc, "10.0.0.0/24", "a")
	must[*ec2.DescribeVpcsOutput](t)(c.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{}))
	least := []string{
		`"Effect":"Allow","Action":["ec2:CreateVpc","ec2:CreateTags"],"Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/owner":"kargo","aws:RequestedRegion":"` + region + `"}}`,
		`"Effect":"Allow","Action":"ec2:CreateSubnet","Resource":["arn:aws:ec2:*:*:subnet/*","arn:aws:ec2:*:*:vpc/*"],"Condition":{"StringEqualsIfExists":{"aws:ResourceTag/owner":"kargo"},"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/admin"}}`,
		`"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"`,
	}
	recorded := admin[calls](t, s, "/_awssim/calls?service=ec2")
	for without := range len(least) + 1 {
		var kept []string
		for i, statement := range least {
			if i != without {
				kept = append(kept, statement)
			}
		}
		doc, err := policy.Parse(statements(kept...))
		if err != nil {
			t.Fatal(err)
		}
		if denied, complete := deniedBy(doc, recorded.Items), without == len(least); (denied == 0) != complete {
			t.Errorf("without statement %d, %d recorded calls are denied", without, denied)
		}
	}
	first := recorded.Items[0]
	if first.Decision != "allowed" || len(first.Permissions) != 2 || first.Permissions[1].Action != "ec2:CreateTags" ||
		first.Permissions[1].Context["ec2:CreateAction"][0] != "CreateVpc" || first.Context["aws:PrincipalArn"][0] != "arn:aws:iam::"+shopID+":user/admin" {
		t.Errorf("recorded: %+v", first)
	}
	_, err := ec2.NewFromConfig(s.as(t, "nobody", "")).DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})
	wantCode(t, err, "UnauthorizedOperation")
	list := admin[calls](t, s, "/_awssim/calls?operation=DescribeVpcs")
	if last := list.Items[len(list.Items)-1]; last.Decision != "implicitDeny" || last.Permissions[0].Action != "ec2:DescribeVpcs" {
		t.Errorf("recorded: %+v", last)
	}
}

// deniedBy counts the calls that a policy alone would not allow.
func deniedBy(doc *policy.Document, items []server.Entry) (denied int) {
	for _, e := range items {
		for _, r := range e.Requests() {
			if policy.Evaluate([]*policy.Document{doc}, r) != policy.Allow {
				denied++
				break
			}
		}
	}
	return denied
}

// TestTaggingNeedsBoth: the tagging API is no way around a service's own permission.
func TestTaggingNeedsBoth(t *testing.T) {
	var networks *ec2sim.Service
	s := start(t, withEC2(0, &networks), func(t *testing.T, c core) api.Service {
		t.Helper()
		return must[*tagging.Service](t)(tagging.New(tagging.Options{Sources: []tagging.Source{networks, c.IAM}}))
	})
	vpc := newVPC(t, ec2.NewFromConfig(s.account(t, shopID)), "10.0.0.0/16")
	in := &resourcegroupstaggingapi.TagResourcesInput{Tags: map[string]string{"a": "b"}, ResourceARNList: []string{"arn:aws:ec2:" + region + ":" + shopID + ":vpc/" + vpc}}
	_, err := resourcegroupstaggingapi.NewFromConfig(s.as(t, "half", statements(`"Effect":"Allow","Action":"tag:*","Resource":"*"`))).TagResources(t.Context(), in)
	wantDenied(t, err, "AccessDeniedException", "ec2:CreateTags")
	_, err = resourcegroupstaggingapi.NewFromConfig(s.as(t, "both", statements(`"Effect":"Allow","Action":["tag:*","ec2:CreateTags"],"Resource":"*"`))).TagResources(t.Context(), in)
	wantCode(t, err, "")
}
