package fleet_test

import (
	"testing"

	"kargo.dev/kargo/internal/fleet"
)

// BenchmarkLoad is what a new commit costs the manager, once.
func BenchmarkLoad(b *testing.B) {
	files := repository(b)
	for b.Loop() {
		if _, err := fleet.Load(files); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoadSmall is what one execution of FuzzLoad costs, without coverage.
func BenchmarkLoadSmall(b *testing.B) {
	files := filesOf(small())
	for b.Loop() {
		if _, err := fleet.Load(files); err != nil {
			b.Fatal(err)
		}
	}
}
