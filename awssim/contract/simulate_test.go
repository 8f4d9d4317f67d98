package contract_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	gocmp "github.com/google/go-cmp/cmp"
)

func entry(key string, kind iamtypes.ContextKeyTypeEnum, values ...string) iamtypes.ContextEntry {
	return iamtypes.ContextEntry{ContextKeyName: &key, ContextKeyType: kind, ContextKeyValues: values}
}

// result is what a test looks at of an evaluation.
type result struct {
	Action, Resource, Decision string
	Matched                    []string
	Missing                    []string // of the resource if one is named
	Organisation, Boundary     *bool
}

func results(list []iamtypes.EvaluationResult) []result {
	var all []result
	for _, e := range list {
		r := result{Action: *e.EvalActionName, Resource: *e.EvalResourceName, Decision: string(e.EvalDecision)}
		r.Missing = append(r.Missing, e.MissingContextValues...)
		for _, m := range e.MatchedStatements {
			r.Matched = append(r.Matched, *m.SourcePolicyId)
		}
		for _, specific := range e.ResourceSpecificResults {
			r.Missing = append(r.Missing, specific.MissingContextValues...)
		}
		if e.OrganizationsDecisionDetail != nil {
			r.Organisation = &e.OrganizationsDecisionDetail.AllowedByOrganizations
		}
		if e.PermissionsBoundaryDecisionDetail != nil {
			r.Boundary = &e.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary
		}
		all = append(all, r)
	}
	return all
}

