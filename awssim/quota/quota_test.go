package quota

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/store"
)

const (
	shop   = "111111111111"
	bank   = "222222222222"
	region = "eu-central-1"
)

// newBook returns a book whose clock is as slow as AWS, and stands still.
func newBook(t *testing.T) (*Book, *time.Time) {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	b, err := Open(s, api.Clock{Now: func() time.Time { return now }, Factor: 1})
	if err != nil {
		t.Fatal(err)
	}
	return b, &now
}

func TestCatalogue(t *testing.T) {
	b, _ := newBook(t)
	seen := map[string]bool{}
	for _, q := range b.List() {
		if seen[q.Code] || q.Begin < q.Default || !q.Adjustable {
			t.Errorf("%+v", q)
		}
		seen[q.Code] = true
	}
}

func TestValue(t *testing.T) {
	b, now := newBook(t)
	want := func(reason string, account, region, code string, want int) {
		t.Helper()
		if got := b.Limit(account, region, code); got != want {
			t.Errorf("%s: %d, want %d", reason, got, want)
		}
	}
	step := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		*now = now.Add(time.Second)
	}
	want("AWS's default", shop, region, VPCs, 5)
	want("what accounts begin with", shop, region, StandardVCPUs, 2000)
	declared := []Setting{{Code: VPCs, Value: 3}, {Account: shop, Region: region, Code: VPCs, Value: 2}}
	step(b.Declare(declared))
	want("the account's own", shop, region, VPCs, 2)
	want("everybody's, in another region", shop, "eu-west-1", VPCs, 3)
	want("everybody's", bank, region, VPCs, 3)
	step(b.Set(Setting{Account: shop, Code: VPCs, Value: 4}))
	want("the latest", shop, region, VPCs, 4)
	r, err := b.Ask(Request{ID: "1", Account: shop, Region: region, Code: VPCs, Value: 20})
	step(err)
	want("not yet", shop, region, VPCs, 4)
	*now = r.DecidedAt
	want("approved", shop, region, VPCs, 20)
	want("in that region only", shop, "eu-west-1", VPCs, 4)
	want("internet gateways go with the VPCs", shop, region, InternetGateways, 20)
	step(b.Declare(declared))
	want("the same configuration again", shop, region, VPCs, 20)
	step(b.Declare([]Setting{{Account: shop, Region: region, Code: VPCs, Value: 7}}))
	want("another configuration", shop, region, VPCs, 7)
	step(b.Set(Setting{Account: shop, Code: Accounts, Region: "us-east-1", Value: 50}))
	want("a global quota is the same everywhere", shop, region, Accounts, 50)
}

func TestSetRefuses(t *testing.T) {
	b, _ := newBook(t)
	if err := b.Set(Setting{Code: "L-0"}); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown code: %v", err)
	}
	if err := b.Set(Setting{Code: VPCs, Value: -1}); err == nil {
		t.Error("a negative value was set")
	}
}
