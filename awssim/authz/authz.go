// Package authz decides what callers may do. It knows who a caller is by the
// access key and which policies are over it; what a call needs is the services'
// word (api.Guarded), and how policies decide is package policy's.
package authz

import (
	"fmt"
	"strings"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/auth"
	"kargo.dev/kargo/awssim/policy"
)

// Principals knows the policies over roles and users.
type Principals interface {
	RolePolicies(account, name string) (policy.Set, error)
	UserPolicies(account, name string) (policy.Set, error)
	RootPolicies(account string) policy.Set
	// SessionPolicy is a session policy, by its text or the ARN of a managed policy.
	SessionPolicy(account, given string) (policy.Source, error)
}

// Membership knows which organisation an account is in.
type Membership interface {
	// Membership of an account: the organisation's id and the path of
	// aws:PrincipalOrgPaths; false if the account is in none.
	Membership(account string) (organisation, path string, ok bool)
}

// Options of an Authorizer.
type Options struct {
	Keys       *auth.Keys
	Principals Principals
	Membership Membership // nil if there is no organisation
}

// Authorizer decides on calls.
type Authorizer struct {
	keys       *auth.Keys
	principals Principals
	membership Membership
}

// New returns an Authorizer.
func New(o Options) *Authorizer {
	return &Authorizer{keys: o.Keys, principals: o.Principals, membership: o.Membership}
}

// Denial is why a call is refused.
type Denial struct {
	policy.Verdict
	Caller     string // ARN
	Permission policy.Permission
}

// Error implements error, in AWS's words.
func (d *Denial) Error() string {
	return d.Message(d.Caller, d.Permission.Action, d.Permission.Resource)
}

// Authorize checks that a call is allowed all it needs. The error is a *Denial if
// it is not; the record tells what was asked in any case.
func (a *Authorizer) Authorize(c *api.Call, needs []policy.Permission) (Record, error) {
	key, _ := a.keys.Lookup(c.Caller.AccessKeyID)
	shared := a.Context(c)
	record := newRecord(shared, needs)
	set, err := a.policies(c, key)
	if err != nil {
		return record, fmt.Errorf("policies of %s: %w", c.Caller.ARN, err)
	}
	record.Decision = policy.Allow.Name()
	for _, p := range record.Permissions {
		r := p.Request(shared)
		r.Context["aws:resourceaccount"] = []string{resourceAccount(p.Resource, c.Caller.AccountID)}
		if v := set.Decide(r); v.Decision != policy.Allow {
			record.Decision = v.Decision.Name()
			return record, &Denial{Verdict: v, Caller: c.Caller.ARN, Permission: p}
		}
	}
	return record, nil
}

// policies are all that are over a caller.
func (a *Authorizer) policies(c *api.Call, key auth.Key) (policy.Set, error) {
	account, arn := c.Caller.AccountID, c.Caller.ARN
	switch {
	case key.RoleARN != "":
		set, err := a.principals.RolePolicies(account, lastPart(key.RoleARN))
		if err != nil {
			return set, err
		}
		for _, given := range key.Policies {
			source, err := a.principals.SessionPolicy(account, given)
			if err != nil {
				return set, err
			}
			set.Session = append(set.Session, source)
		}
		return set, nil
	case strings.HasSuffix(arn, ":root"):
		return a.principals.RootPolicies(account), nil
	}
	return a.principals.UserPolicies(account, lastPart(arn))
}

func lastPart(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

// resourceAccount is the account of an ARN; for what names none, the caller's.
func resourceAccount(resource, caller string) string {
	if parts := strings.SplitN(resource, ":", 6); len(parts) == 6 && parts[4] != "" {
		return parts[4]
	}
	return caller
}
