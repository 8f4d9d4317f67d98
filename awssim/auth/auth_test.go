package auth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/auth"
	"kargo.dev/kargo/awssim/store"
)

const (
	host       = "127.0.0.1:4566"
	emptyHash  = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	accountID  = "111111111111"
	sessionARN = "arn:aws:sts::111111111111:assumed-role/ops/anna"
)

type fixture struct {
	auth          *auth.Authenticator
	keys          *auth.Keys
	user, session auth.Key
	now           time.Time
}

func setup(t *testing.T) *fixture {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	f := &fixture{now: time.Now().UTC().Truncate(time.Second)}
	clock := api.Clock{Now: func() time.Time { return f.now }}
	f.keys = auth.NewKeys(s, clock)
	f.auth = auth.New(auth.Options{Keys: f.keys, Clock: clock, Hosts: []string{host}})
	if f.user, err = f.keys.OfUser(api.Identity{AccountID: accountID, ARN: "arn:aws:iam::111111111111:user/admin", UserID: "AIDAX"}); err != nil {
		t.Fatal(err)
	}
	f.session, err = f.keys.IssueSession(auth.Key{
		Identity: api.Identity{AccountID: accountID, ARN: sessionARN, UserID: "AROAX:anna"},
		RoleID:   "AROAX", RoleARN: "arn:aws:iam::111111111111:role/ops", Expires: f.now.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func credentials(k auth.Key) aws.Credentials {
	return aws.Credentials{AccessKeyID: k.ID, SecretAccessKey: k.Secret, SessionToken: k.SessionToken}
}

func TestAuthenticate(t *testing.T) {
	good := func(auth.Reason) auth.Reason { return -1 }(0)
	cases := map[string]struct {
		credentials func(f *fixture) aws.Credentials
		signedAt    time.Duration // from the simulator's now
		later       time.Duration // passes before the key was used
		revoke      bool
		want        auth.Reason
		reason      string
	}{
		"user":    {credentials: func(f *fixture) aws.Credentials { return credentials(f.user) }, want: good, reason: "a long-term key"},
		"session": {credentials: func(f *fixture) aws.Credentials { return credentials(f.session) }, want: good, reason: "a session's key and token"},
		"unknown key": {credentials: func(*fixture) aws.Credentials {
			return aws.Credentials{AccessKeyID: "AKIANOBODY", SecretAccessKey: "x"}
		}, want: auth.UnknownKey, reason: "no such key"},
		"wrong secret":    {credentials: func(f *fixture) aws.Credentials { return aws.Credentials{AccessKeyID: f.user.ID, SecretAccessKey: "x"} }, want: auth.Mismatch, reason: "the signature is made with another secret"},
		"no token":        {credentials: func(f *fixture) aws.Credentials { c := credentials(f.session); c.SessionToken = ""; return c }, want: auth.UnknownKey, reason: "a session's key is nothing without its token"},
		"another token":   {credentials: func(f *fixture) aws.Credentials { c := credentials(f.session); c.SessionToken += "="; return c }, want: auth.UnknownKey, reason: "the token is checked"},
		"token on user":   {credentials: func(f *fixture) aws.Credentials { c := credentials(f.user); c.SessionToken = "x"; return c }, want: auth.UnknownKey, reason: "users have no tokens"},
		"session is over": {credentials: func(f *fixture) aws.Credentials { return credentials(f.session) }, later: time.Hour, want: auth.ExpiredKey, reason: "expiry is exact"},
		"role is deleted": {credentials: func(f *fixture) aws.Credentials { return credentials(f.session) }, revoke: true, want: auth.UnknownKey, reason: "sessions end with their role"},
		"slow clock":      {credentials: func(f *fixture) aws.Credentials { return credentials(f.user) }, signedAt: -6 * time.Minute, want: auth.Expired, reason: "5 minutes are allowed"},
		"fast clock":      {credentials: func(f *fixture) aws.Credentials { return credentials(f.user) }, signedAt: 6 * time.Minute, want: auth.Expired, reason: "5 minutes are allowed"},
		"tolerable clock": {credentials: func(f *fixture) aws.Credentials { return credentials(f.user) }, signedAt: -4 * time.Minute, want: good, reason: "5 minutes are allowed"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := setup(t)
			f.now = f.now.Add(tc.later)
			if tc.revoke {
				if err := f.keys.RevokeSessions(accountID, "AROAX"); err != nil {
					t.Fatal(err)
				}
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/clusters", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if err := v4.NewSigner().SignHTTP(t.Context(), tc.credentials(f), r, emptyHash, "eks", "eu-west-1", f.now.Add(tc.signedAt)); err != nil {
				t.Fatal(err)
			}
			scope, err := f.auth.Authenticate(r, nil)
			got := good
			var refused *auth.Error
			if errors.As(err, &refused) {
				got = refused.Reason
			}
			if got != tc.want {
				t.Errorf("reason %d (%v), want %d: %s", got, err, tc.want, tc.reason)
			}
			if scope.Service != "eks" || scope.Region != "eu-west-1" {
				t.Errorf("scope %+v", scope)
			}
		})
	}
}

// login makes a token as CAPA and `aws eks get-token` do.
func login(t *testing.T, f *fixture, endpoint, cluster string, expires string, edit func(string) string) string {
	t.Helper()
	client := sts.NewPresignClient(sts.New(sts.Options{Region: "eu-west-1", BaseEndpoint: aws.String(endpoint),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return credentials(f.session), nil })}))
	r, err := client.PresignGetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}, func(o *sts.PresignOptions) {
		o.ClientOptions = append(o.ClientOptions, func(o *sts.Options) {
			if cluster != "" {
				o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("x-k8s-aws-id", cluster))
			}
			o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("X-Amz-Expires", expires))
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	u := r.URL
	if edit != nil {
		u = edit(u)
	}
	return "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte(u))
}

