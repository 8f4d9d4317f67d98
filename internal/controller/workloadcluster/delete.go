package workloadcluster

import (
	"context"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/controller/networkclaims"
	"kargo.dev/kargo/internal/phase"
)

// finalize deletes the Cluster API Cluster, waits until CAPA has removed all of
// AWS behind it, and gives the network range back.
func (r *Reconciler) finalize(ctx context.Context, s *scope) (ctrl.Result, error) {
	done, result, err := phase.Deleting(ctx, s.cluster,
		func(context.Context) error { return notProtected(s.cluster) },
		func(ctx context.Context) error { return r.deleteCluster(ctx, s) },
		func(ctx context.Context) error { return r.releaseNetwork(ctx, s) },
	)
	if done {
		controllerutil.RemoveFinalizer(s.cluster, v1alpha1.Finalizer)
		r.forget(client.ObjectKeyFromObject(s.cluster))
	}
	return result, err
}

// notProtected checks again what admission refuses in the first place.
func notProtected(cluster *v1alpha1.WorkloadCluster) error {
	if cluster.Protected() {
		return phase.Terminal(v1alpha1.ReasonDeletionProtected,
			"deletion is asked for, but spec.deletionProtection is on: nothing is deleted until it is false")
	}
	return nil
}

func (r *Reconciler) deleteCluster(ctx context.Context, s *scope) error {
	if s.cluster.Status.FactoryNamespace == "" {
		return nil // never got as far as to own anything
	}
	if err := r.observe(ctx, s); err != nil {
		return err
	}
	if s.observed.cluster == nil {
		return nil
	}
	if s.observed.cluster.Labels[v1alpha1.LabelCluster] != s.cluster.Name || (helmMade(s.observed.cluster) && !adopts(s.cluster)) {
		return nil // a bare cluster of the same name, never taken over
	}
	if s.observed.cluster.DeletionTimestamp.IsZero() {
		if err := r.unprotect(ctx, s); err != nil {
			return err
		}
		if err := r.Client.Delete(ctx, s.observed.cluster); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete Cluster %s: %w", s.key(), err)
		}
	}
	return phase.Waiting(v1alpha1.ReasonDeleting, "%s", s.observed.remaining())
}

// unprotect lifts the protection of the Cluster API objects, which their own
// controllers delete one after the other.
func (r *Reconciler) unprotect(ctx context.Context, s *scope) error {
	objects := []client.Object{s.observed.cluster}
	if s.observed.controlPlane != nil {
		objects = append(objects, s.observed.controlPlane)
	}
	for i := range s.observed.pools {
		objects = append(objects, &s.observed.pools[i])
	}
	for _, p := range s.observed.infraPools {
		objects = append(objects, &p)
	}
	if s.observed.infra != nil {
		objects = append(objects, s.observed.infra)
	}
	for _, o := range objects {
		if err := r.unprotectOne(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reconciler) unprotectOne(ctx context.Context, o client.Object) error {
	if o.GetAnnotations()[v1alpha1.AnnotationDeletionProtection] != "true" {
		return nil
	}
	merge := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"false"}}}`, v1alpha1.AnnotationDeletionProtection)
	err := r.Client.Patch(ctx, o, client.RawPatch("application/merge-patch+json", merge), client.FieldOwner(FieldOwner))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("lift the protection of %s: %w", o.GetName(), err)
	}
	return nil
}

// remaining says what is still there of a cluster that is being deleted.
func (o observed) remaining() string {
	switch {
	case len(o.pools) == 1:
		return "the node pool is being deleted"
	case len(o.pools) > 1:
		return fmt.Sprintf("%d node pools are being deleted", len(o.pools))
	case o.controlPlane != nil:
		return "EKS control plane and network are being deleted"
	}
	return "the cluster is being deleted"
}

func (r *Reconciler) releaseNetwork(ctx context.Context, s *scope) error {
	if s.cluster.Status.AccountID == "" {
		return nil
	}
	return r.Network.Release(ctx, networkclaims.ForCluster(s.cluster.Status.AccountID, s.cluster.Name))
}

// helmMade says whether Helm made the Cluster and nobody took it over yet.
func helmMade(c *clusterv1.Cluster) bool { return c.Annotations["meta.helm.sh/release-name"] != "" }

// adopts says whether the WorkloadCluster is meant to take over a bare cluster.
func adopts(w *v1alpha1.WorkloadCluster) bool {
	return w.Annotations[v1alpha1.AnnotationAdopt] == "true"
}
