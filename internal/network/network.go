// Package network decides who gets which part of the address space. It is pure:
// claims go in, claims come out; whoever stores them does so by compare-and-swap.
package network

import (
	"fmt"
	"net/netip"
	"slices"

	"go4.org/netipx"
)

// Claims maps a claimant ("account/111111111111", "cluster/shop/shop-prod") to its range.
type Claims map[string]netip.Prefix

// OverlapError says that a range is not free.
type OverlapError struct {
	Want   netip.Prefix
	Holder string
	Held   netip.Prefix
}

// Error implements error.
func (e *OverlapError) Error() string {
	return fmt.Sprintf("network range %s overlaps %s of %s", e.Want, e.Held, e.Holder)
}

// ExhaustedError says that a pool has no room left.
type ExhaustedError struct {
	Pool netip.Prefix
	Bits int
}

// Error implements error.
func (e *ExhaustedError) Error() string {
	return fmt.Sprintf("no free /%d left in %s", e.Bits, e.Pool)
}

// Reserve claims exactly this range; a claim that is already so stays. An
// *OverlapError names who holds an overlapping one.
func (c Claims) Reserve(claimant string, want netip.Prefix) error {
	for _, holder := range c.claimants() {
		if holder != claimant && c[holder].Overlaps(want) {
			return &OverlapError{Want: want, Holder: holder, Held: c[holder]}
		}
	}
	c[claimant] = want
	return nil
}

// Allocate claims the first free range of the given prefix length inside pool,
// not overlapping any claim; a claim inside pool that is already there stays.
// An *ExhaustedError says that nothing is free.
func (c Claims) Allocate(claimant string, pool netip.Prefix, bits int) (netip.Prefix, error) {
	if held, ok := c[claimant]; ok && pool.Contains(held.Addr()) {
		return held, nil
	}
	var free netipx.IPSetBuilder
	free.AddPrefix(pool)
	for _, held := range c {
		free.RemovePrefix(held)
	}
	set, err := free.IPSet()
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("free part of %s: %w", pool, err)
	}
	got, _, ok := set.RemoveFreePrefix(uint8(bits))
	if !ok {
		return netip.Prefix{}, &ExhaustedError{Pool: pool, Bits: bits}
	}
	c[claimant] = got
	return got, nil
}

func (c Claims) claimants() []string {
	names := make([]string, 0, len(c))
	for name := range c {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
