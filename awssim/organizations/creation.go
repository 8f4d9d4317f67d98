package organizations

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/iam"
	"kargo.dev/kargo/awssim/jsonapi"
	"kargo.dev/kargo/awssim/org"
	"kargo.dev/kargo/awssim/quota"
)

const (
	// creationTakes is how long AWS typically takes to make an account.
	creationTakes = 90 * time.Second
	// concurrentCreations is how many accounts AWS makes at a time.
	concurrentCreations = 5
	// defaultRole is what the management account's role in a new account is called.
	defaultRole = "OrganizationAccountAccessRole"
)

// The states of a request for an account, and why it may fail.
const (
	inProgress = "IN_PROGRESS"
	succeeded  = "SUCCEEDED"
	failed     = "FAILED"

	emailExists          = "EMAIL_ALREADY_EXISTS"
	accountLimitExceeded = "ACCOUNT_LIMIT_EXCEEDED"
)

var (
	accountName  = regexp.MustCompile(`^[\x20-\x7E]{1,50}$`)
	emailAddress = regexp.MustCompile(`^[^\s@]+@[^\s@]+\.[^\s@]+$`)
	roleName     = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)
)

// creation is a request for an account. The account's id is chosen with the
// request, so that a simulator that is killed makes no second one.
type creation struct {
	ID        string // car-...
	Name      string
	Email     string
	Role      string
	AccountID string
	Requested time.Time
	Due       time.Time // when AWS is done
	State     string
	Failure   string
}

func (s *Service) creationOperations() []operation {
	return []operation{
		{"CreateAccount", management, jsonapi.Handle(s.createAccount)},
		{"DescribeCreateAccountStatus", delegated, jsonapi.Handle(s.describeCreation)},
		{"ListCreateAccountStatus", delegated, jsonapi.Handle(s.listCreations)},
	}
}

// creationJSON is a request as it is answered.
type creationJSON struct {
	ID                 string `json:"Id"`
	AccountName        string
	State              string
	RequestedTimestamp jsonapi.Time
	CompletedTimestamp jsonapi.Time `json:",omitzero"`
	AccountID          string       `json:"AccountId,omitempty"`
	FailureReason      string       `json:",omitempty"`
}

func (c creation) answer() creationJSON {
	v := creationJSON{ID: c.ID, AccountName: c.Name, State: c.State, RequestedTimestamp: stamp(c.Requested), FailureReason: c.Failure}
	if c.State != inProgress {
		v.CompletedTimestamp = stamp(c.Due)
	}
	if c.State == succeeded {
		v.AccountID = c.AccountID
	}
	return v
}

type creationAnswer struct{ CreateAccountStatus creationJSON }

type createAccountInput struct {
	AccountName            string
	Email                  string
	RoleName               string
	IamUserAccessToBilling string
	Tags                   []tag
}

func (s *Service) createAccount(c *api.Call, in createAccountInput) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	tags, err := newTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	if len(s.running()) >= concurrentCreations {
		return nil, api.Errorf("TooManyRequestsException",
			"AWS Organizations can't complete your request because another request is already in progress. Try again later.")
	}
	v := creation{
		ID: newID("car-", 24), Name: in.AccountName, Email: in.Email, Role: cmp.Or(in.RoleName, defaultRole), AccountID: s.newAccountID(),
		Requested: c.Now.UTC().Truncate(time.Millisecond), State: inProgress,
	}
	v.Due = v.Requested.Add(s.clock.Takes(creationTakes))
	// The account's tags wait for it: what is not in the tree has none.
	if err := s.putTags(v.AccountID, tags); err != nil {
		return nil, err
	}
	return creationAnswer{v.answer()}, s.putCreation(v)
}

func (in createAccountInput) check() error {
	switch {
	case !accountName.MatchString(in.AccountName):
		return invalid("INVALID_PATTERN", "You specified an invalid account name.")
	case !emailAddress.MatchString(in.Email) || len(in.Email) < 6 || len(in.Email) > 64:
		return invalid("INVALID_PATTERN", "You specified an invalid e-mail address.")
	case in.RoleName != "" && !roleName.MatchString(in.RoleName):
		return invalid("INVALID_ROLE_NAME", "You provided a role name that isn't valid.")
	case in.IamUserAccessToBilling != "" && in.IamUserAccessToBilling != "ALLOW" && in.IamUserAccessToBilling != "DENY":
		return invalid("INVALID_ENUM", "You specified an invalid value for IamUserAccessToBilling.")
	}
	return nil
}

