package progress

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/cli/follow"
)

// Waiter waits until clusters reach a goal.
type Waiter struct {
	Client client.WithWatch
	Clock  clock.WithTicker
	IO     *command.IOStreams
	// Options narrow down which clusters are looked at.
	Options []client.ListOption
	// Clusters are those waited for. Empty: all that exist at the start.
	Clusters []types.NamespacedName
	Goal     Goal
	// Timeout ends the wait with exit code 3.
	Timeout time.Duration
	// Quiet shows no progress.
	Quiet bool
}

// Run waits. The error of a cluster that cannot reach the goal comes as soon as
// all others are decided; when the time is up it is a command.Error with ExitPending.
func (w Waiter) Run(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	r := &waiting{Waiter: w, targets: w.Clusters, seen: map[types.NamespacedName]*v1alpha1.WorkloadCluster{}}
	f := follow.Follower{Client: w.Client, Clock: w.Clock, List: &v1alpha1.WorkloadClusterList{}, Options: w.Options, See: r.see}
	if !w.Quiet {
		display := NewDisplay(w.IO, w.Clock)
		defer display.Close()
		r.show = display.Show
		f.Lost = func(err error) { display.Note("the management cluster does not answer, trying again: %v", err) }
	}
	err := f.Run(within)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return command.WithHint(command.Pendingf("interrupted; %s", r.pending()), "nothing is undone: the platform works on. See `kargoctl get clusters -w`")
	case within.Err() != nil && errors.Is(err, within.Err()):
		return command.WithHint(command.Pendingf("after %s %s", w.Timeout, r.pending()), "%s", r.next())
	default:
		return err
	}
}

// waiting is the state of one Run.
type waiting struct {
	Waiter
	targets []types.NamespacedName
	listed  bool
	seen    map[types.NamespacedName]*v1alpha1.WorkloadCluster
	show    func([]Line)
}

func (r *waiting) see(t watch.EventType, obj client.Object) (bool, error) {
	if cluster, ok := obj.(*v1alpha1.WorkloadCluster); ok {
		key := client.ObjectKeyFromObject(cluster)
		if t == watch.Deleted {
			delete(r.seen, key)
		} else {
			r.seen[key] = cluster
		}
		if !r.relevant(key) {
			return false, nil
		}
	}
	if t == watch.Bookmark && !r.listed {
		r.listed = true
		if len(r.targets) == 0 {
			for key := range r.seen {
				r.targets = append(r.targets, key)
			}
			slices.SortFunc(r.targets, func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) })
		}
		if len(r.targets) == 0 && !r.Goal.Gone {
			return true, errors.New("no cluster matches")
		}
	}
	if !r.listed {
		return false, nil
	}
	return r.judge()
}

func (r *waiting) relevant(key types.NamespacedName) bool {
	return !r.listed || slices.Contains(r.targets, key)
}

// judge says whether all targets are decided.
func (r *waiting) judge() (bool, error) {
	decided, failures := 0, []error(nil)
	var lines []Line
	for _, key := range r.targets {
		done, err := r.one(key)
		if done || err != nil {
			decided++
		}
		if err != nil {
			failures = append(failures, err)
		}
		lines = append(lines, r.lines(key, done, err)...)
	}
	if r.show != nil {
		r.show(lines)
	}
	if decided < len(r.targets) {
		return false, nil
	}
	return true, errors.Join(failures...)
}

func (r *waiting) one(key types.NamespacedName) (bool, error) {
	cluster, exists := r.seen[key]
	switch {
	case r.Goal.Gone:
		return !exists, nil
	case !exists:
		return false, fmt.Errorf("cluster %s was deleted", key)
	default:
		return r.Goal.Reached(cluster)
	}
}

func (r *waiting) lines(key types.NamespacedName, done bool, err error) []Line {
	cluster, exists := r.seen[key]
	switch {
	case !exists && err == nil:
		return []Line{{Title: key.String(), State: Done, Word: "deleted"}}
	case !exists:
		return []Line{{Title: key.String(), State: Failed, Message: err.Error()}}
	case len(r.targets) == 1 && !r.Goal.Gone:
		return Phases(cluster)
	default:
		return []Line{Summary(cluster, done, err)}
	}
}

// pending says which clusters are not there yet, and why.
func (r *waiting) pending() string {
	var parts []string
	for _, key := range r.targets {
		cluster, exists := r.seen[key]
		if done, err := r.one(key); done || err != nil || !exists {
			continue
		}
		part := fmt.Sprintf("cluster %s is not yet %s", key, r.Goal.Text)
		if c := meta.FindStatusCondition(cluster.Status.Conditions, v1alpha1.ConditionReady); c != nil && c.Message != "" {
			part += ": " + c.Message
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return "the management cluster has not answered"
	}
	return strings.Join(parts, "; ")
}

func (r *waiting) next() string {
	for _, key := range r.targets {
		if _, exists := r.seen[key]; exists {
			return fmt.Sprintf("the platform works on; see `kargoctl describe cluster %s -n %s`", key.Name, key.Namespace)
		}
	}
	return "see `kargoctl get clusters -A`"
}
