package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/cli/names"
	"kargo.dev/kargo/internal/cli/progress"
)

// DeleteOptions are the inputs of `delete cluster`.
type DeleteOptions struct {
	IO        *command.IOStreams
	Clock     clock.WithTicker
	Client    func() (client.WithWatch, error)
	Namespace func() string

	Name    string
	Confirm string
	Wait    bool
	Timeout time.Duration
	DryRun  bool
}

// NewCmdDelete makes `delete cluster`.
func NewCmdDelete(f *command.Factory, runF func(*DeleteOptions) error) *cobra.Command {
	opts := &DeleteOptions{IO: f.IO, Clock: f.Clock, Client: f.Client, Namespace: f.Namespace}
	cmd := &cobra.Command{
		Use:     "cluster NAME",
		Aliases: []string{"wc", "workloadcluster"},
		Short:   "Delete a cluster and everything in it",
		Long: `Delete a cluster, everything in it, and all that was made for it in the AWS
account. There is no way back.

The name must be typed again, or given with --confirm. Then the cluster's
deletion protection is switched off and the cluster deleted, in two steps.`,
		Example: `  kargoctl delete cluster shop-test -n shop
  kargoctl delete cluster shop-test -n shop --confirm shop-test --wait`,
		Args: command.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Name = args[0]
			if runF != nil {
				return runF(opts)
			}
			return opts.Run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.Confirm, "confirm", "", "the cluster's name once more, instead of a question")
	flags.BoolVar(&opts.Wait, "wait", false, "wait until nothing is left of the cluster")
	flags.DurationVar(&opts.Timeout, "timeout", DefaultTimeout, "how long --wait waits; then the exit code is 3")
	flags.BoolVar(&opts.DryRun, "dry-run", false, "say what would be deleted, but change nothing")
	cmd.ValidArgsFunction = names.Complete(f, names.Clusters, nil, 1)
	return cmd
}

// Run deletes the cluster.
func (o *DeleteOptions) Run(ctx context.Context) error {
	if o.Confirm != "" && o.Confirm != o.Name {
		return notConfirmed(o.Confirm, o.Name)
	}
	c, err := o.Client()
	if err != nil {
		return err
	}
	w, err := names.Cluster(ctx, c, o.Namespace(), o.Name)
	if err != nil {
		return err
	}
	if err := command.RefuseDeclared(w, "cluster"); err != nil {
		return err
	}
	if o.DryRun {
		fmt.Fprintf(o.IO.ErrOut, "%s\n", describeLoss(w))
		command.Report(o.IO.Out, "workloadcluster", w.Name, "deleted", true)
		return nil
	}
	if w.DeletionTimestamp == nil || w.Protected() {
		if err := o.confirm(w); err != nil {
			return err
		}
		if err := o.delete(ctx, c, w); err != nil {
			return err
		}
	}
	if !o.Wait {
		fmt.Fprintf(o.IO.ErrOut, "cluster %s/%s is being deleted; `kargoctl wait cluster %s -n %s --for delete` tells when nothing is left of it\n", w.Namespace, w.Name, w.Name, w.Namespace)
		return nil
	}
	err = progress.Waiter{
		Client: c, Clock: o.Clock, IO: o.IO,
		Options:  []client.ListOption{client.InNamespace(w.Namespace), client.MatchingFields{"metadata.name": w.Name}},
		Clusters: []types.NamespacedName{client.ObjectKeyFromObject(w)},
		Goal:     progress.Deleted(), Timeout: o.Timeout,
	}.Run(ctx)
	if err != nil {
		return err
	}
	command.Report(o.IO.Out, "workloadcluster", w.Name, "deleted", false)
	return nil
}

// confirm makes sure that this cluster is meant.
func (o *DeleteOptions) confirm(w *v1alpha1.WorkloadCluster) error {
	if o.Confirm == w.Name {
		return nil
	}
	if !o.IO.StdinTerminal {
		return command.WithHint(command.Usagef("cluster %s/%s is not deleted without its name typed again", w.Namespace, w.Name),
			"add --confirm %s", w.Name)
	}
	fmt.Fprintf(o.IO.ErrOut, "%s\nType the name of the cluster to delete it: ", describeLoss(w))
	typed, err := bufio.NewReader(o.IO.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("cannot read the answer: %w", err)
	}
	if typed = strings.TrimSpace(typed); typed != w.Name {
		return notConfirmed(typed, w.Name)
	}
	return nil
}

func notConfirmed(typed, name string) error {
	return &command.Error{Code: command.ExitUsage,
		Err:  fmt.Errorf("%q is not the cluster's name %q: nothing was touched", typed, name),
		Hint: fmt.Sprintf("to delete it, confirm with exactly %s", name)}
}

func describeLoss(w *v1alpha1.WorkloadCluster) string {
	s := w.Status
	return fmt.Sprintf("Cluster %s/%s (AWS account %s, %s) with %d nodes, everything running in it, its network and its IAM roles will be deleted.",
		w.Namespace, w.Name, s.AccountID, s.Region, s.Nodes.Total)
}

// delete switches the protection off, then deletes. If the deletion is refused,
// the protection comes back.
func (o *DeleteOptions) delete(ctx context.Context, c client.Client, w *v1alpha1.WorkloadCluster) error {
	protected := w.Protected()
	if protected {
		if err := o.protect(ctx, c, w, false); err != nil {
			return fmt.Errorf("cannot switch the deletion protection of cluster %s/%s off: %w", w.Namespace, w.Name, err)
		}
	}
	err := c.Delete(ctx, w, client.Preconditions{UID: &w.UID})
	if err == nil || apierrors.IsNotFound(err) {
		return nil
	}
	err = fmt.Errorf("cannot delete cluster %s/%s: %w", w.Namespace, w.Name, err)
	if protected {
		if back := o.protect(context.WithoutCancel(ctx), c, w, true); back != nil {
			err = command.WithHint(errors.Join(err, fmt.Errorf("and its deletion protection stays off: %w", back)),
				"switch it on with `kargoctl create cluster %s --team %s --deletion-protection`", w.Name, w.Namespace)
		}
	}
	return err
}

func (o *DeleteOptions) protect(ctx context.Context, c client.Client, w *v1alpha1.WorkloadCluster, on bool) error {
	before := w.DeepCopy()
	w.Spec.DeletionProtection = ptr.To(on)
	return c.Patch(ctx, w, client.MergeFrom(before))
}
