package iam

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"kargo.dev/kargo/awssim/policy"
)

// RolePolicies are all policies over a role: what its sessions may do, but for
// their own session policies.
func (s *Service) RolePolicies(account, name string) (policy.Set, error) {
	r, ok := s.Role(account, name)
	if !ok {
		return policy.Set{}, fmt.Errorf("account %s has no role %s", account, name)
	}
	return s.policySet(account, r.ARN(), r.Policies)
}

// UserPolicies are all policies over a user.
func (s *Service) UserPolicies(account, name string) (policy.Set, error) {
	u, ok := s.users.Get(account, "", name)
	if !ok {
		return policy.Set{}, fmt.Errorf("account %s has no user %s", account, name)
	}
	return s.policySet(account, u.ARN(), u.Policies)
}

// RootPolicies are all policies over an account's root user.
func (s *Service) RootPolicies(account string) policy.Set {
	return policy.Set{Root: true, Control: s.controlPolicies(account)}
}

// SessionPolicy is the document of a session policy: one that was given as it is,
// or the managed policy of an ARN.
func (s *Service) SessionPolicy(account, given string) (policy.Source, error) {
	if strings.HasPrefix(given, "arn:") {
		return s.managedSource(account, given)
	}
	doc, err := s.parsed.Parse(given)
	return policy.Source{Name: "session policy", Document: doc}, err
}

func (s *Service) policySet(account, arn string, p Policies) (policy.Set, error) {
	set := policy.Set{Control: s.controlPolicies(account)}
	for _, name := range slices.Sorted(maps.Keys(p.Inline)) {
		doc, err := s.parsed.Parse(p.Inline[name])
		if err != nil {
			return set, fmt.Errorf("policy %s of %s: %w", name, arn, err)
		}
		set.Identity = append(set.Identity, policy.Source{Name: name, Document: doc})
	}
	for _, attached := range p.Attached {
		source, err := s.managedSource(account, attached)
		if err != nil {
			return set, fmt.Errorf("%s: %w", arn, err)
		}
		set.Identity = append(set.Identity, source)
	}
	if p.Boundary != "" {
		source, err := s.managedSource(account, p.Boundary)
		if err != nil {
			return set, fmt.Errorf("boundary of %s: %w", arn, err)
		}
		set.Boundary = []policy.Source{source}
	}
	return set, nil
}

// managedSource is a managed policy; one that has no document here, or no longer
// exists, allows nothing.
func (s *Service) managedSource(account, arn string) (policy.Source, error) {
	source := policy.Source{Name: arn[strings.LastIndex(arn, "/")+1:], Document: &policy.Document{}}
	p, err := s.findPolicy(account, arn)
	if err == nil && p.Document != "" {
		if source.Document, err = s.parsed.Parse(p.Document); err != nil {
			return source, fmt.Errorf("policy %s: %w", arn, err)
		}
	}
	return source, nil
}

func (s *Service) controlPolicies(account string) [][]policy.Source {
	if s.control == nil {
		return nil
	}
	return s.control.ServiceControlPolicies(account)
}
