package progress

import (
	"context"
	"errors"
	"fmt"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/cli/follow"
)

// Judge asks for the manager's first judgement of an object that was just written.
type Judge struct {
	Client client.WithWatch
	Clock  clock.Clock
	// Hint says what to do about a refusal; "" if there is nothing to add.
	Hint string
}

// VerdictTimeout is how long a command that need not wait stays to hear whether
// its input is any good.
const VerdictTimeout = 8 * time.Second

// Conditioned is an object with conditions.
type Conditioned interface {
	client.Object
	GetConditions() []metav1.Condition
}

// Wait returns nil when a condition is True at the object's generation, or when
// nothing was heard in time, and an error when the object is Stalled: the manager
// cannot do what it asks for.
func (j Judge) Wait(ctx context.Context, kind string, list client.ObjectList, obj Conditioned, condition string) error {
	within, cancel := context.WithTimeout(ctx, VerdictTimeout)
	defer cancel()
	err := follow.Follower{
		Client: j.Client, Clock: j.Clock, List: list,
		Options: []client.ListOption{client.InNamespace(obj.GetNamespace()), client.MatchingFields{"metadata.name": obj.GetName()}},
		See: func(t watch.EventType, seen client.Object) (bool, error) {
			o, ok := seen.(Conditioned)
			if !ok || o.GetUID() != obj.GetUID() || o.GetGeneration() < obj.GetGeneration() {
				return false, nil
			}
			if t == watch.Deleted {
				return true, fmt.Errorf("%s %s was deleted meanwhile", kind, obj.GetName())
			}
			return j.verdict(kind, o, condition)
		},
	}.Run(within)
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

func (j Judge) verdict(kind string, o Conditioned, condition string) (bool, error) {
	current := func(name string) *metav1.Condition {
		c := apimeta.FindStatusCondition(o.GetConditions(), name)
		if c == nil || c.ObservedGeneration < o.GetGeneration() || c.Status != metav1.ConditionTrue {
			return nil
		}
		return c
	}
	if c := current(v1alpha1.ConditionStalled); c != nil {
		err := fmt.Errorf("%s %s is refused (%s): %s", kind, o.GetName(), c.Reason, c.Message)
		if j.Hint != "" {
			err = command.WithHint(err, "%s", j.Hint)
		}
		return true, err
	}
	return current(condition) != nil, nil
}
