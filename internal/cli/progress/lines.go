package progress

import (
	"cmp"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kargo.dev/kargo/api/v1alpha1"
)

// phase of a cluster's making, and the conditions that tell of it, in order.
type phase struct {
	title      string
	conditions []string
}

// phases are in the order in which a cluster goes through them.
func phases() []phase {
	return []phase{
		{"accepted", []string{v1alpha1.ConditionResolved, v1alpha1.ConditionNetworkReserved, v1alpha1.ConditionApplied}},
		{"network", []string{v1alpha1.ConditionNetworkReady}},
		{"control plane", []string{v1alpha1.ConditionControlPlaneReady}},
		{"nodes", []string{v1alpha1.ConditionNodesReady}},
		{"Flux", []string{v1alpha1.ConditionFluxReady}},
		{"add-ons", []string{v1alpha1.ConditionAddonsReady}},
	}
}

// Phases shows one cluster phase by phase. A condition that was not judged at
// the present generation is not taken for an answer.
func Phases(w *v1alpha1.WorkloadCluster) []Line {
	var lines []Line
	stalled := Current(w, v1alpha1.ConditionStalled)
	for _, p := range phases() {
		l := Line{Title: p.title}
		switch c := undecided(w, p.conditions); {
		case c == nil:
		case c.Status == metav1.ConditionTrue:
			l.State, l.Message = Done, c.Message
		case stalled != nil && stalled.Status == metav1.ConditionTrue && stalled.Reason == c.Reason:
			l.State, l.Message = Failed, c.Message
		case c.Reason == v1alpha1.ReasonWaiting:
			l.Message = c.Message
		default:
			l.State, l.Message = Working, cmp.Or(c.Message, c.Reason)
		}
		lines = append(lines, l)
	}
	return lines
}

// undecided is the first condition that is not True, else the last one; nil if
// the first to be looked at was not judged yet.
func undecided(w *v1alpha1.WorkloadCluster, conditions []string) *metav1.Condition {
	var c *metav1.Condition
	for _, name := range conditions {
		if c = Current(w, name); c == nil || c.Status != metav1.ConditionTrue {
			return c
		}
	}
	return c
}

// Summary shows one cluster among others.
func Summary(w *v1alpha1.WorkloadCluster, done bool, err error) Line {
	l := Line{Title: w.Namespace + "/" + w.Name}
	switch {
	case err != nil:
		l.State, l.Message = Failed, err.Error()
	case done:
		l.State = Done
	default:
		l.State = Working
		if c := meta.FindStatusCondition(w.Status.Conditions, v1alpha1.ConditionReady); c != nil {
			l.Message = c.Message
		}
	}
	return l
}

// Current is a condition if it was judged at the object's present generation.
func Current(w *v1alpha1.WorkloadCluster, condition string) *metav1.Condition {
	c := meta.FindStatusCondition(w.Status.Conditions, condition)
	if c == nil || c.ObservedGeneration < w.Generation {
		return nil
	}
	return c
}
