package contract_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// TestBoundaries gives an administrator of a team all but the way out.
func TestBoundaries(t *testing.T) {
	s, _, _ := startEC2(t)
	root := iam.NewFromConfig(s.account(t, shopID))
	boundary := must[*iam.CreatePolicyOutput](t)(root.CreatePolicy(t.Context(), &iam.CreatePolicyInput{PolicyName: aws.String("boundary"), PolicyDocument: aws.String(statements(
		`"Effect":"Allow","Action":"*","Resource":"*"`,
		`"Effect":"Deny","Action":"*","Resource":"arn:aws:iam::*:role/factory/*"`,
		`"Effect":"Deny","Action":["iam:CreateRole","iam:PutRolePermissionsBoundary"],"Resource":"*","Condition":{"StringNotEquals":{"iam:PermissionsBoundary":"arn:aws:iam::`+shopID+`:policy/boundary"}}`,
		`"Effect":"Deny","Action":"iam:DeleteRolePermissionsBoundary","Resource":"*"`,
		`"Effect":"Deny","Action":["iam:*PolicyVersion","iam:DeletePolicy"],"Resource":"arn:aws:iam::*:policy/boundary"`))}))
	arn := boundary.Policy.Arn
	config := s.as(t, "lead", statements(`"Effect":"Allow","Action":"*","Resource":"*"`))
	must[*iam.PutRolePermissionsBoundaryOutput](t)(root.PutRolePermissionsBoundary(t.Context(), &iam.PutRolePermissionsBoundaryInput{RoleName: aws.String("lead"), PermissionsBoundary: arn}))
	got := must[*iam.GetRoleOutput](t)(root.GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("lead")}))
	if got.Role.PermissionsBoundary == nil || *got.Role.PermissionsBoundary.PermissionsBoundaryArn != *arn {
		t.Errorf("the role's boundary is %+v", got.Role.PermissionsBoundary)
	}
	lead, ctx := iam.NewFromConfig(config), t.Context()
	create := func(name string, boundary *string) error {
		_, err := lead.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(trustShop), PermissionsBoundary: boundary})
		return err
	}
	wantDenied(t, create("out", nil), "AccessDenied", "with an explicit deny in a permissions boundary")
	wantCode(t, create("out", aws.String("arn:aws:iam::aws:policy/AdministratorAccess")), "AccessDenied")
	wantCode(t, create("in", arn), "")
	_, err := lead.DeleteRolePermissionsBoundary(ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: aws.String("lead")})
	wantCode(t, err, "AccessDenied")
	_, err = lead.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: aws.String(identityPolicy), SetAsDefault: true})
	wantCode(t, err, "AccessDenied")
	_, err = lead.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: aws.String("kargo")})
	wantDenied(t, err, "AccessDenied", "iam:DeleteRole on resource: "+kargoRole+" with an explicit deny in a permissions boundary")
	_, err = root.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: arn})
	wantCode(t, err, "DeleteConflict")

	// A new version counts at once, for sessions too.
	must[*iam.CreatePolicyVersionOutput](t)(root.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: arn, SetAsDefault: true,
		PolicyDocument: aws.String(statements(`"Effect":"Allow","Action":"iam:*","Resource":"*"`))}))
	_, err = ec2.NewFromConfig(config).DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})
	wantDenied(t, err, "UnauthorizedOperation", "because no permissions boundary allows the ec2:DescribeVpcs action")
	_, err = root.DeleteRolePermissionsBoundary(ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: aws.String("lead")})
	wantCode(t, err, "")
	_, err = root.DeleteRolePermissionsBoundary(ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: aws.String("lead")})
	wantCode(t, err, "NoSuchEntity")
	_, err = ec2.NewFromConfig(config).DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})
	wantCode(t, err, "")
}