func TestVerifyToken(t *testing.T) {
	cases := map[string]struct {
		endpoint, cluster, expires string
		later                      time.Duration
		edit                       func(string) string
		want                       string // "" = accepted
		reason                     string
	}{
		"good":              {reason: "what CAPA sends"},
		"after ten minutes": {later: 10 * time.Minute, reason: "EKS stretches X-Amz-Expires of 60 to 15 minutes"},
		"after 16 minutes":  {later: 16 * time.Minute, want: "expired", reason: "and not longer"},
		"after the session": {later: 14 * time.Minute, reason: "the session lasts an hour"},
		"another cluster":   {cluster: "other", want: "does not match", reason: "the cluster's name is signed"},
		"no cluster":        {cluster: "-", want: "did not sign", reason: "a plain presigned call is no login"},
		"another host":      {endpoint: "http://sts.example.com", want: "not STS", reason: "the token would be sent there"},
		"long expiry":       {expires: "901", want: "more than", reason: "the authenticator's bound"},
		"another action":    {edit: func(u string) string { return strings.Replace(u, "GetCallerIdentity", "GetSessionToken", 1) }, want: "not GetCallerIdentity", reason: "only that"},
		"more parameters":   {edit: func(u string) string { return u + "&a=b" }, want: "not allowed", reason: "whitelist"},
		"twice":             {edit: func(u string) string { return u + "&action=GetCallerIdentity" }, want: "twice", reason: "whitelist"},
		"a path":            {edit: func(u string) string { return strings.Replace(u, "/?", "/x?", 1) }, want: "unexpected path", reason: "only /"},
		"tampered":          {edit: func(u string) string { return strings.Replace(u, "Signature=", "Signature=0", 1) }, want: "does not match", reason: "the signature is checked"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := setup(t)
			cluster := tc.cluster
			switch cluster {
			case "":
				cluster = "shop"
			case "-":
				cluster = ""
			}
			endpoint, expires := "http://"+host, "60"
			if tc.endpoint != "" {
				endpoint = tc.endpoint
			}
			if tc.expires != "" {
				expires = tc.expires
			}
			token := login(t, f, endpoint, cluster, expires, tc.edit)
			f.now = f.now.Add(tc.later)
			id, err := f.auth.VerifyToken(token, "shop")
			if tc.want != "" {
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("got %v, want %q: %s", err, tc.want, tc.reason)
				}
				return
			}
			if err != nil || id.ARN != sessionARN || id.AccountID != accountID {
				t.Errorf("got %+v, %v: %s", id, err, tc.reason)
			}
		})
	}
}

func FuzzVerifyToken(f *testing.F) {
	f.Add("k8s-aws-v1.aHR0cDovLzEyNy4wLjAuMTo0NTY2Lz9BY3Rpb249R2V0Q2FsbGVySWRlbnRpdHk")
	f.Add("")
	f.Add("k8s-aws-v1.%%")
	s, err := store.Open(filepath.Join(f.TempDir(), "state.db"))
	if err != nil {
		f.Fatal(err)
	}
	clock := api.Clock{Now: time.Now}
	a := auth.New(auth.Options{Keys: auth.NewKeys(s, clock), Clock: clock, Hosts: []string{host}})
	f.Fuzz(func(t *testing.T, token string) {
		if id, err := a.VerifyToken(token, "shop"); err == nil {
			t.Errorf("accepted as %+v without any key", id)
		}
	})
}
