// Package team reconciles Teams: the namespace that holds a team's objects and
// who may do what in it.
package team

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/phase"
)

// FieldOwner is the field manager of what this controller applies.
const FieldOwner = "kargo-team"

// Reconciler reconciles Teams.
type Reconciler struct {
	Client client.Client
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	byLabel := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
		return request(o.GetLabels()[v1alpha1.LabelTeam])
	})
	byNamespace := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
		return request(o.GetNamespace())
	})
	return ctrl.NewControllerManagedBy(mgr).
		Named("team").
		For(&v1alpha1.Team{}).
		Watches(&corev1.Namespace{}, byLabel).
		Watches(&rbacv1.RoleBinding{}, byLabel).
		Watches(&v1alpha1.Account{}, byNamespace).
		Complete(r)
}

func request(team string) []reconcile.Request {
	if team == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: team}}}
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (result ctrl.Result, err error) {
	team := &v1alpha1.Team{}
	if err := r.Client.Get(ctx, req.NamespacedName, team); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	patcher := phase.NewPatcher(r.Client, FieldOwner, team)
	defer func() {
		team.Status.ObservedGeneration = team.Generation
		result, err = phase.Finish(result, err, patcher.Patch(ctx, team))
	}()
	if !team.DeletionTimestamp.IsZero() {
		return r.finalize(ctx, team)
	}
	if controllerutil.AddFinalizer(team, v1alpha1.Finalizer) {
		if err := patcher.Patch(ctx, team); err != nil {
			return ctrl.Result{}, err
		}
	}
	return phase.Run(ctx, team, []phase.Phase{
		{Condition: v1alpha1.ConditionNamespaceReady, Run: func(ctx context.Context) (string, error) { return r.reconcileNamespace(ctx, team) }},
	})
}
