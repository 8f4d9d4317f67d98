package cluster

import (
	"context"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/change"
	"kargo.dev/kargo/internal/cli/command"
)

// What became of an object, in kubectl's words.
const (
	created    = "created"
	configured = "configured"
	unchanged  = "unchanged"
)

// write creates the cluster, or changes only what differs. A cluster that
// changed since it was read is not overwritten.
func (o *CreateOptions) write(ctx context.Context, c client.Client, existing, wanted *v1alpha1.WorkloadCluster) (string, error) {
	if existing == nil {
		if err := command.Create(ctx, c, wanted, o.DryRun); err != nil {
			return "", fmt.Errorf("cannot create cluster %s/%s: %w", wanted.Namespace, wanted.Name, err)
		}
		return created, nil
	}
	lines, err := change.Lines("spec", existing.Spec, wanted.Spec)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(o.IO.ErrOut, "cluster %s/%s exists", wanted.Namespace, wanted.Name)
	if len(lines) == 0 {
		fmt.Fprintln(o.IO.ErrOut, ", nothing changes")
		return unchanged, nil
	}
	fmt.Fprintf(o.IO.ErrOut, ", what changes:\n  %s\n", strings.Join(lines, "\n  "))
	var opts []client.PatchOption
	if o.DryRun {
		opts = append(opts, client.DryRunAll)
	}
	patch := client.MergeFromWithOptions(existing, client.MergeFromWithOptimisticLock{})
	if err := c.Patch(ctx, wanted, patch, opts...); err != nil {
		return "", fmt.Errorf("cannot change cluster %s/%s: %w", wanted.Namespace, wanted.Name, err)
	}
	return configured, nil
}

// report says what was done, on stdout, unless the object itself is asked for.
func (o *CreateOptions) report(c client.Client, w *v1alpha1.WorkloadCluster, outcome string) error {
	if !o.Output.Human() {
		if o.DryRun {
			return o.Output.PrintObject(o.IO.Out, c.Scheme(), w)
		}
		return nil
	}
	command.Report(o.IO.Out, "workloadcluster", w.Name, outcome, o.DryRun)
	return nil
}

func (o *CreateOptions) printObject(c client.Client, w *v1alpha1.WorkloadCluster) error {
	if o.Output.Human() {
		return nil
	}
	return o.Output.PrintObject(o.IO.Out, c.Scheme(), w)
}
