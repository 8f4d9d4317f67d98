package store

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sync"

	"go.etcd.io/bbolt"
)

// Table is a typed view of the records of one kind. T goes through
// encoding/json on every Put and Get: its fields are exported, and no memory is
// shared with the caller. Tables of the same name share their records.
type Table[T any] struct {
	t *table
}

// Option says something about a table.
type Option func(*table)

// GlobalIDs declares that ids of the table are unique over all accounts and
// regions (vpc-..., ARNs), so that Store.Owner knows them.
func GlobalIDs() Option {
	return func(t *table) { t.global = true }
}

// NewTable returns the table of that name. Options count from the first
// NewTable that gives them.
func NewTable[T any](s *Store, name string, opts ...Option) *Table[T] {
	t := s.table(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, opt := range opts {
		opt(t)
	}
	return &Table[T]{t: t}
}

// Get returns a copy of a record.
func (t *Table[T]) Get(account, region, id string) (T, bool) {
	raw, ok := t.t.get(Key{Account: account, Region: region, ID: id})
	if !ok {
		var zero T
		return zero, false
	}
	return decode[T](t.t.name, raw), true
}

// Put writes a record, to disk first.
func (t *Table[T]) Put(account, region, id string, v T) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s %s: %w", t.t.name, id, err)
	}
	return t.t.put(Key{Account: account, Region: region, ID: id}, raw)
}

// Delete removes a record, from disk first; one that does not exist is no error.
func (t *Table[T]) Delete(account, region, id string) error {
	return t.t.delete(Key{Account: account, Region: region, ID: id})
}

// List returns copies of an account's records in a region ("" = in all
// regions), ordered by id.
func (t *Table[T]) List(account, region string) []T {
	entries := t.t.snapshot(account, region)
	list := make([]T, 0, len(entries))
	for _, e := range entries {
		list = append(list, decode[T](t.t.name, e.raw))
	}
	return list
}

// All iterates over copies of the records of all accounts as they were when
// the iteration began, ordered by account, region and id.
func (t *Table[T]) All() iter.Seq2[Key, T] {
	return func(yield func(Key, T) bool) {
		for _, e := range t.t.everything() {
			if !yield(e.key, decode[T](t.t.name, e.raw)) {
				return
			}
		}
	}
}

// decode cannot fail on what Put encoded; a file written by a version whose T
// was incompatible is refused loudly rather than read as empty.
func decode[T any](table string, raw []byte) T {
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		panic(fmt.Sprintf("store: table %s holds a record of another shape (remove the state file to start anew): %v", table, err))
	}
	return v
}

// table holds the encoded records of one kind.
type table struct {
	name string
	db   *bbolt.DB

	// writing is held over a write to disk; mu, which readers wait for, is not.
	writing  sync.Mutex
	mu       sync.RWMutex
	global   bool
	accounts map[string]map[Key][]byte
	owners   map[string]string // id → account; meaningful if global
}

func newTable(db *bbolt.DB, name string) *table {
	return &table{name: name, db: db, accounts: map[string]map[Key][]byte{}, owners: map[string]string{}}
}

type entry struct {
	key Key
	raw []byte
}

// set changes memory only; the caller holds mu or is alone.
func (t *table) set(k Key, raw []byte) {
	records := t.accounts[k.Account]
	if records == nil {
		records = map[Key][]byte{}
		t.accounts[k.Account] = records
	}
	records[k] = raw
	t.owners[k.ID] = k.Account
}

func (t *table) get(k Key) ([]byte, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	raw, ok := t.accounts[k.Account][k]
	return raw, ok
}

func (t *table) owner(id string) (string, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if !t.global {
		return "", false
	}
	account, ok := t.owners[id]
	return account, ok
}

func (t *table) put(k Key, raw []byte) error {
	key, err := k.encode()
	if err != nil {
		return fmt.Errorf("store %s: %w", t.name, err)
	}
	t.writing.Lock()
	defer t.writing.Unlock()
	if owner, ok := t.owner(k.ID); ok && owner != k.Account {
		return fmt.Errorf("store %s %s of account %s: %w (%s)", t.name, k.ID, k.Account, ErrOwned, owner)
	}
	err = t.db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte(t.name))
		if err != nil {
			return err
		}
		return b.Put(key, raw)
	})
	if err != nil {
		return fmt.Errorf("store %s %s: %w", t.name, k.ID, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.set(k, raw)
	return nil
}

func (t *table) delete(k Key) error {
	key, err := k.encode()
	if err != nil {
		return fmt.Errorf("delete from %s: %w", t.name, err)
	}
	t.writing.Lock()
	defer t.writing.Unlock()
	if _, ok := t.get(k); !ok {
		return nil
	}
	err = t.db.Update(func(tx *bbolt.Tx) error {
		if b := tx.Bucket([]byte(t.name)); b != nil {
			return b.Delete(key)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("delete %s %s: %w", t.name, k.ID, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.accounts[k.Account], k)
	if t.owners[k.ID] == k.Account {
		delete(t.owners, k.ID)
	}
	return nil
}

// snapshot returns an account's records in a region ("" = all), ordered by id.
// Encoded records are never changed in place, so sharing them is safe.
func (t *table) snapshot(account, region string) []entry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var entries []entry
	for k, raw := range t.accounts[account] {
		if region == "" || k.Region == region {
			entries = append(entries, entry{k, raw})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.key.ID, b.key.ID), cmp.Compare(a.key.Region, b.key.Region))
	})
	return entries
}

func (t *table) everything() []entry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var entries []entry
	for _, records := range t.accounts {
		for k, raw := range records {
			entries = append(entries, entry{k, raw})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.key.Account, b.key.Account), cmp.Compare(a.key.Region, b.key.Region), cmp.Compare(a.key.ID, b.key.ID))
	})
	return entries
}