func TestSessionPolicies(t *testing.T) {
	s, _, _ := startEC2(t)
	in := kargo()
	in.Policy = aws.String(statements(`"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"`))
	narrow := ec2.NewFromConfig(assume(t, s, s.factory(), in))
	_, err := narrow.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})
	wantCode(t, err, "")
	_, err = narrow.CreateVpc(t.Context(), &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")})
	wantDenied(t, err, "UnauthorizedOperation", "because no session policy allows the ec2:CreateVpc action")

	in = kargo()
	in.PolicyArns = []ststypes.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")}}
	_, err = ec2.NewFromConfig(assume(t, s, s.factory(), in)).CreateVpc(t.Context(), &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")})
	wantCode(t, err, "UnauthorizedOperation")

	in = kargo()
	in.Policy = aws.String(statements(`"Effect":"Allow","Action":"ec2:*","Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegoin":"x"}}`))
	_, err = sts.NewFromConfig(s.factory()).AssumeRole(t.Context(), in)
	wantCode(t, err, "MalformedPolicyDocument")
}

func TestControlPoliciesDecide(t *testing.T) {
	s, admin, _ := startEC2(t)
	const all = `"Effect":"Allow","Action":"*","Resource":"*"`
	s.control.set(t, shopID, statements(all), statements(all, `"Effect":"Deny","NotAction":["iam:*","sts:*"],"Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":["eu-west-1"]}}`))
	_, err := admin.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})
	wantDenied(t, err, "UnauthorizedOperation", "with an explicit deny in a service control policy")
	_, err = admin.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{}, func(o *ec2.Options) { o.Region = "eu-west-1" })
	wantCode(t, err, "")
	s.control.set(t, shopID, statements(`"Effect":"Allow","Action":"iam:*","Resource":"*"`), statements(all))
	_, err = admin.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})
	wantDenied(t, err, "UnauthorizedOperation", "because no service control policy allows")
	_, err = ec2.NewFromConfig(s.account(t, bankID)).DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})
	wantCode(t, err, "")
}

// TestBothSidesOfAssumeRole: trust alone is not enough across accounts, and is
// within one only if it names the caller.
func TestBothSidesOfAssumeRole(t *testing.T) {
	s := start(t)
	admin := iam.NewFromConfig(s.account(t, shopID))
	nobody := s.as(t, "nobody", "")
	trust := func(principal string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"sts:AssumeRole"}]}`
	}
	cases := map[string]struct {
		from   aws.Config
		trusts string
		want   string
		reason string
	}{
		"the account":      {nobody, "arn:aws:iam::" + shopID + ":root", "AccessDenied", "the account leaves it to the caller's policies"},
		"the role":         {nobody, *shopRole("nobody"), "", "the caller's role is named, in its own account"},
		"the session":      {nobody, "arn:aws:sts::" + shopID + ":assumed-role/nobody/test", "", "the session is named"},
		"another account":  {s.factory(), "arn:aws:iam::" + factoryID + ":user/factory", "AccessDenied", "the factory's user may assume roles below /factory/ only"},
		"an administrator": {s.account(t, bankID), bankID, "", "both sides allow"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			role := aws.String("target-" + strings.ReplaceAll(name, " ", "-"))
			must[*iam.CreateRoleOutput](t)(admin.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: role, AssumeRolePolicyDocument: aws.String(trust(tc.trusts))}))
			_, err := sts.NewFromConfig(tc.from).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: shopRole(*role), RoleSessionName: aws.String("x1")})
			wantCode(t, err, tc.want)
		})
	}
}

// TestMisspeltPoliciesAreRefused puts what would silently allow or deny otherwise.
func TestMisspeltPoliciesAreRefused(t *testing.T) {
	s := start(t)
	c := iam.NewFromConfig(s.account(t, shopID))
	cases := map[string]string{
		"operator":    statements(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringIs":{"aws:RequestedRegion":"x"}}`),
		"global key":  statements(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"aws:Region":"x"}}`),
		"service key": statements(`"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"iam:PassedTo":"x"}}`),
		"element":     statements(`"Effect":"Allow","Action":"*","Resource":"*","Conditions":{}`),
		"resource":    statements(`"Effect":"Allow","Action":"*","Resource":"vpc-1"`),
		"action":      statements(`"Effect":"Allow","Action":"DescribeVpcs","Resource":"*"`),
	}
	for name, document := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := c.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String("team"), PolicyName: aws.String("p"), PolicyDocument: &document})
			wantCode(t, err, "MalformedPolicyDocument")
			_, err = c.CreatePolicy(t.Context(), &iam.CreatePolicyInput{PolicyName: aws.String("p"), PolicyDocument: &document})
			wantCode(t, err, "MalformedPolicyDocument")
		})
	}
	_, err := c.CreatePolicy(t.Context(), &iam.CreatePolicyInput{PolicyName: aws.String("p"), PolicyDocument: aws.String(statements(
		`"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + strings.Repeat("b", 6200) + `"`))})
	wantCode(t, err, "LimitExceeded")
}

func TestPolicyVersions(t *testing.T) {
	s := start(t)
	c, ctx := iam.NewFromConfig(s.account(t, shopID)), t.Context()
	arn := must[*iam.CreatePolicyOutput](t)(c.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("own"), PolicyDocument: aws.String(identityPolicy)})).Policy.Arn
	for i := 2; i <= 5; i++ {
		must[*iam.CreatePolicyVersionOutput](t)(c.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: aws.String(identityPolicy), SetAsDefault: i == 3}))
	}
	_, err := c.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: aws.String(identityPolicy)})
	wantCode(t, err, "LimitExceeded")
	list := must[*iam.ListPolicyVersionsOutput](t)(c.ListPolicyVersions(ctx, &iam.ListPolicyVersionsInput{PolicyArn: arn}))
	if len(list.Versions) != 5 || !list.Versions[2].IsDefaultVersion || list.Versions[0].IsDefaultVersion {
		t.Errorf("%+v", list.Versions)
	}
	version := func(id string) *iam.DeletePolicyVersionInput {
		return &iam.DeletePolicyVersionInput{PolicyArn: arn, VersionId: &id}
	}
	_, err = c.DeletePolicyVersion(ctx, version("v3"))
	wantCode(t, err, "DeleteConflict")
	_, err = c.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: arn})
	wantCode(t, err, "DeleteConflict")
	must[*iam.SetDefaultPolicyVersionOutput](t)(c.SetDefaultPolicyVersion(ctx, &iam.SetDefaultPolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v5")}))
	for _, id := range []string{"v1", "v2", "v3", "v4"} {
		must[*iam.DeletePolicyVersionOutput](t)(c.DeletePolicyVersion(ctx, version(id)))
	}
	_, err = c.DeletePolicyVersion(ctx, version("v1"))
	wantCode(t, err, "NoSuchEntity")
	got := must[*iam.GetPolicyOutput](t)(c.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: arn}))
	if *got.Policy.DefaultVersionId != "v5" {
		t.Errorf("the default is %s", *got.Policy.DefaultVersionId)
	}
	must[*iam.AttachRolePolicyOutput](t)(c.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: aws.String("team"), PolicyArn: arn}))
	used := must[*iam.ListEntitiesForPolicyOutput](t)(c.ListEntitiesForPolicy(ctx, &iam.ListEntitiesForPolicyInput{PolicyArn: arn}))
	if len(used.PolicyRoles) != 1 || *used.PolicyRoles[0].RoleName != "team" || len(used.PolicyUsers) != 0 {
		t.Errorf("%+v", used)
	}
	_, err = c.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: aws.String(clusterPolicy), PolicyDocument: aws.String(identityPolicy)})
	wantCode(t, err, "AccessDenied")
}

