package command

import (
	"bytes"
	"io"
	"os"

	"golang.org/x/term"
)

// IOStreams are a command's input and outputs: results go to Out, progress,
// notes and questions to ErrOut.
type IOStreams struct {
	In     io.Reader
	Out    io.Writer
	ErrOut io.Writer

	// StdinTerminal says that somebody can answer a question.
	StdinTerminal bool
	// StderrTerminal says that progress may be drawn over itself.
	StderrTerminal bool
	// Color says that ErrOut takes colours: it is a terminal and NO_COLOR
	// (https://no-color.org) is unset.
	Color bool
	// Width is how many columns ErrOut has if it is a terminal.
	Width func() int
}

// defaultWidth is what a terminal has that does not say.
const defaultWidth = 80

// SystemIO returns the process's own streams.
func SystemIO() *IOStreams {
	stderrTerminal := term.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("TERM") != "dumb"
	return &IOStreams{
		In:             os.Stdin,
		Out:            os.Stdout,
		ErrOut:         os.Stderr,
		StdinTerminal:  term.IsTerminal(int(os.Stdin.Fd())),
		StderrTerminal: stderrTerminal,
		Color:          stderrTerminal && os.Getenv("NO_COLOR") == "",
		Width: func() int {
			if width, _, err := term.GetSize(int(os.Stderr.Fd())); err == nil && width > 0 {
				return width
			}
			return defaultWidth
		},
	}
}

// TestIO returns streams that are no terminal, and the buffers behind them.
func TestIO() (streams *IOStreams, in, out, errOut *bytes.Buffer) {
	in, out, errOut = &bytes.Buffer{}, &bytes.Buffer{}, &bytes.Buffer{}
	return &IOStreams{In: in, Out: out, ErrOut: errOut, Width: func() int { return defaultWidth }}, in, out, errOut
}
