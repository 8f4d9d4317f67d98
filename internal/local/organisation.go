package local

import (
	"encoding/json"
	"fmt"

	"kargo.dev/kargo/awssim/org"
	"kargo.dev/kargo/internal/account"
	"kargo.dev/kargo/internal/factoryrole"
	"kargo.dev/kargo/internal/local/components"
)

const (
	// factoryAccount is the central account.
	factoryAccount = "100000000000"
	factoryUser    = "kargo-factory"
	// factoryRole is the role in each team account that the factory assumes.
	factoryRole = "kargo-factory"
	// region of the example's accounts.
	region = "eu-central-1"
)

// teamAccount is an account of the example's teams. The teams and accounts are
// the same that management/ of the fleet repository declares.
type teamAccount struct {
	ID, Name, Team string
	// Cluster tells that the example has a cluster of the account's name in it.
	Cluster bool
}

func teamAccounts() []teamAccount {
	return []teamAccount{
		{ID: "111111111111", Name: "shop-prod", Team: "shop", Cluster: true},
		{ID: "111111111112", Name: "shop-nonprod", Team: "shop", Cluster: true},
		{ID: "111111111113", Name: "shop-lab", Team: "shop"},
		{ID: "222222222221", Name: "media-prod", Team: "media", Cluster: true},
		{ID: "222222222222", Name: "media-nonprod", Team: "media", Cluster: true},
	}
}

// organisation is the AWS organisation that awssim simulates: the factory's
// account and the teams', each with the roles KARGO expects in it.
func organisation() (org.Config, error) {
	c := org.Config{
		Factory:  org.Factory{Account: factoryAccount, User: factoryUser},
		Accounts: []org.AccountConfig{{ID: factoryAccount, Name: "factory"}},
	}
	for _, a := range teamAccounts() {
		roles, err := teamRoles(a.ID)
		if err != nil {
			return org.Config{}, err
		}
		c.Accounts = append(c.Accounts, org.AccountConfig{ID: a.ID, Name: a.Name, Roles: roles})
	}
	return c, nil
}

// statement of a trust policy.
type statement struct {
	Effect    string
	Principal map[string]string
	Action    string
}

func trust(s statement) (json.RawMessage, error) {
	b, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []statement{s}})
	if err != nil {
		return nil, fmt.Errorf("encode a trust policy: %w", err)
	}
	return b, nil
}

func teamRoles(id string) ([]org.RoleConfig, error) {
	factory, err := teamFactoryRole(id)
	if err != nil {
		return nil, err
	}
	own, err := trust(statement{
		Effect: "Allow", Action: "sts:AssumeRole",
		Principal: map[string]string{"AWS": "arn:aws:iam::" + id + ":root"},
	})
	if err != nil {
		return nil, err
	}
	const administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
	return []org.RoleConfig{
		factory,
		{Name: "team-admin", Description: "administrators of the account and its clusters", Trust: own, Policies: []string{administrator}},
		{Name: "team-viewer", Description: "see the account and its clusters", Trust: own, Policies: []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"}},
	}, nil
}

// teamFactoryRole is the role that `kargoctl account template` prints, with its
// policies and no others: what the factory may not do on AWS, it may not do here.
func teamFactoryRole(id string) (org.RoleConfig, error) {
	role := factoryrole.Role{
		AccountID: id, Region: region, Name: factoryRole,
		Principal:  "arn:aws:iam::" + factoryAccount + ":user/" + factoryUser,
		ExternalID: account.ExternalID(components.FactoryID, id),
		// The simulated clusters' API servers are their own issuers.
		LocalIssuers: []string{"127.0.0.1:*"},
	}
	if err := role.Validate(); err != nil {
		return org.RoleConfig{}, fmt.Errorf("the factory's role in account %s: %w", id, err)
	}
	policies, err := role.Inline()
	if err != nil {
		return org.RoleConfig{}, fmt.Errorf("the factory's role in account %s: %w", id, err)
	}
	trust, err := json.Marshal(role.Trust())
	if err != nil {
		return org.RoleConfig{}, fmt.Errorf("the factory's role in account %s: %w", id, err)
	}
	return org.RoleConfig{Name: factoryRole, Description: "assumed by KARGO's cluster factory", Trust: trust, Inline: policies}, nil
}
