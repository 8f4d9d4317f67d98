package cli_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/follow"
)

// startManager plays the manager's first judgement. Teams are ready, and so are
// accounts unless their name starts with "slow". Clusters are accepted; those
// whose branch is "refused" are refused, and those whose branch is "instant" are
// ready at once. A check of an account is answered, with the conditions a script wrote.
func startManager(t *testing.T) {
	t.Helper()
	c, err := client.NewWithWatch(env.Config, client.Options{Scheme: env.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	lists := []client.ObjectList{&v1alpha1.TeamList{}, &v1alpha1.AccountList{}, &v1alpha1.WorkloadClusterList{}}
	done := make(chan error, len(lists))
	for _, list := range lists {
		go func() {
			done <- follow.Follower{
				Client: c, Clock: clock.RealClock{}, List: list,
				See: func(t watch.EventType, obj client.Object) (bool, error) {
					if o, ok := obj.(conditioned); ok && t != watch.Deleted {
						return false, judge(ctx, c, o)
					}
					return false, nil
				},
			}.Run(ctx)
		}()
	}
	t.Cleanup(func() {
		cancel()
		for range lists {
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("manager: %v", err)
			}
		}
	})
}

// judge writes a status once for each generation.
func judge(ctx context.Context, c client.Client, o conditioned) error {
	if a, ok := o.(*v1alpha1.Account); ok && a.Annotations[v1alpha1.AnnotationCheck] != a.Status.Checked {
		before := a.DeepCopy()
		a.Status.Checked = a.Annotations[v1alpha1.AnnotationCheck]
		return client.IgnoreNotFound(c.Status().Patch(ctx, a, client.MergeFrom(before)))
	}
	if seen := apimeta.FindStatusCondition(o.GetConditions(), v1alpha1.ConditionReady); seen != nil && seen.ObservedGeneration == o.GetGeneration() {
		return nil
	}
	before := o.DeepCopyObject().(client.Object)
	conditions := o.GetConditions()
	for _, c := range verdict(o) {
		c.ObservedGeneration = o.GetGeneration()
		apimeta.SetStatusCondition(&conditions, c)
	}
	o.SetConditions(conditions)
	return client.IgnoreNotFound(c.Status().Patch(ctx, o, client.MergeFrom(before)))
}

func verdict(o client.Object) []metav1.Condition {
	condition := func(name string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return metav1.Condition{Type: name, Status: status, Reason: reason, Message: message}
	}
	w, ok := o.(*v1alpha1.WorkloadCluster)
	switch {
	case !ok && strings.HasPrefix(o.GetName(), "slow"):
		return []metav1.Condition{condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonProgressing, "the identity is being made")}
	case !ok:
		return []metav1.Condition{condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded, "")}
	case w.Spec.Branch == "refused":
		message := "commit of branch refused is not there"
		return []metav1.Condition{
			condition(v1alpha1.ConditionResolved, metav1.ConditionFalse, v1alpha1.ReasonRevisionNotFound, message),
			condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRevisionNotFound, message),
			condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRevisionNotFound, message),
		}
	case w.Spec.Branch == "instant":
		var all []metav1.Condition
		for _, name := range []string{
			v1alpha1.ConditionResolved, v1alpha1.ConditionNetworkReserved, v1alpha1.ConditionApplied, v1alpha1.ConditionNetworkReady,
			v1alpha1.ConditionControlPlaneReady, v1alpha1.ConditionNodesReady, v1alpha1.ConditionFluxReady, v1alpha1.ConditionAddonsReady,
			v1alpha1.ConditionReady,
		} {
			all = append(all, condition(name, metav1.ConditionTrue, v1alpha1.ReasonSucceeded, ""))
		}
		return append(all, condition(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonSucceeded, ""))
	default:
		return []metav1.Condition{
			condition(v1alpha1.ConditionResolved, metav1.ConditionTrue, v1alpha1.ReasonSucceeded, "flavor standard"),
			condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonProgressing, "NetworkReady: making the VPC"),
			condition(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonProgressing, ""),
		}
	}
}
