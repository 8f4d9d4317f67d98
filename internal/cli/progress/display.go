// Package progress waits for clusters and shows on stderr how far they are: a
// live view on a terminal, one line per change otherwise.
package progress

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"kargo.dev/kargo/internal/cli/command"
)

// State of a line.
type State int

// The states of a line.
const (
	Waiting State = iota // for something before it
	Working
	Done
	Failed
)

// Line is one thing that makes progress.
type Line struct {
	Title   string
	State   State
	Message string
	// Word says what Done means; "ready" if empty.
	Word string
}

// Display shows lines.
type Display struct {
	out   io.Writer
	clock clock.WithTicker
	live  bool
	color bool
	width func() int
	start time.Time

	mu    sync.Mutex
	lines []Line
	since map[string]time.Time // when a line got its state
	drawn int                  // lines on the terminal now
	frame int                  // of the spinner
	stop  chan struct{}
	ended chan struct{}
}

// frameTime is how long a frame of the spinner stands.
const frameTime = 200 * time.Millisecond

// NewDisplay starts a display; Close ends it.
func NewDisplay(streams *command.IOStreams, c clock.WithTicker) *Display {
	d := &Display{
		out: streams.ErrOut, clock: c, live: streams.StderrTerminal, color: streams.Color, width: streams.Width,
		start: c.Now(), since: map[string]time.Time{},
		stop: make(chan struct{}), ended: make(chan struct{}),
	}
	if d.live {
		go d.animate()
	} else {
		close(d.ended)
	}
	return d
}

// Show replaces the lines by their present state.
func (d *Display) Show(lines []Line) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := map[string]Line{}
	for _, l := range d.lines {
		before[l.Title] = l
	}
	for _, l := range lines {
		old, known := before[l.Title]
		if !known || old.State != l.State {
			d.since[l.Title] = d.clock.Now()
		}
		if !d.live && l != old && (known || l.State != Waiting) {
			fmt.Fprintf(d.out, "%s  %s\n", d.elapsed(d.clock.Now()), plain(l))
		}
	}
	d.lines = lines
	if d.live {
		d.draw()
	}
}

// Note prints a line that stays.
func (d *Display) Note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.erase()
	fmt.Fprintf(d.out, "%s  %s\n", d.elapsed(d.clock.Now()), fmt.Sprintf(format, args...))
	if d.live {
		d.draw()
	}
}

// Close leaves the last state on the terminal.
func (d *Display) Close() {
	close(d.stop)
	<-d.ended
}

func (d *Display) animate() {
	defer close(d.ended)
	ticker := d.clock.NewTicker(frameTime)
	defer ticker.Stop()
	for {
		select {
		case <-d.stop:
			return
		case <-ticker.C():
			d.mu.Lock()
			d.frame++
			d.draw()
			d.mu.Unlock()
		}
	}
}

// erase moves the cursor to the first drawn line and clears all below it:
// CSI n F and CSI J of ECMA-48.
func (d *Display) erase() {
	if d.drawn > 0 {
		fmt.Fprintf(d.out, "\x1b[%dF\x1b[J", d.drawn)
		d.drawn = 0
	}
}

func (d *Display) draw() {
	var b strings.Builder
	for _, l := range d.lines {
		at := ""
		switch l.State {
		case Done, Failed:
			at = d.elapsed(d.since[l.Title])
		case Working:
			at = d.elapsed(d.clock.Now())
		}
		text := fmt.Sprintf("%-15s %7s  %s", l.Title, at, oneLine(l.Message))
		if room := d.width() - 3; len(text) > room && room > 1 {
			text = strings.ToValidUTF8(text[:room-1], "") + "…"
		}
		fmt.Fprintf(&b, "%s %s\n", d.mark(l.State), text)
	}
	d.erase()
	fmt.Fprint(d.out, b.String())
	d.drawn = len(d.lines)
}

func (d *Display) mark(s State) string {
	switch s {
	case Done:
		return d.paint("32", "✓")
	case Failed:
		return d.paint("31", "✗")
	case Working:
		spinner := []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}
		return d.paint("36", spinner[d.frame%len(spinner)])
	default:
		return d.paint("2", "·")
	}
}

func (d *Display) paint(sgr, s string) string {
	if !d.color {
		return s
	}
	return "\x1b[" + sgr + "m" + s + "\x1b[0m"
}

func (d *Display) elapsed(t time.Time) string {
	return fmt.Sprintf("%6s", t.Sub(d.start).Round(time.Second))
}

func plain(l Line) string {
	word := map[State]string{Waiting: "waiting", Working: "working", Done: cmp.Or(l.Word, "ready"), Failed: "failed"}[l.State]
	if l.Message == "" || l.State == Done {
		return fmt.Sprintf("%-15s %s", l.Title, word)
	}
	return fmt.Sprintf("%-15s %s: %s", l.Title, word, oneLine(l.Message))
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
