package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/awssim/policy"
)

const (
	vpcARN  = "arn:aws:ec2:eu-central-1:111111111111:vpc/vpc-1"
	all     = `"Effect":"Allow","Action":"*","Resource":"*"`
	ec2Only = `"Effect":"Allow","Action":"ec2:*","Resource":"*"`
	iamOnly = `"Effect":"Allow","Action":"iam:*","Resource":"*"`
	noEC2   = `"Effect":"Deny","Action":"ec2:*","Resource":"*"`
)

// sources are policies of one statement each, called by their numbers.
func sources(t *testing.T, statements ...string) []policy.Source {
	t.Helper()
	list := []policy.Source{}
	for i, s := range statements {
		d, err := policy.Parse(statement(s))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, policy.Source{Name: string(rune('1' + i)), Document: d})
	}
	return list
}

func TestDecide(t *testing.T) {
	of := func(statements ...string) []policy.Source { return sources(t, statements...) }
	type verdict struct {
		Decision policy.Decision
		Layer    policy.Layer
		Matched  []string
	}
	denied := func(l policy.Layer, matched ...string) verdict { return verdict{policy.Deny, l, matched} }
	without := func(l policy.Layer) verdict { return verdict{policy.ImplicitDeny, l, nil} }
	cases := map[string]struct {
		set    policy.Set
		grant  policy.Grant
		want   verdict
		reason string
	}{
		"nothing":           {policy.Set{}, "", without(policy.IdentityLayer), "nobody allows it"},
		"allowed":           {policy.Set{Identity: of(iamOnly, all)}, "", verdict{policy.Allow, "", []string{"2"}}, "by the second policy"},
		"deny wins":         {policy.Set{Identity: of(all, noEC2)}, "", denied(policy.IdentityLayer, "2"), "another policy denies"},
		"boundary":          {policy.Set{Identity: of(all), Boundary: of(iamOnly)}, "", without(policy.BoundaryLayer), "the boundary does not allow"},
		"empty boundary":    {policy.Set{Identity: of(all), Boundary: of()}, "", without(policy.BoundaryLayer), "a boundary without statements allows nothing"},
		"only the boundary": {policy.Set{Identity: of(iamOnly), Boundary: of(all)}, "", without(policy.IdentityLayer), "a boundary grants nothing"},
		"boundary denies":   {policy.Set{Identity: of(all), Boundary: of(all, noEC2)}, "", denied(policy.BoundaryLayer, "2"), "also by a boundary"},
		"session":           {policy.Set{Identity: of(all), Session: of(iamOnly)}, "", without(policy.SessionLayer), "the session policy does not allow"},
		"only the session":  {policy.Set{Identity: of(iamOnly), Session: of(all)}, "", without(policy.IdentityLayer), "a session policy grants nothing"},
		"all layers":        {policy.Set{Identity: of(ec2Only), Boundary: of(all), Session: of(ec2Only), Control: [][]policy.Source{of(all), of(all)}}, "", verdict{policy.Allow, "", []string{"1"}}, "each allows"},
		"control denies":    {policy.Set{Identity: of(all), Control: [][]policy.Source{of(all), of(all, noEC2)}}, "", denied(policy.ControlLayer, "2"), "any level may deny"},
		"control":           {policy.Set{Identity: of(all), Control: [][]policy.Source{of(iamOnly), of(all)}}, "", without(policy.ControlLayer), "each level must allow"},
		"control at root":   {policy.Set{Root: true, Control: [][]policy.Source{of(all, noEC2)}}, "", denied(policy.ControlLayer, "2"), "control policies bind the root user too"},
		"root":              {policy.Set{Root: true}, "", verdict{Decision: policy.Allow}, "the root user needs no policy"},
		"granted to role":   {policy.Set{}, policy.GrantedToRole, verdict{Decision: policy.Allow}, "the resource's policy is enough"},
		"role's boundary":   {policy.Set{Boundary: of(iamOnly)}, policy.GrantedToRole, without(policy.BoundaryLayer), "a grant to the role is limited by its boundary"},
		"granted to caller": {policy.Set{Boundary: of(iamOnly), Session: of(iamOnly)}, policy.GrantedToCaller, verdict{Decision: policy.Allow}, "a grant to the session itself is not limited"},
		"granted, denied":   {policy.Set{Identity: of(noEC2)}, policy.GrantedToCaller, denied(policy.IdentityLayer, "1"), "a deny counts always"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := tc.set.Decide(policy.Request{Action: "ec2:DeleteVpc", Resource: vpcARN, Granted: tc.grant})
			if diff := cmp.Diff(tc.want, verdict{got.Decision, got.Layer, got.Matched}); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

func TestMessages(t *testing.T) {
	const who = "User: arn:aws:iam::1:user/anna is not authorized to perform: ec2:DeleteVpc"
	cases := map[string]struct {
		verdict        policy.Verdict
		resource, want string
	}{
		"no allow":    {policy.Verdict{Decision: policy.ImplicitDeny, Layer: policy.IdentityLayer}, vpcARN, who + " on resource: " + vpcARN + " because no identity-based policy allows the ec2:DeleteVpc action"},
		"deny":        {policy.Verdict{Decision: policy.Deny, Layer: policy.IdentityLayer}, "", who + " with an explicit deny in an identity-based policy"},
		"control":     {policy.Verdict{Decision: policy.Deny, Layer: policy.ControlLayer}, "", who + " with an explicit deny in a service control policy"},
		"no boundary": {policy.Verdict{Decision: policy.ImplicitDeny, Layer: policy.BoundaryLayer}, "", who + " because no permissions boundary allows the ec2:DeleteVpc action"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.verdict.Message("arn:aws:iam::1:user/anna", "ec2:DeleteVpc", tc.resource)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestPermissionRequest(t *testing.T) {
	p := policy.Permission{Action: "ec2:CreateVpc", Resource: "*", Context: policy.Context{"aws:RequestTag/Team": {"shop"}}}
	r := p.Request(policy.Context{"aws:RequestedRegion": {"eu-central-1"}})
	want := map[string][]string{"aws:requesttag/team": {"shop"}, "aws:requestedregion": {"eu-central-1"}}
	if diff := cmp.Diff(want, r.Context); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestMissingKeys(t *testing.T) {
	set := policy.Set{
		Identity: sources(t, ec2Only+`,"Condition":{"StringEquals":{"aws:RequestTag/Team":"shop","aws:RequestedRegion":"eu-central-1"}}`,
			iamOnly+`,"Condition":{"StringEquals":{"iam:PassedToService":"eks.amazonaws.com"}}`),
		Control: [][]policy.Source{sources(t, all, noEC2+`,"Condition":{"StringNotEquals":{"aws:requesttag/team":"shop"}}`)},
	}
	got := set.MissingKeys(policy.Request{Action: "ec2:CreateVpc", Resource: vpcARN, Context: map[string][]string{"aws:requestedregion": {"eu-central-1"}}})
	if diff := cmp.Diff([]string{"aws:RequestTag/Team"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestCheckIdentity(t *testing.T) {
	condition := func(key string) string { return all + `,"Condition":{"StringLike":{"` + key + `":"x"}}` }
	cases := map[string]struct{ statement, want string }{
		"good":                  {all, ""},
		"principal":             {all + `,"Principal":"*"`, "principal"},
		"no resource":           {`"Effect":"Allow","Action":"*"`, "resources"},
		"action":                {`"Effect":"Allow","Action":"CreateVpc","Resource":"*"`, "vendor"},
		"not action":            {`"Effect":"Allow","NotAction":"iam:","Resource":"*"`, "vendor"},
		"resource":              {`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3*"`, "ARN format"},
		"global key":            {condition("aws:RequestedRegion"), ""},
		"tag":                   {condition("aws:ResourceTag/kubernetes.io/cluster/x"), ""},
		"tag with a colon":      {condition("ec2:ResourceTag/eks:eni:owner"), ""},
		"no tag":                {condition("aws:ResourceTag/"), "does not supply"},
		"misspelt":              {condition("aws:RequestedRegoin"), "does not supply"},
		"AWS's, not ours":       {condition("aws:ResourceOrgID"), "does not supply"},
		"service's":             {condition("iam:PassedToService"), ""},
		"service's, not ours":   {condition("ec2:VolumeSize"), "does not supply"},
		"of another service":    {condition("kms:ResourceAliases"), ""},
		"of no service":         {condition("emc2:CreateAction"), "no service"},
		"no service at all":     {condition("RequestedRegion"), "does not begin"},
		"identity provider's":   {condition("oidc.eks.eu-west-1.amazonaws.com/id/ABC:sub"), ""},
		"local issuer's":        {condition("127.0.0.1:6443:aud"), ""},
		"in a second condition": {all + `,"Condition":{"Bool":{"aws:SecureTransport":true},"Null":{"aws:Typo":true}}`, "does not supply"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d, err := policy.Parse(statement(tc.statement))
			if err != nil {
				t.Fatal(err)
			}
			err = d.CheckIdentity()
			if (err == nil) != (tc.want == "") || (err != nil && !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}
