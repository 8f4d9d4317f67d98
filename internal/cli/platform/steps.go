package platform

import (
	"fmt"
	"io"
	"time"

	"k8s.io/utils/clock"

	"kargo.dev/kargo/internal/cli/command"
)

// steps shows how far `up` is: a line per step, when it has ended.
type steps struct {
	out   io.Writer
	clock clock.PassiveClock
	ok    string
	bad   string
}

func newSteps(streams *command.IOStreams, c clock.PassiveClock) *steps {
	s := &steps{out: streams.ErrOut, clock: c, ok: "✓", bad: "✗"}
	if streams.Color {
		s.ok, s.bad = "\x1b[32m✓\x1b[0m", "\x1b[31m✗\x1b[0m"
	}
	return s
}

// Start implements local.Progress.
func (s *steps) Start(step string) func(error) {
	start := s.clock.Now()
	return func(err error) {
		mark := s.ok
		if err != nil {
			mark = s.bad
		}
		fmt.Fprintf(s.out, "%s %-40s %6.1fs\n", mark, step, s.clock.Since(start).Round(100*time.Millisecond).Seconds())
	}
}

// Note implements local.Progress.
func (s *steps) Note(format string, args ...any) {
	fmt.Fprintf(s.out, "  "+format+"\n", args...)
}
