package network

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func TestReserve(t *testing.T) {
	tests := map[string]struct {
		reason  string
		claims  Claims
		want    string
		wantErr error
	}{
		"Free":  {reason: "a free range is claimed", claims: Claims{"a": prefix("10.1.0.0/16")}, want: "10.2.0.0/16"},
		"Again": {reason: "the same claim again changes nothing", claims: Claims{"me": prefix("10.2.0.0/16")}, want: "10.2.0.0/16"},
		"Inside": {
			reason: "part of another's range is taken", claims: Claims{"a": prefix("10.0.0.0/8")}, want: "10.2.0.0/16",
			wantErr: &OverlapError{Want: prefix("10.2.0.0/16"), Holder: "a", Held: prefix("10.0.0.0/8")},
		},
		"Around": {
			reason: "a range around another's is taken", claims: Claims{"a": prefix("10.2.4.0/24")}, want: "10.2.0.0/16",
			wantErr: &OverlapError{Want: prefix("10.2.0.0/16"), Holder: "a", Held: prefix("10.2.4.0/24")},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			err := tc.claims.Reserve("me", prefix(tc.want))
			if diff := cmp.Diff(tc.wantErr, err, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
				t.Fatalf("\n%s\nReserve(): -want error, +got error:\n%s", tc.reason, diff)
			}
			if got := tc.claims["me"]; err == nil && got != prefix(tc.want) {
				t.Errorf("%s: claimed %s", tc.reason, got)
			}
		})
	}
}

func TestAllocateUntilExhausted(t *testing.T) {
	claims, pool := Claims{"other": prefix("10.1.0.0/16")}, prefix("10.0.0.0/16")
	for _, want := range []string{"10.0.0.0/18", "10.0.64.0/18", "10.0.128.0/18", "10.0.192.0/18"} {
		got, err := claims.Allocate("c"+want, pool, 18)
		if err != nil || got != prefix(want) {
			t.Fatalf("Allocate() = %s, %v; want %s", got, err, want)
		}
	}
	_, err := claims.Allocate("late", pool, 18)
	var exhausted *ExhaustedError
	if !errors.As(err, &exhausted) {
		t.Fatalf("Allocate() in a full pool: %v", err)
	}
	delete(claims, "c10.0.64.0/18")
	if got, err := claims.Allocate("late", pool, 18); err != nil || got != prefix("10.0.64.0/18") {
		t.Fatalf("Allocate() of a range that came back = %s, %v", got, err)
	}
}

// TestClaimsNeverOverlap lets random claimants come and go.
func TestClaimsNeverOverlap(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	claims, pool := Claims{}, prefix("10.0.0.0/12")
	for range 3000 {
		who := strconv.Itoa(rng.IntN(40))
		if rng.IntN(3) == 0 {
			delete(claims, who)
			continue
		}
		got, err := claims.Allocate(who, pool, 14+rng.IntN(8))
		var exhausted *ExhaustedError
		if err != nil && !errors.As(err, &exhausted) {
			t.Fatal(err)
		}
		if err == nil && (!pool.Overlaps(got) || claims[who] != got) {
			t.Fatalf("allocated %s outside of %s", got, pool)
		}
		for a, x := range claims {
			for b, y := range claims {
				if a != b && x.Overlaps(y) {
					t.Fatalf("%s of %s overlaps %s of %s", x, a, y, b)
				}
			}
		}
	}
}
