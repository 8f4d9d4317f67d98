package regions

import (
	"path/filepath"
	"testing"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/store"
)

func TestChoose(t *testing.T) {
	const account, region = "111111111111", "af-south-1"
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	open := func(path string, factor float64) (*Book, func()) {
		s, err := store.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Open(s, api.Clock{Now: func() time.Time { return now }, Factor: factor})
		if err != nil {
			t.Fatal(err)
		}
		return b, func() { _ = s.Close() }
	}
	path := filepath.Join(t.TempDir(), "state.db")
	b, done := open(path, 1)
	want := func(reason string, want Status) {
		t.Helper()
		got, ok := b.Status(account, region)
		if !ok || got != want || b.Usable(account, region) != (want == Enabled) {
			t.Errorf("%s: %s, want %s", reason, got, want)
		}
	}
	choose := func(enable bool) {
		t.Helper()
		if err := b.Choose(account, region, enable); err != nil {
			t.Fatal(err)
		}
	}
	want("before anybody chose", Disabled)
	choose(true)
	want("AWS takes a while", Enabling)
	now = now.Add(switchTakes)
	want("after a while", Enabled)
	if got, _ := b.Status("222222222222", region); got != Disabled {
		t.Errorf("another account's: %s", got)
	}
	choose(false)
	want("AWS takes a while", Disabling)
	done()
	b, done = open(path, 0)
	defer done()
	want("what is under way goes on after a restart", Disabling)
	choose(true)
	want("the fast clock", Enabled)
	if got, ok := b.Status(account, "eu-central-1"); !ok || got != EnabledByDefault || !b.Usable(account, "eu-central-1") {
		t.Errorf("a default region: %s", got)
	}
	if _, ok := b.Status(account, "xy-north-1"); ok || !b.Usable(account, "xy-north-1") {
		t.Error("a region that AWS has not is known, or refused")
	}
}
