package contract_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"
)

const (
	eksTrust       = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["eks.amazonaws.com"]},"Action":["sts:AssumeRole"]}]}`
	clusterPolicy  = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
	identityPolicy = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}]}`
)

func newGet(ctx context.Context, url string) (*http.Request, error) {
	return http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
}

// TestRoleLife does what CAPA does with a cluster's role, and the errors on the way.
func TestRoleLife(t *testing.T) {
	s := start(t)
	client, ctx := iam.NewFromConfig(s.account(t, shopID)), t.Context()
	name := aws.String("shop-prod-iam-service-role")

	_, err := client.GetRole(ctx, &iam.GetRoleInput{RoleName: name})
	wantCode(t, err, "NoSuchEntity")
	create := &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(eksTrust), Path: aws.String("/eks/"),
		Tags: []iamtypes.Tag{{Key: aws.String("kubernetes.io/cluster/shop"), Value: aws.String("owned")}}}
	created, err := client.CreateRole(ctx, create)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^AROA[A-Z2-7]{17}$`).MatchString(*created.Role.RoleId) ||
		*created.Role.Arn != "arn:aws:iam::"+shopID+":role/eks/shop-prod-iam-service-role" {
		t.Errorf("created %s %s", *created.Role.RoleId, *created.Role.Arn)
	}
	_, err = client.CreateRole(ctx, create)
	wantCode(t, err, "EntityAlreadyExists")

	for range 2 { // attaching twice is no error
		_, err = client.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: name, PolicyArn: aws.String(clusterPolicy)})
		wantCode(t, err, "")
	}
	_, err = client.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: name, PolicyArn: aws.String(clusterPolicy + "X")})
	wantCode(t, err, "NoSuchEntity")
	_, err = client.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("in"), PolicyDocument: aws.String(identityPolicy)})
	wantCode(t, err, "")
	_, err = client.TagRole(ctx, &iam.TagRoleInput{RoleName: name, Tags: []iamtypes.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})
	wantCode(t, err, "")
	_, err = client.UntagRole(ctx, &iam.UntagRoleInput{RoleName: name, TagKeys: []string{"kubernetes.io/cluster/shop"}})
	wantCode(t, err, "")

	got, err := client.GetRole(ctx, &iam.GetRoleInput{RoleName: name})
	if err != nil {
		t.Fatal(err)
	}
	document, err := url.QueryUnescape(*got.Role.AssumeRolePolicyDocument)
	if err != nil || document != eksTrust || *got.Role.MaxSessionDuration != 3600 {
		t.Errorf("trust %s, %v; sessions last %d", document, err, *got.Role.MaxSessionDuration)
	}
	if len(got.Role.Tags) != 1 || *got.Role.Tags[0].Key != "a" {
		t.Errorf("tags %v", got.Role.Tags)
	}
	inline, err := client.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: name, PolicyName: aws.String("in")})
	if err != nil {
		t.Fatal(err)
	}
	if document, _ := url.QueryUnescape(*inline.PolicyDocument); document != identityPolicy {
		t.Errorf("inline policy %s", document)
	}

	attached, err := client.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: name})
	if err != nil || len(attached.AttachedPolicies) != 1 || *attached.AttachedPolicies[0].PolicyName != "AmazonEKSClusterPolicy" {
		t.Errorf("attached %+v, %v", attached, err)
	}
	_, err = client.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name})
	wantCode(t, err, "DeleteConflict")
	_, err = client.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: name, PolicyArn: aws.String(clusterPolicy)})
	wantCode(t, err, "")
	_, err = client.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: name, PolicyArn: aws.String(clusterPolicy)})
	wantCode(t, err, "NoSuchEntity")
	_, err = client.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name})
	wantCode(t, err, "DeleteConflict")
	_, err = client.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("in")})
	wantCode(t, err, "")
	_, err = client.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name})
	wantCode(t, err, "")
	_, err = client.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name})
	wantCode(t, err, "NoSuchEntity")
}

func TestTrustPoliciesAreChecked(t *testing.T) {
	s := start(t)
	client := iam.NewFromConfig(s.account(t, shopID))
	trusts := func(principal string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"sts:AssumeRole"}]}`
	}
	cases := map[string]struct{ document, want string }{
		"no JSON":            {"{", "MalformedPolicyDocument"},
		"a resource":         {`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Resource":"*"}]}`, "MalformedPolicyDocument"},
		"no principal":       {`{"Statement":[{"Effect":"Allow","Action":"sts:AssumeRole"}]}`, "MalformedPolicyDocument"},
		"another action":     {`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject"}]}`, "MalformedPolicyDocument"},
		"no such role":       {trusts("arn:aws:iam::" + bankID + ":role/nobody"), "MalformedPolicyDocument"},
		"no such account":    {trusts("999999999999"), "MalformedPolicyDocument"},
		"another account":    {trusts(bankID), ""},
		"another one's user": {trusts("arn:aws:iam::" + factoryID + ":user/factory"), ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := client.UpdateAssumeRolePolicy(t.Context(), &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String("team"), PolicyDocument: aws.String(tc.document)})
			wantCode(t, err, tc.want)
		})
	}
	if v := admin[violations](t, s, "/_awssim/violations"); v.Count != 0 {
		t.Errorf("trusting another account counts as a violation: %+v", v)
	}
}

