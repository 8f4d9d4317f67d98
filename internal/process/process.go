// Package process keeps operating system processes running: it starts them,
// restarts them with back-off when they end, writes a log per process and
// reports their state. The local platform runs on it.
package process

import (
	"context"
	"time"
)

// Spec describes a process that should run.
type Spec struct {
	// Name is unique in a supervisor and names the log file: "etcd",
	// "eks/111111111111/shop-prod/kube-apiserver".
	Name string   `json:"name"`
	Path string   `json:"path"` // absolute path of the binary
	Args []string `json:"args,omitempty"`
	// Env is the whole environment; nothing is inherited but PATH, HOME and TMPDIR.
	Env []string `json:"env,omitempty"`
	Dir string   `json:"dir,omitempty"`
	// ReadyURL answers 200 when the process serves ("" means: ready once started).
	ReadyURL string `json:"readyURL,omitempty"`
	// ReadyCAFile verifies an https ReadyURL.
	ReadyCAFile string `json:"readyCAFile,omitempty"`
	// StopGrace is how long the process may take to end after SIGTERM; 5 s if 0.
	StopGrace time.Duration `json:"stopGrace,omitempty"`
}

// State of a process.
type State string

// The states a process goes through.
const (
	StateStarting State = "starting" // started, ReadyURL does not answer yet
	StateRunning  State = "running"
	StateBackOff  State = "backoff" // ended, waits for its restart
	StateStopped  State = "stopped" // removed, or the supervisor ends
)

// Status is what is known of a process.
type Status struct {
	Name      string    `json:"name"`
	PID       int       `json:"pid,omitempty"`
	State     State     `json:"state"`
	Restarts  int       `json:"restarts"`
	StartedAt time.Time `json:"startedAt,omitzero"`
	// LastExit says how the process last ended: "exit status 1", "signal: killed".
	LastExit string `json:"lastExit,omitempty"`
	LogFile  string `json:"logFile"`
	// MemoryBytes is the proportional set size (shared pages counted once over all processes).
	MemoryBytes int64 `json:"memoryBytes,omitempty"`
}

// Runner runs processes. *Supervisor does so itself, *Client asks a supervisor
// in another process to; so a simulator that dies takes no cluster with it.
type Runner interface {
	// Ensure makes a process with this spec run; a changed spec restarts it.
	Ensure(ctx context.Context, s Spec) error
	// Remove stops a process and forgets it; an unknown name is no error.
	// It returns when the process has ended.
	Remove(ctx context.Context, name string) error
	// List returns all processes whose name starts with prefix, sorted by name.
	List(ctx context.Context, prefix string) ([]Status, error)
}
