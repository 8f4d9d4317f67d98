package quota

import (
	"fmt"
	"time"
)

// Setting is a value that somebody gives to a quota from outside of AWS's API: the
// configuration, or a person at the simulator's own endpoint.
type Setting struct {
	// Account it is for; "" is for all that have no value of their own.
	Account string `json:"account,omitempty"`
	// Region it is for; "" is for all.
	Region string  `json:"region,omitempty"`
	Code   string  `json:"code"` // L-F678F1CE
	Value  float64 `json:"value"`
}

// entry is a setting as it is kept.
type entry struct {
	Setting
	At time.Time
}

// What the configuration says is kept apart from what was set otherwise, so that a
// restart with the same configuration changes nothing.
const (
	bySetting     = "set"
	byDeclaration = "declared"
)

// Check refuses what cannot be set.
func (b *Book) Check(s Setting) error {
	if _, ok := b.Find(s.Code); !ok {
		return fmt.Errorf("quota %q: %w", s.Code, ErrUnknown)
	}
	if s.Value < 0 {
		return fmt.Errorf("quota %s: value %v is negative", s.Code, s.Value)
	}
	return nil
}

// Set gives a quota a value.
func (b *Book) Set(s Setting) error {
	if err := b.Check(s); err != nil {
		return err
	}
	return b.put(bySetting, s)
}

// Declare gives quotas the values of the configuration. What it said already
// before takes no effect anew: an increase approved since then stays.
func (b *Book) Declare(settings []Setting) error {
	for _, s := range settings {
		if err := b.Check(s); err != nil {
			return err
		}
		old, ok := b.settings.Get(s.Account, s.Region, key(byDeclaration, s.Code))
		if ok && old.Value == s.Value {
			continue
		}
		if err := b.put(byDeclaration, s); err != nil {
			return err
		}
	}
	return nil
}

func key(kind, code string) string { return kind + " " + code }

func (b *Book) put(kind string, s Setting) error {
	e := entry{Setting: s, At: b.clock.Now().UTC()}
	if err := b.settings.Put(s.Account, s.Region, key(kind, s.Code), e); err != nil {
		return fmt.Errorf("keep the value of quota %s: %w", s.Code, err)
	}
	return nil
}

// Settings lists what was set, by account.
func (b *Book) Settings() []Setting {
	list := []Setting{}
	for _, e := range b.settings.All() {
		list = append(list, e.Setting)
	}
	return list
}

// set is the latest value that was set, the account's own before everybody's, and
// when that was.
func (b *Book) set(account, region string, q Quota) (value float64, since time.Time) {
	for _, owner := range []string{account, ""} {
		found := false
		for _, place := range []string{region, ""} {
			for _, kind := range []string{bySetting, byDeclaration} {
				e, ok := b.settings.Get(owner, place, key(kind, q.Code))
				if ok && (!found || e.At.After(since)) {
					value, since, found = e.Value, e.At, true
				}
			}
		}
		if found {
			return value, since
		}
	}
	return q.Begin, time.Time{}
}