func TestManagedDocuments(t *testing.T) {
	s := start(t)
	c := iam.NewFromConfig(s.account(t, shopID))
	for _, name := range []string{"AdministratorAccess", "ReadOnlyAccess", "PowerUserAccess", "AmazonEKSClusterPolicy", "AmazonEKSWorkerNodePolicy",
		"AmazonEC2ContainerRegistryReadOnly", "AmazonEKS_CNI_Policy", "job-function/ViewOnlyAccess"} {
		arn := aws.String("arn:aws:iam::aws:policy/" + name)
		got := must[*iam.GetPolicyOutput](t)(c.GetPolicy(t.Context(), &iam.GetPolicyInput{PolicyArn: arn}))
		must[*iam.GetPolicyVersionOutput](t)(c.GetPolicyVersion(t.Context(), &iam.GetPolicyVersionInput{PolicyArn: arn, VersionId: got.Policy.DefaultVersionId}))
	}
	_, err := iam.NewFromConfig(assume(t, s, s.account(t, shopID), team("x1"))).CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: aws.String(trustShop)})
	wantDenied(t, err, "AccessDenied", "because no identity-based policy allows the iam:CreateRole action") // PowerUserAccess
}

// TestTrustInTheOrganisation trusts whoever is in the organisation.
func TestTrustInTheOrganisation(t *testing.T) {
	s := start(t)
	organisation, _, ok := s.Tree.Membership(bankID)
	if !ok {
		t.Fatal("the bank is in no organisation")
	}
	for id, want := range map[string]string{organisation: "", "o-another": "AccessDenied"} {
		role := aws.String("for-" + id)
		must[*iam.CreateRoleOutput](t)(iam.NewFromConfig(s.account(t, shopID)).CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: role, AssumeRolePolicyDocument: aws.String(statements(
			`"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:PrincipalOrgID":"` + id + `"}}`))}))
		_, err := sts.NewFromConfig(s.account(t, bankID)).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: shopRole(*role), RoleSessionName: aws.String("bank")})
		wantCode(t, err, want)
	}
}