func (s *Service) putCreation(v creation) error {
	if err := s.creations.Put("", "", v.ID, v); err != nil {
		return fmt.Errorf("keep request %s: %w", v.ID, err)
	}
	return nil
}

// running are the requests that are not done, oldest first.
func (s *Service) running() []creation {
	list := slices.DeleteFunc(s.creations.List("", ""), func(v creation) bool { return v.State != inProgress })
	slices.SortStableFunc(list, func(a, b creation) int { return cmp.Or(a.Due.Compare(b.Due), a.Requested.Compare(b.Requested)) })
	return list
}

// newAccountID is twelve digits that no account has, nor will have.
func (s *Service) newAccountID() string {
	for {
		n, _ := rand.Int(rand.Reader, big.NewInt(900_000_000_000)) // never fails, see its documentation
		id := fmt.Sprint(n.Int64() + 100_000_000_000)
		_, exists := s.org.Account(id)
		if !exists && !slices.ContainsFunc(s.creations.List("", ""), func(v creation) bool { return v.AccountID == id }) {
			return id
		}
	}
}

// settle finishes the requests that are due. Every step can be repeated.
func (s *Service) settle() error {
	for _, v := range s.running() {
		if s.clock.Now().Before(v.Due) {
			continue
		}
		v.State = succeeded
		if v.Failure = s.whyNot(v); v.Failure != "" {
			v.State = failed
			if err := s.forget(v.AccountID); err != nil {
				return err
			}
		} else if err := s.makeAccount(v); err != nil {
			return err
		}
		if err := s.putCreation(v); err != nil {
			return err
		}
	}
	return nil
}

// whyNot tells why an account cannot be made. Closed accounts count: they keep
// their addresses for ever, and their places in the quota for 90 days.
func (s *Service) whyNot(v creation) string {
	others := slices.DeleteFunc(s.org.Accounts(), func(a org.Account) bool { return a.ID == v.AccountID })
	if slices.ContainsFunc(others, func(a org.Account) bool { return strings.EqualFold(a.Address(), v.Email) }) {
		return emailExists
	}
	members := slices.DeleteFunc(others, func(a org.Account) bool { return a.Standalone })
	if len(members) >= s.quotas.Limit(s.org.Management(), "", quota.Accounts) {
		return accountLimitExceeded
	}
	return ""
}

// makeAccount makes an account exist, with the role by which the management account
// gets into it.
func (s *Service) makeAccount(v creation) error {
	if err := s.org.Add(org.Account{ID: v.AccountID, Name: v.Name, Email: v.Email, Vended: true}, s.iam); err != nil {
		return err
	}
	return s.iam.SeedRole(iam.Role{
		Account: v.AccountID, Name: v.Role, Path: "/",
		Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + s.org.Management() +
			`:root"},"Action":"sts:AssumeRole"}]}`,
		Policies: iam.Policies{Attached: []string{"arn:aws:iam::aws:policy/AdministratorAccess"}},
	})
}

func (s *Service) describeCreation(_ *api.Call, in struct {
	ID string `json:"CreateAccountRequestId"`
}) (any, error) {
	v, ok := s.creations.Get("", "", in.ID)
	if !ok {
		return nil, api.Errorf("CreateAccountStatusNotFoundException", "You specified a create account request that doesn't exist.")
	}
	return creationAnswer{v.answer()}, nil
}

func (s *Service) listCreations(_ *api.Call, in struct {
	States []string
	jsonapi.Paging
}) (any, error) {
	list := s.creations.List("", "")
	if len(in.States) > 0 {
		list = slices.DeleteFunc(list, func(v creation) bool { return !slices.Contains(in.States, v.State) })
	}
	list, next, err := page(list, func(v creation) string { return v.ID }, in.Paging)
	if err != nil {
		return nil, err
	}
	answer := struct {
		CreateAccountStatuses []creationJSON
		jsonapi.Next
	}{[]creationJSON{}, next}
	for _, v := range list {
		answer.CreateAccountStatuses = append(answer.CreateAccountStatuses, v.answer())
	}
	return answer, nil
}
