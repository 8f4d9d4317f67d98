package store_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/awssim/store"
)

type vpc struct {
	ID   string
	Tags map[string]string
}

func open(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func put[T any](t *testing.T, table *store.Table[T], account, region, id string, v T) {
	t.Helper()
	if err := table.Put(account, region, id, v); err != nil {
		t.Fatal(err)
	}
}

func TestStateSurvivesReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := open(t, path)
	vpcs := store.NewTable[vpc](s, "vpcs", store.GlobalIDs())
	put(t, vpcs, "111111111111", "eu-west-1", "vpc-b", vpc{ID: "vpc-b"})
	put(t, vpcs, "111111111111", "eu-west-1", "vpc-a", vpc{ID: "vpc-a", Tags: map[string]string{"k": "v"}})
	put(t, vpcs, "111111111111", "us-east-1", "vpc-c", vpc{ID: "vpc-c"})
	put(t, vpcs, "222222222222", "eu-west-1", "vpc-d", vpc{ID: "vpc-d"})
	if err := vpcs.Delete("111111111111", "eu-west-1", "vpc-b"); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(path); err == nil {
		t.Error("opened the state twice")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, path)
	vpcs = store.NewTable[vpc](s, "vpcs", store.GlobalIDs())
	want := []vpc{{ID: "vpc-a", Tags: map[string]string{"k": "v"}}}
	if diff := cmp.Diff(want, vpcs.List("111111111111", "eu-west-1")); diff != "" {
		t.Errorf("List in one region: -want +got\n%s", diff)
	}
	if got := len(vpcs.List("111111111111", "")); got != 2 {
		t.Errorf("List in all regions returned %d records, want 2", got)
	}
	var keys []store.Key
	for k := range vpcs.All() {
		keys = append(keys, k)
	}
	wantKeys := []store.Key{
		{Account: "111111111111", Region: "eu-west-1", ID: "vpc-a"},
		{Account: "111111111111", Region: "us-east-1", ID: "vpc-c"},
		{Account: "222222222222", Region: "eu-west-1", ID: "vpc-d"},
	}
	if diff := cmp.Diff(wantKeys, keys); diff != "" {
		t.Errorf("All: -want +got\n%s", diff)
	}
	if owner, ok := s.Owner("vpc-d"); !ok || owner != "222222222222" {
		t.Errorf("Owner(vpc-d) = %q, %v", owner, ok)
	}
	if _, ok := s.Owner("vpc-b"); ok {
		t.Error("a deleted id still has an owner")
	}
}

func TestValuesAreCopies(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"))
	vpcs := store.NewTable[vpc](s, "vpcs")
	v := vpc{ID: "vpc-a", Tags: map[string]string{"k": "v"}}
	put(t, vpcs, "1", "r", "vpc-a", v)
	v.Tags["k"] = "changed after Put"
	got, _ := vpcs.Get("1", "r", "vpc-a")
	got.Tags["k"] = "changed after Get"
	got, _ = vpcs.Get("1", "r", "vpc-a")
	if got.Tags["k"] != "v" {
		t.Errorf("the stored value changed to %q", got.Tags["k"])
	}
}

func TestOwner(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"))
	vpcs := store.NewTable[vpc](s, "vpcs", store.GlobalIDs())
	roles := store.NewTable[vpc](s, "roles")
	put(t, vpcs, "1", "r", "vpc-a", vpc{})
	put(t, roles, "1", "", "admin", vpc{})
	put(t, roles, "2", "", "admin", vpc{})

	if err := vpcs.Put("2", "r", "vpc-a", vpc{}); !errors.Is(err, store.ErrOwned) {
		t.Errorf("Put of another account's id: %v, want ErrOwned", err)
	}
	if _, ok := s.Owner("admin"); ok {
		t.Error("a name that is not global has an owner")
	}
	if err := vpcs.Delete("2", "r", "vpc-a"); err != nil {
		t.Errorf("Delete of what is not there: %v", err)
	}
	if owner, _ := s.Owner("vpc-a"); owner != "1" {
		t.Errorf("Owner(vpc-a) = %q after another account's Delete", owner)
	}
}

func TestRefusesMalformedKeys(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"))
	vpcs := store.NewTable[vpc](s, "vpcs")
	for name, id := range map[string]string{"empty": "", "zero byte": "a\x00b"} {
		t.Run(name, func(t *testing.T) {
			if err := vpcs.Put("1", "r", id, vpc{}); err == nil {
				t.Errorf("Put with id %q was accepted", id)
			}
		})
	}
}

func TestTablesOfOneNameShareRecords(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"))
	put(t, store.NewTable[vpc](s, "vpcs"), "1", "r", "vpc-a", vpc{ID: "vpc-a"})
	if _, ok := store.NewTable[vpc](s, "vpcs").Get("1", "r", "vpc-a"); !ok {
		t.Error("a second view of the table does not see the record")
	}
}

func TestConcurrentUse(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"))
	vpcs := store.NewTable[vpc](s, "vpcs", store.GlobalIDs())
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			account := fmt.Sprint(i)
			for j := range 10 {
				id := fmt.Sprintf("vpc-%d-%d", i, j)
				if err := vpcs.Put(account, "r", id, vpc{ID: id}); err != nil {
					t.Error(err)
				}
				vpcs.List(account, "r")
				s.Owner(id)
			}
		})
	}
	wg.Wait()
	for i := range 4 {
		if got := len(vpcs.List(fmt.Sprint(i), "")); got != 10 {
			t.Errorf("account %d has %d records, want 10", i, got)
		}
	}
}
