package get

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/command"
)

var now = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

func TestStatusCell(t *testing.T) {
	since := metav1.NewTime(now.Add(-90 * time.Second))
	ready := func(status metav1.ConditionStatus, message string) []metav1.Condition {
		return []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: status, Message: message, LastTransitionTime: since}}
	}
	tests := map[string]struct {
		deleting   bool
		conditions []metav1.Condition
		want       string
		reason     string
	}{
		"New":      {false, nil, "new for 1h", "nobody looked at it yet"},
		"Ready":    {false, ready("True", "all is well"), "ready for 90s", "what is well needs no words"},
		"NotReady": {false, ready("False", "making\nthe VPC"), "making the VPC (90s)", "one line"},
		"Long":     {false, ready("False", strings.Repeat("x", 80)), strings.Repeat("x", 59) + "… (90s)", "a row stays a row"},
		"Deleting": {true, ready("False", "1 node pool is being deleted"), "deleting: 1 node pool is being deleted", "how far it is"},
		"Doomed":   {true, ready("True", ""), "deleting", "ready is not what it is any more"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := &v1alpha1.WorkloadCluster{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(now.Add(-time.Hour))}}
			if tt.deleting {
				w.DeletionTimestamp = &since
			}
			// An hour is printed with its minutes by the API machinery.
			if got := strings.Replace(status(w, tt.conditions).at(now), "60m", "1h", 1); got != tt.want {
				t.Errorf("%s: got %q, want %q", tt.reason, got, tt.want)
			}
		})
	}
}

func TestCells(t *testing.T) {
	w := &v1alpha1.WorkloadCluster{ObjectMeta: metav1.ObjectMeta{Generation: 2}}
	stale := []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: "True", ObservedGeneration: 1}}
	if got := ready(stale, w.Generation); got != "Unknown" {
		t.Errorf("ready for an earlier spec is %s, want Unknown", got)
	}
	tests := map[string]struct {
		spec   v1alpha1.WorkloadClusterSpec
		status v1alpha1.WorkloadClusterStatus
		want   [2]string // source, version
	}{
		"Release":  {v1alpha1.WorkloadClusterSpec{Release: "v1.0.0"}, v1alpha1.WorkloadClusterStatus{AppliedRevision: "v1.0.0@sha1:0123456789"}, [2]string{"v1.0.0", "-"}},
		"Branch":   {v1alpha1.WorkloadClusterSpec{Branch: "main"}, v1alpha1.WorkloadClusterStatus{AppliedRevision: "main@sha1:0123456789"}, [2]string{"main@01234567", "-"}},
		"New":      {v1alpha1.WorkloadClusterSpec{Branch: "main", KubernetesVersion: "1.34"}, v1alpha1.WorkloadClusterStatus{}, [2]string{"main", "→1.34"}},
		"Upgrades": {v1alpha1.WorkloadClusterSpec{Branch: "main", KubernetesVersion: "1.35"}, v1alpha1.WorkloadClusterStatus{ControlPlane: v1alpha1.ControlPlaneStatus{Version: "1.34"}}, [2]string{"main", "1.34→1.35"}},
		"Arrived":  {v1alpha1.WorkloadClusterSpec{Branch: "main", KubernetesVersion: "1.35"}, v1alpha1.WorkloadClusterStatus{ControlPlane: v1alpha1.ControlPlaneStatus{Version: "1.35"}}, [2]string{"main", "1.35"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := &v1alpha1.WorkloadCluster{Spec: tt.spec, Status: tt.status}
			if diff := cmp.Diff(tt.want, [2]string{source(w), version(w)}); diff != "" {
				t.Errorf("release and version (-want +got):\n%s", diff)
			}
		})
	}
}

// TestWatch prints what there is, then what changes, in the same columns.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scheme, err := command.Scheme()
		if err != nil {
			t.Fatal(err)
		}
		team := func(name string) *v1alpha1.Team {
			return &v1alpha1.Team{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), CreationTimestamp: metav1.Now()}}
		}
		c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(team("a-team-with-a-long-name")).Build()
		streams, _, out, _ := command.TestIO()
		o := &Options{
			IO: streams, Clock: clock.RealClock{}, Output: command.NewOutput(command.FormatTable, command.FormatWide),
			Client: func() (client.WithWatch, error) { return c, nil }, Watch: true, kind: teams(),
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- o.Run(ctx) }()
		synctest.Wait()
		if err := c.Create(t.Context(), team("shop")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Ctrl-C ends a watch well: %v", err)
		}
		want := "NAME                      COST CENTRE   OWNERS   READY     STATUS\n" +
			"a-team-with-a-long-name   -                      Unknown   new for 0s\n" +
			"shop                      -                      Unknown   new for 0s\n"
		if diff := cmp.Diff(want, trimRight(out)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// trimRight takes the padding off the ends of lines.
func trimRight(b *bytes.Buffer) string {
	var out strings.Builder
	for line := range strings.Lines(b.String()) {
		out.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return out.String()
}
