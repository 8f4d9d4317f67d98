// Package contract checks the simulated services through the AWS SDK, the way
// KARGO, Cluster API and people use them. Every service has a file of its own.
package contract_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"

	"kargo.dev/kargo/awssim/account"
	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/auth"
	"kargo.dev/kargo/awssim/iam"
	"kargo.dev/kargo/awssim/org"
	"kargo.dev/kargo/awssim/organizations"
	"kargo.dev/kargo/awssim/policy"
	"kargo.dev/kargo/awssim/quota"
	"kargo.dev/kargo/awssim/server"
	"kargo.dev/kargo/awssim/servicequotas"
	"kargo.dev/kargo/awssim/store"
	"kargo.dev/kargo/awssim/sts"
)

// The accounts of every test.
const (
	factoryID = "000000000001"
	shopID    = "111111111111"
	bankID    = "222222222222"
	region    = "eu-central-1"
	// closures is how many accounts the organisation may close in 30 days.
	closures = 4
)

// accounts is the configuration every test starts with: the role kargo of the
// shop wants the factory's user and an external id, team trusts the account itself.
const accounts = `{
  "factory": {"account": "` + factoryID + `", "user": "factory", "policies": {"assume": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
    "Action": ["sts:AssumeRole", "sts:TagSession"], "Resource": "arn:aws:iam::*:role/factory/*"}]}}},
  "accounts": [
    {"id": "` + factoryID + `", "name": "factory"},
    {"id": "` + shopID + `", "name": "shop", "roles": [
      {"name": "kargo", "path": "/factory/", "maxSessionDuration": 7200, "trust": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::` + factoryID + `:user/factory"}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "shop-secret"}}}]}, "policies": ["arn:aws:iam::aws:policy/AdministratorAccess"]},
      {"name": "team", "maxSessionDuration": 43200, "trust": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::` + shopID + `:root"}, "Action": ["sts:AssumeRole", "sts:TagSession"]},
        {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole", "Condition": {"StringLike": {"sts:RoleSessionName": "evil*"}}}]},
        "policies": ["arn:aws:iam::aws:policy/PowerUserAccess"]}]},
    {"id": "` + bankID + `", "name": "bank"}]
}`

// clock is a test's clock: it runs on real time, and can be put forward.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

// forward makes the simulator believe that time has passed. Clients keep the real
// time: beyond five minutes their requests are too old, as for a slow clock.
func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// core is what services are made of.
type core struct {
	Store        *store.Store
	Clock        api.Clock
	IAM          *iam.Service
	Keys         *auth.Keys
	Quotas       *quota.Book
	Organisation *org.Organisation
	Tree         *organizations.Tree
}

// simulator is a running server with a store of its own.
type simulator struct {
	*httptest.Server
	core
	clock   *clock
	auth    *auth.Authenticator
	keys    org.TestKeys
	control *control
	// stop may be called before the test ends, to start again on the same state.
	stop func()
}

// control are service control policies: those of Organizations, and instead of them
// those that a test puts over accounts.
type control struct {
	tree   *organizations.Tree
	mu     sync.Mutex
	levels map[string][][]policy.Source // by account
}

func (c *control) ServiceControlPolicies(account string) [][]policy.Source {
	c.mu.Lock()
	defer c.mu.Unlock()
	if levels, ok := c.levels[account]; ok {
		return levels
	}
	return c.tree.ServiceControlPolicies(account)
}

// set puts one policy per level over an account.
func (c *control) set(t *testing.T, account string, documents ...string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	levels := [][]policy.Source{}
	for _, d := range documents {
		doc, err := policy.Parse(d)
		if err != nil {
			t.Fatal(err)
		}
		levels = append(levels, []policy.Source{{Name: "p-control", Document: doc}})
	}
	c.levels = map[string][][]policy.Source{account: levels}
}

func closeServer(s *httptest.Server) error {
	s.Close()
	return nil
}

// start runs a simulator with STS, IAM and the services that more returns.
func start(t *testing.T, more ...func(t *testing.T, c core) api.Service) *simulator {
	t.Helper()
	return startIn(t, t.TempDir(), more...)
}

// startIn is start with the state in a directory that may hold some already.
func startIn(t *testing.T, dir string, more ...func(t *testing.T, c core) api.Service) *simulator {
	t.Helper()
	return startWith(t, dir, 0, more...)
}

