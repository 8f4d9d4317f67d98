package platform

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/local"
	"kargo.dev/kargo/internal/local/profile"
)

// DownOptions are the inputs of `down`.
type DownOptions struct {
	IO      *command.IOStreams
	Profile func() (profile.Profile, error)

	Purge   bool
	Timeout time.Duration
}

// NewCmdDown makes `down`.
func NewCmdDown(f *command.Factory, runF func(*DownOptions) error) *cobra.Command {
	opts := &DownOptions{IO: f.IO, Profile: f.Profile}
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Stop the local platform; its data stays",
		Args:  command.ExactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(opts)
			}
			return opts.Run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&opts.Purge, "purge", false, "forget the platform's data too: clusters, repository, everything")
	cmd.Flags().DurationVar(&opts.Timeout, "timeout", 2*time.Minute, "how long processes may take to end")
	return cmd
}

// Run stops the platform.
func (o *DownOptions) Run(ctx context.Context) error {
	p, err := o.Profile()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	stopped, err := local.Down(ctx, p)
	if err != nil {
		return err
	}
	if stopped {
		fmt.Fprintf(o.IO.ErrOut, "stopped the platform of profile %s\n", p.Name)
	} else {
		fmt.Fprintf(o.IO.ErrOut, "the platform of profile %s does not run\n", p.Name)
	}
	if !o.Purge {
		if _, err := p.Load(); !errors.Is(err, profile.ErrNoPlatform) {
			fmt.Fprintf(o.IO.ErrOut, "its data stays in %s; `kargoctl up` continues, `kargoctl down --purge` forgets it\n", p.Dir)
		}
		return nil
	}
	if err := local.Purge(ctx, p); err != nil {
		return err
	}
	fmt.Fprintf(o.IO.ErrOut, "removed %s\n", p.Dir)
	return nil
}
