package phase

import (
	"fmt"
	"time"
)

// WaitingError says that a phase waits for something that comes by itself. It
// is no failure: nothing is logged, nothing backs off.
type WaitingError struct {
	Reason, Message string
	// RetryAfter is when to look again; 0 where a watch tells.
	RetryAfter time.Duration
}

// Error implements error.
func (e *WaitingError) Error() string { return e.Message }

// Waiting makes a WaitingError for something a watch tells of.
func Waiting(reason, format string, args ...any) *WaitingError {
	return &WaitingError{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// After makes the error ask for another look after d.
func (e *WaitingError) After(d time.Duration) *WaitingError {
	e.RetryAfter = d
	return e
}

// TerminalError says that no retry helps: a person has to change something,
// and the message says what.
type TerminalError struct {
	Reason, Message string
}

// Error implements error.
func (e *TerminalError) Error() string { return e.Message }

// Terminal makes a TerminalError.
func Terminal(reason, format string, args ...any) *TerminalError {
	return &TerminalError{Reason: reason, Message: fmt.Sprintf(format, args...)}
}
