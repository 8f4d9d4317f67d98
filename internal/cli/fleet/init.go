// Package fleet holds kargoctl's commands about fleet repositories.
package fleet

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/scaffold"
)

// InitOptions are the inputs of `init fleet`.
type InitOptions struct {
	IO *command.IOStreams
	// InitFleet makes the repository; scaffold.InitFleet but in tests.
	InitFleet func(context.Context, scaffold.Options) (*scaffold.Result, error)

	Dir         string
	Name        string
	Local       bool
	Example     bool
	ChartSource string
	Timeout     time.Duration
}

// initTimeout is for slow networks: a dozen charts are fetched.
const initTimeout = 15 * time.Minute

// NewCmdInit makes `init fleet`.
func NewCmdInit(f *command.Factory, runF func(*InitOptions) error) *cobra.Command {
	opts := &InitOptions{IO: f.IO, InitFleet: scaffold.InitFleet}
	cmd := &cobra.Command{
		Use:   "fleet DIR",
		Short: "Make a fleet repository",
		Long: `Make the work tree of a fleet repository in a folder: flavors, environments,
add-ons with their upstream charts in pinned versions, and the cluster chart.
In one that exists, what is missing is added and nothing is overwritten. Look at
it, commit it with git, and push it to where the factory reads it.`,
		Example: `  kargoctl init fleet ./fleet && cd fleet && git init && git add . && git commit -m "A new fleet"`,
		Args:    command.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Dir = args[0]
			if runF != nil {
				return runF(opts)
			}
			return opts.Run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.Name, "name", "", `name of the fleet (default "fleet")`)
	flags.BoolVar(&opts.Local, "local", false, "for the local platform: webhooks of add-ons are left out, nobody answers there")
	flags.BoolVar(&opts.Example, "example", false, "with the teams and accounts of the example")
	flags.StringVar(&opts.ChartSource, "chart-source", string(scaffold.SourceAuto), "where upstream charts come from: helm (their repositories), go (the Go module proxy), or auto, which takes the first that answers")
	flags.DurationVar(&opts.Timeout, "timeout", initTimeout, "how long fetching may take")
	command.CompleteFlag(cmd, "chart-source", cobra.FixedCompletions([]string{"auto", "helm", "go"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// Run makes the repository.
func (o *InitOptions) Run(ctx context.Context) error {
	source := scaffold.Source(o.ChartSource)
	if !slices.Contains([]scaffold.Source{scaffold.SourceAuto, scaffold.SourceHelm, scaffold.SourceGo}, source) {
		return command.Usagef("--chart-source %q is none of auto, helm, go", o.ChartSource)
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	result, err := o.InitFleet(ctx, scaffold.Options{
		Dir: o.Dir, Name: o.Name, Local: o.Local, Example: o.Example, Source: source,
		Progress: func(line string) { fmt.Fprintln(o.IO.ErrOut, line) },
	})
	if err != nil {
		return fmt.Errorf("cannot make a fleet repository in %s: %w", o.Dir, err)
	}
	fmt.Fprintf(o.IO.ErrOut, "%s: %d files written, %d charts vendored\n", o.Dir, len(result.Created), len(result.Charts))
	_, err = fmt.Fprintln(o.IO.Out, o.Dir)
	return err
}
