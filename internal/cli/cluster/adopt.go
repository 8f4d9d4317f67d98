package cluster

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/catalogue"
	"kargo.dev/kargo/internal/cli/change"
	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/cli/progress"
)

// AdoptOptions are the inputs of `adopt cluster`.
type AdoptOptions struct {
	IO     *command.IOStreams
	Clock  clock.WithTicker
	Client func() (client.WithWatch, error)
	Config func() (*rest.Config, error)

	Target
	Timeout time.Duration
	DryRun  bool
}

// adoptTimeout is how long the manager may take to apply its rendering.
const adoptTimeout = 2 * time.Minute

// annotationRelease on an adopted cluster names the Helm release it was taken
// over from, as namespace/name, until the release's record is removed.
const annotationRelease = "kargo.dev/adopted-helm-release"

// NewCmdAdopt makes `adopt cluster`.
func NewCmdAdopt(f *command.Factory, runF func(*AdoptOptions) error) *cobra.Command {
	opts := &AdoptOptions{IO: f.IO, Clock: f.Clock, Client: f.Client, Config: f.Config}
	cmd := &cobra.Command{
		Use:     "cluster NAME --team TEAM --account ACCOUNT",
		Aliases: []string{"wc", "workloadcluster"},
		Short:   "Take over a bare cluster that Helm made from the cluster chart",
		Long: `Take over a bare cluster that was made with "helm upgrade --install NAME
charts/cluster". Its values become the settings of a cluster of KARGO's, which
then gets Flux and its add-ons. Nothing in AWS is made anew.

What KARGO will render differently is shown first; --dry-run stops there. When
the manager has applied its own rendering, the record of the Helm release is
removed, so that "helm uninstall" does not delete the cluster any more. If that
is not reached, repeat the command.

This takes an administrator of the factory.`,
		Example: `  kargoctl adopt cluster shop-prod --team shop --account shop-prod --dry-run`,
		Args:    command.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
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
	flags.DurationVar(&opts.Timeout, "timeout", adoptTimeout, "how long the manager may take; then the exit code is 3")
	flags.BoolVar(&opts.DryRun, "dry-run", false, "show what changes, but change nothing")
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	return cmd
}

// Run takes the cluster over.
func (o *AdoptOptions) Run(ctx context.Context) error {
	switch {
	case o.Account == "":
		return command.Usagef("in which account is it? Give --account ACCOUNT")
	case o.Release != "" && o.Branch != "":
		return command.Usagef("--release and --branch contradict each other: a cluster is made of one of them")
	case o.Timeout <= 0:
		return command.Usagef("--timeout %s is no time", o.Timeout)
	}
	c, err := o.Client()
	if err != nil {
		return err
	}
	cfg, err := o.Config()
	if err != nil {
		return err
	}
	w := &v1alpha1.WorkloadCluster{}
	err = c.Get(ctx, types.NamespacedName{Namespace: o.Team, Name: o.Name}, w)
	switch {
	case err == nil && w.Annotations[v1alpha1.AnnotationAdopt] != "true":
		return fmt.Errorf("team %s has a cluster %s of KARGO's already: there is nothing to take over", o.Team, o.Name)
	case err == nil && w.Annotations[annotationRelease] == "":
		command.Report(o.IO.Out, "workloadcluster", o.Name, "adopted already", false)
		return nil
	case err != nil && !apierrors.IsNotFound(err):
		return fmt.Errorf("cannot read cluster %s/%s: %w", o.Team, o.Name, err)
	case err != nil:
		if w, err = o.create(ctx, c, cfg); err != nil || o.DryRun {
			return err
		}
	}
	return o.finish(ctx, c, cfg, w)
}

// create shows what changes, and makes the WorkloadCluster of the bare cluster.
func (o *AdoptOptions) create(ctx context.Context, c client.WithWatch, cfg *rest.Config) (*v1alpha1.WorkloadCluster, error) {
	account, err := findAccount(ctx, c, o.IO, o.Team, o.Account)
	if err != nil {
		return nil, err
	}
	offer, err := catalogue.Load(ctx, c, o.IO)
	if err != nil {
		return nil, err
	}
	bare, err := findBare(ctx, c, cfg, o.Name, account)
	if err != nil {
		return nil, err
	}
	if err := bare.belongsTo(o.Team, account); err != nil {
		return nil, err
	}
	w, err := o.workloadCluster(bare)
	if err != nil {
		return nil, err
	}
	if err := offer.Check(nil, w, account); err != nil {
		return nil, err
	}
	if err := o.showChanges(ctx, c, bare, w, account, offer); err != nil {
		return nil, err
	}
	if err := command.Create(ctx, c, w, o.DryRun); err != nil {
		return nil, fmt.Errorf("cannot create cluster %s/%s: %w", w.Namespace, w.Name, err)
	}
	if o.DryRun {
		command.Report(o.IO.Out, "workloadcluster", w.Name, "adopted", true)
	}
	return w, nil
}

// showChanges says which of the chart's values KARGO will render differently.
// The values of add-ons are left out: they render nothing, Flux gets them.
func (o *AdoptOptions) showChanges(ctx context.Context, c client.Client, bare *bareCluster, w *v1alpha1.WorkloadCluster, account *v1alpha1.Account, offer *catalogue.Catalogue) error {
	fmt.Fprintf(o.IO.ErrOut, "cluster %s was made by Helm release %s (revision %d, chart %s)\n",
		o.Name, bare.key, bare.release.Version, bare.release.Chart.Metadata.Version)
	fleetValues, err := offer.Values(w, account)
	if err != nil {
		return err
	}
	if fleetValues == nil {
		fmt.Fprintln(o.IO.ErrOut, "what KARGO will render differently cannot be told without the fleet's catalogue")
		return nil
	}
	team := &v1alpha1.Team{}
	if err := c.Get(ctx, client.ObjectKey{Name: o.Team}, team); err != nil {
		return fmt.Errorf("cannot read team %s: %w", o.Team, err)
	}
	before := bare.effective(bare.release.Config)
	after := bare.effective(bare.withIdentity(fleetValues, w, team, account))
	delete(before, "addons")
	delete(after, "addons")
	lines, err := change.Lines("values", before, after)
	if err != nil {
		return err
	}
	if len(lines) == 0 {
		fmt.Fprintln(o.IO.ErrOut, "KARGO will render it with the same values")
		return nil
	}
	fmt.Fprintf(o.IO.ErrOut, "KARGO will render it with these values changed:\n  %s\n", strings.Join(lines, "\n  "))
	return nil
}

// finish waits until the manager has applied its rendering, then removes the
// record of the Helm release.
func (o *AdoptOptions) finish(ctx context.Context, c client.WithWatch, cfg *rest.Config, w *v1alpha1.WorkloadCluster) error {
	err := progress.Waiter{
		Client: c, Clock: o.Clock, IO: o.IO,
		Options:  []client.ListOption{client.InNamespace(w.Namespace), client.MatchingFields{"metadata.name": w.Name}},
		Clusters: []types.NamespacedName{client.ObjectKeyFromObject(w)},
		Goal:     progress.Condition(v1alpha1.ConditionApplied, "True"), Timeout: o.Timeout,
	}.Run(ctx)
	if err != nil {
		return command.WithHint(err, "the Helm release is untouched; mend the cause and repeat the command")
	}
	namespace, name, _ := strings.Cut(w.Annotations[annotationRelease], "/")
	removed, err := removeRelease(cfg, namespace, name)
	if err != nil {
		return err
	}
	if err := c.Get(ctx, client.ObjectKeyFromObject(w), w); err != nil {
		return fmt.Errorf("cannot read cluster %s/%s: %w", w.Namespace, w.Name, err)
	}
	before := w.DeepCopy()
	delete(w.Annotations, annotationRelease)
	if err := c.Patch(ctx, w, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("cannot note that the Helm release's record is removed: %w", err)
	}
	fmt.Fprintf(o.IO.ErrOut, "the record of Helm release %s/%s (%d revisions) is removed: helm does not know the cluster any more\n", namespace, name, removed)
	command.Report(o.IO.Out, "workloadcluster", w.Name, "adopted", false)
	return nil
}
