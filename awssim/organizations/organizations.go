// Package organizations simulates AWS Organizations: the tree of organisational
// units, accounts that are made, moved and closed, and service control policies.
// The accounts themselves are package org's, and what is in them is the services'.
package organizations

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/iam"
	"kargo.dev/kargo/awssim/jsonapi"
	"kargo.dev/kargo/awssim/org"
	"kargo.dev/kargo/awssim/quota"
	"kargo.dev/kargo/awssim/store"
)

// serviceName is the signing name, and the service's part of an ARN.
const serviceName = "organizations"

// Options are what the service needs.
type Options struct {
	Store *store.Store
	Clock api.Clock
	// Tree of the organisation in the same store.
	Tree         *Tree
	Organisation *org.Organisation
	IAM          *iam.Service
	// Closures is how many accounts may be closed within 30 days; AWS's quota if zero.
	Closures int
}

// Service is the simulated Organizations. It is safe for concurrent use.
type Service struct {
	*Tree
	clock    api.Clock
	iam      *iam.Service
	quotas   *quota.Book
	closures int

	mu        sync.Mutex // held over a call
	creations *store.Table[creation]
	delegates *store.Table[delegate]
}

var _ api.Guarded = (*Service)(nil)

// New returns the service on the state in the store.
func New(o Options) (*Service, error) {
	if o.Store == nil || o.Tree == nil || o.Organisation == nil || o.IAM == nil {
		return nil, errors.New("organizations: Options.Store, Tree, Organisation and IAM are required")
	}
	quotas, err := quota.Open(o.Store, o.Clock)
	if err != nil {
		return nil, fmt.Errorf("organizations: %w", err)
	}
	return &Service{
		Tree: o.Tree, clock: o.Clock, iam: o.IAM, quotas: quotas, closures: o.Closures,
		creations: store.NewTable[creation](o.Store, "organizations-creations"),
		delegates: store.NewTable[delegate](o.Store, "organizations-delegates"),
	}, nil
}

// Name implements api.Service.
func (s *Service) Name() string { return serviceName }

// Protocol implements api.Service.
func (s *Service) Protocol() api.Protocol { return api.JSON11 }

// XMLNamespace implements api.Service.
func (s *Service) XMLNamespace() string { return "" }

// access is who may call an operation.
type access int

const (
	management access = iota // the management account only
	delegated                // also member accounts that it made administrators of a service
	member                   // every account of the organisation
)

// operation is an operation by its name, who may call it, and what it does.
type operation struct {
	name   string
	access access
	handle func(context.Context, *api.Call) (any, error)
}

// Operations implements api.Service.
func (s *Service) Operations() []api.Operation {
	all := slices.Concat(s.organizationOperations(), s.unitOperations(), s.treeOperations(), s.accountOperations(),
		s.creationOperations(), s.policyOperations(), s.attachmentOperations(), s.tagOperations(), s.delegateOperations())
	list := make([]api.Operation, 0, len(all))
	for _, op := range all {
		list = append(list, api.Operation{Name: op.name, Handle: func(ctx context.Context, c *api.Call) (any, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if err := s.admit(c, op.access); err != nil {
				return nil, err
			}
			if err := s.settle(); err != nil {
				return nil, err
			}
			return op.handle(ctx, c)
		}})
	}
	slices.SortFunc(list, func(a, b api.Operation) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// admit refuses callers for whose account an operation is not.
func (s *Service) admit(c *api.Call, a access) error {
	account := c.Caller.AccountID
	if !s.has(account) {
		return api.Errorf("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
	}
	switch {
	case account == s.org.Management(), a == member, a == delegated && s.isDelegate(account, ""):
		return nil
	}
	return api.Errorf("AccessDeniedException", "You don't have permissions to access this resource.")
}

// Inventory implements api.Service: the organisation is its management account's.
func (s *Service) Inventory(account string) []api.Resource {
	if account != s.org.Management() {
		return nil
	}
	var list []api.Resource
	for _, u := range s.units.List("", "") {
		list = append(list, api.Resource{Service: serviceName, Type: "organizational-unit", ID: u.ID, ARN: s.unitARN(u.ID), Tags: s.tagsOf(u.ID)})
	}
	for _, p := range s.policies.List("", "") {
		list = append(list, api.Resource{Service: serviceName, Type: "policy", ID: p.ID, ARN: s.policyARN(p.ID), Tags: s.tagsOf(p.ID)})
	}
	return list
}

// The errors that several operations have.

func invalid(reason, format string, args ...any) error {
	return withReason(api.Errorf("InvalidInputException", format, args...), reason)
}

func constraint(reason, format string, args ...any) error {
	return withReason(api.Errorf("ConstraintViolationException", format, args...), reason)
}

func withReason(e *api.Error, reason string) error {
	e.Details = map[string]string{"Reason": reason}
	return e
}

// page is a page of at most 20, as all lists of Organizations are cut.
func page[T any](list []T, key func(T) string, p jsonapi.Paging) ([]T, jsonapi.Next, error) {
	return jsonapi.Page(list, key, p, jsonapi.Limits{
		Largest: 20, Usual: 20,
		Size: func(value string) error {
			return invalid("MIN_MAX_VALUE", "You specified an invalid value for MaxResults: %s is not between 1 and 20.", value)
		},
		Token: func(string) error {
			return invalid("INVALID_NEXT_TOKEN", "You specified an invalid value for NextToken.")
		},
	})
}

// stamp is a time of the precision that answers have.
func stamp(t time.Time) jsonapi.Time { return jsonapi.Time{Time: t.UTC().Truncate(time.Millisecond)} }
