package factoryrole

import (
	"cmp"
	"maps"
	"slices"
	"testing"

	"kargo.dev/kargo/awssim/policy"
	"kargo.dev/kargo/internal/factoryrole"
)

// forbidden is what the role must not be allowed.
type forbidden struct {
	need
	// region is another one than the account's.
	region string
	// always says that it stays forbidden if the role is an administrator besides.
	always bool
	reason string
}

func (f forbidden) request() policy.Request { return f.need.request(cmp.Or(f.region, region)) }

const (
	inEC2 = "arn:aws:ec2:" + region + ":" + accountID + ":"
	inEKS = "arn:aws:eks:" + region + ":" + accountID + ":"
	inIAM = "arn:aws:iam::" + accountID + ":"
	awsIn = "arn:aws:iam::aws:policy/"
)

// tags of a call (made) and of what exists (own): ours, and those of others.
func made() policy.Context   { return policy.Context{"aws:RequestTag/kargo.dev/cluster": {"lab"}} }
func own() policy.Context    { return policy.Context{"aws:ResourceTag/kargo.dev/cluster": {"lab"}} }
func others() policy.Context { return policy.Context{"aws:RequestTag/team": {"shop"}} }

func with(contexts ...policy.Context) policy.Context {
	all := policy.Context{}
	for _, c := range contexts {
		maps.Copy(all, c)
	}
	return all
}

func on(action, resource string, contexts ...policy.Context) need {
	return need{Action: action, Resource: resource, Context: with(contexts...)}
}

func table() map[string]forbidden {
	all := map[string]forbidden{}
	for _, rows := range []map[string]forbidden{networks(), clusters(), roles(), never()} {
		maps.Copy(all, rows)
	}
	return all
}

func networks() map[string]forbidden {
	creating := policy.Context{"ec2:CreateAction": {"CreateVpc"}}
	return map[string]forbidden{
		"untagged VPC":        {need: on("ec2:CreateVpc", inEC2+"vpc/*", others()), reason: "nobody would know whose it is, or delete it"},
		"untagged subnet":     {need: on("ec2:CreateSubnet", inEC2+"subnet/*", others()), reason: "the same"},
		"untagged gateway":    {need: on("ec2:CreateNatGateway", inEC2+"natgateway/*", others()), reason: "the same"},
		"other tags":          {need: on("ec2:CreateTags", inEC2+"vpc/*", others(), creating), reason: "the same"},
		"empty tag":           {need: on("ec2:CreateVpc", inEC2+"vpc/*", policy.Context{"aws:RequestTag/kargo.dev/cluster": {""}}), reason: "the same"},
		"claim a VPC":         {need: on("ec2:CreateTags", inEC2+"vpc/vpc-1", made()), reason: "what is tagged may be deleted, so nothing that exists gets the tag"},
		"delete a VPC":        {need: on("ec2:DeleteVpc", inEC2+"vpc/vpc-1"), reason: "the team's"},
		"delete by Terraform": {need: on("ec2:DeleteVpc", inEC2+"vpc/vpc-1", policy.Context{"aws:ResourceTag/team": {"shop"}}), reason: "the team's, with tags of its own"},
		"subnet in it":        {need: on("ec2:CreateSubnet", inEC2+"vpc/vpc-1"), reason: "the team's network is the team's"},
		"route in it":         {need: on("ec2:CreateRoute", inEC2+"route-table/rtb-1"), reason: "the same"},
		"its address":         {need: on("ec2:CreateNatGateway", inEC2+"elastic-ip/eipalloc-1"), reason: "others may know it by that address"},
		"its security group":  {need: on("ec2:RevokeSecurityGroupIngress", inEC2+"security-group/sg-1"), reason: "opens nothing, but breaks things"},
		"open a port":         {need: on("ec2:AuthorizeSecurityGroupIngress", inEC2+"security-group/sg-0", own()), reason: "not even of its own groups"},
		"its interface":       {need: on("ec2:DeleteNetworkInterface", inEC2+"network-interface/eni-1"), reason: "the team's own"},
		"run an instance":     {need: on("ec2:RunInstances", inEC2+"instance/*", made()), reason: "EKS runs them"},
		"end an instance":     {need: on("ec2:TerminateInstances", inEC2+"instance/i-0", own()), reason: "EKS does"},
		"delete a volume":     {need: on("ec2:DeleteVolume", inEC2+"volume/vol-0", own()), reason: "volumes hold data"},
		"other account's VPC": {need: on("ec2:DeleteVpc", "arn:aws:ec2:"+region+":222222222222:vpc/vpc-0", own()), reason: "a VPC that is shared with this account"},
		"load balancer":       {need: on("elasticloadbalancing:DeleteLoadBalancer", "arn:aws:elasticloadbalancing:"+region+":"+accountID+":loadbalancer/app/web/0"), reason: "no Service of Kubernetes made it"},
	}
}

