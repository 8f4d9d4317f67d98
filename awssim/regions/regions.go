// Package regions knows AWS's regions, and which of them an account has enabled.
// It is the one source of both for EC2, Account Management and the gate.
package regions

import (
	"embed"
	"encoding/csv"
	"fmt"
	"slices"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/store"
)

//go:embed regions.csv
var files embed.FS

// How long a region takes to be enabled or disabled for an account: AWS says a few
// minutes for most accounts, and several hours for some.
const switchTakes = 10 * time.Minute

// Region of AWS.
type Region struct {
	Name       string // eu-central-1
	ZonePrefix string // of the ids of its zones: euc1
	Zones      string // the letters of its zones: abc
	// OptIn regions are disabled until an account enables them.
	OptIn bool
}

// Status of a region for an account, in the words of Account Management.
type Status string

// The statuses.
const (
	EnabledByDefault Status = "ENABLED_BY_DEFAULT"
	Enabled          Status = "ENABLED"
	Enabling         Status = "ENABLING"
	Disabled         Status = "DISABLED"
	Disabling        Status = "DISABLING"
)

// Usable tells whether calls are accepted in a region of that status.
func (s Status) Usable() bool { return s == EnabledByDefault || s == Enabled }

// Changing tells whether the status becomes another one by itself.
func (s Status) Changing() bool { return s == Enabling || s == Disabling }

// choice is what an account has chosen for an opt-in region.
type choice struct {
	Enable bool
	Until  time.Time // when the change is complete
}

// Book knows the regions, and the choices of all accounts.
type Book struct {
	clock   api.Clock
	regions []Region
	choices *store.Table[choice]
}

// Open returns the book on the state in the store.
func Open(s *store.Store, clock api.Clock) (*Book, error) {
	list, err := load()
	if err != nil {
		return nil, err
	}
	return &Book{clock: clock, regions: list, choices: store.NewTable[choice](s, "region-choices")}, nil
}

func load() ([]Region, error) {
	f, err := files.Open("regions.csv")
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // embedded, nothing can be lost
	r := csv.NewReader(f)
	r.Comment, r.FieldsPerRecord = '#', 4
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("regions.csv: %w", err)
	}
	list := make([]Region, 0, len(rows))
	for _, row := range rows {
		list = append(list, Region{Name: row[0], ZonePrefix: row[1], Zones: row[2], OptIn: row[3] == "opt-in"})
	}
	return list, nil
}

// List all regions by name.
func (b *Book) List() []Region { return slices.Clone(b.regions) }

// Find a region by its name.
func (b *Book) Find(name string) (Region, bool) {
	i := slices.IndexFunc(b.regions, func(r Region) bool { return r.Name == name })
	if i < 0 {
		return Region{}, false
	}
	return b.regions[i], true
}

// Status of a region for an account; false if AWS has no such region.
func (b *Book) Status(account, name string) (Status, bool) {
	r, ok := b.Find(name)
	if !ok {
		return "", false
	}
	if !r.OptIn {
		return EnabledByDefault, true
	}
	c, chosen := b.choices.Get(account, name, name)
	changing := b.clock.Now().Before(c.Until)
	switch {
	case chosen && c.Enable && changing:
		return Enabling, true
	case chosen && c.Enable:
		return Enabled, true
	case chosen && changing:
		return Disabling, true
	}
	return Disabled, true
}

// Usable tells whether an account's calls are accepted in a region. Names that
// AWS does not have are not this package's business.
func (b *Book) Usable(account, name string) bool {
	status, ok := b.Status(account, name)
	return !ok || status.Usable()
}

// Choose begins to enable or disable an opt-in region for an account.
func (b *Book) Choose(account, name string, enable bool) error {
	c := choice{Enable: enable, Until: b.clock.Now().Add(b.clock.Takes(switchTakes))}
	if err := b.choices.Put(account, name, name, c); err != nil {
		return fmt.Errorf("keep the status of region %s: %w", name, err)
	}
	return nil
}
