// Package store keeps the simulator's state: every write goes to a bbolt file
// before it is answered, every read is served from memory. A simulator that is
// killed at any time comes back with every answered write.
package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// ErrOwned is returned by Put for a globally unique id that another account has.
var ErrOwned = errors.New("the id belongs to another account")

// keySeparator joins account, region and id; none of them holds it.
const keySeparator = "\x00"

// Store is the simulator's state on disk. It is safe for concurrent use.
type Store struct {
	db *bbolt.DB

	mu     sync.RWMutex
	tables map[string]*table
}

// Open opens the state file at path, or makes it. It fails if another process
// has it open.
func Open(path string) (*Store, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return nil, fmt.Errorf("open the simulator's state %s (is another awssim running on it?): %w", path, err)
	}
	s := &Store{db: db, tables: map[string]*table{}}
	if err := db.View(s.load); err != nil {
		return nil, errors.Join(fmt.Errorf("read the simulator's state %s: %w", path, err), db.Close())
	}
	return s, nil
}

// load reads all of the file into memory.
func (s *Store) load(tx *bbolt.Tx) error {
	return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
		t := newTable(s.db, string(name))
		s.tables[string(name)] = t
		return b.ForEach(func(k, v []byte) error {
			key, err := parseKey(string(k))
			if err != nil {
				return fmt.Errorf("table %s: %w", name, err)
			}
			t.set(key, slices.Clone(v))
			return nil
		})
	})
}

// Close closes the file. The store cannot be used any more.
func (s *Store) Close() error { return s.db.Close() }

// Owner tells which account has a globally unique id, over all tables whose
// ids are declared to be so by GlobalIDs.
func (s *Store) Owner(id string) (account string, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.tables {
		if account, ok := t.owner(id); ok {
			return account, true
		}
	}
	return "", false
}

// table returns the one table of that name.
func (s *Store) table(name string) *table {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tables[name]
	if !ok {
		t = newTable(s.db, name)
		s.tables[name] = t
	}
	return t
}

// Key addresses a record.
type Key struct {
	Account string
	Region  string // "" for what has none, such as roles
	ID      string
}

func (k Key) encode() ([]byte, error) {
	for _, part := range []string{k.Account, k.Region, k.ID} {
		if strings.Contains(part, keySeparator) {
			return nil, fmt.Errorf("key %+q holds a zero byte", k)
		}
	}
	if k.ID == "" {
		return nil, fmt.Errorf("key %+q has no id", k)
	}
	return []byte(k.Account + keySeparator + k.Region + keySeparator + k.ID), nil
}

func parseKey(s string) (Key, error) {
	parts := strings.Split(s, keySeparator)
	if len(parts) != 3 {
		return Key{}, fmt.Errorf("malformed key %q", s)
	}
	return Key{Account: parts[0], Region: parts[1], ID: parts[2]}, nil
}
