package phase

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"kargo.dev/kargo/api/v1alpha1"
)

func TestRun(t *testing.T) {
	ok := func(context.Context) (string, error) { return "fine", nil }
	fails := func(err error) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return "", err }
	}
	errBoom := errors.New("boom")
	type cond struct{ Status, Reason, Message string }
	tests := map[string]struct {
		reason     string
		phases     []Phase
		wantResult ctrl.Result
		wantErr    error
		want       map[string]cond
	}{
		"AllDone": {
			reason: "Ready is True when every phase is",
			phases: []Phase{{Condition: "A", Run: ok}, {Condition: "B", Needs: []string{"A"}, Run: ok}},
			want: map[string]cond{
				"A": {"True", "Succeeded", "fine"}, "B": {"True", "Succeeded", "fine"},
				"Ready": {"True", "Succeeded", "all is as wanted"},
			},
		},
		"Waiting": {
			reason:     "a phase that waits holds only those that need it, and is looked at again",
			phases:     []Phase{{Condition: "A", Run: fails(Waiting("Waiting", "for rain").After(time.Second))}, {Condition: "B", Needs: []string{"A"}, Run: ok}, {Condition: "C", Run: ok}},
			wantResult: ctrl.Result{RequeueAfter: time.Second},
			want: map[string]cond{
				"A": {"False", "Waiting", "for rain"}, "B": {"Unknown", "Waiting", "waits for A"}, "C": {"True", "Succeeded", "fine"},
				"Ready": {"False", "Waiting", "A: for rain"}, "Reconciling": {"True", "Waiting", "A: for rain"},
			},
		},
		"Terminal": {
			reason: "what no retry mends is Stalled, also when something else only waits",
			phases: []Phase{{Condition: "A", Run: fails(Waiting("Waiting", "for rain"))}, {Condition: "B", Run: fails(Terminal("FlavorNotFound", "no flavor x"))}},
			want: map[string]cond{
				"A": {"False", "Waiting", "for rain"}, "B": {"False", "FlavorNotFound", "no flavor x"},
				"Ready": {"False", "FlavorNotFound", "B: no flavor x"}, "Stalled": {"True", "FlavorNotFound", "no flavor x"},
			},
		},
		"Failure": {
			reason:  "any other error backs off and is said",
			phases:  []Phase{{Condition: "A", Run: fails(errBoom)}},
			wantErr: errBoom,
			want: map[string]cond{
				"A":     {"False", "Failed", "boom"},
				"Ready": {"False", "Failed", "A: boom"}, "Reconciling": {"True", "Failed", "A: boom"},
			},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			obj := &v1alpha1.Team{Status: v1alpha1.TeamStatus{Conditions: []metav1.Condition{
				{Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionTrue, Reason: "Old", Message: "old"},
			}}}
			result, err := Run(t.Context(), obj, tc.phases)
			if !errors.Is(err, tc.wantErr) || (tc.wantErr == nil && err != nil) {
				t.Fatalf("%s: error %v, want %v", tc.reason, err, tc.wantErr)
			}
			if diff := cmp.Diff(tc.wantResult, result); diff != "" {
				t.Errorf("\n%s\nresult: -want, +got:\n%s", tc.reason, diff)
			}
			got := map[string]cond{}
			for _, c := range obj.Status.Conditions {
				got[c.Type] = cond{string(c.Status), c.Reason, c.Message}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nconditions: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestDeleting(t *testing.T) {
	tests := map[string]struct {
		reason   string
		step     error
		wantGone bool
		want     string
	}{
		"Done":     {reason: "no step objects: the object may go", wantGone: true},
		"Waiting":  {reason: "a step that waits keeps the object", step: Waiting("Deleting", "pools remain"), want: v1alpha1.ConditionReconciling},
		"Terminal": {reason: "a step that refuses stalls the deletion", step: Terminal("DeletionProtected", "no"), want: v1alpha1.ConditionStalled},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			obj := &v1alpha1.Team{}
			gone, _, err := Deleting(t.Context(), obj, func(context.Context) error { return tc.step })
			if err != nil || gone != tc.wantGone {
				t.Fatalf("%s: gone %v, error %v", tc.reason, gone, err)
			}
			if tc.want != "" && (len(obj.Status.Conditions) == 0 || !has(obj.Status.Conditions, tc.want)) {
				t.Errorf("%s: conditions %v lack %s", tc.reason, obj.Status.Conditions, tc.want)
			}
		})
	}
}

func has(conditions []metav1.Condition, t string) bool {
	for _, c := range conditions {
		if c.Type == t && c.Status == metav1.ConditionTrue {
			return true
		}
	}
	return false
}
