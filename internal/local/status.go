package local

import (
	"context"
	"errors"
	"fmt"

	"kargo.dev/kargo/internal/local/profile"
	"kargo.dev/kargo/internal/process"
)

// Status is what `kargoctl status -o json` prints; its form is stable.
type Status struct {
	Profile    string           `json:"profile"`
	Running    bool             `json:"running"`
	Supervisor SupervisorStatus `json:"supervisor"`
	// Processes in the order of their names.
	Processes []ProcessStatus   `json:"processes"`
	Addresses profile.Addresses `json:"addresses"`
}

// SupervisorStatus is the process that runs all others.
type SupervisorStatus struct {
	PID     int    `json:"pid,omitempty"`
	LogFile string `json:"logFile"`
}

// ProcessStatus is one process of the platform.
type ProcessStatus struct {
	Name     string        `json:"name"`
	PID      int           `json:"pid,omitempty"`
	State    process.State `json:"state"`
	Restarts int           `json:"restarts"`
	// Memory is the proportional set size in bytes: pages shared with other processes are split among them.
	Memory  int64  `json:"memory"`
	LogFile string `json:"logFile"`
	// LastExit says how the process last ended, "" if it never did.
	LastExit string `json:"lastExit,omitempty"`
}

// ReadStatus looks at the platform of a profile. A platform that was never
// started is not running; that is no error.
func ReadStatus(ctx context.Context, p profile.Profile) (Status, error) {
	st := Status{Profile: p.Name, Processes: []ProcessStatus{}, Supervisor: SupervisorStatus{LogFile: p.SupervisorLog()}}
	pl, err := p.Load()
	if errors.Is(err, profile.ErrNoPlatform) {
		return st, nil
	}
	if err != nil {
		return st, err
	}
	st.Addresses = pl.Addresses
	pid, err := supervisorPID(ctx, p)
	if err != nil {
		return st, err
	}
	if pid == 0 {
		return st, nil
	}
	st.Running, st.Supervisor.PID = true, pid
	list, err := process.NewClient(p.Socket()).List(ctx, "")
	if err != nil {
		return st, fmt.Errorf("list processes: %w", err)
	}
	for _, s := range list {
		st.Processes = append(st.Processes, ProcessStatus{
			Name: s.Name, PID: s.PID, State: s.State, Restarts: s.Restarts,
			Memory: s.MemoryBytes, LogFile: s.LogFile, LastExit: s.LastExit,
		})
	}
	return st, nil
}

// Memory is what all processes take together, in bytes.
func (s Status) Memory() int64 {
	var sum int64
	for _, p := range s.Processes {
		sum += p.Memory
	}
	return sum
}
