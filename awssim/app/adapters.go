package app

import (
	"kargo.dev/kargo/awssim/eks"
	"kargo.dev/kargo/awssim/iam"
	"kargo.dev/kargo/awssim/policy"
)

// principals is IAM as EKS sees it.
type principals struct {
	iam *iam.Service
}

var _ eks.Principals = principals{}

// Role implements eks.Principals.
func (p principals) Role(account, name string) (eks.Role, bool) {
	r, ok := p.iam.Role(account, name)
	if !ok {
		return eks.Role{}, false
	}
	role := eks.Role{ARN: r.ARN(), ID: r.ID}
	trust, err := policy.Parse(r.Trust)
	if err != nil {
		return role, true // trusted by nobody
	}
	for _, s := range trust.Statements {
		if s.Allow && s.Principal != nil {
			role.Services = append(role.Services, s.Principal.Service...)
		}
	}
	return role, true
}

// UserExists implements eks.Principals.
func (p principals) UserExists(account, name string) bool { return p.iam.UserExists(account, name) }

// EnsureServiceLinkedRole implements eks.Principals.
func (p principals) EnsureServiceLinkedRole(account, service string) error {
	return p.iam.EnsureServiceLinkedRole(account, service)
}
