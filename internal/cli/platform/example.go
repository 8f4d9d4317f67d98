package platform

import (
	"context"
	"errors"
	"fmt"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/cluster"
	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/cli/progress"
	"kargo.dev/kargo/internal/local"
	"kargo.dev/kargo/internal/local/gitserver"
	"kargo.dev/kargo/internal/local/profile"
)

// example is the fleet that the first `up` makes, by the same commands its
// user has.
type example struct {
	factory  *command.Factory
	profile  profile.Profile
	platform *profile.Platform
}

// create creates the example clusters and records it.
func (e example) create(ctx context.Context) error {
	for _, c := range local.ExampleClusters() {
		opts := &cluster.CreateOptions{
			IO: e.factory.IO, Clock: e.factory.Clock, Client: e.factory.Client, Output: command.NewOutput(),
			Target:             cluster.Target{Name: c.Name, Team: c.Team, Account: c.Account, Flavor: "standard", Branch: gitserver.Branch},
			DeletionProtection: true, Timeout: cluster.DefaultTimeout,
			Given: map[string]bool{"account": true, "flavor": true, "branch": true},
		}
		if err := opts.Run(ctx); err != nil {
			return fmt.Errorf("create the example cluster %s: %w", c.Name, err)
		}
	}
	return local.ExampleCreated(e.profile)
}

// wait until all clusters are ready. Those that cannot get so without a change
// are told, unless they are new: then they are the example's, which must work.
func (e example) wait(ctx context.Context, timeout time.Duration) error {
	c, err := e.factory.Client()
	if err != nil {
		return err
	}
	var list v1alpha1.WorkloadClusterList
	if err := c.List(ctx, &list); err != nil {
		return fmt.Errorf("cannot list clusters: %w", err)
	}
	var waited []types.NamespacedName
	for i := range list.Items {
		w := &list.Items[i]
		if w.DeletionTimestamp != nil {
			continue
		}
		if e.platform.Example && apimeta.IsStatusConditionTrue(w.Status.Conditions, v1alpha1.ConditionStalled) {
			fmt.Fprintf(e.factory.IO.ErrOut, "  cluster %s/%s is stalled and not waited for: see `kargoctl describe cluster %[2]s -n %[1]s`\n", w.Namespace, w.Name)
			continue
		}
		waited = append(waited, client.ObjectKeyFromObject(w))
	}
	if len(waited) == 0 {
		return nil
	}
	err = progress.Waiter{
		Client: c, Clock: e.factory.Clock, IO: e.factory.IO,
		Clusters: waited, Goal: progress.Ready(), Timeout: timeout,
	}.Run(ctx)
	if err != nil {
		var hinted *command.Error
		if errors.As(err, &hinted) { // the platform is up or it is not: no third answer
			return &command.Error{Code: command.ExitFailed, Err: hinted.Err, Hint: hinted.Hint}
		}
		return err
	}
	return nil
}
