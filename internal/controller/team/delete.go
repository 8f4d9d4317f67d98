package team

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/phase"
)

// finalize lets a team go once it has no accounts; its namespace goes with it.
func (r *Reconciler) finalize(ctx context.Context, team *v1alpha1.Team) (ctrl.Result, error) {
	done, result, err := phase.Deleting(ctx, team,
		func(ctx context.Context) error { return r.noAccountsLeft(ctx, team) },
		func(ctx context.Context) error { return r.deleteNamespace(ctx, team) },
	)
	if done {
		controllerutil.RemoveFinalizer(team, v1alpha1.Finalizer)
	}
	return result, err
}

func (r *Reconciler) noAccountsLeft(ctx context.Context, team *v1alpha1.Team) error {
	var accounts v1alpha1.AccountList
	if err := r.Client.List(ctx, &accounts, client.InNamespace(team.Name)); err != nil {
		return fmt.Errorf("list accounts of team %s: %w", team.Name, err)
	}
	if n := len(accounts.Items); n > 0 {
		return phase.Waiting(v1alpha1.ReasonObjectsRemaining, "%d accounts remain, the first is %s: delete them and their clusters first", n, accounts.Items[0].Name)
	}
	return nil
}

func (r *Reconciler) deleteNamespace(ctx context.Context, team *v1alpha1.Team) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: team.Name}}
	if err := r.Client.Get(ctx, client.ObjectKeyFromObject(ns), ns); err != nil {
		return client.IgnoreNotFound(err)
	}
	if ns.Labels[v1alpha1.LabelTeam] != team.Name {
		return nil // never was the team's
	}
	open := corev1ac.Namespace(team.Name).WithAnnotations(map[string]string{v1alpha1.AnnotationDeletionProtection: "false"})
	if err := r.Client.Apply(ctx, open, client.FieldOwner(FieldOwner), client.ForceOwnership); err != nil {
		return client.IgnoreNotFound(err)
	}
	if err := r.Client.Delete(ctx, ns, client.Preconditions{UID: &ns.UID}); err != nil {
		return client.IgnoreNotFound(err)
	}
	return phase.Waiting(v1alpha1.ReasonDeleting, "namespace %s is being deleted", team.Name)
}
