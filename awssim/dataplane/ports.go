package dataplane

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// PortRange is where ports are taken from, both ends included.
type PortRange struct {
	Low, High int
}

// withDefaults stays below the kernel's ephemeral range (32768 and up), from
// which outgoing connections take ports at random.
func (r PortRange) withDefaults() PortRange {
	return PortRange{Low: cmp.Or(r.Low, 24000), High: cmp.Or(r.High, 32767)}
}

// portBook remembers who has which port, so that an endpoint stays the same as
// long as its owner exists, and while it does not run.
type portBook struct {
	path string
	span PortRange
	free func(port int) bool

	mu    sync.Mutex
	ports map[string]int
}

func openPortBook(path string, span PortRange) (*portBook, error) {
	b := &portBook{path: path, span: span.withDefaults(), free: listens, ports: map[string]int{}}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the port book: %w", err)
	}
	if err := json.Unmarshal(content, &b.ports); err != nil {
		return nil, fmt.Errorf("read the port book %s: %w", path, err)
	}
	return b, nil
}

// port of an owner, taken now if it has none. The search begins at a place
// that depends on the book's path: several simulators side by side then rarely
// remember the same ports.
func (b *portBook) port(owner string) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p, ok := b.ports[owner]; ok {
		return p, nil
	}
	used := slices.Collect(maps.Values(b.ports))
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(b.path))
	n := b.span.High - b.span.Low + 1
	start := int(hash.Sum32() % uint32(n))
	for i := range n {
		p := b.span.Low + (start+i)%n
		if slices.Contains(used, p) || !b.free(p) {
			continue
		}
		b.ports[owner] = p
		return p, b.saveLocked()
	}
	return 0, fmt.Errorf("no free port from %d to %d for %s; stop something or widen the range", b.span.Low, b.span.High, owner)
}

// release forgets the ports of all owners whose name begins with a prefix.
func (b *portBook) release(prefix string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := len(b.ports)
	maps.DeleteFunc(b.ports, func(owner string, _ int) bool { return strings.HasPrefix(owner, prefix) })
	if len(b.ports) == before {
		return nil
	}
	return b.saveLocked()
}

func (b *portBook) saveLocked() error {
	content, err := json.MarshalIndent(b.ports, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the port book: %w", err)
	}
	return writeFile(b.path, content)
}

func listens(port int) bool {
	for _, host := range []string{"127.0.0.1", ""} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}
