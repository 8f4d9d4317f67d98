package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/internal/engine"
	"kargo.dev/kargo/internal/local/components"
	"kargo.dev/kargo/internal/local/pki"
	"kargo.dev/kargo/internal/local/profile"
	"kargo.dev/kargo/internal/process"
)

// Options of Up.
type Options struct {
	Profile  profile.Profile
	Search   engine.Search
	Programs components.Programs
	// Progress is told what happens.
	Progress Progress
	Now      func() time.Time
}

// Progress is told how far Up is.
type Progress interface {
	// Start begins a step; the function it returns ends it.
	Start(step string) (end func(err error))
	// Note tells something about the running step.
	Note(format string, args ...any)
}

// up is one run of Up.
type up struct {
	Options
	platform *profile.Platform
	layout   components.Layout
	pki      *pki.Authority
	runner   *process.Client
	client   client.Client
}

// Up brings the platform up and returns what is known of it. It may be called
// at any time and does what is missing.
func Up(ctx context.Context, o Options) (*profile.Platform, error) {
	if err := os.MkdirAll(o.Profile.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the profile's directory (set KARGO_HOME to a place that can be written): %w", err)
	}
	unlock, err := lock(o.Profile)
	if err != nil {
		return nil, err
	}
	defer unlock()
	u := &up{Options: o}
	for _, s := range u.steps() {
		end := o.Progress.Start(s.name)
		err := s.run(ctx)
		end(err)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return u.platform, nil
}

type step struct {
	name string
	run  func(context.Context) error
}

// steps in their order. Each is idempotent.
func (u *up) steps() []step {
	return []step{
		{"check the machine", u.check},
		{"supervisor", u.supervisor},
		{"certificates", u.certificates},
		{"fleet repository", u.repository},
		{"simulated AWS", u.aws},
		{"management cluster", u.controlPlane},
		{"custom resources and rules", u.install},
		{"Cluster API and its AWS provider", u.clusterAPI},
		{"Flux", u.flux},
		{"KARGO's manager", u.manager},
		{"teams and accounts", u.teams},
	}
}

// supervisor makes the supervisor run and settles all addresses.
func (u *up) supervisor(ctx context.Context) error {
	pl, err := u.Profile.Load()
	if errors.Is(err, profile.ErrNoPlatform) {
		pl, err = &profile.Platform{}, nil
	}
	if err != nil {
		return err
	}
	u.platform = pl
	if err := u.checkVersion(); err != nil {
		return err
	}
	pid, err := supervisorPID(ctx, u.Profile)
	if err != nil {
		return err
	}
	if pid == 0 {
		if err := startSupervisor(ctx, u.Profile, u.Programs.Kargoctl); err != nil {
			return err
		}
		if pid, err = supervisorPID(ctx, u.Profile); err != nil {
			return err
		}
	}
	u.runner = process.NewClient(u.Profile.Socket())
	if err := u.assignPorts(ctx); err != nil {
		return err
	}
	pl.EngineDir = u.Search.Dir
	pl.Supervisor = profile.Supervisor{Socket: u.Profile.Socket(), PID: pid}
	pl.Addresses = profile.Addresses{
		Kubeconfig: u.Profile.Kubeconfig(),
		Git:        profile.Git{URL: u.layout.FleetURL(), Credentials: u.Profile.GitCredentials()},
		AWSSim:     u.layout.URL(components.PortAWSSim, ""),
		Hook:       u.layout.HookURL(),
		AWS:        profile.AWS{ConfigFile: u.Profile.AWSConfig(), CredentialsFile: u.Profile.AWSCredentials()},
	}
	return u.Profile.Save(pl)
}