func clusters() map[string]forbidden {
	adopting := policy.Context{"aws:RequestTag/sigs.k8s.io/cluster-api-provider-aws/role": {"common"}}
	return map[string]forbidden{
		"untagged cluster":   {need: on("eks:CreateCluster", inEKS+"cluster/lab", others()), reason: "nobody would know whose it is"},
		"other tags on it":   {need: on("eks:TagResource", inEKS+"cluster/theirs", others()), reason: "the team's cluster"},
		"adopt a cluster":    {need: on("eks:TagResource", inEKS+"cluster/lab", made(), adopting), reason: "CAPA takes a cluster of the same name for its own (design law 12)"},
		"delete a cluster":   {need: on("eks:DeleteCluster", inEKS+"cluster/theirs"), reason: "the team's"},
		"change a cluster":   {need: on("eks:UpdateClusterConfig", inEKS+"cluster/theirs"), reason: "the team's"},
		"join a cluster":     {need: on("eks:CreateNodegroup", inEKS+"cluster/theirs", made()), reason: "the team's"},
		"enter a cluster":    {need: on("eks:CreateAccessEntry", inEKS+"cluster/theirs", made()), reason: "the team's"},
		"untagged nodes":     {need: on("eks:CreateNodegroup", inEKS+"cluster/lab", own(), others()), reason: "they could not be deleted again"},
		"team's own nodes":   {need: on("eks:DeleteNodegroup", inEKS+"nodegroup/lab/theirs/0"), reason: "the team may add some to its cluster"},
		"team's own entry":   {need: on("eks:DeleteAccessEntry", inEKS+"access-entry/lab/role/"+accountID+"/ci/0"), reason: "the team may let others in"},
		"scaling group":      {need: on("autoscaling:DeleteTags", "arn:aws:autoscaling:"+region+":"+accountID+":autoScalingGroup:0:autoScalingGroupName/eks-theirs"), reason: "not of a node group"},
		"scale it":           {need: on("autoscaling:UpdateAutoScalingGroup", "arn:aws:autoscaling:"+region+":"+accountID+":autoScalingGroup:0:autoScalingGroupName/eks-lab-0", own()), reason: "EKS does"},
		"a secret":           {need: on("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:"+region+":"+accountID+":secret:db"), reason: "no data of the team"},
		"a bucket":           {need: on("s3:GetObject", "arn:aws:s3:::shop/orders"), reason: "no data of the team"},
		"another role":       {need: on("sts:AssumeRole", inIAM+"role/team-admin"), reason: "the factory is not the team"},
		"of another account": {need: on("sts:AssumeRole", "arn:aws:iam::222222222222:role/kargo-factory"), reason: "from one account there is no way into the next"},
	}
}

