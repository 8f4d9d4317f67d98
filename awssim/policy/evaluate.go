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

// Caller is who asks.
type Caller struct {
	Account string
	// ARNs are all names of the caller: a role session's own ARN and its role's.
	ARNs []string
	// Service is set instead if an AWS service asks: eks.amazonaws.com.
	Service string
}

// Request is what is asked.
type Request struct {
	Action   string // sts:AssumeRole
	Resource string // an ARN
	Caller   Caller
	// Context are the condition keys (lower case): sts:externalid, aws:principalarn, ...
	// A key that is not there is not in the request.
	Context map[string][]string
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

func (s *Statement) applies(r Request, variables bool) bool {
	expand := func(pattern string) string { return pattern }
	if variables {
		expand = func(pattern string) string { return substitute(pattern, r.Context) }
	}
	anyMatches := func(patterns []string, value string, fold bool) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { return match(expand(p), value, fold) })
	}
	switch {
	case s.Principal != nil && !s.Principal.include(r.Caller),
		s.NotPrincipal != nil && s.NotPrincipal.include(r.Caller),
		len(s.Action) > 0 && !anyMatches(s.Action, r.Action, true),
		len(s.NotAction) > 0 && anyMatches(s.NotAction, r.Action, true),
		len(s.Resource) > 0 && !anyMatches(s.Resource, r.Resource, false),
		len(s.NotResource) > 0 && anyMatches(s.NotResource, r.Resource, false):
		return false
	}
	for _, c := range s.Conditions {
		if !c.holds(r.Context, expand) {
			return false
		}
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

// match compares with wildcards: * for any characters, ? for one.
func match(pattern, value string, fold bool) bool {
	if fold {
		pattern, value = strings.ToLower(pattern), strings.ToLower(value)
	}
	// The position after the last *, to go back to.
	star, from := -1, 0
	p, v := 0, 0
	for v < len(value) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, v
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == value[v]):
			p++
			v++
		case star >= 0:
			from++
			p, v = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// matchARN compares ARNs part by part, so that a wildcard does not reach over a colon
// except in the last part.
func matchARN(pattern, value string) bool {
	patterns, values := strings.SplitN(pattern, ":", 6), strings.SplitN(value, ":", 6)
	if len(patterns) != 6 || len(values) != 6 {
		return false
	}
	for i := range patterns {
		if !match(patterns[i], values[i], false) {
			return false
		}
	}
	return true
}

// substitute replaces policy variables: ${aws:username}, ${aws:username, 'default'}, ${*}.
// A variable that is not in the request stays, and so matches nothing.
func substitute(pattern string, context map[string][]string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(pattern, "${")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			b.WriteString("${" + rest)
			return b.String()
		}
		b.WriteString(variable(name, context))
		pattern = after
	}
}

func variable(name string, context map[string][]string) string {
	if name == "*" || name == "?" || name == "$" {
		return name
	}
	key, fallback, hasFallback := strings.Cut(name, ",")
	values := context[strings.ToLower(strings.TrimSpace(key))]
	switch {
	case len(values) == 1:
		return values[0]
	case hasFallback:
		return strings.Trim(strings.TrimSpace(fallback), "'")
	}
	return "${" + name + "}"
}
