// Package account simulates AWS Account Management: the contacts of accounts, and
// the regions they have enabled. An organisation's management account, or the
// service's delegated administrator, may act on its members.
package account

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/jsonapi"
	"kargo.dev/kargo/awssim/org"
	"kargo.dev/kargo/awssim/policy"
	"kargo.dev/kargo/awssim/regions"
	"kargo.dev/kargo/awssim/store"
)

const (
	// serviceName is the signing name.
	serviceName = "account"
	// principal is the service as Organizations knows it.
	principal = "account.amazonaws.com"
)

// Members tells who belongs to an organisation.
type Members interface {
	// Membership of an account: its organisation and the path in it.
	Membership(account string) (organization, path string, ok bool)
	// Administers tells whether an account may act on the organisation's members through a service.
	Administers(account, service string) bool
}

// Options are what the service needs.
type Options struct {
	Store        *store.Store
	Clock        api.Clock
	Organisation *org.Organisation
	Members      Members
}

// Service is the simulated Account Management. It is safe for concurrent use.
type Service struct {
	clock    api.Clock
	org      *org.Organisation
	members  Members
	regions  *regions.Book
	mu       sync.Mutex // held over a call
	contacts *store.Table[contact]
	primary  *store.Table[information]
}

var _ api.Guarded = (*Service)(nil)

// New returns the service on the state in the store.
func New(o Options) (*Service, error) {
	if o.Store == nil || o.Organisation == nil || o.Members == nil {
		return nil, errors.New("account: Options.Store, Organisation and Members are required")
	}
	book, err := regions.Open(o.Store, o.Clock)
	if err != nil {
		return nil, err
	}
	return &Service{
		clock: o.Clock, org: o.Organisation, members: o.Members, regions: book,
		contacts: store.NewTable[contact](o.Store, "account-alternate-contacts"),
		primary:  store.NewTable[information](o.Store, "account-contact-information"),
	}, nil
}

// Name implements api.Service.
func (s *Service) Name() string { return serviceName }

// Protocol implements api.Service.
func (s *Service) Protocol() api.Protocol { return api.RESTJSON }

// XMLNamespace implements api.Service.
func (s *Service) XMLNamespace() string { return "" }

// Inventory implements api.Service: contacts and regions are no resources.
func (s *Service) Inventory(string) []api.Resource { return nil }

// Operations implements api.Service.
func (s *Service) Operations() []api.Operation {
	return []api.Operation{
		serve(s, "DeleteAlternateContact", "/deleteAlternateContact", s.deleteContact),
		serve(s, "DisableRegion", "/disableRegion", s.disableRegion),
		serve(s, "EnableRegion", "/enableRegion", s.enableRegion),
		serve(s, "GetAccountInformation", "/getAccountInformation", s.getAccountInformation),
		serve(s, "GetAlternateContact", "/getAlternateContact", s.getContact),
		serve(s, "GetContactInformation", "/getContactInformation", s.getInformation),
		serve(s, "GetRegionOptStatus", "/getRegionOptStatus", s.getRegion),
		serve(s, "ListRegions", "/listRegions", s.listRegions),
		serve(s, "PutAlternateContact", "/putAlternateContact", s.putContact),
		serve(s, "PutContactInformation", "/putContactInformation", s.putInformation),
	}
}

// serve binds an operation to its path. Its handler gets the account that the call
// is about.
func serve[In any](s *Service, name, path string, handle func(account string, in In) (any, error)) api.Operation {
	return api.Operation{Name: name, Method: http.MethodPost, Path: path, Handle: jsonapi.Handle(func(c *api.Call, in In) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		account, err := s.about(c)
		if err != nil {
			return nil, err
		}
		return handle(account, in)
	})}
}

// target is the account that a call names, "" if none.
func target(c *api.Call) string {
	var in struct {
		AccountID string `json:"AccountId"`
	}
	_ = json.Unmarshal(c.Body, &in) // a body that is malformed names nothing, and is refused later
	return in.AccountID
}

// about is the account that a call is about. Others than the caller's own are for
// those who administer the organisation, and for them their own is not to be named.
func (s *Service) about(c *api.Call) (string, error) {
	named := target(c)
	if named == "" {
		return c.Caller.AccountID, nil
	}
	if !s.members.Administers(c.Caller.AccountID, principal) {
		return "", denied("User: %s is not authorized to act on account %s: the caller must be the organization's management account or delegated administrator.", c.Caller.ARN, named)
	}
	if _, _, ok := s.members.Membership(named); !ok {
		return "", denied("Account %s is not a member of the caller's organization.", named)
	}
	if named == s.org.Management() {
		return "", denied("The management account can only be managed using the standalone context from the management account.")
	}
	return named, nil
}

func denied(format string, args ...any) error {
	e := api.Errorf("AccessDeniedException", format, args...)
	e.HTTPStatus = http.StatusForbidden
	return e
}

func invalid(format string, args ...any) error {
	e := api.Errorf("ValidationException", format, args...)
	e.Details = map[string]string{"reason": "fieldValidationFailed"}
	return e
}

// Closed tells where an account's keys are not accepted: anywhere once it is closed,
// and for the services of a region that it has not enabled.
func (s *Service) Closed(account, service, region string) bool {
	return !s.org.Open(account) || (!global(service) && !s.regions.Usable(account, region))
}

// global services answer for all regions at one place, whatever region a client is set to.
func global(service string) bool {
	return slices.Contains([]string{"iam", "organizations", serviceName}, service)
}

// Permissions implements api.Guarded, after
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsaccountmanagement.html.
func (s *Service) Permissions(c *api.Call) []policy.Permission {
	var in struct{ AlternateContactType, RegionName string }
	_ = json.Unmarshal(c.Body, &in) // see target
	p := policy.Permission{Action: serviceName + ":" + c.Operation, Resource: s.resource(c), Context: policy.Context{}}
	if _, path, ok := s.members.Membership(target(c)); ok {
		p.Context.Set("account:AccountResourceOrgPaths", path)
	}
	p.Context.Set("account:AlternateContactTypes", in.AlternateContactType)
	p.Context.Set("account:TargetRegion", in.RegionName)
	return []policy.Permission{p}
}

// resource is the ARN of the account that a call is about: of the caller's own, or
// of a member of the organisation.
func (s *Service) resource(c *api.Call) string {
	named := target(c)
	if named == "" {
		return "arn:aws:account::" + c.Caller.AccountID + ":account"
	}
	organization, _, _ := s.members.Membership(named)
	return "arn:aws:account::" + s.org.Management() + ":account/" + cmp.Or(organization, "*") + "/" + named
}

func (s *Service) getAccountInformation(account string, _ struct{}) (any, error) {
	a, ok := s.org.Account(account)
	if !ok {
		return nil, notFound("There is no account %s.", account)
	}
	state := "ACTIVE"
	if !s.org.Open(account) {
		state = "CLOSED"
	}
	return struct {
		AccountID          string `json:"AccountId"`
		AccountName        string
		AccountCreatedDate string
		AccountState       string
	}{a.ID, a.Name, a.Joined.UTC().Format("2006-01-02T15:04:05Z"), state}, nil
}

func notFound(format string, args ...any) error {
	return api.NotFoundf("ResourceNotFoundException", format, args...)
}
