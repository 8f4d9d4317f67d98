// Package phase runs the phases of a reconciler. A phase owns one condition and
// is idempotent; Ready, Reconciling and Stalled are only ever a summary of the
// phases' conditions, as kstatus reads them.
package phase

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"kargo.dev/kargo/api/v1alpha1"
)

// Phase is one step of a reconciler.
type Phase struct {
	// Condition the phase owns.
	Condition string
	// Needs lists conditions that must be True before the phase runs; until
	// then its own condition is Unknown.
	Needs []string
	// Run does the work. It returns the message of its condition, and an error
	// made by Waiting or Terminal, or any other error to be tried again with back-off.
	Run func(ctx context.Context) (string, error)
}

// Run runs all phases in order, marks each one's condition and summarises them
// in Ready, Reconciling and Stalled. A phase that fails does not keep later
// phases from running, unless they need it.
func Run(ctx context.Context, obj conditions.Setter, phases []Phase) (ctrl.Result, error) {
	var (
		result  ctrl.Result
		errs    []error
		stalled *metav1.Condition
	)
	for _, p := range phases {
		err := runOne(ctx, obj, p)
		var waiting *WaitingError
		var terminal *TerminalError
		switch {
		case errors.As(err, &waiting):
			result.RequeueAfter = soonest(result.RequeueAfter, waiting.RetryAfter)
		case errors.As(err, &terminal):
			stalled = cmp.Or(stalled, conditions.Get(obj, p.Condition))
		case err != nil:
			errs = append(errs, err)
		}
	}
	summarise(obj, phases, stalled)
	if err := errors.Join(errs...); err != nil {
		return ctrl.Result{}, err
	}
	return result, nil
}

func runOne(ctx context.Context, obj conditions.Setter, p Phase) error {
	if missing := notTrue(obj, p.Needs); len(missing) > 0 {
		conditions.MarkUnknown(obj, p.Condition, v1alpha1.ReasonWaiting, "waits for %s", strings.Join(missing, ", "))
		return nil
	}
	message, err := p.Run(ctx)
	var waiting *WaitingError
	var terminal *TerminalError
	switch {
	case err == nil:
		conditions.MarkTrue(obj, p.Condition, v1alpha1.ReasonSucceeded, "%s", message)
	case errors.As(err, &waiting):
		conditions.MarkFalse(obj, p.Condition, waiting.Reason, "%s", waiting.Message)
	case errors.As(err, &terminal):
		conditions.MarkFalse(obj, p.Condition, terminal.Reason, "%s", terminal.Message)
	default:
		conditions.MarkFalse(obj, p.Condition, v1alpha1.ReasonFailed, "%s", err)
		return fmt.Errorf("%s: %w", p.Condition, err)
	}
	return err
}

// notTrue lists the conditions that are not True for the object's generation.
func notTrue(obj conditions.Getter, types []string) []string {
	return slices.DeleteFunc(slices.Clone(types), func(t string) bool { return conditions.IsTrue(obj, t) })
}

// summarise derives Ready, Reconciling and Stalled from the phases' conditions:
// the first condition that is not True, in the phases' order, speaks for all;
// one that is stalled before one that is on its way.
func summarise(obj conditions.Setter, phases []Phase, stalled *metav1.Condition) {
	var first *metav1.Condition
	for _, p := range phases {
		c := conditions.Get(obj, p.Condition)
		if c == nil || c.Status == metav1.ConditionTrue {
			continue
		}
		first = cmp.Or(first, c)
	}
	switch {
	case stalled != nil:
		conditions.MarkStalled(obj, stalled.Reason, "%s", stalled.Message)
		conditions.MarkFalse(obj, v1alpha1.ConditionReady, stalled.Reason, "%s: %s", stalled.Type, stalled.Message)
	case first != nil:
		conditions.MarkReconciling(obj, first.Reason, "%s: %s", first.Type, first.Message)
		conditions.MarkFalse(obj, v1alpha1.ConditionReady, first.Reason, "%s: %s", first.Type, first.Message)
	default:
		conditions.Delete(obj, v1alpha1.ConditionReconciling)
		conditions.Delete(obj, v1alpha1.ConditionStalled)
		conditions.MarkTrue(obj, v1alpha1.ConditionReady, v1alpha1.ReasonSucceeded, "all is as wanted")
	}
}

// Deleting runs the steps of a finalizer and shows their state in Ready and
// Reconciling (or Stalled). It reports whether the object may go.
func Deleting(ctx context.Context, obj conditions.Setter, steps ...func(context.Context) error) (gone bool, _ ctrl.Result, _ error) {
	for _, step := range steps {
		err := step(ctx)
		if err == nil {
			continue
		}
		var waiting *WaitingError
		var terminal *TerminalError
		switch {
		case errors.As(err, &terminal):
			conditions.MarkStalled(obj, terminal.Reason, "%s", terminal.Message)
			conditions.MarkFalse(obj, v1alpha1.ConditionReady, terminal.Reason, "%s", terminal.Message)
			return false, ctrl.Result{}, nil
		case errors.As(err, &waiting):
			conditions.MarkReconciling(obj, v1alpha1.ReasonDeleting, "%s", waiting.Message)
			conditions.MarkFalse(obj, v1alpha1.ConditionReady, v1alpha1.ReasonDeleting, "%s", waiting.Message)
			return false, ctrl.Result{RequeueAfter: waiting.RetryAfter}, nil
		default:
			conditions.MarkReconciling(obj, v1alpha1.ReasonDeleting, "%s", err)
			conditions.MarkFalse(obj, v1alpha1.ConditionReady, v1alpha1.ReasonDeleting, "%s", err)
			return false, ctrl.Result{}, err
		}
	}
	return true, ctrl.Result{}, nil
}

// Finish joins the outcome of a reconciliation with that of writing it down. An
// object that changed meanwhile is looked at again; one that is gone needs nothing.
func Finish(result ctrl.Result, err, patchErr error) (ctrl.Result, error) {
	switch {
	case apierrors.IsConflict(err), err == nil && apierrors.IsConflict(patchErr):
		return ctrl.Result{RequeueAfter: conflictRetry}, nil
	case err != nil:
		return ctrl.Result{}, err
	case apierrors.IsNotFound(patchErr):
		return ctrl.Result{}, nil
	case patchErr != nil:
		return ctrl.Result{}, patchErr
	}
	return result, nil
}

// conflictRetry lets the cache see the change that caused a conflict.
const conflictRetry = 100 * time.Millisecond

// soonest is the smaller of two delays, where 0 means never.
func soonest(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}
