package progress

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"

	"kargo.dev/kargo/internal/cli/command"
)

func TestDisplayPlain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams, _, _, out := command.TestIO()
		d := NewDisplay(streams, clock.RealClock{})
		waiting := []Line{{Title: "network"}, {Title: "nodes"}}
		d.Show(waiting)
		time.Sleep(3 * time.Second)
		working := []Line{{Title: "network", State: Working, Message: "making\nthe VPC"}, {Title: "nodes"}}
		d.Show(working)
		d.Show(working)
		time.Sleep(61 * time.Second)
		d.Show([]Line{{Title: "network", State: Done, Message: "vpc-1"}, {Title: "nodes", State: Failed, Message: "no quota"}})
		d.Note("lost")
		d.Close()
		want := strings.Join([]string{
			"    3s  network         working: making the VPC",
			"  1m4s  network         ready",
			"  1m4s  nodes           failed: no quota",
			"  1m4s  lost",
			"",
		}, "\n")
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("one line for each change, none for what waits at the start (-want +got):\n%s", diff)
		}
	})
}

func TestDisplayLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams, _, _, out := command.TestIO()
		streams.StderrTerminal, streams.Color = true, true
		streams.Width = func() int { return 40 }
		d := NewDisplay(streams, clock.RealClock{})
		d.Show([]Line{{Title: "network", State: Working, Message: "a message that is longer than the terminal is wide"}, {Title: "nodes"}})
		time.Sleep(time.Second)
		synctest.Wait()
		d.Show([]Line{{Title: "network", State: Done}, {Title: "nodes", State: Working}})
		d.Close()

		frames := strings.Split(out.String(), "\x1b[2F\x1b[J")
		if len(frames) < 5 {
			t.Fatalf("%d frames in a second: the view is not live", len(frames))
		}
		for _, frame := range frames {
			if got := strings.Count(frame, "\n"); got != 2 {
				t.Errorf("a frame of %d lines would leave some behind:\n%q", got, frame)
			}
			for line := range strings.Lines(frame) {
				if n := len([]rune(strip(line))); n > 40 {
					t.Errorf("a line of %d columns wraps: %q", n, line)
				}
			}
		}
		want := "✓ network              1s  \n⠴ nodes                1s  \n"
		if diff := cmp.Diff(want, strip(frames[len(frames)-1])); diff != "" {
			t.Errorf("last frame (-want +got):\n%s", diff)
		}
	})
}

// strip takes colours off.
func strip(s string) string {
	for _, sgr := range []string{"32", "31", "36", "2", "0"} {
		s = strings.ReplaceAll(s, "\x1b["+sgr+"m", "")
	}
	return s
}
