// Package auth knows the access keys of all accounts and finds out who signed a
// request. It is the simulator's gate: nothing gets past it on a claim alone.
package auth

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/store"
)

// Key is an access key: a user's for good, or a role session's for a while.
type Key struct {
	ID       string       `json:"id"`
	Secret   string       `json:"secret"`
	Identity api.Identity `json:"identity"`

	// The rest belongs to sessions of roles.
	SessionToken   string            `json:"sessionToken,omitempty"`
	Expires        time.Time         `json:"expires,omitzero"`
	Issued         time.Time         `json:"issued,omitzero"`
	RoleARN        string            `json:"roleARN,omitempty"` // with the role's path, unlike Identity.ARN
	RoleID         string            `json:"roleID,omitempty"`  // AROA...
	SourceIdentity string            `json:"sourceIdentity,omitempty"`
	Tags           map[string]string `json:"tags,omitempty"`
	TransitiveTags []string          `json:"transitiveTags,omitempty"`
	// Policies are the session policies given to AssumeRole.
	Policies []string `json:"policies,omitempty"`
}

// Temporary tells whether the key is of a role session.
func (k Key) Temporary() bool { return k.SessionToken != "" }

// keptAfterExpiry is how long an expired key is answered with ExpiredToken; then
// it is forgotten and answered as unknown. (AWS knows for ever: its tokens carry
// their own expiry.)
const keptAfterExpiry = 24 * time.Hour

// Keys are the access keys of all accounts, kept in the store.
type Keys struct {
	store *store.Store
	table *store.Table[Key]
	now   func() time.Time
}

// NewKeys returns the access keys in a store.
func NewKeys(s *store.Store, clock api.Clock) *Keys {
	return &Keys{store: s, table: store.NewTable[Key](s, "access-keys", store.GlobalIDs()), now: clock.Now}
}

// Lookup finds a key by its id.
func (k *Keys) Lookup(id string) (Key, bool) {
	account, ok := k.store.Owner(id)
	if !ok {
		return Key{}, false
	}
	return k.table.Get(account, "", id)
}

// OfUser returns a user's first key and makes one if there is none.
func (k *Keys) OfUser(user api.Identity) (Key, error) {
	for _, key := range k.table.List(user.AccountID, "") {
		if key.Identity.ARN == user.ARN && !key.Temporary() {
			return key, nil
		}
	}
	key := Key{ID: NewID("AKIA", 16), Secret: newSecret(), Identity: user}
	key.Identity.AccessKeyID = key.ID
	return key, k.put(key)
}

// IssueSession completes a role session's key (its id, secret and token) and
// keeps it.
func (k *Keys) IssueSession(key Key) (Key, error) {
	k.forgetExpired(key.Identity.AccountID)
	key.ID, key.Secret = NewID("ASIA", 16), newSecret()
	key.Identity.AccessKeyID = key.ID
	key.SessionToken, key.Issued = newToken(), k.now().UTC()
	return key, k.put(key)
}

// RevokeSessions makes the sessions of a deleted role invalid.
func (k *Keys) RevokeSessions(account, roleID string) error {
	for _, key := range k.table.List(account, "") {
		if key.RoleID == roleID {
			if err := k.table.Delete(account, "", key.ID); err != nil {
				return fmt.Errorf("revoke a session of role %s: %w", roleID, err)
			}
		}
	}
	return nil
}

func (k *Keys) forgetExpired(account string) {
	for _, key := range k.table.List(account, "") {
		if key.Temporary() && k.now().After(key.Expires.Add(keptAfterExpiry)) {
			// An expired key is of no use to anybody: failing to forget it harms nobody.
			_ = k.table.Delete(account, "", key.ID)
		}
	}
}

func (k *Keys) put(key Key) error {
	if err := k.table.Put(key.Identity.AccountID, "", key.ID, key); err != nil {
		return fmt.Errorf("keep an access key of %s: %w", key.Identity.ARN, err)
	}
	return nil
}

// NewID returns a unique id in IAM's format: a prefix that says what it is of
// (AROA, AIDA, AKIA, ...) and n characters of base32.
func NewID(prefix string, n int) string {
	var b strings.Builder
	b.WriteString(prefix)
	for b.Len() < len(prefix)+n {
		b.WriteString(rand.Text())
	}
	return b.String()[:len(prefix)+n]
}

// newSecret returns 40 characters, as AWS's secrets have.
func newSecret() string { return base64.StdEncoding.EncodeToString(randomBytes(30)) }

// newToken returns a session token; AWS's are some 400 to 1000 characters.
func newToken() string {
	return base64.StdEncoding.EncodeToString(append([]byte{0x21, 0x70, 0x09}, randomBytes(297)...))
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: https://pkg.go.dev/crypto/rand#Read
	return b
}
