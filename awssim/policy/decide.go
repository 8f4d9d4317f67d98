package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Context are condition keys with their values, by AWS's names in any case:
// aws:RequestTag/Team. A key that is not there is not in the request.
type Context map[string][]string

// Permission is one of the things that a call needs to be allowed.
type Permission struct {
	Action   string `json:"action"`   // ec2:CreateVpc
	Resource string `json:"resource"` // an ARN, or "*"
	// Context are the keys of this permission; those that all permissions of a call share are left out.
	Context Context `json:"context,omitempty"`
	Granted Grant   `json:"granted,omitempty"`
}

// Request is the permission as it is asked for by a caller with the keys that all
// its permissions share.
func (p Permission) Request(shared Context) Request {
	r := Request{Action: p.Action, Resource: p.Resource, Granted: p.Granted, Context: map[string][]string{}}
	for _, c := range []Context{shared, p.Context} {
		for key, values := range c {
			r.Context[strings.ToLower(key)] = values
		}
	}
	return r
}

// Grant is what the policy of a resource in the caller's own account says.
type Grant string

const (
	// NotGranted leaves it to the caller's own policies.
	NotGranted Grant = ""
	// GrantedToRole names and allows the caller's role; the boundary and session
	// policies still limit it.
	GrantedToRole Grant = "role"
	// GrantedToCaller names and allows the user or session itself.
	GrantedToCaller Grant = "caller"
)

// Layer is a kind of policy.
type Layer string

// The layers, by AWS's words for them in its messages.
const (
	IdentityLayer Layer = "identity-based policy"
	BoundaryLayer Layer = "permissions boundary"
	SessionLayer  Layer = "session policy"
	ControlLayer  Layer = "service control policy"
)

// Source is a policy with its name.
type Source struct {
	Name string
	*Document
}

// Set is all policies that decide on what a principal may do in its own account.
type Set struct {
	// Root is the account's root user, which needs no identity policy.
	Root     bool
	Identity []Source
	// Boundary and Session limit what Identity allows; nil where there is none.
	Boundary, Session []Source
	// Control are the organisation's service control policies, by level from the root
	// down to the account; each level must allow. Nil where none are in force.
	Control [][]Source
}

// Verdict is what a Set says to a request.
type Verdict struct {
	Decision Decision
	// Layer is what denied.
	Layer Layer
	// Matched are the names of the policies that decided: those that deny, or those that allow.
	Matched []string
	// AllowedByBoundary and AllowedByControl tell whether that layer alone would
	// allow; true where there is none.
	AllowedByBoundary, AllowedByControl bool
}

// Decide evaluates the policies as AWS does, see
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html:
// what any of them denies is denied; what is left needs an allow of every layer.
func (s Set) Decide(r Request) Verdict {
	control := decideLevels(s.Control, r)
	boundary, session, identity := decide(s.Boundary, r), decide(s.Session, r), decide(s.Identity, r)
	v := Verdict{
		Decision:          Allow,
		AllowedByControl:  len(s.Control) == 0 || control.Decision == Allow,
		AllowedByBoundary: s.Boundary == nil || boundary.Decision == Allow,
	}
	layers := []struct {
		Layer
		found  finding
		passes bool // without an allow
	}{
		{ControlLayer, control, len(s.Control) == 0},
		{IdentityLayer, identity, s.Root || r.Granted != NotGranted},
		{BoundaryLayer, boundary, s.Boundary == nil || r.Granted == GrantedToCaller},
		{SessionLayer, session, s.Session == nil || r.Granted == GrantedToCaller},
	}
	for _, l := range layers {
		if l.found.Decision == Deny {
			v.Decision, v.Layer, v.Matched = Deny, l.Layer, l.found.matched
			return v
		}
	}
	for _, l := range layers {
		if l.found.Decision == ImplicitDeny && !l.passes {
			v.Decision, v.Layer = ImplicitDeny, l.Layer
			return v
		}
	}
	v.Matched = identity.matched
	return v
}

// finding is what some policies say, and which of them.
type finding struct {
	Decision
	matched []string
}

func decide(sources []Source, r Request) finding {
	var found finding
	for _, s := range sources {
		d := Evaluate([]*Document{s.Document}, r)
		if d > found.Decision {
			found = finding{Decision: d}
		}
		if d == found.Decision && d != ImplicitDeny {
			found.matched = append(found.matched, s.Name)
		}
	}
	return found
}

// decideLevels is decide for service control policies.
func decideLevels(levels [][]Source, r Request) finding {
	all := finding{Decision: Allow}
	for _, level := range levels {
		switch found := decide(level, r); found.Decision {
		case Deny:
			return found
		case ImplicitDeny:
			all.Decision = ImplicitDeny
		case Allow:
		}
	}
	if len(levels) == 0 {
		all.Decision = ImplicitDeny
	}
	return all
}

// MissingKeys are the condition keys of statements about the request that it does
// not have: without them a decision may be another one than AWS's.
func (s Set) MissingKeys(r Request) []string {
	var missing []string
	for _, sources := range append([][]Source{s.Identity, s.Boundary, s.Session}, s.Control...) {
		for _, source := range sources {
			for i := range source.Statements {
				missing = append(missing, source.Statements[i].missingKeys(r)...)
			}
		}
	}
	slices.SortFunc(missing, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	return slices.CompactFunc(missing, strings.EqualFold)
}

func (s *Statement) missingKeys(r Request) []string {
	if !s.covers(r, func(p string) (string, bool) { return substitute(p, r.Context) }) {
		return nil
	}
	var missing []string
	for _, c := range s.Conditions {
		if len(r.Context[c.key]) == 0 {
			missing = append(missing, c.Key)
		}
	}
	return missing
}

// Message says why a request is refused, in AWS's words, see
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html.
// The resource is left out if it is "".
func (v Verdict) Message(caller, action, resource string) string {
	m := fmt.Sprintf("User: %s is not authorized to perform: %s", caller, action)
	if resource != "" {
		m += " on resource: " + resource
	}
	article := "a"
	if v.Layer == IdentityLayer {
		article = "an"
	}
	if v.Decision == Deny {
		return fmt.Sprintf("%s with an explicit deny in %s %s", m, article, v.Layer)
	}
	return fmt.Sprintf("%s because no %s allows the %s action", m, v.Layer, action)
}
