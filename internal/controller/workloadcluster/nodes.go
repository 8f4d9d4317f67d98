package workloadcluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/phase"
	"kargo.dev/kargo/internal/upgrade"
)

// nodeGroupLabel is on every node of a managed node group.
const nodeGroupLabel = "eks.amazonaws.com/nodegroup"

// observeNodes counts the ready nodes of each pool in the cluster itself, and
// finds the pool's version: that of its oldest kubelet.
func (r *Reconciler) observeNodes(ctx context.Context, s *scope) (string, error) {
	if len(s.observed.pools) == 0 {
		return "", phase.Waiting(v1alpha1.ReasonWaiting, "no node pool exists yet")
	}
	if s.applied != nil {
		if unseen := unseenPools(s.applied, s.observed.pools); len(unseen) > 0 {
			return "", phase.Waiting(v1alpha1.ReasonProgressing, "node pools: %s just changed", strings.Join(unseen, ", ")).After(nodesRetry)
		}
	}
	nodes, err := r.nodes(ctx, s)
	if err != nil {
		return "", err
	}
	var pools []v1alpha1.NodePoolStatus
	total := v1alpha1.Count{}
	var behind []string
	for _, mp := range s.observed.pools {
		pool := poolStatus(poolName(s.cluster.Name, mp.Name), nodes[r.nodeGroup(s, mp)], mp)
		total.Ready, total.Total = total.Ready+pool.Ready, total.Total+pool.Total
		if pool.Ready < pool.Total {
			behind = append(behind, fmt.Sprintf("%s %d/%d", pool.Name, pool.Ready, pool.Total))
		} else if s.design != nil && pool.Version != s.design.wanted.String() {
			behind = append(behind, fmt.Sprintf("%s at %s on the way to %s", pool.Name, pool.Version, s.design.wanted))
		} else if infra, ok := s.observed.infraPools[mp.Name]; ok && !infra.Status.Ready {
			behind = append(behind, pool.Name+" is being changed")
		}
		pools = append(pools, pool)
	}
	slices.SortFunc(pools, func(a, b v1alpha1.NodePoolStatus) int { return strings.Compare(a.Name, b.Name) })
	s.cluster.Status.NodePools, s.cluster.Status.Nodes = pools, total
	if len(behind) > 0 {
		slices.Sort(behind)
		return "", phase.Waiting(v1alpha1.ReasonProgressing, "node pools: %s", strings.Join(behind, ", ")).After(nodesRetry)
	}
	return fmt.Sprintf("%d of %d nodes ready", total.Ready, total.Total), nil
}

// unseenPools are the MachinePools that were read before the last change of them
// was applied: what they look like says nothing about what is wanted now.
func unseenPools(applied []*unstructured.Unstructured, seen []clusterv1.MachinePool) []string {
	byName := map[string]clusterv1.MachinePool{}
	for _, mp := range seen {
		byName[mp.Name] = mp
	}
	var unseen []string
	for _, o := range applied {
		if o.GetKind() != "MachinePool" {
			continue
		}
		mp, exists := byName[o.GetName()]
		replicas, sized, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
		version, _, _ := unstructured.NestedString(o.Object, "spec", "template", "spec", "version")
		if !exists || mp.Spec.Template.Spec.Version != version || (sized && int64(ptr.Deref(mp.Spec.Replicas, 1)) != replicas) {
			unseen = append(unseen, o.GetName())
		}
	}
	return unseen
}

// nodes of the cluster by node group. Their counts are unknown while the
// cluster cannot be reached: missing is not healthy.
func (r *Reconciler) nodes(ctx context.Context, s *scope) (map[string][]corev1.Node, error) {
	remote, err := r.remote(ctx, s)
	if err != nil {
		s.cluster.Status.Nodes.Ready = 0
		return nil, err
	}
	var list corev1.NodeList
	if err := remote.live.List(ctx, &list, client.HasLabels{nodeGroupLabel}); err != nil {
		return nil, fmt.Errorf("list nodes of %s: %w", s.key(), err)
	}
	byGroup := map[string][]corev1.Node{}
	for _, n := range list.Items {
		group := n.Labels[nodeGroupLabel]
		byGroup[group] = append(byGroup[group], n)
	}
	return byGroup, nil
}

// nodeGroup is the EKS name of the pool's node group.
func (r *Reconciler) nodeGroup(s *scope, mp clusterv1.MachinePool) string {
	if infra, ok := s.observed.infraPools[mp.Name]; ok && infra.Spec.EKSNodegroupName != "" {
		return infra.Spec.EKSNodegroupName
	}
	return mp.Name
}

// poolName is the pool's name in the settings: the chart names its objects CLUSTER-POOL.
func poolName(cluster, object string) string { return strings.TrimPrefix(object, cluster+"-") }

func poolStatus(name string, nodes []corev1.Node, mp clusterv1.MachinePool) v1alpha1.NodePoolStatus {
	pool := v1alpha1.NodePoolStatus{Name: name, Count: v1alpha1.Count{Total: ptr.Deref(mp.Spec.Replicas, 1)}}
	oldest := upgrade.Minor(0)
	if minor, err := upgrade.Parse(mp.Spec.Template.Spec.Version); err == nil && len(nodes) == 0 {
		oldest = minor // an empty pool is at the version it would start nodes with
	}
	for _, n := range nodes {
		if nodeReady(n) {
			pool.Ready++
		}
		if minor, err := upgrade.Parse(n.Status.NodeInfo.KubeletVersion); err == nil && (oldest == 0 || minor < oldest) {
			oldest = minor
		}
	}
	if oldest != 0 {
		pool.Version = oldest.String()
	}
	pool.Total = max(pool.Total, int32(len(nodes)))
	return pool
}

func nodeReady(n corev1.Node) bool {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
