// Package iam simulates AWS Identity and Access Management: roles with their
// policies, OpenID Connect providers, users, customer managed policies, and the
// AWS managed policies clusters need.
package iam

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/auth"
	"kargo.dev/kargo/awssim/policy"
	"kargo.dev/kargo/awssim/store"
)

// Accounts are the accounts that exist.
type Accounts interface {
	// Alias is an account's alias, "" if it has none; false if there is no such account.
	Alias(id string) (string, bool)
}

// Options of the service.
type Options struct {
	Store    *store.Store
	Clock    api.Clock
	Keys     *auth.Keys
	Accounts Accounts
	// Control are the organisation's service control policies, nil if there are none.
	Control ControlPolicies
}

// ControlPolicies are an organisation's service control policies.
type ControlPolicies interface {
	// ServiceControlPolicies are those in force over an account, by level from the
	// root of the organisation down to the account; each level must allow what is
	// done there. Nil for the management account, and where they are not enabled.
	ServiceControlPolicies(account string) [][]policy.Source
}

// Service is IAM of all accounts.
type Service struct {
	now       func() time.Time
	keys      *auth.Keys
	accounts  Accounts
	roles     *store.Table[Role]
	users     *store.Table[User]
	policies  *store.Table[Policy]
	providers *store.Table[Provider]
	managed   map[string]Policy // AWS managed policies by ARN
	control   ControlPolicies   // nil if there are none
	parsed    policy.Cache
}

// New returns the service.
func New(o Options) (*Service, error) {
	managed, err := managedPolicies()
	if err != nil {
		return nil, fmt.Errorf("iam: %w", err)
	}
	return &Service{
		control:   o.Control,
		now:       func() time.Time { return o.Clock.Now().UTC().Truncate(time.Second) },
		keys:      o.Keys,
		accounts:  o.Accounts,
		roles:     store.NewTable[Role](o.Store, "iam-roles"),
		users:     store.NewTable[User](o.Store, "iam-users"),
		policies:  store.NewTable[Policy](o.Store, "iam-policies"),
		providers: store.NewTable[Provider](o.Store, "iam-oidc-providers"),
		managed:   managed,
	}, nil
}

// Name implements api.Service.
func (s *Service) Name() string { return "iam" }

// Protocol implements api.Service.
func (s *Service) Protocol() api.Protocol { return api.Query }

// XMLNamespace implements api.Service.
func (s *Service) XMLNamespace() string { return "https://iam.amazonaws.com/doc/2010-05-08/" }

// Operations implements api.Service.
func (s *Service) Operations() []api.Operation {
	handlers := map[string]func(*api.Call) (any, error){
		"CreateRole": s.createRole, "GetRole": s.getRole, "DeleteRole": s.deleteRole, "ListRoles": s.listRoles,
		"UpdateRole": s.updateRole, "UpdateAssumeRolePolicy": s.updateAssumeRolePolicy,
		"TagRole": s.tagRole, "UntagRole": s.untagRole, "ListRoleTags": s.listRoleTags,
		"CreateServiceLinkedRole": s.createServiceLinkedRole, "ListInstanceProfilesForRole": s.listInstanceProfilesForRole,
		"AttachRolePolicy": s.attachRolePolicy, "DetachRolePolicy": s.detachRolePolicy, "ListAttachedRolePolicies": s.listAttachedRolePolicies,
		"PutRolePolicy": s.putRolePolicy, "GetRolePolicy": s.getRolePolicy, "DeleteRolePolicy": s.deleteRolePolicy, "ListRolePolicies": s.listRolePolicies,
		"CreatePolicy": s.createPolicy, "GetPolicy": s.getPolicy, "GetPolicyVersion": s.getPolicyVersion, "DeletePolicy": s.deletePolicy, "ListPolicies": s.listPolicies,
		"CreatePolicyVersion": s.createPolicyVersion, "DeletePolicyVersion": s.deletePolicyVersion, "ListPolicyVersions": s.listPolicyVersions,
		"SetDefaultPolicyVersion": s.setDefaultPolicyVersion, "ListEntitiesForPolicy": s.listEntitiesForPolicy,
		"PutRolePermissionsBoundary": s.putRoleBoundary, "DeleteRolePermissionsBoundary": s.deleteRoleBoundary,
		"SimulatePrincipalPolicy": s.simulatePrincipal, "SimulateCustomPolicy": s.simulateCustom,
		"CreateOpenIDConnectProvider": s.createProvider, "GetOpenIDConnectProvider": s.getProvider,
		"ListOpenIDConnectProviders": s.listProviders, "DeleteOpenIDConnectProvider": s.deleteProvider, "TagOpenIDConnectProvider": s.tagProvider,
		"GetUser": s.getUser, "ListUsers": s.listUsers, "ListAccountAliases": s.listAccountAliases,
	}
	operations := make([]api.Operation, 0, len(handlers))
	for name, handle := range handlers {
		operations = append(operations, api.Operation{Name: name, Handle: func(_ context.Context, c *api.Call) (any, error) { return handle(c) }})
	}
	slices.SortFunc(operations, func(a, b api.Operation) int { return cmp.Compare(a.Name, b.Name) })
	return operations
}

// Inventory implements api.Service.
func (s *Service) Inventory(account string) []api.Resource {
	var list []api.Resource
	for _, p := range s.providers.List(account, "") {
		list = append(list, api.Resource{Service: "iam", Type: "oidc-provider", ID: p.id(), ARN: p.arn(), Tags: p.Tags})
	}
	for _, p := range s.policies.List(account, "") {
		list = append(list, api.Resource{Service: "iam", Type: "policy", ID: p.Name, ARN: p.ARN, Tags: p.Tags})
	}
	for _, r := range s.roles.List(account, "") {
		list = append(list, api.Resource{Service: "iam", Type: "role", ID: r.Name, ARN: r.ARN(), Tags: r.Tags, Builtin: r.Seeded || r.serviceLinked()})
	}
	for _, u := range s.users.List(account, "") {
		list = append(list, api.Resource{Service: "iam", Type: "user", ID: u.Name, ARN: u.ARN(), Builtin: true})
	}
	return list
}
