package local

import (
	"context"
	"fmt"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/charts"
	"kargo.dev/kargo/internal/engine"
	"kargo.dev/kargo/internal/flux"
	"kargo.dev/kargo/internal/local/components"
	"kargo.dev/kargo/internal/local/gitserver"
	"kargo.dev/kargo/internal/local/manifests"
)

// controlPlane makes the management cluster's API serve.
func (u *up) controlPlane(ctx context.Context) error {
	if err := u.run(ctx, components.Etcd, components.KubeAPIServer); err != nil {
		return err
	}
	// It ends when it finds no API server for 10 s, so it comes second.
	if err := u.run(ctx, components.KubeControllerManager); err != nil {
		return err
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", u.Profile.Kubeconfig())
	if err != nil {
		return fmt.Errorf("read the administrator's kubeconfig: %w", err)
	}
	cfg.QPS = -1 // the API server has its own limits
	if u.client, err = client.New(cfg, client.Options{}); err != nil {
		return fmt.Errorf("make a client of the management cluster: %w", err)
	}
	return nil
}

// install gives the management cluster the kinds, webhooks and rules of all components.
func (u *up) install(ctx context.Context) error {
	endpoints := map[string]manifests.Endpoint{
		"capi-system/capi-webhook-service": {Base: u.layout.SecureURL(components.PortCAPIWebhook, ""), CA: u.pki.CA()},
		"capa-system/capa-webhook-service": {Base: u.layout.SecureURL(components.PortCAPAWebhook, ""), CA: u.pki.CA()},
	}
	objs, err := u.objects()
	if err != nil {
		return err
	}
	if err := manifests.Webhooks(objs, endpoints); err != nil {
		return err
	}
	return manifests.Apply(ctx, u.client, objs)
}

// objects are all that is installed, as production would install it but for
// what runs as a process here: Deployments and their Services.
func (u *up) objects() ([]*unstructured.Unstructured, error) {
	objs := []*unstructured.Unstructured{manifests.New(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, "", components.NamespaceKargo)}
	for _, name := range []string{
		engine.ManifestClusterAPIRBAC, engine.ManifestClusterAPICRDs, engine.ManifestClusterAPIWebhooks,
		engine.ManifestClusterAPIAWSRBAC, engine.ManifestClusterAPIAWSCRDs, engine.ManifestClusterAPIAWSWebhooks,
	} {
		part, err := manifests.ReadFile(u.layout.Engine.Manifest(name))
		if err != nil {
			return nil, err
		}
		objs = append(objs, part...)
	}
	dropTemplates(objs)
	fluxObjects, err := flux.Manifests(flux.Options{})
	if err != nil {
		return nil, fmt.Errorf("read Flux's manifests: %w", err)
	}
	objs = append(objs, fluxObjects...)
	chart, err := u.kargoChart()
	if err != nil {
		return nil, err
	}
	objs = append(objs, chart.CRDs...)
	return manifests.Without(objs, "Deployment", "Service", "NetworkPolicy"), nil
}

// kargoChart is KARGO's own chart as production installs it, without the
// manager's Deployment.
func (u *up) kargoChart() (*manifests.Chart, error) {
	return manifests.RenderChart(charts.Kargo(), "kargo", components.NamespaceKargo, map[string]any{
		"manager":   map[string]any{"enabled": false},
		"factoryID": components.FactoryID,
		"fleet":     map[string]any{"url": u.layout.FleetURL(), "branch": gitserver.Branch},
	})
}

// dropTemplates removes annotations that clusterctl would fill in from its
// environment (the IAM role of CAPA's pod) and that are none before that.
func dropTemplates(objs []*unstructured.Unstructured) {
	for _, o := range objs {
		for key := range o.GetAnnotations() {
			if strings.HasPrefix(key, "${") {
				unstructured.RemoveNestedField(o.Object, "metadata", "annotations", key)
			}
		}
	}
}

// clusterAPI makes Cluster API and its AWS provider run.
func (u *up) clusterAPI(ctx context.Context) error {
	return u.run(ctx, components.ClusterAPI, components.ClusterAPIAWS)
}

// flux makes the management cluster's Flux run.
func (u *up) flux(ctx context.Context) error {
	if err := os.MkdirAll(u.Profile.Path("flux", "artifacts"), 0o700); err != nil {
		return fmt.Errorf("make Flux's directory: %w", err)
	}
	return u.run(ctx, components.SourceController, components.KustomizeController, components.HelmController)
}

// manager gives KARGO its rules and makes its manager run. One of the objects
// passes a webhook of CAPA's, which therefore runs before.
func (u *up) manager(ctx context.Context) error {
	chart, err := u.kargoChart()
	if err != nil {
		return err
	}
	if err := manifests.Apply(ctx, u.client, chart.Objects); err != nil {
		return err
	}
	return u.run(ctx, components.Manager)
}
