package progress

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/command"
)

func cluster(name string, generation int64, conditions ...metav1.Condition) *v1alpha1.WorkloadCluster {
	return &v1alpha1.WorkloadCluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Generation: generation, UID: types.UID(name)},
		Status:     v1alpha1.WorkloadClusterStatus{Conditions: conditions},
	}
}

func condition(name string, status metav1.ConditionStatus, generation int64, message string) metav1.Condition {
	return metav1.Condition{Type: name, Status: status, ObservedGeneration: generation, Reason: "Because", Message: message}
}

func TestGoals(t *testing.T) {
	upgraded := cluster("a", 1)
	upgraded.Status.ControlPlane.Version = "1.35"
	upgraded.Status.NodePools = []v1alpha1.NodePoolStatus{{Name: "x", Version: "1.35", Count: v1alpha1.Count{Ready: 1, Total: 1}}}
	halfway := upgraded.DeepCopy()
	halfway.Status.NodePools[0].Version = "1.34"
	applied := cluster("a", 1)
	applied.Status.AppliedRevision = "main@sha1:0123456789abcdef"
	tests := map[string]struct {
		goal    string
		cluster *v1alpha1.WorkloadCluster
		reached bool
		fails   string
		reason  string
	}{
		"Ready":         {"condition=Ready", cluster("a", 1, condition("Ready", "True", 1, "")), true, "", "the plain case"},
		"OldGeneration": {"condition=Ready", cluster("a", 2, condition("Ready", "True", 1, "")), false, "", "what was judged before the last change is no answer"},
		"Missing":       {"condition=Ready", cluster("a", 1), false, "", "missing is not healthy"},
		"Stalled": {"condition=Ready", cluster("a", 1, condition("Ready", "False", 1, ""), condition("Stalled", "True", 1, "no such flavor")), false,
			"cluster shop/a is stalled (Because): no such flavor", "it does not mend itself"},
		"StalledBefore": {"condition=Ready", cluster("a", 2, condition("Stalled", "True", 1, "no such flavor")), false, "", "the last change may have mended it"},
		"WaitForFalse":  {"condition=Ready=false", cluster("a", 1, condition("Ready", "False", 1, ""), condition("Stalled", "True", 1, "x")), true, "", "case does not matter"},
		"Upgraded":      {"version=1.35", upgraded, true, "", "control plane and nodes"},
		"Halfway":       {"version=v1.35", halfway, false, "", "nodes count, too"},
		"Commit":        {"commit=0123456", applied, true, "", "an abbreviation is enough"},
		"OtherCommit":   {"commit=1123456", applied, false, "", "another commit"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			goal, err := ParseGoal(tt.goal)
			if err != nil {
				t.Fatal(err)
			}
			reached, err := goal.Reached(tt.cluster)
			if reached != tt.reached {
				t.Errorf("%s: reached %t", tt.reason, reached)
			}
			if got := message(err); got != tt.fails {
				t.Errorf("%s: error %q, want %q", tt.reason, got, tt.fails)
			}
		})
	}
	for _, bad := range []string{"", "Ready", "condition=", "condition=Ready=maybe", "delete=x", "version=2", "commit=123", "x=y"} {
		if _, err := ParseGoal(bad); command.ExitCode(err) != command.ExitUsage {
			t.Errorf("ParseGoal(%q) is no wrong usage: %v", bad, err)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestPhases(t *testing.T) {
	w := cluster("a", 3,
		condition(v1alpha1.ConditionResolved, "True", 3, ""),
		condition(v1alpha1.ConditionNetworkReserved, "True", 3, ""),
		condition(v1alpha1.ConditionApplied, "True", 3, ""),
		condition(v1alpha1.ConditionNetworkReady, "False", 3, "making the VPC"),
		condition(v1alpha1.ConditionControlPlaneReady, "True", 2, "old"),
	)
	var got []string
	for _, l := range Phases(w) {
		got = append(got, plain(l))
	}
	want := []string{"accepted ready", "network working: making the VPC", "control plane waiting", "nodes waiting", "Flux waiting", "add-ons waiting"}
	for i := range want {
		if strings.Join(strings.Fields(got[i]), " ") != want[i] {
			t.Errorf("phase %d: %q, want %q", i, got[i], want[i])
		}
	}
}

// TestWaiter follows clusters that change while it waits.
func TestWaiter(t *testing.T) {
	set := func(c client.Client, name string, conditions ...metav1.Condition) {
		w := &v1alpha1.WorkloadCluster{}
		if err := c.Get(context.Background(), client.ObjectKey{Namespace: "shop", Name: name}, w); err != nil {
			panic(err)
		}
		for _, condition := range conditions {
			apimeta.SetStatusCondition(&w.Status.Conditions, condition)
		}
		if err := c.Update(context.Background(), w); err != nil {
			panic(err)
		}
	}
	tests := map[string]struct {
		goal   Goal
		then   func(c client.Client)
		code   int
		want   string
		after  time.Duration
		reason string
	}{
		"Reached": {
			Ready(), func(c client.Client) {
				set(c, "a", condition("Ready", "True", 1, ""))
				set(c, "b", condition("Ready", "True", 1, ""))
			}, command.ExitDone, "", time.Second, "both became ready",
		},
		"Stalled": {
			Ready(), func(c client.Client) {
				set(c, "a", condition("Stalled", "True", 1, "no such flavor"))
				set(c, "b", condition("Ready", "True", 1, ""))
			}, command.ExitFailed, "no such flavor", time.Second, "one cannot, the other is ready",
		},
		"Pending": {
			Ready(), func(c client.Client) {
				set(c, "a", condition("Ready", "True", 1, ""))
				set(c, "b", condition("Ready", "False", 1, "making the VPC"))
			}, command.ExitPending, "after 5m0s cluster shop/b is not yet Ready: making the VPC", 5 * time.Minute, "the time was up",
		},
		"DeletedInstead": {
			Ready(), func(c client.Client) {
				set(c, "a", condition("Ready", "True", 1, ""))
				_ = c.Delete(context.Background(), cluster("b", 1))
			}, command.ExitFailed, "cluster shop/b was deleted", time.Second, "it will never be ready",
		},
		"Deleted": {
			Deleted(), func(c client.Client) {
				_ = c.Delete(context.Background(), cluster("a", 1))
				_ = c.Delete(context.Background(), cluster("b", 1))
			}, command.ExitDone, "", time.Second, "both are gone",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := runtime.NewScheme()
				if err := v1alpha1.AddToScheme(s); err != nil {
					t.Fatal(err)
				}
				c := fake.NewClientBuilder().WithScheme(s).WithObjects(cluster("a", 1), cluster("b", 1)).Build()
				streams, _, _, _ := command.TestIO()
				go func() {
					time.Sleep(time.Second)
					tt.then(c)
				}()
				start := time.Now()
				err := Waiter{Client: c, Clock: clock.RealClock{}, IO: streams, Goal: tt.goal, Timeout: 5 * time.Minute}.Run(t.Context())
				if got := command.ExitCode(err); got != tt.code || !strings.Contains(message(err), tt.want) {
					t.Errorf("%s: exit code %d (%v), want %d with %q", tt.reason, got, err, tt.code, tt.want)
				}
				if took := time.Since(start); took < tt.after || took > tt.after+2*time.Second {
					t.Errorf("%s: after %s, want %s", tt.reason, took, tt.after)
				}
			})
		})
	}
}

func TestWaiterInterrupted(t *testing.T) {
	s := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(s).WithObjects(cluster("a", 1)).Build()
	streams, _, _, _ := command.TestIO()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := Waiter{Client: c, Clock: clock.RealClock{}, IO: streams, Goal: Ready(), Timeout: time.Minute}.Run(ctx)
	var e *command.Error
	if !errors.As(err, &e) || e.Code != command.ExitPending || !strings.Contains(e.Hint, "nothing is undone") {
		t.Errorf("Ctrl-C leaves the work going on, but the error is %v", err)
	}
}
