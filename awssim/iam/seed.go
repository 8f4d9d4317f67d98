package iam

import (
	"fmt"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/auth"
	"kargo.dev/kargo/awssim/policy"
)

// SeedRole makes a role exist that an account begins with. One that is there
// keeps its id and tags; its trust and policies become those of the seed.
// Principals are not checked: seeds may trust each other in a circle.
func (s *Service) SeedRole(seed Role) error {
	if _, err := policy.Parse(seed.Trust); err != nil {
		return fmt.Errorf("seeded role %s: trust policy: %w", seed.ARN(), err)
	}
	for _, arn := range seed.Attached {
		if _, ok := s.managed[arn]; !ok {
			return fmt.Errorf("seeded role %s: %s is not an AWS managed policy the simulator knows", seed.ARN(), arn)
		}
	}
	if old, ok := s.Role(seed.Account, seed.Name); ok {
		seed.ID, seed.Created, seed.Tags, seed.Inline = old.ID, old.Created, old.Tags, old.Inline
	} else {
		seed.ID, seed.Created = auth.NewID("AROA", 17), s.now()
	}
	if seed.MaxSessionDuration == 0 {
		seed.MaxSessionDuration = minSession
	}
	seed.Seeded = true
	return s.putRole(seed)
}

// SeedUser makes a user exist that an account begins with.
func (s *Service) SeedUser(account, userName string) (api.Identity, error) {
	u, ok := s.users.Get(account, "", userName)
	if !ok {
		u = User{Account: account, Name: userName, Path: "/", ID: auth.NewID("AIDA", 17), Created: s.now()}
		if err := s.users.Put(account, "", userName, u); err != nil {
			return api.Identity{}, fmt.Errorf("keep user %s: %w", u.ARN(), err)
		}
	}
	return api.Identity{AccountID: account, ARN: u.ARN(), UserID: u.ID}, nil
}
