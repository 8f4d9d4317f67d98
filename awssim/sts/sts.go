// Package sts simulates AWS's Security Token Service: who am I, and roles that
// are assumed if their trust policy says so.
package sts

import (
	"context"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/auth"
	"kargo.dev/kargo/awssim/iam"
	"kargo.dev/kargo/awssim/policy"
)

// Roles is what STS reads of IAM.
type Roles interface {
	Role(account, name string) (iam.Role, bool)
}

// Options of the service.
type Options struct {
	Keys  *auth.Keys
	Roles Roles
	// Callers tells the condition keys of who calls.
	Callers Callers
	Clock   api.Clock
}

// Callers knows who calls.
type Callers interface {
	// Context are AWS's global condition keys of a call.
	Context(c *api.Call) policy.Context
}

// Service is STS of all accounts.
type Service struct {
	keys    *auth.Keys
	roles   Roles
	callers Callers
	now     func() time.Time
	trust   policy.Cache
}

// New returns the service.
func New(o Options) *Service {
	return &Service{keys: o.Keys, roles: o.Roles, callers: o.Callers, now: o.Clock.Now}
}

// Name implements api.Service.
func (s *Service) Name() string { return "sts" }

// Protocol implements api.Service.
func (s *Service) Protocol() api.Protocol { return api.Query }

// XMLNamespace implements api.Service.
func (s *Service) XMLNamespace() string { return "https://sts.amazonaws.com/doc/2011-06-15/" }

// Operations implements api.Service.
func (s *Service) Operations() []api.Operation {
	return []api.Operation{
		{Name: "AssumeRole", Handle: s.assumeRole},
		{Name: "GetCallerIdentity", Handle: s.getCallerIdentity},
	}
}

// Inventory implements api.Service: sessions are no resources.
func (s *Service) Inventory(string) []api.Resource { return nil }

func (s *Service) getCallerIdentity(_ context.Context, c *api.Call) (any, error) {
	return struct {
		Arn     string
		UserId  string
		Account string
	}{c.Caller.ARN, c.Caller.UserID, c.Caller.AccountID}, nil
}
