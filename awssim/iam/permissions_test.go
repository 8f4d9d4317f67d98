package iam

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/auth"
	"kargo.dev/kargo/awssim/policy"
	"kargo.dev/kargo/awssim/store"
)

const account = "111111111111"

// nobodyElse are accounts of which there is one.
type nobodyElse struct{}

func (nobodyElse) Alias(id string) (string, bool) { return "", id == account }

func newService(t *testing.T) *Service {
	t.Helper()
	st, err := store.Open(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	clock := api.Clock{Now: time.Now}
	s, err := New(Options{Store: st, Clock: clock, Keys: auth.NewKeys(st, clock), Accounts: nobodyElse{}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func call(operation string, params ...string) *api.Call {
	form := url.Values{}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	return &api.Call{Operation: operation, Params: form, Caller: api.Identity{AccountID: account, ARN: "arn:aws:iam::" + account + ":user/anna"}}
}

func TestPermissions(t *testing.T) {
	s := newService(t)
	const boundary = "arn:aws:iam::aws:policy/PowerUserAccess"
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	if _, err := s.createRole(call("CreateRole", "RoleName", "r", "Path", "/team/", "AssumeRolePolicyDocument", trust, "PermissionsBoundary", boundary,
		"Tags.member.1.Key", "owner", "Tags.member.1.Value", "shop")); err != nil {
		t.Fatal(err)
	}
	const role = "role/team/r"
	ofRole := []string{"aws:ResourceTag/owner=shop", "iam:ResourceTag/owner=shop"}
	bounded := append(slices.Clone(ofRole), "iam:PermissionsBoundary="+boundary)
	tag := []string{"Tags.member.1.Key", "a", "Tags.member.1.Value", "b"}
	cases := map[string]struct {
		call *api.Call
		want map[string][]string
	}{
		"making a role": {call("CreateRole", "RoleName", "n", "Path", "/p/", "PermissionsBoundary", boundary), map[string][]string{"CreateRole role/p/n": {"iam:PermissionsBoundary=" + boundary}}},
		"with tags": {call("CreateRole", append([]string{"RoleName", "n"}, tag...)...), map[string][]string{
			"CreateRole role/n": {"aws:RequestTag/a=b", "aws:TagKeys=a"}, "TagRole role/n": {"aws:RequestTag/a=b", "aws:TagKeys=a"}}},
		"reading":              {call("GetRole", "RoleName", "r"), map[string][]string{"GetRole " + role: bounded}},
		"attaching":            {call("AttachRolePolicy", "RoleName", "r", "PolicyArn", boundary), map[string][]string{"AttachRolePolicy " + role: append(slices.Clone(bounded), "iam:PolicyARN="+boundary)}},
		"inline":               {call("PutRolePolicy", "RoleName", "r"), map[string][]string{"PutRolePolicy " + role: bounded}},
		"setting the boundary": {call("PutRolePermissionsBoundary", "RoleName", "r", "PermissionsBoundary", "b"), map[string][]string{"PutRolePermissionsBoundary " + role: append(slices.Clone(ofRole), "iam:PermissionsBoundary=b")}},
		"removing it":          {call("DeleteRolePermissionsBoundary", "RoleName", "r"), map[string][]string{"DeleteRolePermissionsBoundary " + role: bounded}},
		"tagging":              {call("TagRole", append([]string{"RoleName", "r"}, tag...)...), map[string][]string{"TagRole " + role: append([]string{"aws:RequestTag/a=b", "aws:TagKeys=a"}, ofRole...)}},
		"untagging":            {call("UntagRole", "RoleName", "r", "TagKeys.member.1", "owner"), map[string][]string{"UntagRole " + role: append([]string{"aws:TagKeys=owner"}, ofRole...)}},
		"what is not":          {call("DeleteRole", "RoleName", "x"), map[string][]string{"DeleteRole role/x": nil}},
		"a list":               {call("ListRoles"), map[string][]string{"ListRoles *": nil}},
		"a service's own role": {call("CreateServiceLinkedRole", "AWSServiceName", "eks.amazonaws.com"), map[string][]string{
			"CreateServiceLinkedRole role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS": {"iam:AWSServiceName=eks.amazonaws.com"}}},
		"making a policy":     {call("CreatePolicy", append([]string{"PolicyName", "p"}, tag...)...), map[string][]string{"CreatePolicy policy/p": {"aws:RequestTag/a=b", "aws:TagKeys=a"}, "TagPolicy policy/p": {"aws:RequestTag/a=b", "aws:TagKeys=a"}}},
		"AWS's policy":        {call("GetPolicy", "PolicyArn", boundary), map[string][]string{"GetPolicy " + boundary: nil}},
		"oneself":             {call("GetUser"), map[string][]string{"GetUser user/anna": nil}},
		"making a provider":   {call("CreateOpenIDConnectProvider", "Url", "https://issuer/id"), map[string][]string{"CreateOpenIDConnectProvider oidc-provider/issuer/id": nil}},
		"asking about a role": {call("SimulatePrincipalPolicy", "PolicySourceArn", "arn:aws:iam::"+account+":"+role), map[string][]string{"SimulatePrincipalPolicy " + role: nil}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := map[string][]string{}
			for _, p := range s.Permissions(tc.call) {
				resource := strings.TrimPrefix(p.Resource, "arn:aws:iam::"+account+":")
				got[strings.TrimPrefix(p.Action, "iam:")+" "+resource] = keys(t, p.Context)
			}
			for _, k := range tc.want {
				slices.Sort(k)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// keys of a permission; each must be known, or no policy could ask for it.
func keys(t *testing.T, c policy.Context) []string {
	t.Helper()
	var list []string
	for key, values := range c {
		list = append(list, key+"="+strings.Join(values, ","))
		d, err := policy.Parse(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringLike":{"` + key + `":"*"}}}}`)
		if err != nil || d.CheckKeys() != nil {
			t.Errorf("the key %s is supplied, but not known: %v", key, err)
		}
	}
	slices.Sort(list)
	return list
}

func TestEveryOperationNeedsItsAction(t *testing.T) {
	s := newService(t)
	for _, op := range s.Operations() {
		if list := s.Permissions(call(op.Name)); len(list) != 1 || list[0].Action != "iam:"+op.Name {
			t.Errorf("%s needs %+v", op.Name, list)
		}
	}
}

// TestManagedDocumentsAreGood as IAM would check them if somebody put them.
func TestManagedDocumentsAreGood(t *testing.T) {
	s := newService(t)
	documents := 0
	for arn, p := range s.managed {
		if p.Document == "" {
			continue
		}
		documents++
		if err := checkIdentityPolicy(p.Document); err != nil {
			t.Errorf("%s: %v", arn, err)
		}
	}
	if documents < 10 {
		t.Errorf("only %d documents", documents)
	}
}