func TestRolesOfOthersAreNotThere(t *testing.T) {
	s := start(t)
	_, err := iam.NewFromConfig(s.account(t, bankID)).GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("team")})
	wantCode(t, err, "NoSuchEntity")
}

func TestListsArePaged(t *testing.T) {
	s := start(t)
	client, ctx := iam.NewFromConfig(s.account(t, bankID)), t.Context()
	var want []string
	for i := range 7 {
		name := fmt.Sprintf("role-%d", i)
		want = append(want, name)
		if _, err := client.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(eksTrust)}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	pages := 0
	for p := iam.NewListRolesPaginator(client, &iam.ListRolesInput{MaxItems: aws.Int32(3)}); p.HasMorePages(); pages++ {
		page, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Roles {
			got = append(got, *r.RoleName)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || pages != 3 {
		t.Errorf("in %d pages: -want +got\n%s", pages, diff)
	}
	_, err := client.ListRoles(ctx, &iam.ListRolesInput{MaxItems: aws.Int32(0)})
	wantCode(t, err, "ValidationError")
}

func TestManagedPolicies(t *testing.T) {
	s := start(t)
	client, ctx := iam.NewFromConfig(s.account(t, shopID)), t.Context()
	out, err := client.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: aws.String(clusterPolicy)})
	if err != nil || *out.Policy.PolicyName != "AmazonEKSClusterPolicy" || !out.Policy.IsAttachable {
		t.Fatalf("%+v, %v", out, err)
	}
	_, err = client.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: aws.String(clusterPolicy + "X")})
	wantCode(t, err, "NoSuchEntity")

	created, err := client.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("own"), PolicyDocument: aws.String(identityPolicy)})
	if err != nil {
		t.Fatal(err)
	}
	arn := created.Policy.Arn
	_, err = client.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("own"), PolicyDocument: aws.String(identityPolicy)})
	wantCode(t, err, "EntityAlreadyExists")
	version, err := client.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: arn, VersionId: created.Policy.DefaultVersionId})
	if err != nil {
		t.Fatal(err)
	}
	if document, _ := url.QueryUnescape(*version.PolicyVersion.Document); document != identityPolicy {
		t.Errorf("document %s", document)
	}
	_, err = client.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: aws.String("team"), PolicyArn: arn})
	wantCode(t, err, "")
	list, err := client.ListPolicies(ctx, &iam.ListPoliciesInput{Scope: iamtypes.PolicyScopeTypeLocal})
	if err != nil || len(list.Policies) != 1 || *list.Policies[0].AttachmentCount != 1 {
		t.Errorf("local policies %+v, %v", list, err)
	}
	_, err = client.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: arn})
	wantCode(t, err, "DeleteConflict")
	_, err = client.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: aws.String("team"), PolicyArn: arn})
	wantCode(t, err, "")
	_, err = client.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: arn})
	wantCode(t, err, "")
	_, err = client.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: aws.String(clusterPolicy)})
	wantCode(t, err, "AccessDenied")
}

