// Package workloadcluster reconciles WorkloadClusters: it renders the cluster
// chart of the cluster's release into Cluster API objects, brings Flux and the
// settings into the cluster, and sums up what became of it. One file per phase.
package workloadcluster

import (
	"context"
	"net/netip"
	"time"

	"github.com/fluxcd/pkg/ssa"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"sigs.k8s.io/cluster-api/controllers/clustercache"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/blueprint"
	"kargo.dev/kargo/internal/gitrepo"
	"kargo.dev/kargo/internal/phase"
)

// FieldOwner is the field manager of what this controller applies.
const FieldOwner = "kargo-workloadcluster"

// resync is how often a cluster is compared with reality although nothing told of a change.
const resync = 10 * time.Minute

// Blueprints gives what a commit of the fleet repository says clusters are made of.
type Blueprints interface {
	Get(ctx context.Context, ref gitrepo.Ref) (*blueprint.Blueprint, error)
}

// Fleet tells how reading the fleet repository goes.
type Fleet interface {
	// Outage says since when and why it cannot be read, and "" while it can.
	// Sources.Fleet tells all clusters when it changes.
	Outage() string
}

// NetworkClaims keeps network ranges from overlapping.
type NetworkClaims interface {
	Reserve(ctx context.Context, claimant string, want netip.Prefix) error
	Allocate(ctx context.Context, claimant string, pool netip.Prefix, bits int) (netip.Prefix, error)
	Release(ctx context.Context, claimant string) error
}

// Clusters gives clients for workload clusters: a reader whose first read of a
// kind starts a cache of it, and a client without one.
type Clusters interface {
	GetReader(ctx context.Context, cluster client.ObjectKey) (client.Reader, error)
	GetUncachedClient(ctx context.Context, cluster client.ObjectKey) (client.Client, error)
	GetRESTConfig(ctx context.Context, cluster client.ObjectKey) (*rest.Config, error)
	Watch(ctx context.Context, cluster client.ObjectKey, watcher clustercache.Watcher) error
}

// Reconciler reconciles WorkloadClusters.
type Reconciler struct {
	Client     client.Client
	Blueprints Blueprints
	Fleet      Fleet
	Network    NetworkClaims
	Clusters   Clusters
	Flux       Flux
	// FleetURL is the fleet repository's address as workload clusters reach it.
	FleetURL string
	// Now is the clock.
	Now func() time.Time

	watches watches
	applied memory
}

// scope is what one reconciliation knows of its cluster. Phases fill it.
type scope struct {
	cluster *v1alpha1.WorkloadCluster
	team    *v1alpha1.Team
	account *v1alpha1.Account

	// observed is Cluster API's side, read before the phases run.
	observed observed
	// design is what the cluster should be made of; nil until resolved.
	design *design
	// applied are the Cluster API objects as they should be; nil until applied.
	applied []*unstructured.Unstructured
}

// key of the Cluster API Cluster behind the WorkloadCluster.
func (s *scope) key() client.ObjectKey {
	return client.ObjectKey{Namespace: s.cluster.Status.FactoryNamespace, Name: s.cluster.Name}
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (result ctrl.Result, err error) {
	cluster := &v1alpha1.WorkloadCluster{}
	if err := r.Client.Get(ctx, req.NamespacedName, cluster); err != nil {
		r.forget(req.NamespacedName)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	patcher := phase.NewPatcher(r.Client, FieldOwner, cluster)
	defer func() {
		cluster.Status.ObservedGeneration = cluster.Generation
		result, err = phase.Finish(result, err, patcher.Patch(ctx, cluster))
	}()
	s := &scope{cluster: cluster}
	if !cluster.DeletionTimestamp.IsZero() {
		return r.finalize(ctx, s)
	}
	if controllerutil.AddFinalizer(cluster, v1alpha1.Finalizer) {
		if err := patcher.Patch(ctx, cluster); err != nil {
			return ctrl.Result{}, err
		}
	}
	result, err = phase.Run(ctx, cluster, r.phases(s))
	if err == nil && (result.RequeueAfter == 0 || result.RequeueAfter > resync) {
		result.RequeueAfter = resync
	}
	return result, err
}

// phases in order: the first three make the cluster what it should be, the
// others watch it become so. What cannot be resolved any more (a repository
// that broke) stays as it is and goes on being watched.
func (r *Reconciler) phases(s *scope) []phase.Phase {
	run := func(f func(context.Context, *scope) (string, error)) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) { return f(ctx, s) }
	}
	resolved, reserved, applied := v1alpha1.ConditionResolved, v1alpha1.ConditionNetworkReserved, v1alpha1.ConditionApplied
	return []phase.Phase{
		{Condition: resolved, Run: run(r.resolve)},
		{Condition: reserved, Needs: []string{resolved}, Run: run(r.reserveNetwork)},
		{Condition: applied, Needs: []string{resolved, reserved}, Run: run(r.applyCluster)},
		{Condition: v1alpha1.ConditionNetworkReady, Run: run(r.observeNetwork)},
		{Condition: v1alpha1.ConditionControlPlaneReady, Run: run(r.observeControlPlane)},
		{Condition: v1alpha1.ConditionNodesReady, Run: run(r.observeNodes)},
		{Condition: v1alpha1.ConditionFluxReady, Run: run(r.reconcileFlux)},
		{Condition: v1alpha1.ConditionAddonsReady, Run: run(r.reconcileAddons)},
	}
}

// resourceManager applies objects server-side and takes over what Helm made, so
// that an adopted cluster has one owner.
func resourceManager(c client.Client) (*ssa.ResourceManager, ssa.ApplyOptions) {
	opts := ssa.DefaultApplyOptions()
	opts.Cleanup = ssa.ApplyCleanupOptions{
		Annotations: []string{"meta.helm.sh/release-name", "meta.helm.sh/release-namespace"},
		FieldManagers: []ssa.FieldManager{
			{Name: "helm", OperationType: "Apply"}, {Name: "helm", OperationType: "Update"},
		},
	}
	return ssa.NewResourceManager(c, nil, ssa.Owner{Field: FieldOwner, Group: v1alpha1.GroupVersion.Group}), opts
}
