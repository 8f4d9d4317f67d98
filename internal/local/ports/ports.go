// Package ports finds free TCP ports that stay the same over restarts. They lie
// below the kernel's ephemeral range, where no outgoing connection takes them.
package ports

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
)

// lowest port that is handed out.
const lowest = 20000

// Allocator hands out ports.
type Allocator struct {
	Low, High int // inclusive
	// Reserved ports are not handed out anew: other profiles remember them.
	Reserved map[int]bool
	// Free tells whether a port can be listened on.
	Free func(port int) bool
}

// Moved is a port that was occupied by somebody else.
type Moved struct {
	Name     string
	From, To int
}

// New makes an allocator for this machine.
func New(reserved map[int]bool) Allocator {
	return Allocator{Low: lowest, High: ephemeralLow() - 1, Reserved: reserved, Free: Free}
}

// Assign gives each name a port: the remembered one if it can be had, else
// another. Names in use by the platform itself keep theirs without a look.
func (a Allocator) Assign(names []string, remembered map[string]int, inUse func(name string) bool) (map[string]int, []Moved, error) {
	res := map[string]int{}
	taken := map[int]bool{}
	var moved []Moved
	for _, name := range names {
		if p := remembered[name]; p != 0 && (inUse(name) || a.Free(p)) {
			res[name], taken[p] = p, true
		}
	}
	for _, name := range names {
		if res[name] != 0 {
			continue
		}
		p, err := a.next(taken, remembered)
		if err != nil {
			return nil, nil, fmt.Errorf("find a port for %s: %w", name, err)
		}
		res[name], taken[p] = p, true
		if from := remembered[name]; from != 0 {
			moved = append(moved, Moved{Name: name, From: from, To: p})
		}
	}
	return res, moved, nil
}

func (a Allocator) next(taken map[int]bool, remembered map[string]int) (int, error) {
	mine := make([]int, 0, len(remembered))
	for _, p := range remembered {
		mine = append(mine, p)
	}
	for p := a.Low; p <= a.High; p++ {
		if !taken[p] && !a.Reserved[p] && !slices.Contains(mine, p) && a.Free(p) {
			return p, nil
		}
	}
	return 0, fmt.Errorf("all ports from %d to %d are occupied", a.Low, a.High)
}

// Free tells whether a port can be listened on, on 127.0.0.1 and on all
// addresses (Cluster API's webhook servers cannot be told an address).
func Free(port int) bool {
	for _, host := range []string{"127.0.0.1", ""} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}

// ephemeralLow is where the kernel's own choice of ports starts: 32768 unless changed.
func ephemeralLow() int {
	const usual = 32768
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return usual
	}
	var low, high int
	if _, err := fmt.Sscan(string(b), &low, &high); err != nil || low <= lowest+1000 {
		return usual
	}
	return low
}
