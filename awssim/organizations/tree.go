package organizations

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/org"
	"kargo.dev/kargo/awssim/policy"
	"kargo.dev/kargo/awssim/store"
)

// Tree is the organisation's structure: its root, units and accounts, and the
// policies at each of them. It is apart from the Service because IAM asks it for
// the policies over an account, and the Service needs IAM.
type Tree struct {
	org         *org.Organisation
	identity    identity
	units       *store.Table[unit]
	parents     *store.Table[string] // of accounts that are not directly below the root
	policies    *store.Table[controlPolicy]
	attachments *store.Table[[]string] // policies by target; FullAWSAccess where nothing was ever changed
	tags        *store.Table[map[string]string]
	parsed      policy.Cache
}

// identity are the organisation's own ids.
type identity struct {
	Organization string // o-...
	Root         string // r-...
}

// Kinds of what is in the tree, in AWS's words.
const (
	kindRoot    = "ROOT"
	kindUnit    = "ORGANIZATIONAL_UNIT"
	kindAccount = "ACCOUNT"
)

// OpenTree returns the tree in the store; at first it is a root.
func OpenTree(s *store.Store, o *org.Organisation) (*Tree, error) {
	t := &Tree{
		org:         o,
		units:       store.NewTable[unit](s, "organizations-units"),
		parents:     store.NewTable[string](s, "organizations-parents"),
		policies:    store.NewTable[controlPolicy](s, "organizations-policies"),
		attachments: store.NewTable[[]string](s, "organizations-attachments"),
		tags:        store.NewTable[map[string]string](s, "organizations-tags"),
	}
	identities := store.NewTable[identity](s, "organizations-identity")
	var ok bool
	if t.identity, ok = identities.Get("", "", "organization"); !ok {
		t.identity = identity{Organization: newID("o-", 10), Root: newID("r-", 4)}
		if err := identities.Put("", "", "organization", t.identity); err != nil {
			return nil, fmt.Errorf("make the organisation: %w", err)
		}
	}
	return t, nil
}

// newID makes an id of lower case letters and digits after a prefix.
func newID(prefix string, n int) string {
	return prefix + strings.ToLower(rand.Text())[:n]
}

func (t *Tree) arn(resource string) string {
	return "arn:aws:organizations::" + t.org.Management() + ":" + resource
}

func (t *Tree) below(kind, id string) string {
	return t.arn(kind + "/" + t.identity.Organization + "/" + id)
}

func (t *Tree) unitARN(id string) string    { return t.below("ou", id) }
func (t *Tree) accountARN(id string) string { return t.below("account", id) }

// account finds an account of the organisation.
func (t *Tree) account(id string) (org.Account, bool) {
	a, ok := t.org.Account(id)
	return a, ok && !a.Standalone
}

func (t *Tree) has(account string) bool {
	_, ok := t.account(account)
	return ok
}

// accounts lists the organisation's accounts.
func (t *Tree) accounts() []org.Account {
	return slices.DeleteFunc(t.org.Accounts(), func(a org.Account) bool { return a.Standalone })
}

// node is a root, unit or account.
type node struct {
	ID, Kind, ARN, Name string
}

// node finds what an id names.
func (t *Tree) node(id string) (node, bool) {
	if id == t.identity.Root {
		return node{ID: id, Kind: kindRoot, ARN: t.below("root", id), Name: "Root"}, true
	}
	if u, ok := t.units.Get("", "", id); ok {
		return node{ID: id, Kind: kindUnit, ARN: t.unitARN(id), Name: u.Name}, true
	}
	if a, ok := t.account(id); ok {
		return node{ID: id, Kind: kindAccount, ARN: t.accountARN(id), Name: a.Name}, true
	}
	return node{}, false
}

// parent finds a root or unit.
func (t *Tree) parent(id string) (node, error) {
	n, ok := t.node(id)
	if !ok || n.Kind == kindAccount {
		return n, api.Errorf("ParentNotFoundException", "You specified parent that doesn't exist.")
	}
	return n, nil
}

// parentOf is the root or unit that a unit or account is in; "" for the root.
func (t *Tree) parentOf(n node) string {
	switch n.Kind {
	case kindUnit:
		u, _ := t.units.Get("", "", n.ID)
		return u.Parent
	case kindAccount:
		if p, ok := t.parents.Get("", "", n.ID); ok {
			return p
		}
		return t.identity.Root
	}
	return ""
}

// path is the way from the root down to a node, both included.
func (t *Tree) path(n node) []node {
	path := []node{n}
	for id := t.parentOf(n); id != ""; id = t.parentOf(path[0]) {
		above, ok := t.node(id)
		if !ok {
			return path // a unit is deleted only while it is empty
		}
		path = slices.Insert(path, 0, above)
	}
	return path
}

// pathText is the path in the form of AWS's condition key aws:PrincipalOrgPaths.
func (t *Tree) pathText(n node) string {
	text := t.identity.Organization + "/"
	for _, p := range t.path(n) {
		text += p.ID + "/"
	}
	return text
}

// children of a root or unit.
func (t *Tree) children(parent, kind string) []node {
	var ids []string
	if kind == kindUnit {
		for _, u := range t.units.List("", "") {
			ids = append(ids, u.ID)
		}
	} else {
		for _, a := range t.accounts() {
			ids = append(ids, a.ID)
		}
	}
	var list []node
	for _, id := range ids {
		if n, ok := t.node(id); ok && t.parentOf(n) == parent {
			list = append(list, n)
		}
	}
	return list
}

// Membership of an account: the organisation's id, and the path that conditions on
// aws:PrincipalOrgPaths compare; false if the account is in no organisation.
func (t *Tree) Membership(account string) (organization, path string, ok bool) {
	n, ok := t.node(account)
	if !ok || n.Kind != kindAccount {
		return "", "", false
	}
	above, _ := t.node(t.parentOf(n))
	return t.identity.Organization, t.pathText(above), true
}

// ServiceControlPolicies are those in force over an account, by level from the root
// down to the account. Each level must allow what is done there. Nil for the
// management account, whom they do not concern, and outside of the organisation.
func (t *Tree) ServiceControlPolicies(account string) [][]policy.Source {
	n, ok := t.node(account)
	if !ok || n.Kind != kindAccount || account == t.org.Management() {
		return nil
	}
	var levels [][]policy.Source
	for _, above := range t.path(n) {
		level := []policy.Source{}
		for _, id := range t.attached(above.ID) {
			p, ok := t.policy(id)
			if !ok {
				continue
			}
			// What does not parse was refused when it was made.
			if document, err := t.parsed.Parse(p.Content); err == nil {
				level = append(level, policy.Source{Name: p.ID, Document: document})
			}
		}
		levels = append(levels, level)
	}
	return levels
}
