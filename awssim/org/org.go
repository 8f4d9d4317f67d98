// Package org is the simulated organisation: which accounts exist and what they
// begin with.
package org

import (
	"cmp"
	"fmt"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/auth"
	"kargo.dev/kargo/awssim/iam"
	"kargo.dev/kargo/awssim/store"
)

// adminUser is the user whose access key is given to tests and people for an
// account. The root user has none, as AWS advises.
const adminUser = "admin"

// administrator is the policy of the user admin.
const administrator = "arn:aws:iam::aws:policy/AdministratorAccess"

// Account of the organisation.
type Account struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email,omitempty"` // of its root user; unique
	// Vended accounts were made by Organizations; all others by the configuration.
	Vended bool `json:"vended,omitempty"`
	// Standalone accounts are in no organisation.
	Standalone bool `json:"standalone,omitempty"`
	// Joined is when the account came to be here.
	Joined time.Time `json:"joined,omitzero"`
	// CloseAsked is when somebody asked to close the account, and Closed when that
	// is done: from then on nothing in it answers any more.
	CloseAsked time.Time `json:"closeAsked,omitzero"`
	Closed     time.Time `json:"closed,omitzero"`
}

// Address is the e-mail address of the account's root user. Every account has one.
func (a Account) Address() string { return cmp.Or(a.Email, a.ID+"@accounts.example") }

// Organisation knows the accounts. What it was seeded with stays in the store.
type Organisation struct {
	accounts *store.Table[Account]
	settings *store.Table[settings]
	users    *store.Table[api.Identity] // whose keys are given away, by account and name
	keys     *auth.Keys
	clock    api.Clock
}

// settings are what the configuration says of the whole.
type settings struct {
	Factory    Factory `json:"factory"`
	Management string  `json:"management"`
}

// Options of an Organisation.
type Options struct {
	Store *store.Store
	Keys  *auth.Keys
	Clock api.Clock
}

// New returns the organisation in a store.
func New(o Options) *Organisation {
	return &Organisation{
		accounts: store.NewTable[Account](o.Store, "org-accounts"),
		settings: store.NewTable[settings](o.Store, "org-settings"),
		users:    store.NewTable[api.Identity](o.Store, "org-users"),
		keys:     o.Keys,
		clock:    o.Clock,
	}
}

// Account finds an account by its id.
func (o *Organisation) Account(id string) (Account, bool) { return o.accounts.Get(id, "", id) }

// Accounts lists all accounts by id.
func (o *Organisation) Accounts() []Account {
	var list []Account
	for _, a := range o.accounts.All() {
		list = append(list, a)
	}
	return list
}

// Alias implements iam.Accounts: the name of a configured account is its alias.
// Vended ones have none until somebody gives them one, which is not simulated.
func (o *Organisation) Alias(id string) (string, bool) {
	a, ok := o.Account(id)
	if a.Vended {
		return "", ok
	}
	return a.Name, ok
}

// Management is the organisation's management account.
func (o *Organisation) Management() string { return o.whole().Management }

func (o *Organisation) whole() settings {
	s, _ := o.settings.Get("", "", wholeID)
	return s
}

// wholeID is the key of the one record of settings.
const wholeID = "organisation"

// Open tells whether an account answers: it exists and is not closed.
func (o *Organisation) Open(id string) bool {
	a, ok := o.Account(id)
	return ok && (a.Closed.IsZero() || o.clock.Now().Before(a.Closed))
}

// Roles are the roles of the accounts that answer; those of closed ones are gone.
type Roles struct {
	Organisation *Organisation
	IAM          *iam.Service
}

// Role implements sts.Roles.
func (r Roles) Role(account, name string) (iam.Role, bool) {
	if !r.Organisation.Open(account) {
		return iam.Role{}, false
	}
	return r.IAM.Role(account, name)
}

