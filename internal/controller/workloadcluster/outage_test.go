package workloadcluster_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/testenv"
)

// outage is what the tracker of the fleet repository says, and its events.
type outage struct {
	mu      sync.Mutex
	message string
	events  chan event.GenericEvent
}

// Outage implements workloadcluster.Fleet.
func (o *outage) Outage() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.message
}

// says changes the outage and tells the clusters.
func (o *outage) says(message string, clusters ...*v1alpha1.WorkloadCluster) {
	o.mu.Lock()
	o.message = message
	o.mu.Unlock()
	for _, c := range clusters {
		o.events <- event.GenericEvent{Object: c.DeepCopy()}
	}
}

// TestOutageOfTheFleetRepository: the clusters stay as they are and say why, and
// when it is over nothing is left of it.
func TestOutageOfTheFleetRepository(t *testing.T) {
	outages := start(t)
	account(t, "outage", "666666666666", "10.5.0.0/16")
	good := newCluster("outage", "good", nil)
	absent := newCluster("outage", "absent", func(s *v1alpha1.WorkloadClusterSpec) { s.Branch = "nowhere" })
	broken := newCluster("outage", "broken", func(s *v1alpha1.WorkloadClusterSpec) { s.Branch = "broken" })
	all := []*v1alpha1.WorkloadCluster{good, absent, broken}
	for _, w := range all {
		if err := env.Client.Create(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	const down = "the fleet repository cannot be read since 2026-11-22T10:00:00Z: connection refused"
	type state struct{ Status, Reason, Message, Stalled string }
	const brokenMessage = "the fleet repository is broken at commit broken: flavors/standard/flavor.yaml:1: did not find expected node content; the cluster stays as it is"
	steps := []struct {
		reason string
		outage string
		want   map[string]state
	}{
		{"before it", "", map[string]state{
			"good":   {"True", "Succeeded", "flavor standard at refs/heads/main, commit main", ""},
			"absent": {"False", "RevisionNotFound", "refs/heads/nowhere: not in the fleet repository: push it, or change the cluster's release or branch; the cluster stays as it is", "True"},
			"broken": {"False", "FleetUnreadable", brokenMessage, "True"},
		}},
		{"a branch may have been pushed since, so nothing is stalled for its absence", down, map[string]state{
			"good":   {"True", "Succeeded", "flavor standard at refs/heads/main, commit main; " + down, ""},
			"absent": {"False", "FleetUnreadable", "refs/heads/nowhere: not in the fleet repository as it was last read; the cluster stays as it is; " + down, ""},
			"broken": {"False", "FleetUnreadable", brokenMessage + "; " + down, "True"},
		}},
	}
	steps = append(steps, steps[0]) // it goes away by itself
	var made string                 // resourceVersion of what was made for the good cluster
	for _, step := range steps {
		outages.says(step.outage, all...)
		testenv.Eventually(t, 20*time.Second, func() error {
			got := map[string]state{}
			for _, w := range all {
				if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(w), w); err != nil {
					return err
				}
				if c := conditions.Get(w, v1alpha1.ConditionResolved); c != nil {
					s := state{string(c.Status), c.Reason, c.Message, ""}
					if stalled := conditions.Get(w, v1alpha1.ConditionStalled); stalled != nil {
						s.Stalled = string(stalled.Status)
					}
					got[w.Name] = s
				}
			}
			if diff := cmp.Diff(step.want, got); diff != "" {
				return fmt.Errorf("%s: -want, +got:\n%s", step.reason, diff)
			}
			return nil
		})
		condition(t, good, v1alpha1.ConditionApplied, "True", "Succeeded")
		plane := planeOf(t, "a666666666666", "good")
		if made == "" {
			made = plane.ResourceVersion
		}
		if plane.ResourceVersion != made || good.Status.Commit != "main" {
			t.Errorf("%s: the cluster was touched: commit %q, control plane %s, want %s", step.reason, good.Status.Commit, plane.ResourceVersion, made)
		}
	}
}
