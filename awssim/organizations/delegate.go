package organizations

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/jsonapi"
)

// delegate is a member account that administers a service for the organisation.
type delegate struct {
	Account string
	Service string // account.amazonaws.com
	Since   time.Time
}

func (d delegate) key() string { return d.Account + " " + d.Service }

func (s *Service) delegateOperations() []operation {
	return []operation{
		{"RegisterDelegatedAdministrator", management, jsonapi.Handle(s.register)},
		{"DeregisterDelegatedAdministrator", management, jsonapi.Handle(s.deregister)},
		{"ListDelegatedAdministrators", delegated, jsonapi.Handle(s.listDelegates)},
	}
}

// isDelegate tells whether an account administers a service, or any if it is "".
func (s *Service) isDelegate(account, service string) bool {
	return slices.ContainsFunc(s.delegates.List("", ""), func(d delegate) bool {
		return d.Account == account && (service == "" || d.Service == service)
	})
}

// Administers tells whether an account may act on an organisation's members through
// a service: as its management account or as the service's delegated administrator.
func (s *Service) Administers(account, service string) bool {
	return s.has(account) && (account == s.org.Management() || s.isDelegate(account, service))
}

type delegateInput struct {
	AccountID        string `json:"AccountId"`
	ServicePrincipal string
}

func (in delegateInput) check() error {
	if !strings.HasSuffix(in.ServicePrincipal, ".amazonaws.com") {
		return invalid("INVALID_PATTERN", "You specified an unrecognized service principal.")
	}
	return nil
}

func (s *Service) register(c *api.Call, in delegateInput) (any, error) {
	a, ok := s.account(in.AccountID)
	d := delegate{Account: in.AccountID, Service: in.ServicePrincipal, Since: c.Now.UTC()}
	switch {
	case !ok:
		return nil, notFound()
	case in.check() != nil:
		return nil, in.check()
	case a.ID == s.org.Management():
		return nil, constraint("CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR", "You cannot register the management account as a delegated administrator.")
	case !s.org.Open(a.ID):
		return nil, constraint("CANNOT_REGISTER_SUSPENDED_ACCOUNT_AS_DELEGATED_ADMINISTRATOR", "You cannot register a suspended account as a delegated administrator.")
	case s.isDelegate(a.ID, d.Service):
		return nil, api.Errorf("AccountAlreadyRegisteredException", "The specified account is already a delegated administrator for this AWS service.")
	}
	if err := s.delegates.Put("", "", d.key(), d); err != nil {
		return nil, fmt.Errorf("register %s: %w", a.ID, err)
	}
	return nil, nil
}

func (s *Service) deregister(_ *api.Call, in delegateInput) (any, error) {
	if !s.has(in.AccountID) {
		return nil, notFound()
	}
	if !s.isDelegate(in.AccountID, in.ServicePrincipal) {
		return nil, api.Errorf("AccountNotRegisteredException", "The specified account is not a delegated administrator for this AWS service.")
	}
	if err := s.delegates.Delete("", "", delegate{Account: in.AccountID, Service: in.ServicePrincipal}.key()); err != nil {
		return nil, fmt.Errorf("deregister %s: %w", in.AccountID, err)
	}
	return nil, nil
}

func (s *Service) listDelegates(_ *api.Call, in struct {
	ServicePrincipal string
	jsonapi.Paging
}) (any, error) {
	type delegateJSON struct {
		accountJSON
		DelegationEnabledDate jsonapi.Time
	}
	byAccount := map[string]delegate{}
	for _, d := range s.delegates.List("", "") {
		if in.ServicePrincipal == "" || in.ServicePrincipal == d.Service {
			byAccount[d.Account] = d
		}
	}
	list := []delegateJSON{}
	for _, d := range byAccount {
		a, _ := s.account(d.Account)
		list = append(list, delegateJSON{s.accountJSON(a), stamp(d.Since)})
	}
	list, next, err := page(list, func(d delegateJSON) string { return d.ID }, in.Paging)
	if err != nil {
		return nil, err
	}
	return struct {
		DelegatedAdministrators []delegateJSON
		jsonapi.Next
	}{list, next}, nil
}
