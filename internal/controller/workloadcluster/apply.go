package workloadcluster

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxcd/pkg/ssa"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/clusterchart"
	"kargo.dev/kargo/internal/phase"
	"kargo.dev/kargo/internal/upgrade"
)

// applyCluster renders the cluster chart for the next step of versions, applies
// the objects and removes node pools that are no longer wanted.
func (r *Reconciler) applyCluster(ctx context.Context, s *scope) (string, error) {
	step := upgrade.Next(s.observed.running(s.cluster.Status), s.design.wanted)
	values := s.design.values(step, s.cluster.Status.Network.CIDR)
	objects, err := s.design.blueprint.Chart.Render(ctx, clusterchart.ReleaseOptions{Name: s.cluster.Name, Namespace: s.key().Namespace}, values)
	if err != nil {
		return "", phase.Terminal(v1alpha1.ReasonSettingsInvalid, "%s", err)
	}
	sum, err := checksum(values)
	if err != nil {
		return "", err
	}
	s.cluster.Status.SettingsChecksum = sum
	s.applied = copyAll(objects) // applying writes the server's answer into the objects
	if err := r.applyObjects(ctx, s, objects); err != nil {
		return "", err
	}
	if err := r.prunePools(ctx, s, objects); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d Cluster API objects applied in namespace %s", len(objects), s.key().Namespace), nil
}

// applyObjects applies what the chart rendered, unless nothing changed since the last time.
func (r *Reconciler) applyObjects(ctx context.Context, s *scope, objects []*unstructured.Unstructured) error {
	sum, err := checksum(objects, s.observed.generations())
	if err != nil {
		return err
	}
	key := client.ObjectKeyFromObject(s.cluster)
	if r.applied.fresh(key, "cluster", sum, r.Now()) {
		return nil
	}
	manager, opts := resourceManager(r.Client)
	if _, err := manager.ApplyAll(ctx, objects, opts); err != nil {
		return fmt.Errorf("apply the Cluster API objects of %s: %w", s.key(), err)
	}
	r.applied.remember(key, "cluster", sum, r.Now())
	return nil
}

func copyAll(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	out := make([]*unstructured.Unstructured, len(objects))
	for i, o := range objects {
		out[i] = o.DeepCopy()
	}
	return out
}

// generations change when anybody changes the objects; then they are applied again.
func (o observed) generations() map[string]int64 {
	out := map[string]int64{}
	add := func(kind string, obj client.Object) {
		out[kind+"/"+obj.GetName()+"/"+string(obj.GetUID())] = obj.GetGeneration()
	}
	if o.cluster != nil {
		add("Cluster", o.cluster)
	}
	if o.infra != nil {
		add("AWSManagedCluster", o.infra)
	}
	if o.controlPlane != nil {
		add("AWSManagedControlPlane", o.controlPlane)
	}
	for i := range o.pools {
		add("MachinePool", &o.pools[i])
	}
	for _, p := range o.infraPools {
		add("AWSManagedMachinePool", &p)
	}
	return out
}

// prunePools deletes the MachinePools that the chart no longer renders. All of
// them at once is never meant: blank does not mean delete.
func (r *Reconciler) prunePools(ctx context.Context, s *scope, objects []*unstructured.Unstructured) error {
	var wanted []string
	for _, o := range objects {
		if o.GetKind() == "MachinePool" {
			wanted = append(wanted, o.GetName())
		}
	}
	if len(wanted) == 0 && len(s.observed.pools) > 0 {
		return phase.Terminal(v1alpha1.ReasonSettingsInvalid, "the settings name no node pool at all; the %d that exist are kept", len(s.observed.pools))
	}
	for i := range s.observed.pools {
		pool := &s.observed.pools[i]
		if slices.Contains(wanted, pool.Name) || !pool.DeletionTimestamp.IsZero() {
			continue
		}
		if infra, ok := s.observed.infraPools[pool.Name]; ok {
			if err := r.unprotectOne(ctx, &infra); err != nil {
				return err
			}
		}
		if err := r.unprotectOne(ctx, pool); err != nil {
			return err
		}
		if err := r.Client.Delete(ctx, pool); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete MachinePool %s: %w", pool.Name, err)
		}
	}
	return nil
}

// applyInStages applies CRDs and namespaces before what needs them.
func applyInStages(ctx context.Context, manager *ssa.ResourceManager, opts ssa.ApplyOptions, objects []*unstructured.Unstructured) error {
	first, rest := split(objects, func(o *unstructured.Unstructured) bool {
		return o.GetKind() == "CustomResourceDefinition" || o.GetKind() == "Namespace"
	})
	for _, stage := range [][]*unstructured.Unstructured{first, rest} {
		if _, err := manager.ApplyAll(ctx, stage, opts); err != nil {
			return err
		}
	}
	return nil
}

func split(objects []*unstructured.Unstructured, pick func(*unstructured.Unstructured) bool) (picked, rest []*unstructured.Unstructured) {
	for _, o := range objects {
		if pick(o) {
			picked = append(picked, o)
		} else {
			rest = append(rest, o)
		}
	}
	return picked, rest
}

func toUnstructured(objects []client.Object) ([]*unstructured.Unstructured, error) {
	out := make([]*unstructured.Unstructured, 0, len(objects))
	for _, o := range objects {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.GetName(), err)
		}
		unstructured.RemoveNestedField(content, "status")
		out = append(out, &unstructured.Unstructured{Object: content})
	}
	return out, nil
}
