package workloadcluster

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "sigs.k8s.io/cluster-api-provider-aws/v2/api/v1beta2"
	ekscontrolplanev1 "sigs.k8s.io/cluster-api-provider-aws/v2/controlplane/eks/api/v1beta2"
	expinfrav1 "sigs.k8s.io/cluster-api-provider-aws/v2/exp/api/v1beta2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/upgrade"
)

// observed is Cluster API's and CAPA's view of a cluster. What does not exist is nil.
type observed struct {
	cluster      *clusterv1.Cluster
	infra        *infrav1.AWSManagedCluster
	controlPlane *ekscontrolplanev1.AWSManagedControlPlane
	pools        []clusterv1.MachinePool
	infraPools   map[string]expinfrav1.AWSManagedMachinePool
}

// observe reads the Cluster API objects behind the cluster.
func (r *Reconciler) observe(ctx context.Context, s *scope) error {
	key := s.key()
	cluster := &clusterv1.Cluster{}
	switch err := r.Client.Get(ctx, key, cluster); {
	case err == nil:
		s.observed.cluster = cluster
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("get Cluster %s: %w", key, err)
	}
	infra := &infrav1.AWSManagedCluster{}
	switch err := r.Client.Get(ctx, key, infra); {
	case err == nil:
		s.observed.infra = infra
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("get AWSManagedCluster %s: %w", key, err)
	}
	selector := []client.ListOption{client.InNamespace(key.Namespace), client.MatchingLabels{v1alpha1.LabelCluster: key.Name}}
	var planes ekscontrolplanev1.AWSManagedControlPlaneList
	if err := r.Client.List(ctx, &planes, selector...); err != nil {
		return fmt.Errorf("list control planes of %s: %w", key, err)
	}
	if len(planes.Items) > 0 {
		s.observed.controlPlane = &planes.Items[0]
	}
	var pools clusterv1.MachinePoolList
	if err := r.Client.List(ctx, &pools, selector...); err != nil {
		return fmt.Errorf("list MachinePools of %s: %w", key, err)
	}
	s.observed.pools = pools.Items
	var infraPools expinfrav1.AWSManagedMachinePoolList
	if err := r.Client.List(ctx, &infraPools, selector...); err != nil {
		return fmt.Errorf("list AWSManagedMachinePools of %s: %w", key, err)
	}
	s.observed.infraPools = map[string]expinfrav1.AWSManagedMachinePool{}
	for _, p := range infraPools.Items {
		s.observed.infraPools[p.Name] = p
	}
	return nil
}

// running is what runs now, for the decision about the next version.
func (o observed) running(status v1alpha1.WorkloadClusterStatus) upgrade.State {
	state := upgrade.State{Pools: map[string]upgrade.Minor{}}
	if o.controlPlane == nil || o.controlPlane.Status.Version == nil {
		return state
	}
	if minor, err := upgrade.Parse(*o.controlPlane.Status.Version); err == nil {
		state.ControlPlane = minor
	}
	for _, p := range status.NodePools {
		if minor, err := upgrade.Parse(p.Version); err == nil {
			state.Pools[p.Name] = minor
		}
	}
	return state
}