func roles() map[string]forbidden {
	const cluster, node, team = inIAM + "role/lab-iam-service-role", inIAM + "role/lab-default_nodegroup-iam-service-role", inIAM + "role/team-admin"
	attach := func(name string) policy.Context { return policy.Context{"iam:PolicyARN": {awsIn + name}} }
	pass := func(service string) policy.Context { return policy.Context{"iam:PassedToService": {service}} }
	issuer := inIAM + "oidc-provider/oidc.eks." + region + ".amazonaws.com/id/1"
	return map[string]forbidden{
		"untagged role":         {need: on("iam:CreateRole", cluster, others()), reason: "it could not be deleted again"},
		"role by another name":  {need: on("iam:CreateRole", inIAM+"role/backdoor", made()), reason: "the provider makes none"},
		"claim a role":          {need: on("iam:TagRole", team, made()), reason: "the team's"},
		"delete a role":         {need: on("iam:DeleteRole", team), reason: "the team's"},
		"delete one like ours":  {need: on("iam:DeleteRole", inIAM+"role/theirs-iam-service-role"), reason: "the team's, by its tags"},
		"attach administrator":  {need: on("iam:AttachRolePolicy", cluster, own(), attach("AdministratorAccess")), reason: "its cluster's administrators would be the account's"},
		"attach to theirs":      {need: on("iam:AttachRolePolicy", inIAM+"role/theirs-iam-service-role", attach("AmazonEKSClusterPolicy")), reason: "the team's role"},
		"attach to admin":       {need: on("iam:AttachRolePolicy", team, own(), attach("AmazonEKSClusterPolicy")), reason: "the team's role, whatever its tags"},
		"pass an admin":         {need: on("iam:PassRole", team, pass("eks.amazonaws.com")), reason: "EKS would act as the team's administrator"},
		"pass to a function":    {need: on("iam:PassRole", node, pass("lambda.amazonaws.com")), reason: "whoever runs the function would be a node"},
		"pass to an instance":   {need: on("iam:PassRole", node, pass("ec2.amazonaws.com")), reason: "EKS runs the nodes"},
		"other linked role":     {need: on("iam:CreateServiceLinkedRole", inIAM+"role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"), reason: "EKS sees to it"},
		"tags of an issuer":     {need: on("iam:TagOpenIDConnectProvider", issuer, others()), reason: "without ours it could not be deleted again"},
		"issuer of others":      {need: on("iam:DeleteOpenIDConnectProvider", issuer), reason: "of the team's cluster"},
		"issuer of anybody":     {need: on("iam:CreateOpenIDConnectProvider", inIAM+"oidc-provider/token.actions.githubusercontent.com"), reason: "would let others in"},
		"the team's identities": {need: on("iam:ListUsers", "*"), reason: "none of the factory's business"},
		"ask about others":      {need: on("iam:SimulatePrincipalPolicy", team), reason: "none of the factory's business"},
	}
}

// never are things that no policy of the team's makes possible.
func never() map[string]forbidden {
	const self, cluster = inIAM + "role/" + roleName, inIAM + "role/lab-iam-service-role"
	rows := map[string]forbidden{
		"itself: delete":    {need: on("iam:DeleteRole", self), reason: "who could delete the clusters?"},
		"itself: attach":    {need: on("iam:AttachRolePolicy", self, policy.Context{"iam:PolicyARN": {awsIn + "AdministratorAccess"}}), reason: "more power"},
		"itself: claim":     {need: on("iam:TagRole", self, made()), reason: "it would be a cluster's"},
		"itself: pass":      {need: on("iam:PassRole", self, policy.Context{"iam:PassedToService": {"eks.amazonaws.com"}}), reason: "somebody else would be the factory"},
		"itself: trust":     {need: on("iam:UpdateAssumeRolePolicy", self), reason: "only the team says whom it trusts"},
		"itself: policy":    {need: on("iam:DeleteRolePolicy", self), reason: "not even less power"},
		"trust of others":   {need: on("iam:UpdateAssumeRolePolicy", cluster, own()), reason: "the role would be anybody's"},
		"own policy":        {need: on("iam:PutRolePolicy", cluster, own()), reason: "power that AWS's policies do not give"},
		"new policy":        {need: on("iam:CreatePolicy", inIAM+"policy/all", made()), reason: "the same"},
		"old policy":        {need: on("iam:SetDefaultPolicyVersion", inIAM+"policy/all"), reason: "the same"},
		"boundary":          {need: on("iam:DeleteRolePermissionsBoundary", inIAM+"role/team-admin"), reason: "the team's administrators have one to protect the platform"},
		"user":              {need: on("iam:CreateUser", inIAM+"user/backdoor"), reason: "a way in that stays"},
		"key":               {need: on("iam:CreateAccessKey", inIAM+"user/alice"), reason: "the same"},
		"password":          {need: on("iam:CreateLoginProfile", inIAM+"user/alice"), reason: "the same"},
		"group":             {need: on("iam:AttachGroupPolicy", inIAM+"group/developers"), reason: "power for people"},
		"identity source":   {need: on("iam:CreateSAMLProvider", inIAM+"saml-provider/mine"), reason: "people of anywhere"},
		"close the account": {need: on("account:DisableRegion", "*"), reason: "the account is the team's"},
		"leave":             {need: on("organizations:LeaveOrganization", "*"), reason: "and the company's"},
		"look elsewhere":    {need: on("ec2:DescribeVpcs", "*"), region: "us-west-2", reason: "one region"},
		"make elsewhere":    {need: on("ec2:CreateVpc", "arn:aws:ec2:us-west-2:"+accountID+":vpc/*", made()), region: "us-west-2", reason: "one region"},
	}
	for name, row := range rows {
		row.always = true
		rows[name] = row
	}
	return rows
}

