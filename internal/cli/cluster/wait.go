package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/cli/names"
	"kargo.dev/kargo/internal/cli/progress"
)

// WaitOptions are the inputs of `wait cluster`.
type WaitOptions struct {
	IO     *command.IOStreams
	Clock  clock.WithTicker
	Client func() (client.WithWatch, error)
	Scope  func() (string, error)

	Names    []string
	All      bool
	Selector string
	For      string
	Timeout  time.Duration
}

// NewCmdWait makes `wait cluster`.
func NewCmdWait(f *command.Factory, runF func(*WaitOptions) error) *cobra.Command {
	opts := &WaitOptions{IO: f.IO, Clock: f.Clock, Client: f.Client, Scope: f.Scope}
	cmd := &cobra.Command{
		Use:     "cluster (NAME... | --all | -l SELECTOR)",
		Aliases: []string{"clusters", "wc", "workloadcluster", "workloadclusters"},
		Short:   "Wait until clusters reach a state",
		Long: `Wait until clusters reach a state. The exit code is 0 when all did, 1 as soon
as it is certain that one will not without a change (it is Stalled), and 3 when
the time was up.

  condition=NAME[=STATUS]  a condition has a status (True) for the present spec
  version=1.35             control plane and all nodes run that Kubernetes minor version
  commit=SHA               Flux has applied that commit of the fleet repository
  delete                   the cluster is gone, and nothing is left of it`,
		Example: `  kargoctl wait cluster shop-prod -n shop --for condition=Ready --timeout 15m
  kargoctl wait cluster --all -A --for commit=$(git rev-parse HEAD)`,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Names = args
			if runF != nil {
				return runF(opts)
			}
			return opts.Run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&opts.All, "all", false, "wait for all clusters of the namespace, with -A of all teams")
	flags.StringVarP(&opts.Selector, "selector", "l", "", "wait for all clusters with these labels")
	flags.StringVar(&opts.For, "for", "condition=Ready", "what to wait for")
	flags.DurationVar(&opts.Timeout, "timeout", DefaultTimeout, "how long to wait; then the exit code is 3")
	command.CompleteFlag(cmd, "for", cobra.FixedCompletions([]string{"condition=Ready", "delete", "version=", "commit="}, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
	cmd.ValidArgsFunction = names.Complete(f, names.Clusters, nil, 0)
	return cmd
}

// Run waits.
func (o *WaitOptions) Run(ctx context.Context) error {
	goal, err := progress.ParseGoal(o.For)
	if err != nil {
		return err
	}
	selector, err := labels.Parse(o.Selector)
	if err != nil {
		return command.Usagef("-l %s: %w", o.Selector, err)
	}
	switch many := o.All || o.Selector != ""; {
	case len(o.Names) == 0 && !many:
		return command.Usagef("which cluster? Give NAME, --all or -l SELECTOR")
	case len(o.Names) > 0 && many:
		return command.Usagef("names contradict --all and -l")
	case o.Timeout <= 0:
		return command.Usagef("--timeout %s is no time", o.Timeout)
	}
	scope, err := o.Scope()
	if err != nil {
		return err
	}
	c, err := o.Client()
	if err != nil {
		return err
	}
	targets, err := o.targets(ctx, c, scope, goal)
	if err != nil || goal.Gone && len(o.Names) > 0 && len(targets) == 0 {
		return err
	}
	return progress.Waiter{
		Client: c, Clock: o.Clock, IO: o.IO,
		Options:  []client.ListOption{client.InNamespace(scope), client.MatchingLabelsSelector{Selector: selector}},
		Clusters: targets, Goal: goal, Timeout: o.Timeout,
	}.Run(ctx)
}

// targets finds the named clusters. One that does not exist is an error, but
// when it should be gone anyway.
func (o *WaitOptions) targets(ctx context.Context, c client.Client, scope string, goal progress.Goal) ([]types.NamespacedName, error) {
	var keys []types.NamespacedName
	for _, name := range o.Names {
		w, err := names.Cluster(ctx, c, scope, name)
		var missing *names.UnknownError
		switch {
		case goal.Gone && errors.As(err, &missing):
			continue
		case err != nil:
			return nil, err
		}
		keys = append(keys, client.ObjectKeyFromObject(w))
	}
	return keys, nil
}