// Put writes an account.
func (o *Organisation) Put(a Account) error {
	if err := o.accounts.Put(a.ID, "", a.ID, a); err != nil {
		return fmt.Errorf("keep account %s: %w", a.ID, err)
	}
	return nil
}

// Add makes an account exist for all services, with its user admin. One that is
// there stays as it is but for its name and address.
func (o *Organisation) Add(a Account, service *iam.Service) error {
	if old, ok := o.Account(a.ID); ok {
		old.Name, old.Email, old.Standalone = a.Name, a.Email, a.Standalone
		a = old
	} else {
		a.Joined = o.clock.Now().UTC().Truncate(time.Millisecond)
	}
	if err := o.Put(a); err != nil {
		return err
	}
	return o.seedUser(service, a.ID, adminUser, iam.Policies{Attached: []string{administrator}})
}

// Seed makes all exist that a configuration names. Doing so again changes
// nothing but what the configuration changed; nothing is removed.
func (o *Organisation) Seed(c Config, service *iam.Service) error {
	for _, a := range c.Accounts {
		if err := o.Add(Account{ID: a.ID, Name: a.Name, Email: a.Email, Standalone: a.Standalone}, service); err != nil {
			return err
		}
		for _, r := range a.Roles {
			role := iam.Role{Account: a.ID, Name: r.Name, Path: r.Path, Description: r.Description, Trust: string(r.Trust),
				Policies: r.policies(), MaxSessionDuration: r.MaxSessionDuration, Tags: r.Tags}
			if err := service.SeedRole(role); err != nil {
				return err
			}
		}
	}
	whole := settings{Factory: c.Factory, Management: cmp.Or(c.Management, c.Factory.Account)}
	if err := o.settings.Put("", "", wholeID, whole); err != nil {
		return fmt.Errorf("seed the organisation: %w", err)
	}
	return o.seedUser(service, c.Factory.Account, c.Factory.User, iam.Policies{Inline: texts(c.Factory.Policies)})
}

func (o *Organisation) seedUser(service *iam.Service, account, name string, p iam.Policies) error {
	identity, err := service.SeedUser(account, name, p)
	if err != nil {
		return err
	}
	if err := o.users.Put(account, "", name, identity); err != nil {
		return fmt.Errorf("seed user %s: %w", identity.ARN, err)
	}
	_, err = o.keys.OfUser(identity)
	return err
}

// TestKey is an access key for tests and people.
type TestKey struct {
	ID              string `json:"id"` // of the account
	Name            string `json:"name"`
	User            string `json:"user"`
	ARN             string `json:"arn"`
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
}

// TestKeys are an administrator's key of every account and the factory's own.
type TestKeys struct {
	Accounts []TestKey `json:"accounts"`
	Factory  TestKey   `json:"factory"`
}

// TestKeys lists the keys. They were made when the accounts were seeded.
func (o *Organisation) TestKeys() (TestKeys, error) {
	list := TestKeys{Accounts: []TestKey{}}
	for _, a := range o.Accounts() {
		key, err := o.testKey(a, adminUser)
		if err != nil {
			return list, err
		}
		list.Accounts = append(list.Accounts, key)
	}
	factory := o.whole().Factory
	if factory.Account == "" {
		return list, nil // not seeded yet
	}
	account, _ := o.Account(factory.Account)
	var err error
	list.Factory, err = o.testKey(account, factory.User)
	return list, err
}

func (o *Organisation) testKey(a Account, user string) (TestKey, error) {
	identity, ok := o.users.Get(a.ID, "", user)
	if !ok {
		return TestKey{}, fmt.Errorf("account %s has no user %s", a.ID, user)
	}
	key, err := o.keys.OfUser(identity)
	if err != nil {
		return TestKey{}, err
	}
	return TestKey{ID: a.ID, Name: a.Name, User: user, ARN: identity.ARN, AccessKeyID: key.ID, SecretAccessKey: key.Secret}, nil
}
