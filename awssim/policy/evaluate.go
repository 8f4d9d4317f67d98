package policy

import (
	"slices"
	"strings"
)

// Decision is what policies say to a request.
type Decision int

// The decisions.
const (
	ImplicitDeny Decision = iota // nobody allows it
	Allow
	Deny // somebody denies it: no other policy can allow it
)

// String names the decision.
func (d Decision) String() string {
	return [...]string{"implicit deny", "allow", "deny"}[d]
}

// Name is AWS's word for the decision, in its policy simulator.
func (d Decision) Name() string {
	return [...]string{"implicitDeny", "allowed", "explicitDeny"}[d]
}

// Caller is who asks.
type Caller struct {
	Account string
	// ARNs are all names of the caller: its own first, then that of a session's role.
	ARNs []string
	// Service is set instead if an AWS service asks: eks.amazonaws.com.
	Service string
}

// Request is what is asked.
type Request struct {
	Action   string // sts:AssumeRole
	Resource string // an ARN, or "*" for what names none
	Caller   Caller
	// Context are the condition keys (lower case): sts:externalid, aws:principalarn, ...
	// A key that is not there is not in the request.
	Context map[string][]string
	// Granted is what the resource's own policy says; only Set.Decide asks for it.
	Granted Grant
}

// Evaluate says what documents decide on a request: a denying statement wins,
// then an allowing one. Statements without Principal are about every caller, and
// those without Resource about every resource (trust policies have none).
func Evaluate(documents []*Document, r Request) Decision {
	decision := ImplicitDeny
	for _, d := range documents {
		for i := range d.Statements {
			s := &d.Statements[i]
			if !s.applies(r, d.Version == "2012-10-17") {
				continue
			}
			if !s.Allow {
				return Deny
			}
			decision = Allow
		}
	}
	return decision
}

// GrantTo tells whether a resource's policy allows a request of its own account by
// naming the caller, so that the caller's own policies need not allow it. Naming the
// account as a whole only leaves it to them.
func (d *Document) GrantTo(r Request) Grant {
	grant := NotGranted
	for i := range d.Statements {
		s := &d.Statements[i]
		if !s.Allow || s.Principal == nil || !s.applies(r, d.Version == "2012-10-17") {
			continue
		}
		for i, arn := range r.Caller.ARNs {
			switch {
			case !slices.Contains(s.Principal.AWS, arn):
			case i == 0: // its own ARN; a session's role follows
				return GrantedToCaller
			default:
				grant = GrantedToRole
			}
		}
	}
	return grant
}

func (s *Statement) applies(r Request, variables bool) bool {
	expand := func(pattern string) (string, bool) { return pattern, true }
	if variables {
		expand = func(pattern string) (string, bool) { return substitute(pattern, r.Context) }
	}
	if !s.covers(r, expand) {
		return false
	}
	for _, c := range s.Conditions {
		if !c.holds(r.Context, expand) {
			return false
		}
	}
	return true
}

// covers tells whether a statement is about the request's caller, action and
// resource, whatever its conditions say.
func (s *Statement) covers(r Request, expand func(string) (string, bool)) bool {
	acts := func(patterns []string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { return match(p, r.Action, true) })
	}
	// What a variable that is not in the request stands for is unknown: the statement
	// is then about none of the resources that it names, nor of those that it excepts.
	named := func(patterns []string, unknown bool) bool {
		return slices.ContainsFunc(patterns, func(p string) bool {
			p, known := expand(p)
			return (!known && unknown) || (known && matchResource(p, r.Resource))
		})
	}
	switch {
	case s.Principal != nil && !s.Principal.include(r.Caller),
		s.NotPrincipal != nil && s.NotPrincipal.include(r.Caller),
		len(s.Action) > 0 && !acts(s.Action),
		len(s.NotAction) > 0 && acts(s.NotAction),
		len(s.Resource) > 0 && !named(s.Resource, false),
		len(s.NotResource) > 0 && named(s.NotResource, true):
		return false
	}
	return true
}

// include tells whether a caller is one of the principals. Wildcards in ARNs of
// principals are none, as on AWS; only "*" stands for everybody.
func (p *Principals) include(c Caller) bool {
	if c.Service != "" {
		return p.Any || slices.Contains(p.Service, c.Service)
	}
	return p.Any || slices.ContainsFunc(p.AWS, func(principal string) bool {
		return principal == "*" || principal == c.Account || slices.Contains(c.ARNs, principal) ||
			isRoot(principal, c.Account)
	})
}

// isRoot tells whether a principal's ARN stands for all of an account.
func isRoot(principal, account string) bool {
	parts := strings.SplitN(principal, ":", 6)
	return len(parts) == 6 && parts[0] == "arn" && parts[2] == "iam" && parts[4] == account && parts[5] == "root"
}
