package authz

import (
	"strconv"
	"strings"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/policy"
)

// Context are AWS's global condition keys of a call, see
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html.
// The keys that are in package policy's list and not here (aws:SourceVpc, ...) are
// those that no such call has on AWS either.
func (a *Authorizer) Context(c *api.Call) policy.Context {
	key, _ := a.keys.Lookup(c.Caller.AccessKeyID)
	shared := policy.Context{
		"aws:PrincipalArn":  {c.Caller.ARN},
		"aws:PrincipalType": {"User"},
		"aws:userid":        {c.Caller.UserID},
	}
	shared.Set("aws:SourceIp", c.SourceIP)
	shared.Set("aws:UserAgent", c.UserAgent)
	shared.Set("aws:SourceIdentity", key.SourceIdentity)
	switch {
	case key.RoleARN != "":
		shared["aws:PrincipalArn"], shared["aws:PrincipalType"] = []string{key.RoleARN}, []string{"AssumedRole"}
		shared["aws:MultiFactorAuthPresent"] = []string{"false"} // a long-term key does not say
		if !key.Issued.IsZero() {
			shared["aws:TokenIssueTime"] = []string{key.Issued.UTC().Format(time.RFC3339)}
		}
	case strings.HasSuffix(c.Caller.ARN, ":root"):
		shared["aws:PrincipalType"] = []string{"Account"}
	default:
		shared["aws:username"] = []string{lastPart(c.Caller.ARN)}
	}
	if a.membership != nil {
		if organisation, path, ok := a.membership.Membership(c.Caller.AccountID); ok {
			shared["aws:PrincipalOrgID"], shared["aws:PrincipalOrgPaths"] = []string{organisation}, []string{path}
		}
	}
	for name, value := range key.Tags {
		shared["aws:PrincipalTag/"+name] = []string{value}
	}
	addDerived(shared, c.Caller.AccountID, c.Region, c.Now)
	return shared
}

// addDerived adds the keys that the record of a call tells otherwise, and those
// that are always the same.
func addDerived(shared policy.Context, account, region string, now time.Time) {
	shared["aws:PrincipalAccount"] = []string{account}
	shared["aws:RequestedRegion"] = []string{region}
	shared["aws:CurrentTime"] = []string{now.UTC().Format(time.RFC3339)}
	shared["aws:EpochTime"] = []string{strconv.FormatInt(now.Unix(), 10)}
	shared["aws:PrincipalIsAWSService"] = []string{"false"}
	shared["aws:ViaAWSService"] = []string{"false"}
	// The simulator stands for AWS's endpoints, which speak TLS only.
	shared["aws:SecureTransport"] = []string{"true"}
}
