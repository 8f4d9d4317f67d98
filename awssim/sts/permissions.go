package sts

import (
	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/iam"
	"kargo.dev/kargo/awssim/policy"
)

var _ api.Guarded = (*Service)(nil)

// Permissions implements api.Guarded: the caller's side of AssumeRole, which all
// callers need whom the role's trust policy does not name in the role's own account.
// Everybody may ask who they are.
func (s *Service) Permissions(c *api.Call) []policy.Permission {
	if c.Operation != "AssumeRole" {
		return nil
	}
	a, err := parseAssumption(c)
	if err != nil {
		return nil // it is refused for what is wrong with it
	}
	caller, _ := s.keys.Lookup(c.Caller.AccessKeyID)
	role, ok := s.roles.Role(a.account, a.roleName)
	exists := ok && role.ARN() == a.roleARN
	if !exists {
		role = iam.Role{}
	}
	keys := a.context(role)
	var list []policy.Permission
	for _, action := range actions(c) {
		p := policy.Permission{Action: action, Resource: a.roleARN, Context: keys}
		if trust, err := s.trust.Parse(role.Trust); err == nil && exists && a.account == c.Caller.AccountID {
			request := s.trustRequest(c, a, role, caller)
			request.Action = action
			p.Granted = trust.GrantTo(request)
		}
		list = append(list, p)
	}
	return list
}
