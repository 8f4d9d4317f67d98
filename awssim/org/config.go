package org

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"

	"kargo.dev/kargo/awssim/iam"
	"kargo.dev/kargo/awssim/policy"
	"kargo.dev/kargo/awssim/quota"
)

// Config is what the simulator's AWS begins with, a JSON file.
type Config struct {
	// Factory is the account of the cluster factory and its user there.
	Factory Factory `json:"factory"`
	// Management is the organisation's management account, one of Accounts; the
	// factory's if empty.
	Management string          `json:"management,omitempty"`
	Accounts   []AccountConfig `json:"accounts"`
	// Quotas are values of Service Quotas; those without an account are for all
	// accounts, also for those that are made later.
	Quotas []quota.Setting `json:"quotas,omitempty"`
	// Closures is how many accounts Organizations closes within 30 days; AWS's quota if zero.
	Closures int `json:"closures,omitempty"`
}

// Factory is who creates clusters in all other accounts.
type Factory struct {
	Account string `json:"account"` // one of Accounts
	User    string `json:"user"`    // gets an access key; "kargo-factory" if empty
	// Policies are what the user may do, by name. If there are none, it may assume the
	// roles that are called kargo-factory in all accounts.
	Policies map[string]json.RawMessage `json:"policies,omitempty"`
}

// AccountConfig is an account and the roles it begins with.
type AccountConfig struct {
	ID    string       `json:"id"`   // 12 digits
	Name  string       `json:"name"` // also its alias
	Email string       `json:"email,omitempty"`
	Roles []RoleConfig `json:"roles,omitempty"`
	// Standalone accounts are in no organisation.
	Standalone bool `json:"standalone,omitempty"`
}

// RoleConfig is a role that exists from the start.
type RoleConfig struct {
	Name        string          `json:"name"`
	Path        string          `json:"path,omitempty"` // "/" if empty
	Description string          `json:"description,omitempty"`
	Trust       json.RawMessage `json:"trust"`              // the trust policy document
	Policies    []string        `json:"policies,omitempty"` // ARNs of AWS managed policies
	// Inline are policies of the role itself, by name.
	Inline map[string]json.RawMessage `json:"inline,omitempty"`
	// PermissionsBoundary is the ARN of an AWS managed policy.
	PermissionsBoundary string `json:"permissionsBoundary,omitempty"`
	// MaxSessionDuration in seconds; 3600 if zero.
	MaxSessionDuration int               `json:"maxSessionDuration,omitempty"`
	Tags               map[string]string `json:"tags,omitempty"`
}

// assumeFactoryRoles is what the factory's user may do by default.
const assumeFactoryRoles = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],` +
	`"Resource":"arn:aws:iam::*:role/kargo-factory"}]}`

var (
	accountID   = regexp.MustCompile(`^\d{12}$`)
	accountName = regexp.MustCompile(`^[a-z0-9](-?[a-z0-9]){2,62}$`) // an account alias
	roleName    = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)
	rolePath    = regexp.MustCompile(`^/([\x21-\x7E]+/)?$`)
)

// ReadConfig reads and checks a configuration file.
func ReadConfig(path string) (Config, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("read the simulator's accounts: %w", err)
	}
	c, err := ParseConfig(raw)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// ParseConfig reads a configuration and fills in defaults.
func ParseConfig(raw []byte) (Config, error) {
	var c Config
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Config{}, fmt.Errorf("parse the configuration: %w", err)
	}
	if c.Factory.User == "" {
		c.Factory.User = "kargo-factory"
	}
	if len(c.Factory.Policies) == 0 {
		c.Factory.Policies = map[string]json.RawMessage{"assume-factory-roles": json.RawMessage(assumeFactoryRoles)}
	}
	return c, c.validate()
}

func (c *Config) validate() error {
	var errs []error
	ids, names := map[string]bool{}, map[string]bool{}
	for i := range c.Accounts {
		a := &c.Accounts[i]
		switch {
		case !accountID.MatchString(a.ID):
			errs = append(errs, fmt.Errorf("accounts[%d]: id %q is not 12 digits", i, a.ID))
		case ids[a.ID]:
			errs = append(errs, fmt.Errorf("accounts[%d]: id %s occurs twice", i, a.ID))
		case !accountName.MatchString(a.Name):
			errs = append(errs, fmt.Errorf("account %s: name %q must be 3 to 63 lower case letters, digits and single hyphens", a.ID, a.Name))
		case names[a.Name]:
			errs = append(errs, fmt.Errorf("account %s: name %q occurs twice", a.ID, a.Name))
		}
		ids[a.ID], names[a.Name] = true, true
		for j := range a.Roles {
			if err := a.Roles[j].validate(); err != nil {
				errs = append(errs, fmt.Errorf("account %s: %w", a.ID, err))
			}
		}
	}
	if !ids[c.Factory.Account] {
		errs = append(errs, fmt.Errorf("factory.account %q is not among the accounts", c.Factory.Account))
	}
	manages := func(a AccountConfig) bool { return a.ID == cmp.Or(c.Management, c.Factory.Account) && !a.Standalone }
	if !slices.ContainsFunc(c.Accounts, manages) {
		errs = append(errs, fmt.Errorf("management %q is not among the accounts, or stands alone", c.Management))
	}
	if c.Closures < 0 {
		errs = append(errs, fmt.Errorf("closures %d is negative", c.Closures))
	}
	return errors.Join(errs...)
}

func (r *RoleConfig) validate() error {
	if r.Path == "" {
		r.Path = "/"
	}
	if !roleName.MatchString(r.Name) || !rolePath.MatchString(r.Path) {
		return fmt.Errorf("role name %q or path %q is malformed", r.Name, r.Path)
	}
	if _, err := policy.Parse(string(r.Trust)); err != nil {
		return fmt.Errorf("role %s: trust: %w", r.Name, err)
	}
	for name, document := range r.Inline {
		if _, err := policy.Parse(string(document)); err != nil {
			return fmt.Errorf("role %s: policy %s: %w", r.Name, name, err)
		}
	}
	if r.MaxSessionDuration != 0 && (r.MaxSessionDuration < 3600 || r.MaxSessionDuration > 43200) {
		return fmt.Errorf("role %s: maxSessionDuration %d is not between 3600 and 43200", r.Name, r.MaxSessionDuration)
	}
	return nil
}

func (r *RoleConfig) policies() iam.Policies {
	return iam.Policies{Attached: slices.Clone(r.Policies), Inline: texts(r.Inline), Boundary: r.PermissionsBoundary}
}

// texts are documents as they were written.
func texts(documents map[string]json.RawMessage) map[string]string {
	list := map[string]string{}
	for name, d := range documents {
		list[name] = string(d)
	}
	return list
}
