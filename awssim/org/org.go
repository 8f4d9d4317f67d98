// Package org is the simulated organisation: which accounts exist and what they
// begin with.
package org

import (
	"fmt"

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
	Email string `json:"email,omitempty"`
}

// Organisation knows the accounts. What it was seeded with stays in the store.
type Organisation struct {
	accounts *store.Table[Account]
	factory  *store.Table[Factory]
	users    *store.Table[api.Identity] // whose keys are given away, by account and name
	keys     *auth.Keys
}

// New returns the organisation in a store.
func New(s *store.Store, keys *auth.Keys) *Organisation {
	return &Organisation{
		accounts: store.NewTable[Account](s, "org-accounts"),
		factory:  store.NewTable[Factory](s, "org-factory"),
		users:    store.NewTable[api.Identity](s, "org-users"),
		keys:     keys,
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

// Alias implements iam.Accounts: an account's name is its alias.
func (o *Organisation) Alias(id string) (string, bool) {
	a, ok := o.Account(id)
	return a.Name, ok
}

// Seed makes all exist that a configuration names. Doing so again changes
// nothing but what the configuration changed; nothing is removed.
func (o *Organisation) Seed(c Config, service *iam.Service) error {
	for _, a := range c.Accounts {
		if err := o.accounts.Put(a.ID, "", a.ID, Account{ID: a.ID, Name: a.Name, Email: a.Email}); err != nil {
			return fmt.Errorf("seed account %s: %w", a.ID, err)
		}
		if err := o.seedUser(service, a.ID, adminUser, iam.Policies{Attached: []string{administrator}}); err != nil {
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
	if err := o.factory.Put("", "", "factory", c.Factory); err != nil {
		return fmt.Errorf("seed the factory: %w", err)
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
	factory, ok := o.factory.Get("", "", "factory")
	if !ok {
		return list, nil
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