func TestSimulatePrincipalPolicy(t *testing.T) {
	s := start(t)
	ctx, c := t.Context(), iam.NewFromConfig(s.account(t, shopID))
	s.as(t, "operator", statements(
		`"Effect":"Allow","Action":"eks:*","Resource":"arn:aws:eks:*:*:cluster/a*"`,
		`"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"eks.amazonaws.com"}}`,
		`"Effect":"Deny","Action":"eks:DeleteCluster","Resource":"*"`))
	const a, b = "arn:aws:eks:eu-central-1:" + shopID + ":cluster/a1", "arn:aws:eks:eu-central-1:" + shopID + ":cluster/b1"
	simulate := func(in iam.SimulatePrincipalPolicyInput) []result {
		t.Helper()
		in.PolicySourceArn = shopRole("operator")
		return results(must[*iam.SimulatePrincipalPolicyOutput](t)(c.SimulatePrincipalPolicy(ctx, &in)).EvaluationResults)
	}
	check := func(name string, want, got []result) {
		t.Helper()
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
	own, yes, no := []string{"own"}, aws.Bool(true), aws.Bool(false)
	check("each action with each resource", []result{
		{Action: "eks:DescribeCluster", Resource: a, Decision: "allowed", Matched: own, Organisation: yes},
		{Action: "eks:DescribeCluster", Resource: b, Decision: "implicitDeny", Organisation: yes},
		{Action: "eks:DeleteCluster", Resource: a, Decision: "explicitDeny", Matched: own, Organisation: yes},
		{Action: "eks:DeleteCluster", Resource: b, Decision: "explicitDeny", Matched: own, Organisation: yes},
	}, simulate(iam.SimulatePrincipalPolicyInput{ActionNames: []string{"eks:DescribeCluster", "eks:DeleteCluster"}, ResourceArns: []string{a, b}}))
	check("a key is missing", []result{{Action: "iam:PassRole", Resource: "*", Decision: "implicitDeny", Missing: []string{"iam:PassedToService"}, Organisation: yes}},
		simulate(iam.SimulatePrincipalPolicyInput{ActionNames: []string{"iam:PassRole"}}))
	check("a key is missing for a resource", []result{{Action: "iam:PassRole", Resource: *shopRole("x"), Decision: "implicitDeny", Missing: []string{"iam:PassedToService"}, Organisation: yes}},
		simulate(iam.SimulatePrincipalPolicyInput{ActionNames: []string{"iam:PassRole"}, ResourceArns: []string{*shopRole("x")}}))
	passed := []iamtypes.ContextEntry{entry("iam:passedtoservice", iamtypes.ContextKeyTypeEnumString, "eks.amazonaws.com")}
	check("the key is given", []result{{Action: "iam:PassRole", Resource: "*", Decision: "allowed", Matched: own, Organisation: yes}},
		simulate(iam.SimulatePrincipalPolicyInput{ActionNames: []string{"iam:PassRole"}, ContextEntries: passed}))
	check("a policy is added", []result{{Action: "ec2:CreateVpc", Resource: "*", Decision: "allowed", Matched: []string{"PolicyInputList.1"}, Organisation: yes}},
		simulate(iam.SimulatePrincipalPolicyInput{ActionNames: []string{"ec2:CreateVpc"}, PolicyInputList: []string{statements(`"Effect":"Allow","Action":"ec2:*","Resource":"*"`)}}))
	check("a boundary is tried", []result{{Action: "iam:PassRole", Resource: "*", Decision: "implicitDeny", Boundary: no, Organisation: yes}},
		simulate(iam.SimulatePrincipalPolicyInput{ActionNames: []string{"iam:PassRole"}, ContextEntries: passed,
			PermissionsBoundaryPolicyInputList: []string{statements(`"Effect":"Allow","Action":"eks:*","Resource":"*"`)}}))

	// A condition of a service control policy on a key that is not given counts against
	// the caller, as with AWS's simulator.
	s.control.set(t, shopID, statements(`"Effect":"Allow","Action":"*","Resource":"*"`, `"Effect":"Deny","Action":"eks:*","Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":"eu-central-1"}}`))
	check("no region", []result{{Action: "eks:DescribeCluster", Resource: a, Decision: "explicitDeny", Matched: []string{"p-control"}, Missing: []string{"aws:RequestedRegion"}, Organisation: no}},
		simulate(iam.SimulatePrincipalPolicyInput{ActionNames: []string{"eks:DescribeCluster"}, ResourceArns: []string{a}}))
	check("with the region", []result{{Action: "eks:DescribeCluster", Resource: a, Decision: "allowed", Matched: own, Organisation: yes}},
		simulate(iam.SimulatePrincipalPolicyInput{ActionNames: []string{"eks:DescribeCluster"}, ResourceArns: []string{a},
			ContextEntries: []iamtypes.ContextEntry{entry("aws:RequestedRegion", iamtypes.ContextKeyTypeEnumString, "eu-central-1")}}))
}

func TestSimulationsAreRefused(t *testing.T) {
	s := start(t)
	c := iam.NewFromConfig(s.account(t, shopID))
	good := func(change func(*iam.SimulatePrincipalPolicyInput)) *iam.SimulatePrincipalPolicyInput {
		in := &iam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(kargoRole), ActionNames: []string{"ec2:CreateVpc"}}
		change(in)
		return in
	}
	cases := map[string]struct {
		change func(*iam.SimulatePrincipalPolicyInput)
		want   string
	}{
		"good":         {func(*iam.SimulatePrincipalPolicyInput) {}, ""},
		"no such role": {func(in *iam.SimulatePrincipalPolicyInput) { in.PolicySourceArn = shopRole("kargo") }, "NoSuchEntity"},
		"no such user": {func(in *iam.SimulatePrincipalPolicyInput) {
			in.PolicySourceArn = aws.String("arn:aws:iam::" + shopID + ":user/x")
		}, "NoSuchEntity"},
		"a session": {func(in *iam.SimulatePrincipalPolicyInput) {
			in.PolicySourceArn = aws.String("arn:aws:sts::" + shopID + ":assumed-role/kargo/x")
		}, "InvalidInput"},
		"action":            {func(in *iam.SimulatePrincipalPolicyInput) { in.ActionNames = []string{"ec2:Create*"} }, "InvalidInput"},
		"resource":          {func(in *iam.SimulatePrincipalPolicyInput) { in.ResourceArns = []string{"vpc-1"} }, "InvalidInput"},
		"policy":            {func(in *iam.SimulatePrincipalPolicyInput) { in.PolicyInputList = []string{"{}"} }, "InvalidInput"},
		"resource's policy": {func(in *iam.SimulatePrincipalPolicyInput) { in.ResourcePolicy = aws.String("{}") }, "InvalidInput"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := c.SimulatePrincipalPolicy(t.Context(), good(tc.change))
			wantCode(t, err, tc.want)
		})
	}
	// To ask what a role may do elsewhere is no touch of the other account.
	must[*iam.SimulatePrincipalPolicyOutput](t)(c.SimulatePrincipalPolicy(t.Context(), good(func(in *iam.SimulatePrincipalPolicyInput) {
		in.ActionNames, in.ResourceArns = []string{"sts:AssumeRole"}, []string{"arn:aws:iam::" + bankID + ":role/x"}
	})))
	if v := admin[violations](t, s, "/_awssim/violations"); v.Count != 0 {
		t.Errorf("violations: %+v", v)
	}
}

func TestSimulateCustomPolicy(t *testing.T) {
	s := start(t)
	c := iam.NewFromConfig(s.account(t, shopID))
	in := &iam.SimulateCustomPolicyInput{ActionNames: []string{"ec2:CreateVpc", "ec2:DeleteVpc"}, MaxItems: aws.Int32(1),
		PolicyInputList: []string{statements(`"Effect":"Allow","Action":"ec2:Create*","Resource":"*"`)}}
	var got []string
	pages := iam.NewSimulateCustomPolicyPaginator(c, in)
	for pages.HasMorePages() {
		out := must[*iam.SimulateCustomPolicyOutput](t)(pages.NextPage(t.Context()))
		for _, r := range results(out.EvaluationResults) {
			got = append(got, r.Action+" "+r.Decision)
		}
	}
	if diff := gocmp.Diff([]string{"ec2:CreateVpc allowed", "ec2:DeleteVpc implicitDeny"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
