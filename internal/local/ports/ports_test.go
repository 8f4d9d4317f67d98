package ports

import (
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAssign(t *testing.T) {
	cases := map[string]struct {
		reason     string
		names      []string
		remembered map[string]int
		occupied   map[int]bool
		reserved   map[int]bool
		inUse      string
		want       map[string]int
		moved      []Moved
		fails      bool
	}{
		"First": {
			reason: "ports are handed out from the bottom, in the order of names",
			names:  []string{"b", "a"},
			want:   map[string]int{"b": 100, "a": 101},
		},
		"Remembered": {
			reason:     "a port stays the same over restarts",
			names:      []string{"a", "b"},
			remembered: map[string]int{"a": 103},
			want:       map[string]int{"a": 103, "b": 100},
		},
		"Occupied": {
			reason:     "somebody else's port is given up, and that is told",
			names:      []string{"a"},
			remembered: map[string]int{"a": 100},
			occupied:   map[int]bool{100: true, 101: true},
			want:       map[string]int{"a": 102},
			moved:      []Moved{{Name: "a", From: 100, To: 102}},
		},
		"InUseByThePlatform": {
			reason:     "the platform's own running process is no reason to move",
			names:      []string{"a"},
			remembered: map[string]int{"a": 100},
			occupied:   map[int]bool{100: true},
			inUse:      "a",
			want:       map[string]int{"a": 100},
		},
		"Reserved": {
			reason:   "another profile's ports are left to it",
			names:    []string{"a"},
			reserved: map[int]bool{100: true, 101: true},
			want:     map[string]int{"a": 102},
		},
		"None": {
			reason:   "without a free port there is an error",
			names:    []string{"a"},
			occupied: map[int]bool{100: true, 101: true, 102: true, 103: true},
			fails:    true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := Allocator{Low: 100, High: 103, Reserved: tc.reserved, Free: func(p int) bool { return !tc.occupied[p] }}
			got, moved, err := a.Assign(tc.names, tc.remembered, func(n string) bool { return n == tc.inUse })
			if (err != nil) != tc.fails {
				t.Fatalf("%s: error %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: ports\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.moved, moved); diff != "" {
				t.Errorf("%s: moved\n%s", tc.reason, diff)
			}
		})
	}
}

func TestFree(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if Free(port) {
		t.Error("a port that is listened on counts as free")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if !Free(port) {
		t.Error("a port that nobody listens on counts as occupied")
	}
}
