package preflight

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"kargo.dev/kargo/internal/aws/awserr"
	"kargo.dev/kargo/internal/aws/session"
)

// Probe asks an AWS account, with the factory's role in it, what preflight needs
// to know. It changes nothing there.
type Probe struct {
	Sessions *session.Sessions
	// Needed is what the factory's role must be allowed in the target's account.
	Needed func(session.Target) []ActionRequest
}

// Identity is the account that the role leads to.
func (p *Probe) Identity(ctx context.Context, t session.Target) (accountID string, err error) {
	me, err := sts.NewFromConfig(p.Sessions.Config(t)).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	return aws.ToString(me.Account), nil
}

// OpenToAll tells whether the role can be assumed without its external id, which
// it must not. Only AWS's refusal says no; an error says that it is not known.
func (p *Probe) OpenToAll(ctx context.Context, t session.Target) (bool, error) {
	err := p.Sessions.WithoutExternalID(ctx, t)
	switch {
	case err == nil:
		return true, nil
	case awserr.Denied(err):
		return false, nil
	}
	return false, err
}

// Region is a region as an account sees it.
type Region struct {
	Enabled bool
	// Status is its opt-in status in AWS's words.
	Status string
}

// Region tells whether the account may use its region.
// https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html
func (p *Probe) Region(ctx context.Context, t session.Target) (Region, error) {
	out, err := ec2.NewFromConfig(p.Sessions.Config(t)).DescribeRegions(ctx, &ec2.DescribeRegionsInput{
		AllRegions: aws.Bool(true), Filters: []ec2types.Filter{{Name: aws.String("region-name"), Values: []string{t.Region}}},
	})
	if err != nil {
		return Region{}, err
	}
	if len(out.Regions) == 0 {
		return Region{Status: "unknown to AWS"}, nil
	}
	status := aws.ToString(out.Regions[0].OptInStatus)
	return Region{Enabled: status != "not-opted-in", Status: status}, nil
}

// ForeignCluster is the ARN of the EKS cluster of that name which does not bear
// the owner's tag, or "" if there is none. CAPA would take it for its own.
func (p *Probe) ForeignCluster(ctx context.Context, t session.Target, name, ownerTag string) (arn string, err error) {
	out, err := eks.NewFromConfig(p.Sessions.Config(t)).DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String(name)})
	if awserr.NotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if out.Cluster.Tags[ownerTag] != "" {
		return "", nil
	}
	return aws.ToString(out.Cluster.Arn), nil
}

// simulated is how many actions IAM's simulator is asked at once.
const simulated = 100

// Denial is an action that the factory's role may not do.
type Denial struct {
	Action string
	// ByOrganization says that a service control policy forbids it. AWS's simulator
	// does not evaluate their conditions, so that this may be wrong:
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html.
	ByOrganization bool
}

// Denied asks IAM's policy simulator which of the actions that KARGO and CAPA
// need the role may not do.
func (p *Probe) Denied(ctx context.Context, t session.Target) ([]Denial, error) {
	client := iam.NewFromConfig(p.Sessions.Config(t))
	var denials []Denial
	if p.Needed == nil {
		return nil, nil
	}
	for _, r := range p.Needed(t) {
		for actions := range slices.Chunk(r.Actions, simulated) {
			err := eachPage(func(token *string) (*string, error) {
				page, err := client.SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyInput{
					PolicySourceArn: aws.String(t.RoleARN), ActionNames: actions, ResourceArns: r.Resources,
					ContextEntries: contextEntries(r.Context), Marker: token,
				})
				if err != nil {
					return nil, err
				}
				denials = append(denials, denied(page.EvaluationResults)...)
				return page.Marker, nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return denials, nil
}

// ActionRequest is actions on resources in a context of condition keys.
type ActionRequest struct {
	Actions, Resources []string
	Context            map[string]string
}

func contextEntries(keys map[string]string) []iamtypes.ContextEntry {
	var entries []iamtypes.ContextEntry
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		entries = append(entries, iamtypes.ContextEntry{
			ContextKeyName: aws.String(key), ContextKeyType: iamtypes.ContextKeyTypeEnumString, ContextKeyValues: []string{keys[key]},
		})
	}
	return entries
}

func denied(results []iamtypes.EvaluationResult) []Denial {
	var out []Denial
	for _, r := range results {
		if r.EvalDecision == iamtypes.PolicyEvaluationDecisionTypeAllowed {
			continue
		}
		byOrganization := r.OrganizationsDecisionDetail != nil && !r.OrganizationsDecisionDetail.AllowedByOrganizations
		out = append(out, Denial{Action: aws.ToString(r.EvalActionName), ByOrganization: byOrganization})
	}
	return out
}

// Usages asks how much of each quota is used.
func (p *Probe) Usages(ctx context.Context, t session.Target) ([]Usage, error) {
	cfg := p.Sessions.Config(t)
	used, err := count(ctx, ec2.NewFromConfig(cfg), eks.NewFromConfig(cfg))
	if err != nil {
		return nil, err
	}
	quotas := servicequotas.NewFromConfig(cfg)
	var usages []Usage
	for _, q := range Quotas() {
		limit, err := limit(ctx, quotas, q)
		if err != nil {
			return nil, fmt.Errorf("quota %s (%s %s): %w", q.Name, q.Service, q.Code, err)
		}
		usages = append(usages, Usage{Quota: q, Limit: limit, Used: used[q.Code]})
	}
	return usages, nil
}

// limit is the account's own value, or AWS's default where it has none.
func limit(ctx context.Context, client *servicequotas.Client, q Quota) (int64, error) {
	own, err := client.GetServiceQuota(ctx, &servicequotas.GetServiceQuotaInput{ServiceCode: aws.String(q.Service), QuotaCode: aws.String(q.Code)})
	if err == nil {
		return int64(aws.ToFloat64(own.Quota.Value)), nil
	}
	if !strings.HasPrefix(awserr.Code(err), "NoSuchResource") {
		return 0, err
	}
	standard, err := client.GetAWSDefaultServiceQuota(ctx, &servicequotas.GetAWSDefaultServiceQuotaInput{ServiceCode: aws.String(q.Service), QuotaCode: aws.String(q.Code)})
	if err != nil {
		return 0, err
	}
	return int64(aws.ToFloat64(standard.Quota.Value)), nil
}