func TestOpenIDConnectProviders(t *testing.T) {
	s := start(t)
	client, ctx := iam.NewFromConfig(s.account(t, shopID)), t.Context()
	create := &iam.CreateOpenIDConnectProviderInput{Url: aws.String("https://127.0.0.1:6443/id/ABC"), ClientIDList: []string{"sts.amazonaws.com"},
		ThumbprintList: []string{"9e99a48a9960b14926bb7f3b02e22da2b0ab7280"}}
	created, err := client.CreateOpenIDConnectProvider(ctx, create)
	if err != nil {
		t.Fatal(err)
	}
	arn := created.OpenIDConnectProviderArn
	if *arn != "arn:aws:iam::"+shopID+":oidc-provider/127.0.0.1:6443/id/ABC" {
		t.Errorf("ARN %s", *arn)
	}
	_, err = client.CreateOpenIDConnectProvider(ctx, create)
	wantCode(t, err, "EntityAlreadyExists")
	_, err = client.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: aws.String("http://x")})
	wantCode(t, err, "ValidationError")
	_, err = client.TagOpenIDConnectProvider(ctx, &iam.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, Tags: []iamtypes.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})
	wantCode(t, err, "")
	got, err := client.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn})
	if err != nil || *got.Url != "127.0.0.1:6443/id/ABC" || len(got.Tags) != 1 || !slices.Equal(got.ClientIDList, create.ClientIDList) || !slices.Equal(got.ThumbprintList, create.ThumbprintList) {
		t.Errorf("%+v, %v", got, err)
	}
	list, err := client.ListOpenIDConnectProviders(ctx, &iam.ListOpenIDConnectProvidersInput{})
	if err != nil || len(list.OpenIDConnectProviderList) != 1 || *list.OpenIDConnectProviderList[0].Arn != *arn {
		t.Errorf("%+v, %v", list, err)
	}
	for range 2 {
		_, err = client.DeleteOpenIDConnectProvider(ctx, &iam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn})
		wantCode(t, err, "")
	}
	_, err = client.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn})
	wantCode(t, err, "NoSuchEntity")
}

func TestServiceLinkedRoles(t *testing.T) {
	s := start(t)
	client, ctx := iam.NewFromConfig(s.account(t, shopID)), t.Context()
	in := &iam.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("eks.amazonaws.com")}
	out, err := client.CreateServiceLinkedRole(ctx, in)
	if err != nil || *out.Role.Arn != "arn:aws:iam::"+shopID+":role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS" {
		t.Fatalf("%+v, %v", out, err)
	}
	_, err = client.CreateServiceLinkedRole(ctx, in)
	wantCode(t, err, "InvalidInput")
	_, err = client.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: out.Role.RoleName})
	wantCode(t, err, "UnmodifiableEntity")
	if err := s.IAM.EnsureServiceLinkedRole(shopID, "eks.amazonaws.com"); err != nil {
		t.Errorf("a role that exists is no error: %v", err)
	}
}

func TestUsersAndAliases(t *testing.T) {
	s := start(t)
	client, ctx := iam.NewFromConfig(s.account(t, shopID)), t.Context()
	own, err := client.GetUser(ctx, &iam.GetUserInput{})
	if err != nil || *own.User.UserName != "admin" {
		t.Errorf("%+v, %v", own, err)
	}
	users, err := client.ListUsers(ctx, &iam.ListUsersInput{})
	if err != nil || len(users.Users) != 1 {
		t.Errorf("%+v, %v", users, err)
	}
	aliases, err := client.ListAccountAliases(ctx, &iam.ListAccountAliasesInput{})
	if err != nil || !slices.Equal(aliases.AccountAliases, []string{"shop"}) {
		t.Errorf("%+v, %v", aliases, err)
	}
	_, err = iam.NewFromConfig(assume(t, s, s.factory(), kargo())).GetUser(ctx, &iam.GetUserInput{})
	wantCode(t, err, "ValidationError")
	profiles, err := client.ListInstanceProfilesForRole(ctx, &iam.ListInstanceProfilesForRoleInput{RoleName: aws.String("team")})
	if err != nil || len(profiles.InstanceProfiles) != 0 {
		t.Errorf("%+v, %v", profiles, err)
	}
}
