package iam

import (
	"fmt"
	"maps"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/auth"
	"kargo.dev/kargo/awssim/policy"
)

// SeedRole makes a role exist that an account begins with. One that is there
// keeps its id, tags and other inline policies; its trust and policies become those of the seed.
// Principals are not checked: seeds may trust each other in a circle.
func (s *Service) SeedRole(seed Role) error {
	if _, err := policy.Parse(seed.Trust); err != nil {
		return fmt.Errorf("seeded role %s: trust policy: %w", seed.ARN(), err)
	}
	if err := s.checkSeed(seed.Policies); err != nil {
		return fmt.Errorf("seeded role %s: %w", seed.ARN(), err)
	}
	if old, ok := s.Role(seed.Account, seed.Name); ok {
		seed.ID, seed.Created, seed.Tags = old.ID, old.Created, old.Tags
		seed.Inline = merged(old.Inline, seed.Inline)
	} else {
		seed.ID, seed.Created = auth.NewID("AROA", 17), s.now()
	}
	if seed.MaxSessionDuration == 0 {
		seed.MaxSessionDuration = minSession
	}
	seed.Seeded = true
	return s.putRole(seed)
}

func (s *Service) checkSeed(p Policies) error {
	for _, arn := range append([]string{p.Boundary}, p.Attached...) {
		if _, ok := s.managed[arn]; !ok && arn != "" {
			return fmt.Errorf("%s is not an AWS managed policy the simulator knows", arn)
		}
	}
	for name, document := range p.Inline {
		if err := checkIdentityPolicy(document); err != nil {
			return fmt.Errorf("policy %s: %w", name, err)
		}
	}
	return nil
}

func merged(have, add map[string]string) map[string]string {
	all := maps.Clone(have)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, add)
	return all
}

// SeedUser makes a user exist that an account begins with, with these policies
// and no others.
func (s *Service) SeedUser(account, userName string, p Policies) (api.Identity, error) {
	u, ok := s.users.Get(account, "", userName)
	if !ok {
		u = User{Account: account, Name: userName, Path: "/", ID: auth.NewID("AIDA", 17), Created: s.now()}
	}
	if err := s.checkSeed(p); err != nil {
		return api.Identity{}, fmt.Errorf("seeded user %s: %w", u.ARN(), err)
	}
	u.Policies = p
	if err := s.users.Put(account, "", userName, u); err != nil {
		return api.Identity{}, fmt.Errorf("keep user %s: %w", u.ARN(), err)
	}
	return api.Identity{AccountID: account, ARN: u.ARN(), UserID: u.ID}, nil
}
