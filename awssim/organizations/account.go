package organizations

import (
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/jsonapi"
	"kargo.dev/kargo/awssim/org"
)

// AWS's limits of closing accounts, see CloseAccount and
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html:
// within 30 days the higher of 250 and a fifth of the member accounts, at most 1000.
const (
	closureWindow      = 30 * 24 * time.Hour
	closureTakes       = 2 * time.Minute
	fewestClosures     = 250
	mostClosures       = 1000
	concurrentClosures = 3
)

// States of accounts, and the older statuses, which say less.
const (
	active         = "ACTIVE"
	pendingClosure = "PENDING_CLOSURE"
	closed         = "CLOSED"    // state
	suspended      = "SUSPENDED" // status
)

func (s *Service) accountOperations() []operation {
	return []operation{
		{"ListAccounts", delegated, jsonapi.Handle(s.listAccounts)},
		{"ListAccountsForParent", delegated, jsonapi.Handle(s.listAccountsForParent)},
		{"DescribeAccount", delegated, jsonapi.Handle(s.describeAccount)},
		{"CloseAccount", management, jsonapi.Handle(s.closeAccount)},
	}
}

// accountJSON is an account as it is answered.
type accountJSON struct {
	ID              string `json:"Id"`
	ARN             string `json:"Arn"`
	Email           string
	Name            string
	Status          string
	State           string
	Paths           []string
	JoinedMethod    string
	JoinedTimestamp jsonapi.Time
}

func (s *Service) accountJSON(a org.Account) accountJSON {
	n, _ := s.node(a.ID)
	v := accountJSON{
		ID: a.ID, ARN: n.ARN, Email: a.Address(), Name: a.Name, Status: active, State: active,
		Paths: []string{s.pathText(n)}, JoinedMethod: "INVITED", JoinedTimestamp: stamp(a.Joined),
	}
	if a.Vended {
		v.JoinedMethod = "CREATED"
	}
	switch {
	case !s.org.Open(a.ID):
		v.Status, v.State = suspended, closed
	case !a.CloseAsked.IsZero():
		v.Status, v.State = pendingClosure, pendingClosure
	}
	return v
}

type accountsAnswer struct {
	Accounts []accountJSON
	jsonapi.Next
}

func (s *Service) answerAccounts(list []org.Account, p jsonapi.Paging) (any, error) {
	list, next, err := page(list, func(a org.Account) string { return a.ID }, p)
	if err != nil {
		return nil, err
	}
	answer := accountsAnswer{[]accountJSON{}, next}
	for _, a := range list {
		answer.Accounts = append(answer.Accounts, s.accountJSON(a))
	}
	return answer, nil
}

func (s *Service) listAccounts(_ *api.Call, in jsonapi.Paging) (any, error) {
	return s.answerAccounts(s.accounts(), in)
}

func (s *Service) listAccountsForParent(_ *api.Call, in parentInput) (any, error) {
	above, err := s.parent(in.ParentID)
	if err != nil {
		return nil, err
	}
	var list []org.Account
	for _, n := range s.children(above.ID, kindAccount) {
		if a, ok := s.account(n.ID); ok {
			list = append(list, a)
		}
	}
	return s.answerAccounts(list, in.Paging)
}

type accountInput struct {
	AccountID string `json:"AccountId"`
}

func (s *Service) describeAccount(_ *api.Call, in accountInput) (any, error) {
	a, ok := s.account(in.AccountID)
	if !ok {
		return nil, notFound()
	}
	return struct{ Account accountJSON }{s.accountJSON(a)}, nil
}

// closeAccount begins to close an account. When that is done, its keys and roles
// are of no use any more. AWS removes what is in it after 90 days; here it stays.
func (s *Service) closeAccount(c *api.Call, in accountInput) (any, error) {
	a, ok := s.account(in.AccountID)
	if !ok {
		return nil, notFound()
	}
	recent, running := s.recentClosures(c.Now)
	switch {
	case a.ID == s.org.Management():
		return nil, constraint("CANNOT_CLOSE_MANAGEMENT_ACCOUNT", "You attempted to close the management account. You can close only member accounts.")
	case !s.org.Open(a.ID):
		return nil, api.Errorf("AccountAlreadyClosedException", "You attempted to close an account that is already closed.")
	case !a.CloseAsked.IsZero():
		return nil, api.Errorf("ConflictException", "The request failed because it conflicts with the current state of the specified resource: the account is being closed.")
	case running >= concurrentClosures:
		return nil, constraint("CLOSE_ACCOUNT_REQUESTS_LIMIT_EXCEEDED", "You attempted to exceed the number of accounts that you can close at a time, which is %d.", concurrentClosures)
	case recent >= s.closureQuota():
		return nil, constraint("CLOSE_ACCOUNT_QUOTA_EXCEEDED", "You have exceeded the account closure quota of %d for the past 30 days.", s.closureQuota())
	}
	a.CloseAsked = c.Now.UTC().Truncate(time.Millisecond)
	a.Closed = a.CloseAsked.Add(s.clock.Takes(closureTakes))
	return nil, s.org.Put(a)
}

// recentClosures counts the accounts whose closing was asked for in the window, and
// those that are still being closed.
func (s *Service) recentClosures(now time.Time) (recent, running int) {
	for _, a := range s.accounts() {
		if a.CloseAsked.IsZero() || now.Sub(a.CloseAsked) >= closureWindow {
			continue
		}
		recent++
		if s.org.Open(a.ID) {
			running++
		}
	}
	return recent, running
}

func (s *Service) closureQuota() int {
	if s.closures > 0 {
		return s.closures
	}
	return min(max(fewestClosures, len(s.accounts())/5), mostClosures)
}