// startWith is startIn with a clock that may be as slow as AWS.
func startWith(t *testing.T, dir string, factor float64, more ...func(t *testing.T, c core) api.Service) *simulator {
	t.Helper()
	st, err := store.Open(filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	sim := &simulator{clock: &clock{}}
	sim.core = core{Store: st, Clock: api.Clock{Now: sim.clock.now, Factor: factor}}
	sim.Keys = auth.NewKeys(st, sim.Clock)
	if sim.Quotas, err = quota.Open(st, sim.Clock); err != nil {
		t.Fatal(err)
	}
	sim.Organisation = org.New(org.Options{Store: st, Keys: sim.Keys, Clock: sim.Clock})
	if sim.Tree, err = organizations.OpenTree(st, sim.Organisation); err != nil {
		t.Fatal(err)
	}
	sim.control = &control{tree: sim.Tree}
	sim.IAM, err = iam.New(iam.Options{Store: st, Clock: sim.Clock, Keys: sim.Keys, Accounts: sim.Organisation, Control: sim.control})
	if err != nil {
		t.Fatal(err)
	}
	config, err := org.ParseConfig([]byte(accounts))
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Organisation.Seed(config, sim.IAM); err != nil {
		t.Fatal(err)
	}
	if sim.keys, err = sim.Organisation.TestKeys(); err != nil {
		t.Fatal(err)
	}
	services, management := sim.services(t)
	for _, m := range more {
		services = append(services, m(t, sim.core))
	}
	sim.Server = httptest.NewUnstartedServer(nil)
	sim.auth = auth.New(auth.Options{Keys: sim.Keys, Clock: sim.Clock, Hosts: []string{sim.Listener.Addr().String()}, Closed: management.Closed})
	quotas := servicequotas.New(sim.Quotas)
	handler, err := server.New(server.Options{Store: st, Services: services, Auth: sim.auth, Organisation: sim.Organisation,
		Authorizer: sim.authorizer(), Clock: sim.Clock, CallLog: filepath.Join(dir, "calls.jsonl"),
		Local: map[string]http.Handler{"GET /_awssim/quotas": quotas.List(), "POST /_awssim/quotas": quotas.Set()}})
	if err != nil {
		t.Fatal(err)
	}
	sim.Config.Handler = handler
	sim.Start()
	sim.stop = sync.OnceFunc(func() {
		if err := errors.Join(handler.Close(), closeServer(sim.Server), st.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(sim.stop)
	return sim
}

// services are those that every test has.
func (c core) services(t *testing.T) ([]api.Service, *account.Service) {
	t.Helper()
	roles := org.Roles{Organisation: c.Organisation, IAM: c.IAM}
	organization, err := organizations.New(organizations.Options{
		Store: c.Store, Clock: c.Clock, Tree: c.Tree, Organisation: c.Organisation, IAM: c.IAM, Closures: closures,
	})
	if err != nil {
		t.Fatal(err)
	}
	management, err := account.New(account.Options{Store: c.Store, Clock: c.Clock, Organisation: c.Organisation, Members: organization})
	if err != nil {
		t.Fatal(err)
	}
	return []api.Service{
		c.IAM, sts.New(sts.Options{Keys: c.Keys, Roles: roles, Callers: c.authorizer(), Clock: c.Clock}),
		organization, management, servicequotas.New(c.Quotas),
	}, management
}

// account returns the SDK's configuration of an account's administrator.
func (s *simulator) account(t *testing.T, id string) aws.Config {
	t.Helper()
	for _, k := range s.keys.Accounts {
		if k.ID == id {
			return s.config(k.AccessKeyID, k.SecretAccessKey, "")
		}
	}
	t.Fatalf("no account %s", id)
	return aws.Config{}
}

// factory returns the SDK's configuration of the factory's user.
func (s *simulator) factory() aws.Config {
	return s.config(s.keys.Factory.AccessKeyID, s.keys.Factory.SecretAccessKey, "")
}

// config returns the SDK's configuration for a key. It does not retry, so that
// tests see the first answer.
func (s *simulator) config(id, secret, token string) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: aws.String(s.URL),
		Credentials: credentials.NewStaticCredentialsProvider(id, secret, token),
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
		HTTPClient:  s.Client(),
	}
}

// admin reads an answer of the simulator's own endpoints.
func admin[T any](t *testing.T, s *simulator, path string) T {
	t.Helper()
	var v T
	do(t, s, http.MethodGet, path, "", &v)
	return v
}

// do asks the simulator's own endpoints.
func do(t *testing.T, s *simulator, method, path, body string, into any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s", method, path, resp.Status)
	}
	if into != nil {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
}

// wantCode checks that an error has one of AWS's codes; "" wants none.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var failure smithy.APIError
	switch {
	case code == "" && err != nil:
		t.Fatalf("got %v, want no error", err)
	case code == "":
	case !errors.As(err, &failure):
		t.Fatalf("got %v, want %s", err, code)
	case failure.ErrorCode() != code:
		t.Fatalf("got %s (%s), want %s", failure.ErrorCode(), failure.ErrorMessage(), code)
	}
}
