package workloadcluster

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	infrav1 "sigs.k8s.io/cluster-api-provider-aws/v2/api/v1beta2"
	ekscontrolplanev1 "sigs.k8s.io/cluster-api-provider-aws/v2/controlplane/eks/api/v1beta2"
	expinfrav1 "sigs.k8s.io/cluster-api-provider-aws/v2/exp/api/v1beta2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	"kargo.dev/kargo/api/v1alpha1"
)

// Sources tell the controller of changes outside the management cluster.
type Sources struct {
	// Connections tells when a workload cluster is connected or lost.
	Connections func(controllerName string, mapFunc func(context.Context, client.Object) []ctrl.Request) source.Source
	// Fleet tells which clusters' commit has moved, and all when an outage begins or ends.
	Fleet source.Source
}

// concurrency is how many clusters are reconciled at once: a cluster that hangs
// holds one of them until its calls time out.
const concurrency = 10

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, sources Sources) error {
	toCluster := handler.EnqueueRequestsFromMapFunc(byLabel)
	inTeam := handler.EnqueueRequestsFromMapFunc(r.inNamespace)
	c, err := ctrl.NewControllerManagedBy(mgr).
		Named("workloadcluster").
		For(&v1alpha1.WorkloadCluster{}).
		Watches(&v1alpha1.Account{}, inTeam).
		Watches(&v1alpha1.Team{}, handler.EnqueueRequestsFromMapFunc(r.ofTeam)).
		Watches(&clusterv1.Cluster{}, toCluster).
		Watches(&clusterv1.MachinePool{}, toCluster).
		Watches(&infrav1.AWSManagedCluster{}, toCluster).
		Watches(&ekscontrolplanev1.AWSManagedControlPlane{}, toCluster).
		Watches(&expinfrav1.AWSManagedMachinePool{}, toCluster).
		WatchesRawSource(sources.Connections("workloadcluster", byLabel)).
		WatchesRawSource(sources.Fleet).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrency}).
		Build(r)
	if err != nil {
		return err
	}
	r.watches.use(c)
	return nil
}

// byLabel maps a Cluster API object to the WorkloadCluster it was made for.
func byLabel(_ context.Context, o client.Object) []reconcile.Request {
	team, name := o.GetLabels()[v1alpha1.LabelTeam], o.GetLabels()[v1alpha1.LabelCluster]
	if team == "" || name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: team, Name: name}}}
}

// inNamespace maps an Account to its team's clusters in it.
func (r *Reconciler) inNamespace(ctx context.Context, o client.Object) []reconcile.Request {
	return r.list(ctx, o.GetNamespace(), func(w *v1alpha1.WorkloadCluster) bool { return w.Spec.AccountRef.Name == o.GetName() })
}

// ofTeam maps a Team to its clusters.
func (r *Reconciler) ofTeam(ctx context.Context, o client.Object) []reconcile.Request {
	return r.list(ctx, o.GetName(), func(*v1alpha1.WorkloadCluster) bool { return true })
}

func (r *Reconciler) list(ctx context.Context, namespace string, want func(*v1alpha1.WorkloadCluster) bool) []reconcile.Request {
	var clusters v1alpha1.WorkloadClusterList
	if err := r.Client.List(ctx, &clusters, client.InNamespace(namespace)); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "list clusters", "namespace", namespace)
		return nil
	}
	var out []reconcile.Request
	for i := range clusters.Items {
		if want(&clusters.Items[i]) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&clusters.Items[i])})
		}
	}
	return out
}
