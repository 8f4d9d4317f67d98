package auth

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/sigv4"
)

const (
	tokenPrefix   = "k8s-aws-v1."
	maxToken      = 4 * 1024
	clusterHeader = "x-k8s-aws-id"
	// tokenLife is how long a token is good after X-Amz-Date, whatever X-Amz-Expires says.
	tokenLife = 15 * time.Minute
	// maxExpires bounds X-Amz-Expires all the same.
	maxExpires = 15 * time.Minute
)

// VerifyToken tells whose login to a cluster a bearer token is. The token is
// "k8s-aws-v1." and a presigned GetCallerIdentity in base64url.
func (a *Authenticator) VerifyToken(token, cluster string) (api.Identity, error) {
	if len(token) > maxToken {
		return api.Identity{}, fmt.Errorf("the token is longer than %d bytes", maxToken)
	}
	encoded, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok {
		return api.Identity{}, fmt.Errorf("the token does not begin with %q", tokenPrefix)
	}
	presigned, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return api.Identity{}, fmt.Errorf("decode the token: %w", err)
	}
	return a.VerifyPresigned(string(presigned), cluster)
}

// VerifyPresigned tells who presigned a GetCallerIdentity for a cluster, by the
// rules of EKS's authenticator (pkg/token/token.go of
// sigs.k8s.io/aws-iam-authenticator), which sends the URL to STS; here the
// signature is checked at once.
func (a *Authenticator) VerifyPresigned(presigned, cluster string) (api.Identity, error) {
	u, err := url.Parse(presigned)
	if err != nil {
		return api.Identity{}, fmt.Errorf("parse the presigned URL: %w", err)
	}
	if !a.hosts[u.Host] || (u.Scheme != "http" && u.Scheme != "https") {
		return api.Identity{}, fmt.Errorf("the presigned URL goes to %s://%s, which is not STS", u.Scheme, u.Host)
	}
	if u.Path != "" && u.Path != "/" {
		return api.Identity{}, fmt.Errorf("unexpected path %q in the presigned URL", u.Path)
	}
	if err := checkParameters(u.RawQuery); err != nil {
		return api.Identity{}, err
	}
	r := &http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{}}
	r.Header.Set(clusterHeader, cluster)
	sig, err := sigv4.Parse(r)
	if err != nil {
		return api.Identity{}, fmt.Errorf("read the presigned URL's signature: %w", err)
	}
	if err := a.checkLogin(sig); err != nil {
		return api.Identity{}, err
	}
	key, err := a.key(sig)
	if err != nil {
		return api.Identity{}, err
	}
	if !sig.Matches(r, nil, key.Secret) {
		return api.Identity{}, fmt.Errorf("the presigned URL's signature does not match: another secret, or a token for another cluster than %s", cluster)
	}
	return key.Identity, nil
}

func (a *Authenticator) checkLogin(sig *sigv4.Signature) error {
	if sig.Service != "sts" {
		return fmt.Errorf("the presigned URL is signed for %q, not for sts", sig.Service)
	}
	if !sig.Signed(clusterHeader) {
		return fmt.Errorf("client did not sign the %s header in the presigned URL", clusterHeader)
	}
	if sig.Expires > maxExpires {
		return fmt.Errorf("X-Amz-Expires of %s is more than %s", sig.Expires, maxExpires)
	}
	now := a.now()
	if now.After(sig.Time.Add(tokenLife)) {
		return fmt.Errorf("the token has expired: it was signed at %s and is good for %s", sig.Time.Format(time.RFC3339), tokenLife)
	}
	if sig.Time.After(now.Add(skew)) {
		return fmt.Errorf("the token is not yet valid: it was signed at %s", sig.Time.Format(time.RFC3339))
	}
	return nil
}

// checkParameters allows only what a presigned GetCallerIdentity needs, once each.
func checkParameters(raw string) error {
	allowed := []string{"action", "version", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires",
		"x-amz-security-token", "x-amz-signature", "x-amz-signedheaders"}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return fmt.Errorf("parse the presigned URL's query: %w", err)
	}
	seen := map[string]bool{}
	for name, values := range query {
		lower := strings.ToLower(name)
		if !slices.Contains(allowed, lower) {
			return fmt.Errorf("query parameter %q is not allowed in the presigned URL", name)
		}
		if seen[lower] || len(values) != 1 {
			return fmt.Errorf("query parameter %q occurs twice in the presigned URL", name)
		}
		seen[lower] = true
	}
	if query.Get("Action") != "GetCallerIdentity" {
		return fmt.Errorf("the presigned URL is for action %q, not GetCallerIdentity", query.Get("Action"))
	}
	return nil
}
