package server

import (
	"encoding/json"
	"fmt"
	"iter"
	"regexp"
	"strings"
	"sync"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/store"
)

// maxViolations is how many are kept; all are counted.
const maxViolations = 1000

var (
	// arns finds ARNs that name an account. Their resource ends where text ends.
	arns = regexp.MustCompile(`arn:aws[a-z-]*:([a-z0-9-]*):[a-z0-9-]*:(\d{12}):([^\s"',\\]*)`)
	// ids finds what has the form of an id AWS makes up.
	ids = regexp.MustCompile(`[a-z]+(?:-[a-z]+)*-[0-9a-f]{8,}|A[A-Z]{3}[A-Z0-9]{16,17}`)
	// identities finds ARNs of identities, which policies may name across accounts.
	identities = regexp.MustCompile(`^(root$|role/|user/|assumed-role/)`)
)

// Violation is a call that named something of another account.
type Violation struct {
	N         int64     `json:"n"`    // counts violations
	Call      int64     `json:"call"` // the call's number, or near it if calls overlap
	Time      time.Time `json:"time"`
	RequestID string    `json:"requestId"`
	Service   string    `json:"service"`
	Operation string    `json:"operation"`
	Account   string    `json:"account"` // of the caller
	Caller    string    `json:"caller"`
	Owner     string    `json:"owner"` // the account it belongs to
	Where     string    `json:"where"` // parameter, path label or field
	Value     string    `json:"value"` // the ARN or id
}

// border watches that calls stay within their caller's account.
type border struct {
	owner func(id string) (string, bool)
	table *store.Table[Violation]
	keep  int64

	mu   sync.Mutex
	last int64
}

func newBorder(s *store.Store) *border {
	b := &border{owner: s.Owner, table: store.NewTable[Violation](s, "violations"), keep: maxViolations}
	for _, v := range b.table.All() {
		b.last = max(b.last, v.N)
	}
	return b
}

// check records what a call names that is another account's, and returns how
// much that is. The call goes on: services look things up in the caller's own
// account and find nothing, as on AWS.
func (b *border) check(c *api.Call, number int64) int {
	seen := map[string]bool{}
	for where, value := range texts(c) {
		for what, owner := range b.foreign(c, where, value) {
			if seen[what] {
				continue
			}
			seen[what] = true
			b.add(Violation{Call: number, Time: c.Now.UTC(), RequestID: c.ID, Service: c.Service, Operation: c.Operation,
				Account: c.Caller.AccountID, Caller: c.Caller.ARN, Owner: owner, Where: where, Value: what})
		}
	}
	return len(seen)
}

// foreign finds in a text the ARNs and ids that are not the caller's account's.
func (b *border) foreign(c *api.Call, where, value string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, m := range arns.FindAllStringSubmatch(value, -1) {
			arn, service, account, resource := m[0], m[1], m[2], m[3]
			if account == c.Caller.AccountID || mayName(c, where, service, resource) {
				continue
			}
			if !yield(arn, account) {
				return
			}
		}
		candidates := append(ids.FindAllString(value, -1), value)
		for _, id := range candidates {
			owner, ok := b.owner(id)
			if ok && owner != c.Caller.AccountID && !strings.HasPrefix(id, "arn:") {
				if !yield(id, owner) {
					return
				}
			}
		}
	}
}

// mayName tells whether an ARN of another account is legitimate where it stands:
// the role that is assumed, identities in policy documents, whose very purpose is
// to name others, and what the organisation's management account governs.
func mayName(c *api.Call, where, service, resource string) bool {
	if c.Service == "organizations" {
		return true
	}
	if c.Service == "sts" && c.Operation == "AssumeRole" {
		return where == "RoleArn" || where == "Policy"
	}
	if c.Service == "iam" && strings.HasPrefix(c.Operation, "Simulate") {
		return true // a question, which touches nothing
	}
	return c.Service == "iam" && strings.HasSuffix(where, "PolicyDocument") &&
		(service == "iam" || service == "sts") && identities.MatchString(resource)
}

// texts iterates over all that a call says, by where it says it.
func texts(c *api.Call) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for name, values := range c.Params {
			for _, v := range values {
				if !yield(name, v) {
					return
				}
			}
		}
		for label, v := range c.Path {
			if !yield(label, v) {
				return
			}
		}
		var body any
		if json.Unmarshal(c.Body, &body) == nil {
			walk("", body, yield)
		}
	}
}

// walk visits the strings of a JSON value, keys included.
func walk(where string, v any, yield func(string, string) bool) bool {
	switch v := v.(type) {
	case string:
		return yield(where, v)
	case []any:
		for _, item := range v {
			if !walk(where, item, yield) {
				return false
			}
		}
	case map[string]any:
		for key, item := range v {
			path := strings.TrimPrefix(where+"."+key, ".")
			if !yield(path, key) || !walk(path, item, yield) {
				return false
			}
		}
	}
	return true
}

func (b *border) add(v Violation) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	v.N = b.last
	// A violation that cannot be kept is still counted until the restart.
	_ = b.table.Put("", "", violationKey(v.N), v)
	_ = b.table.Delete("", "", violationKey(v.N-b.keep))
}

func violationKey(n int64) string { return fmt.Sprintf("%012d", n) }

// list returns how many violations there were and the last of them.
func (b *border) list() (int64, []Violation) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last, append([]Violation{}, b.table.List("", "")...)
}
