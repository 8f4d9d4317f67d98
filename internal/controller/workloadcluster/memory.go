package workloadcluster

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// memory remembers what was applied when, to spare the API servers the same
// apply at every event. Losing it costs one apply: it is no state.
type memory struct {
	mu      sync.Mutex
	entries map[memoryKey]entry
}

type memoryKey struct {
	cluster types.NamespacedName
	what    string
}

type entry struct {
	checksum string
	at       time.Time
}

// fresh says whether just this was applied within the resync period.
func (m *memory) fresh(cluster types.NamespacedName, what, checksum string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[memoryKey{cluster, what}]
	return ok && e.checksum == checksum && now.Sub(e.at) < resync
}

func (m *memory) remember(cluster types.NamespacedName, what, checksum string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		m.entries = map[memoryKey]entry{}
	}
	m.entries[memoryKey{cluster, what}] = entry{checksum: checksum, at: now}
}

func (m *memory) forget(cluster types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key := range m.entries {
		if key.cluster == cluster {
			delete(m.entries, key)
		}
	}
}

// checksum of anything JSON can hold.
func checksum(parts ...any) (string, error) {
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(parts); err != nil {
		return "", fmt.Errorf("checksum: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
