package workloadcluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/flux"
	"kargo.dev/kargo/internal/phase"
)

// Flux is the installation that every cluster gets. It holds no manifests: they
// are large, and read again when a cluster needs them.
type Flux struct {
	Options     flux.Options
	Controllers []flux.Controller
	Checksum    string
}

// NewFlux reads the manifests once.
func NewFlux(options flux.Options) (Flux, error) {
	manifests, err := flux.Manifests(options)
	if err != nil {
		return Flux{}, fmt.Errorf("manifests of Flux: %w", err)
	}
	controllers, err := flux.Controllers()
	if err != nil {
		return Flux{}, fmt.Errorf("controllers of Flux: %w", err)
	}
	sum, err := checksum(manifests)
	return Flux{Options: options, Controllers: controllers, Checksum: sum}, err
}

// reconcileFlux installs Flux in the cluster and says whether it runs. It starts
// as soon as the API answers: its pods then wait for the first node.
func (r *Reconciler) reconcileFlux(ctx context.Context, s *scope) (string, error) {
	remote, err := r.remote(ctx, s)
	if err != nil {
		return "", err
	}
	var running appsv1.DeploymentList
	if err := remote.List(ctx, &running, client.InNamespace(flux.Namespace)); err != nil {
		return "", fmt.Errorf("list Flux's Deployments in %s: %w", s.key(), err)
	}
	if err := r.applyFlux(ctx, s, remote.live, running.Items); err != nil {
		return "", err
	}
	if err := r.watch(ctx, s); err != nil {
		return "", err
	}
	return fluxReady(r.Flux.Controllers, running.Items)
}

// applyFlux applies Flux's manifests when they, or the Deployments of them in
// the cluster, are not those of the last time.
func (r *Reconciler) applyFlux(ctx context.Context, s *scope, live client.Client, running []appsv1.Deployment) error {
	generations := map[string]int64{}
	for _, d := range running {
		generations[d.Name+"/"+string(d.UID)] = d.Generation
	}
	sum, err := checksum(r.Flux.Checksum, generations)
	if err != nil {
		return err
	}
	key := client.ObjectKeyFromObject(s.cluster)
	if r.applied.fresh(key, "flux", sum, r.Now()) {
		return nil
	}
	manifests, err := flux.Manifests(r.Flux.Options)
	if err != nil {
		return fmt.Errorf("manifests of Flux: %w", err)
	}
	manager, opts := resourceManager(live)
	if err := applyInStages(ctx, manager, opts, manifests); err != nil {
		return fmt.Errorf("install Flux in %s: %w", s.key(), err)
	}
	r.applied.remember(key, "flux", sum, r.Now())
	return nil
}

// fluxReady compares Flux's Deployments in the cluster with the manifests: one
// that is missing is not ready, nor is one that somebody scaled to nothing.
func fluxReady(wanted []flux.Controller, running []appsv1.Deployment) (string, error) {
	byName := map[string]appsv1.Deployment{}
	for _, d := range running {
		byName[d.Name] = d
	}
	var behind []string
	for _, w := range wanted {
		d, ok := byName[w.Name]
		switch {
		case !ok:
			behind = append(behind, w.Name+" does not exist")
		case d.Status.ObservedGeneration < d.Generation || !available(d):
			behind = append(behind, fmt.Sprintf("%s has %d of %d pods ready", d.Name, d.Status.ReadyReplicas, max(1, d.Status.Replicas)))
		}
	}
	if len(behind) > 0 {
		slices.Sort(behind)
		return "", phase.Waiting(v1alpha1.ReasonProgressing, "%s", strings.Join(behind, ", "))
	}
	return fmt.Sprintf("%d Flux controllers run", len(wanted)), nil
}

func available(d appsv1.Deployment) bool {
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentAvailable {
			return c.Status == corev1.ConditionTrue && d.Status.ReadyReplicas > 0
		}
	}
	return false
}
