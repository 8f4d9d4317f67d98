package auth

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/sigv4"
)

// skew is how far a client's clock may be off, for header signatures and for
// the start of presigned ones.
const skew = 5 * time.Minute

// Reason is why a request is refused; every service has its own code for it.
type Reason int

// The reasons.
const (
	Missing    Reason = iota // no signature
	Incomplete               // a malformed signature
	UnknownKey               // no such access key, or not its session token
	ExpiredKey               // the session is over
	Expired                  // signed too long ago, or in the future
	Mismatch                 // the secret is another one, or the request was changed
)

// Error says why a request is refused, in AWS's words.
type Error struct {
	Reason  Reason
	Message string
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Scope is who signed a request, and for which service and region.
type Scope struct {
	Caller  api.Identity
	Service string // the signing name
	Region  string
}

// Authenticator checks signatures.
type Authenticator struct {
	keys   *Keys
	now    func() time.Time
	hosts  map[string]bool
	closed func(account, service, region string) bool
}

// Options of an Authenticator.
type Options struct {
	Keys  *Keys
	Clock api.Clock
	// Hosts (host:port) the simulator is reached at: presigned URLs that leave
	// the client as a token must name one of them.
	Hosts []string
	// Closed tells where an account's keys are not accepted: everywhere if the account
	// is closed, and in regions it has not enabled. Nil if that is nowhere.
	Closed func(account, service, region string) bool
}

// New returns an Authenticator.
func New(o Options) *Authenticator {
	a := &Authenticator{keys: o.Keys, now: o.Clock.Now, hosts: map[string]bool{}, closed: o.Closed}
	if a.closed == nil {
		a.closed = func(_, _, _ string) bool { return false }
	}
	for _, h := range o.Hosts {
		a.hosts[h] = true
	}
	return a
}

// Authenticate finds out who signed a request. The error is an *Error. The scope
// says as much as the request claims even if there is an error.
func (a *Authenticator) Authenticate(r *http.Request, body []byte) (Scope, error) {
	sig, err := sigv4.Parse(r)
	switch {
	case errors.Is(err, sigv4.ErrMissing):
		return Scope{}, &Error{Missing, "Request is missing Authentication Token"}
	case err != nil:
		return Scope{}, &Error{Incomplete, err.Error()}
	}
	scope := Scope{Service: sig.Service, Region: sig.Region}
	key, err := a.key(sig)
	if err != nil {
		return scope, err
	}
	scope.Caller = key.Identity
	if err := a.current(sig); err != nil {
		return scope, err
	}
	if !sig.Matches(r, body, key.Secret) {
		return scope, &Error{Mismatch, "The request signature we calculated does not match the signature you provided. " +
			"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."}
	}
	return scope, nil
}

// key finds the key of a signature and checks its session.
func (a *Authenticator) key(sig *sigv4.Signature) (Key, error) {
	key, ok := a.keys.Lookup(sig.AccessKeyID)
	if !ok || subtle.ConstantTimeCompare([]byte(key.SessionToken), []byte(sig.SessionToken)) != 1 ||
		a.closed(key.Identity.AccountID, sig.Service, sig.Region) {
		return Key{}, &Error{UnknownKey, "The security token included in the request is invalid."}
	}
	if key.Temporary() && !a.now().Before(key.Expires) {
		return Key{}, &Error{ExpiredKey, "The security token included in the request is expired"}
	}
	return key, nil
}

// current checks when the request was signed.
func (a *Authenticator) current(sig *sigv4.Signature) error {
	now := a.now().UTC()
	valid := skew
	if sig.Presigned {
		valid = sig.Expires
	}
	format := func(t time.Time) string { return t.Format(sigv4.TimeFormat) }
	if end := now.Add(-valid); sig.Time.Before(end) {
		return &Error{Expired, fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - %d min.)",
			format(sig.Time), format(end), format(now), int(valid.Minutes()))}
	}
	if begin := now.Add(skew); sig.Time.After(begin) {
		return &Error{Expired, fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + %d min.)",
			format(sig.Time), format(begin), format(now), int(skew.Minutes()))}
	}
	return nil
}
