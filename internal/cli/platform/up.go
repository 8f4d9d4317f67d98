package platform

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/engine"
	"kargo.dev/kargo/internal/local"
	"kargo.dev/kargo/internal/local/components"
	"kargo.dev/kargo/internal/local/profile"
)

// defaultUpTimeout is for a cold start with the example clusters on two cores.
const defaultUpTimeout = 15 * time.Minute

// UpOptions are the inputs of `up`.
type UpOptions struct {
	IO         *command.IOStreams
	Clock      clock.WithTicker
	Executable string
	Profile    func() (profile.Profile, error)
	// Factory makes the commands that up runs after the platform is there.
	Factory *command.Factory

	EngineDir string
	NoExample bool
	Timeout   time.Duration
}

// NewCmdUp makes `up`.
func NewCmdUp(f *command.Factory, runF func(*UpOptions) error) *cobra.Command {
	opts := &UpOptions{IO: f.IO, Clock: f.Clock, Executable: f.Executable, Profile: f.Profile, Factory: f}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the whole platform on this machine",
		Long: `Start the whole platform on this machine, in the background: a management
cluster, Cluster API and its AWS provider, Flux, a Git server with the fleet
repository, KARGO's manager, and a simulated AWS in which EKS clusters are real
Kubernetes API servers. The first time, an example fleet is created.

It may be run again at any time: it does what is missing. Data stays on disk
until "kargoctl down --purge".`,
		Example: `  kargoctl up
  kargoctl up --profile second --no-example`,
		Args: command.ExactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(opts)
			}
			return opts.Run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&opts.EngineDir, "engine-dir", "", "directory with the engine's binaries (env KUBEBUILDER_ASSETS, KARGO_CACHE)")
	cmd.Flags().BoolVar(&opts.NoExample, "no-example", false, "create no example clusters")
	cmd.Flags().DurationVar(&opts.Timeout, "timeout", defaultUpTimeout, "how long all of it may take")
	return cmd
}

// Run brings the platform up.
func (o *UpOptions) Run(ctx context.Context) error {
	p, err := o.Profile()
	if err != nil {
		return err
	}
	start := o.Clock.Now()
	within, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	bin := filepath.Dir(o.Executable)
	platform, err := local.Up(within, local.Options{
		Profile: p,
		Search:  engine.SearchFromEnv(o.EngineDir, os.Getenv),
		Programs: components.Programs{
			Kargoctl: o.Executable, Manager: filepath.Join(bin, "kargo-manager"), AWSSim: filepath.Join(bin, "awssim"),
		},
		Progress: newSteps(o.IO, o.Clock),
		Now:      o.Clock.Now,
	})
	if err != nil {
		return command.WithHint(err, "mend it and run `kargoctl up` again: it goes on where it is. `kargoctl status` shows the processes")
	}
	e := example{factory: o.Factory, profile: p, platform: platform}
	if !o.NoExample && !platform.Example {
		if err := e.create(within); err != nil {
			return err
		}
	}
	if err := e.wait(ctx, o.Timeout-o.Clock.Since(start)); err != nil {
		return err
	}
	return o.summary(ctx, p, o.Clock.Since(start))
}
