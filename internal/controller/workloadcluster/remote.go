package workloadcluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"sigs.k8s.io/cluster-api/controllers/clustercache"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/phase"
)

const (
	// remoteRetry is when a cluster that cannot be reached is tried again; its
	// connection coming up tells sooner.
	remoteRetry = 15 * time.Second
	// nodesRetry is when nodes are counted again that no event told of.
	nodesRetry = 3 * time.Second
)

// remote is access to a workload cluster.
type remote struct {
	// Reader caches the kinds it reads: those that are watched anyway.
	client.Reader
	// live asks the cluster's API. Everything is applied through it: applying reads
	// each object before, and a cache of all those kinds, CRDs among them, would be
	// most of the manager's memory.
	live client.Client
}

// remote connects to the workload cluster. The error is a WaitingError while
// there is no connection to it.
func (r *Reconciler) remote(ctx context.Context, s *scope) (remote, error) {
	if s.observed.cluster == nil {
		return remote{}, phase.Waiting(v1alpha1.ReasonWaiting, "the cluster does not exist yet")
	}
	reader, err := r.Clusters.GetReader(ctx, s.key())
	if err != nil {
		return remote{}, connectError(s, err)
	}
	live, err := r.Clusters.GetUncachedClient(ctx, s.key())
	if err != nil {
		return remote{}, connectError(s, err)
	}
	return remote{reader, live}, nil
}

func connectError(s *scope, err error) error {
	if errors.Is(err, clustercache.ErrClusterNotConnected) {
		return phase.Waiting(v1alpha1.ReasonUnreachable, "no connection to the cluster's API yet").After(remoteRetry)
	}
	return fmt.Errorf("connect to %s: %w", s.key(), err)
}

// issuer is the OIDC issuer of the cluster's service account tokens, which the
// cluster itself publishes: CAPA tells it only where it makes an OIDC provider.
// https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery
func (r *Reconciler) issuer(ctx context.Context, s *scope) (string, error) {
	config, err := r.Clusters.GetRESTConfig(ctx, s.key())
	if err != nil {
		return "", fmt.Errorf("connect to %s: %w", s.key(), err)
	}
	discovery, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return "", err
	}
	document, err := discovery.RESTClient().Get().AbsPath("/.well-known/openid-configuration").DoRaw(ctx)
	if err != nil {
		return "", fmt.Errorf("issuer of %s: %w", s.key(), err)
	}
	var answer struct {
		Issuer string `json:"issuer"`
	}
	if err := json.Unmarshal(document, &answer); err != nil {
		return "", fmt.Errorf("issuer of %s: %w", s.key(), err)
	}
	return answer.Issuer, nil
}

// watches starts watches inside workload clusters, once each.
type watches struct {
	mu         sync.Mutex
	controller controller.Controller
}

func (w *watches) use(c controller.Controller) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.controller = c
}

// watch makes changes of Flux and its objects in the workload cluster reach the
// WorkloadCluster. Kinds whose CRD is not there yet are left for the next time.
func (r *Reconciler) watch(ctx context.Context, s *scope) error {
	r.watches.mu.Lock()
	c := r.watches.controller
	r.watches.mu.Unlock()
	if c == nil {
		return nil
	}
	owner := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(s.cluster)}
	toOwner := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []ctrl.Request { return []ctrl.Request{owner} })
	for name, kind := range map[string]client.Object{
		"flux":           &appsv1.Deployment{},
		"kustomizations": &kustomizev1.Kustomization{},
		"helmreleases":   &helmv2.HelmRelease{},
	} {
		err := r.Clusters.Watch(ctx, s.key(), clustercache.NewWatcher(clustercache.WatcherOptions{
			Name: "workloadcluster-" + name, Kind: kind, Watcher: c, EventHandler: toOwner,
		}))
		if meta.IsNoMatchError(err) {
			continue
		}
		if err != nil && !errors.Is(err, clustercache.ErrClusterNotConnected) {
			return fmt.Errorf("watch %s in %s: %w", name, s.key(), err)
		}
	}
	return nil
}

func (r *Reconciler) forget(cluster client.ObjectKey) { r.applied.forget(cluster) }
