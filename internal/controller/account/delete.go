package account

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	infrav1 "sigs.k8s.io/cluster-api-provider-aws/v2/api/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/controller/networkclaims"
	"kargo.dev/kargo/internal/phase"
)

// finalize gives the claim back: no clusters left, then the identity, the
// factory namespace, the network range.
func (r *Reconciler) finalize(ctx context.Context, acct *v1alpha1.Account) (ctrl.Result, error) {
	steps := []func(context.Context) error{
		func(ctx context.Context) error { return r.noClustersLeft(ctx, acct) },
	}
	if acct.Status.FactoryNamespace != "" { // else the account never was its own
		steps = append(steps,
			func(ctx context.Context) error { return r.deleteIdentity(ctx, acct) },
			func(ctx context.Context) error { return r.deleteFactoryNamespace(ctx, acct) },
			func(ctx context.Context) error {
				return r.Network.Release(ctx, networkclaims.ForAccount(acct.Spec.ID))
			},
		)
	}
	done, result, err := phase.Deleting(ctx, acct, steps...)
	if done {
		controllerutil.RemoveFinalizer(acct, v1alpha1.Finalizer)
	}
	return result, err
}

func (r *Reconciler) noClustersLeft(ctx context.Context, acct *v1alpha1.Account) error {
	var clusters v1alpha1.WorkloadClusterList
	if err := r.Client.List(ctx, &clusters, client.InNamespace(acct.Namespace)); err != nil {
		return fmt.Errorf("list clusters of team %s: %w", acct.Namespace, err)
	}
	for i := range clusters.Items {
		if clusters.Items[i].Spec.AccountRef.Name == acct.Name {
			return phase.Waiting(v1alpha1.ReasonObjectsRemaining, "cluster %s runs in this account: delete it first", clusters.Items[i].Name)
		}
	}
	return nil
}

func (r *Reconciler) deleteIdentity(ctx context.Context, acct *v1alpha1.Account) error {
	identity := &infrav1.AWSClusterRoleIdentity{ObjectMeta: metav1.ObjectMeta{Name: acct.Status.FactoryNamespace}}
	return client.IgnoreNotFound(r.Client.Delete(ctx, identity))
}

func (r *Reconciler) deleteFactoryNamespace(ctx context.Context, acct *v1alpha1.Account) error {
	ns := &corev1.Namespace{}
	if err := r.Reader.Get(ctx, client.ObjectKey{Name: acct.Status.FactoryNamespace}, ns); err != nil {
		return client.IgnoreNotFound(err)
	}
	if !claimedBy(ns, acct) {
		return nil
	}
	if ns.DeletionTimestamp.IsZero() {
		open := corev1ac.Namespace(ns.Name).WithAnnotations(map[string]string{v1alpha1.AnnotationDeletionProtection: "false"})
		if err := r.Client.Apply(ctx, open, client.FieldOwner(FieldOwner), client.ForceOwnership); err != nil {
			return fmt.Errorf("lift the protection of namespace %s: %w", ns.Name, err)
		}
		if err := r.Client.Delete(ctx, ns, client.Preconditions{UID: &ns.UID}); err != nil {
			return client.IgnoreNotFound(err)
		}
	}
	return phase.Waiting(v1alpha1.ReasonDeleting, "factory namespace %s is being deleted", ns.Name).After(retrySoon)
}
