package contract_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"
	gocmp "github.com/google/go-cmp/cmp"
)

// TestOrganizationPolicies attaches policies along an account's path and sees them
// in force there and nowhere else.
func TestOrganizationPolicies(t *testing.T) {
	sim := start(t, withEC2(0, nil))
	sim.control.tree = sim.Tree
	c, ctx := governor(t, sim), t.Context()
	root := *must[*organizations.ListRootsOutput](t)(c.ListRoots(ctx, &organizations.ListRootsInput{})).Roots[0].Id
	unit := *must[*organizations.CreateOrganizationalUnitOutput](t)(c.CreateOrganizationalUnit(ctx,
		&organizations.CreateOrganizationalUnitInput{ParentId: &root, Name: aws.String("prod")})).OrganizationalUnit.Id
	must[*organizations.MoveAccountOutput](t)(c.MoveAccount(ctx, &organizations.MoveAccountInput{AccountId: aws.String(shopID), SourceParentId: &root, DestinationParentId: &unit}))
	policy := func(name, content string) (string, error) {
		out, err := c.CreatePolicy(ctx, &organizations.CreatePolicyInput{Name: &name, Description: aws.String(""), Type: types.PolicyTypeServiceControlPolicy, Content: &content})
		if err != nil {
			return "", err
		}
		return *out.Policy.PolicySummary.Id, nil
	}
	attach := func(id, target string) error {
		_, err := c.AttachPolicy(ctx, &organizations.AttachPolicyInput{PolicyId: &id, TargetId: &target})
		return err
	}
	detach := func(id, target string) error {
		_, err := c.DetachPolicy(ctx, &organizations.DetachPolicyInput{PolicyId: &id, TargetId: &target})
		return err
	}
	look := func(account string) error {
		_, err := ec2.NewFromConfig(sim.account(t, account)).DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})
		return err
	}
	noEC2 := must[string](t)(policy("no-ec2", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"ec2:*","Resource":"*"}]}`))
	onlyIAM := must[string](t)(policy("only-iam", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"*"}]}`))
	_, err := policy("no-ec2", `{"Version":"2012-10-17","Statement":[]}`)
	wantCode(t, err, "DuplicatePolicyException")
	_, err = policy("bad", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}`)
	wantCode(t, err, "MalformedPolicyDocumentException")

	wantCode(t, look(shopID), "")
	wantCode(t, attach(noEC2, unit), "")
	wantCode(t, attach(noEC2, unit), "DuplicatePolicyAttachmentException")
	wantCode(t, look(shopID), "UnauthorizedOperation")
	wantCode(t, look(bankID), "")
	wantCode(t, detach(noEC2, unit), "")
	wantCode(t, look(shopID), "")
	wantCode(t, attach(onlyIAM, shopID), "")
	wantCode(t, look(shopID), "") // its other policy allows all
	wantCode(t, detach("p-FullAWSAccess", shopID), "")
	wantCode(t, look(shopID), "UnauthorizedOperation") // each level must allow
	wantCode(t, detach(onlyIAM, shopID), "ConstraintViolationException")
	wantCode(t, detach(noEC2, shopID), "PolicyNotAttachedException")
	wantCode(t, attach(noEC2, root), "")
	wantCode(t, look(factoryID), "") // the management account is not limited
	wantCode(t, look(bankID), "UnauthorizedOperation")

	targets := must[*organizations.ListTargetsForPolicyOutput](t)(c.ListTargetsForPolicy(ctx, &organizations.ListTargetsForPolicyInput{PolicyId: &onlyIAM})).Targets
	if len(targets) != 1 || *targets[0].TargetId != shopID || targets[0].Type != types.TargetTypeAccount {
		t.Errorf("targets: %+v", targets)
	}
	attached := must[*organizations.ListPoliciesForTargetOutput](t)(c.ListPoliciesForTarget(ctx,
		&organizations.ListPoliciesForTargetInput{TargetId: &root, Filter: types.PolicyTypeServiceControlPolicy})).Policies
	if len(attached) != 2 {
		t.Errorf("policies of the root: %+v", attached)
	}
	_, err = c.DeletePolicy(ctx, &organizations.DeletePolicyInput{PolicyId: &onlyIAM})
	wantCode(t, err, "PolicyInUseException")
	_, err = c.UpdatePolicy(ctx, &organizations.UpdatePolicyInput{PolicyId: aws.String("p-FullAWSAccess"), Name: aws.String("x")})
	wantCode(t, err, "InvalidInputException")
}

func TestOrganizationsTags(t *testing.T) {
	sim := start(t)
	c, ctx := governor(t, sim), t.Context()
	id := aws.String(shopID)
	tags := func() map[string]string {
		t.Helper()
		m := map[string]string{}
		for _, tag := range must[*organizations.ListTagsForResourceOutput](t)(c.ListTagsForResource(ctx, &organizations.ListTagsForResourceInput{ResourceId: id})).Tags {
			m[*tag.Key] = *tag.Value
		}
		return m
	}
	must[*organizations.TagResourceOutput](t)(c.TagResource(ctx, &organizations.TagResourceInput{ResourceId: id,
		Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b"), Value: aws.String("2")}}}))
	must[*organizations.UntagResourceOutput](t)(c.UntagResource(ctx, &organizations.UntagResourceInput{ResourceId: id, TagKeys: []string{"a", "c"}}))
	if diff := gocmp.Diff(map[string]string{"b": "2"}, tags()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	_, err := c.ListTagsForResource(ctx, &organizations.ListTagsForResourceInput{ResourceId: aws.String("999999999999")})
	wantCode(t, err, "TargetNotFoundException")
}
