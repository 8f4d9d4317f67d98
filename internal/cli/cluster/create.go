package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/catalogue"
	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/cli/names"
	"kargo.dev/kargo/internal/cli/progress"
)

// DefaultTimeout is how long --wait waits: EKS takes about a quarter of an hour
// for a cluster and its nodes.
const DefaultTimeout = 30 * time.Minute

// CreateOptions are the inputs of `create cluster`.
type CreateOptions struct {
	IO     *command.IOStreams
	Clock  clock.WithTicker
	Client func() (client.WithWatch, error)
	Output *command.Output

	Target
	KubernetesVersion  string
	Set                []string
	Unset              []string
	DeletionProtection bool
	// Given holds the names of the flags that were typed: only they change an existing cluster.
	Given map[string]bool

	Wait    bool
	Timeout time.Duration
	DryRun  bool
}

// NewCmdCreate makes `create cluster`.
func NewCmdCreate(f *command.Factory, runF func(*CreateOptions) error) *cobra.Command {
	opts := &CreateOptions{IO: f.IO, Clock: f.Clock, Client: f.Client, Output: command.NewOutput(), Given: map[string]bool{}}
	cmd := &cobra.Command{
		Use:     "cluster NAME --team TEAM --account ACCOUNT",
		Aliases: []string{"wc", "workloadcluster"},
		Short:   "Create a cluster in a team's account, or change one",
		Long: `Create a cluster in one of a team's AWS accounts.

On a name that exists, the flags given are applied to that cluster and the
differences are shown: pool sizes, settings, the Kubernetes version (one minor
at a time), the release. What no flag names stays as it is; --unset
takes a setting back.`,
		Example: `  kargoctl create cluster shop-prod --team shop --account shop-prod --wait
  kargoctl create cluster shop-prod --team shop --set nodePools.default.size=3
  kargoctl create cluster shop-prod --team shop --kubernetes-version 1.35 --wait`,
		Args: command.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, name := range []string{"account", "flavor", "release", "branch", "kubernetes-version", "set", "deletion-protection"} {
				opts.Given[name] = cmd.Flags().Changed(name)
			}
			if err := opts.take(args[0], f.Namespace()); err != nil {
				return err
			}
			if runF != nil {
				return runF(opts)
			}
			return opts.Run(cmd.Context())
		},
	}
	opts.addFlags(cmd, f)
	flags := cmd.Flags()
	flags.StringVar(&opts.KubernetesVersion, "kubernetes-version", "", "Kubernetes minor version, such as 1.35 (default: the flavor's)")
	flags.StringArrayVar(&opts.Set, "set", nil, "setting of the cluster as KEY=VALUE, repeatable")
	flags.StringArrayVar(&opts.Unset, "unset", nil, "setting of the cluster to take back, repeatable: what its flavor says holds again")
	flags.BoolVar(&opts.DeletionProtection, "deletion-protection", true, "refuse the cluster's deletion until it is switched off")
	flags.BoolVar(&opts.Wait, "wait", false, "wait until the cluster is ready")
	flags.DurationVar(&opts.Timeout, "timeout", DefaultTimeout, "how long --wait waits; then the exit code is 3")
	flags.BoolVar(&opts.DryRun, "dry-run", false, "let the management cluster judge, but change nothing")
	opts.Output.AddFlags(cmd)
	cmd.ValidArgsFunction = names.Complete(f, names.Clusters, &opts.Team, 1)
	return cmd
}

// Run creates or changes the cluster.
func (o *CreateOptions) Run(ctx context.Context) error {
	if err := o.validate(); err != nil {
		return err
	}
	c, err := o.Client()
	if err != nil {
		return err
	}
	existing := &v1alpha1.WorkloadCluster{}
	err = c.Get(ctx, types.NamespacedName{Namespace: o.Team, Name: o.Name}, existing)
	if apierrors.IsNotFound(err) {
		existing = nil
	} else if err != nil {
		return fmt.Errorf("cannot read cluster %s/%s: %w", o.Team, o.Name, err)
	}
	offer, err := catalogue.Load(ctx, c, o.IO)
	if err != nil {
		return err
	}
	wanted, err := o.wanted(ctx, c, existing, offer)
	if err != nil {
		return err
	}
	outcome, err := o.write(ctx, c, existing, wanted)
	if err != nil {
		return err
	}
	if err := o.report(c, wanted, outcome); err != nil || o.DryRun {
		return err
	}
	if outcome == unchanged && !o.Wait {
		return o.printObject(c, wanted)
	}
	if err := o.verdict(ctx, c, wanted, outcome); err != nil {
		return err
	}
	return o.printObject(c, wanted)
}

// verdict stays to hear whether the manager accepts, or until the cluster is ready.
func (o *CreateOptions) verdict(ctx context.Context, c client.WithWatch, w *v1alpha1.WorkloadCluster, outcome string) error {
	judge := progress.Judge{Client: c, Clock: o.Clock, Hint: o.hint(outcome)}
	err := judge.Wait(ctx, "cluster", &v1alpha1.WorkloadClusterList{}, w, v1alpha1.ConditionResolved)
	if err != nil || !o.Wait {
		return err
	}
	err = progress.Waiter{
		Client: c, Clock: o.Clock, IO: o.IO,
		Options:  []client.ListOption{client.InNamespace(w.Namespace), client.MatchingFields{"metadata.name": w.Name}},
		Clusters: []types.NamespacedName{client.ObjectKeyFromObject(w)},
		Goal:     progress.Ready(), Timeout: o.Timeout,
	}.Run(ctx)
	if err != nil {
		return err
	}
	if err := c.Get(ctx, client.ObjectKeyFromObject(w), w); err != nil {
		return fmt.Errorf("cannot read cluster %s/%s: %w", w.Namespace, w.Name, err)
	}
	return nil
}

// hint says what to do when the manager refuses.
func (o *CreateOptions) hint(outcome string) string {
	if outcome == created {
		return fmt.Sprintf("the cluster's object stays and nothing is built: mend it with the same command, or remove it with `kargoctl delete cluster %s -n %s --confirm %s`", o.Name, o.Team, o.Name)
	}
	return fmt.Sprintf("the cluster stays as it was: mend it with the same command; see `kargoctl describe cluster %s -n %s`", o.Name, o.Team)
}