// administrator is what a team may give the role by mistake or in haste.
func administrator(t *testing.T) policy.Source {
	t.Helper()
	document, err := policy.Parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	if err != nil {
		t.Fatal(err)
	}
	return policy.Source{Name: "AdministratorAccess", Document: document}
}

func TestForbidden(t *testing.T) {
	s := set(t, policies(t))
	raised := set(t, policies(t))
	raised.Identity = append(raised.Identity, administrator(t))
	for name, f := range table() {
		t.Run(name, func(t *testing.T) {
			if v := s.Decide(f.request()); v.Decision == policy.Allow {
				t.Errorf("%s is allowed by %v: %s", f.need, v.Matched, f.reason)
			}
			if v := raised.Decide(f.request()); f.always && v.Decision != policy.Deny {
				t.Errorf("%s is allowed to an administrator: %s", f.need, f.reason)
			}
		})
	}
}

// TestEveryDenialCounts leaves out, one at a time, each statement that denies and
// each of its parts: then something in the table must be allowed to an
// administrator, or something that is needed be denied.
func TestEveryDenialCounts(t *testing.T) {
	all, rows := needs(t), table()
	for _, c := range changes(t, true) {
		t.Run(c.name, func(t *testing.T) {
			s := set(t, c.policies)
			s.Identity = append(s.Identity, administrator(t))
			for _, f := range rows {
				if f.always && allows(s, f.request()) {
					return
				}
			}
			if _, found := denied(s, all); !found {
				t.Errorf("%s can be left out of role.yaml: nothing in the table needs it", c.name)
			}
		})
	}
}

// TestEveryConditionCounts leaves out, one at a time, each condition of the
// statements that allow: then something in the table must be allowed.
func TestEveryConditionCounts(t *testing.T) {
	rows := slices.Collect(maps.Values(table()))
	for i, p := range policies(t) {
		for j, st := range p.Statements {
			if st.Effect == "Deny" {
				continue
			}
			for operator, keys := range st.Conditions {
				for key := range keys {
					t.Run(st.Sid+" "+key, func(t *testing.T) {
						changed := policies(t)
						loosen(&changed[i].Statements[j], operator, key)
						s := set(t, changed)
						if !slices.ContainsFunc(rows, func(f forbidden) bool { return allows(s, f.request()) }) {
							t.Errorf("the condition %s on %s of %s can be left out of role.yaml: nothing in the table needs it", operator, key, st.Sid)
						}
					})
				}
			}
		}
	}
}

func loosen(s *factoryrole.Statement, operator, key string) {
	delete(s.Conditions[operator], key)
	if len(s.Conditions[operator]) == 0 {
		delete(s.Conditions, operator)
	}
}
