// Package factoryrole is the IAM role that the factory assumes in a team's AWS
// account: what it may do (role.yaml, the one place that says so), who may assume
// it, and both written for the tools with which teams create it.
package factoryrole

import (
	"errors"
	"fmt"
	"regexp"

	"kargo.dev/kargo/internal/account"
)

// description of the role, and of the tag that tells what it is.
const description = "Assumed by KARGO's cluster factory. Made by `kargoctl account template`."

// Role is the factory's role in one account.
type Role struct {
	// AccountID is 12 digits, Region the only one the role acts in, Name the role's.
	AccountID, Region, Name string
	// Principal is the ARN of the factory's own role or user, which alone may
	// assume it, and ExternalID what it has to bring:
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html.
	Principal, ExternalID string
	// LocalIssuers are OIDC issuers of clusters beside those of EKS, without
	// https://: the local platform's API servers are their own. * stands for anything.
	LocalIssuers []string
}

var (
	accountLaw   = regexp.MustCompile(`^[0-9]{12}$`)
	regionLaw    = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	nameLaw      = regexp.MustCompile(`^[A-Za-z0-9+=,.@_-]{1,64}$`)
	principalLaw = regexp.MustCompile(`^arn:aws:iam::[0-9]{12}:(role|user)/[A-Za-z0-9+=,.@_/-]+$`)
	externalLaw  = regexp.MustCompile(`^[A-Za-z0-9+=,.@:/_-]{2,256}$`)
	// clusterRole are the names of roles that the role makes and deletes.
	clusterRole = regexp.MustCompile(`^capa_|-iam-service-role$`)
)

// Validate refuses what would make a role that nobody or anybody can assume, or
// one that could delete itself as if it were a cluster's.
func (r Role) Validate() error {
	var errs []error
	for _, f := range []struct {
		what, value string
		law         *regexp.Regexp
	}{
		{"account id", r.AccountID, accountLaw}, {"region", r.Region, regionLaw}, {"role name", r.Name, nameLaw},
		{"factory's principal", r.Principal, principalLaw}, {"external id", r.ExternalID, externalLaw},
	} {
		if !f.law.MatchString(f.value) {
			errs = append(errs, fmt.Errorf("the %s %q is malformed", f.what, f.value))
		}
	}
	if clusterRole.MatchString(r.Name) {
		errs = append(errs, fmt.Errorf("the factory's role cannot be called %q: names like capa_* and *-iam-service-role are those of clusters' roles", r.Name))
	}
	return errors.Join(errs...)
}

// ARN of the role.
func (r Role) ARN() string { return account.RoleARN(r.AccountID, r.Name) }

// Trust is the role's trust policy.
func (r Role) Trust() Document {
	return Document{Version: policyVersion, Statements: []Statement{{
		Sid:        "FactoryOnly",
		Effect:     allow,
		Principal:  map[string]string{"AWS": r.Principal},
		Actions:    Values{"sts:AssumeRole"},
		Conditions: map[string]map[string]Values{"StringEquals": {"sts:ExternalId": {r.ExternalID}}},
		Reason:     "The factory only, and only on behalf of this account: the external id differs for each.",
	}}}
}
