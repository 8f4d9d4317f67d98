package manager

import (
	"context"
	"errors"
	"fmt"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/source"

	infrav1 "sigs.k8s.io/cluster-api-provider-aws/v2/api/v1beta2"
	ekscontrolplanev1 "sigs.k8s.io/cluster-api-provider-aws/v2/controlplane/eks/api/v1beta2"
	expinfrav1 "sigs.k8s.io/cluster-api-provider-aws/v2/exp/api/v1beta2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/controllers/clustercache"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/flux"
)

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	var errs []error
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, v1alpha1.AddToScheme,
		clusterv1.AddToScheme, infrav1.AddToScheme, ekscontrolplanev1.AddToScheme, expinfrav1.AddToScheme,
		sourcev1.AddToScheme, kustomizev1.AddToScheme, helmv2.AddToScheme,
	} {
		errs = append(errs, add(scheme))
	}
	return scheme, errors.Join(errs...)
}

// cacheOptions keep out of memory what nobody here reads.
func cacheOptions() cache.Options {
	return cache.Options{DefaultTransform: cache.TransformStripManagedFields()}
}

// clientOptions: Secrets and ConfigMaps are read as they are, not from a cache of all of them.
func clientOptions() client.Options {
	return client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}}}}
}

// connections are clients and caches for workload clusters.
type connections struct{ clustercache.ClusterCache }

// source tells of clusters that are connected or lost.
func (c connections) source(name string, mapFunc func(context.Context, client.Object) []ctrl.Request) source.Source {
	return c.GetClusterSource(name, mapFunc)
}

// connectionRetry is how soon a connection to a workload cluster is tried again:
// its default of 30 s would be most of the time a new cluster takes to become ready.
const connectionRetry = 3 * time.Second

func clusterCache(ctx context.Context, mgr ctrl.Manager) (connections, error) {
	secrets, err := kubeconfigSecrets(mgr)
	if err != nil {
		return connections{}, err
	}
	cc, err := clustercache.SetupWithManager(ctx, mgr, clustercache.Options{
		SecretClient: secrets,
		Cache: clustercache.CacheOptions{
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject: map[client.Object]cache.ByObject{
				&appsv1.Deployment{}: {Namespaces: map[string]cache.Config{flux.Namespace: {}}},
			},
		},
		Client: clustercache.ClientOptions{UserAgent: "kargo-manager", QPS: 50, Burst: 100},
	}, controller.Options{MaxConcurrentReconciles: 50})
	if err != nil {
		return connections{}, fmt.Errorf("cluster cache: %w", err)
	}
	if tunable, ok := cc.(interface {
		SetConnectionCreationRetryInterval(time.Duration)
	}); ok {
		tunable.SetConnectionCreationRetryInterval(connectionRetry)
	}
	return connections{cc}, nil
}

// kubeconfigSecrets caches the Secrets Cluster API labels with a cluster's name, and no others.
func kubeconfigSecrets(mgr ctrl.Manager) (client.Client, error) {
	hasCluster, err := labels.NewRequirement(clusterv1.ClusterNameLabel, selection.Exists, nil)
	if err != nil {
		return nil, err
	}
	secrets, err := cache.New(mgr.GetConfig(), cache.Options{
		Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), HTTPClient: mgr.GetHTTPClient(),
		ByObject: map[client.Object]cache.ByObject{&corev1.Secret{}: {Label: labels.NewSelector().Add(*hasCluster)}},
	})
	if err != nil {
		return nil, fmt.Errorf("cache of kubeconfig Secrets: %w", err)
	}
	if err := mgr.Add(secrets); err != nil {
		return nil, err
	}
	return client.New(mgr.GetConfig(), client.Options{
		Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), HTTPClient: mgr.GetHTTPClient(),
		Cache: &client.CacheOptions{Reader: secrets},
	})
}
