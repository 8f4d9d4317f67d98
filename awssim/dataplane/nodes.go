package dataplane

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"kargo.dev/kargo/awssim/eks"
	"kargo.dev/kargo/internal/engine"
)

const (
	nodegroupLabel = "eks.amazonaws.com/nodegroup"
	// appliedAnnotation keeps which labels and taints of a node came from its
	// node group, so that those taken away there are taken away here, and
	// nobody else's.
	appliedAnnotation = "awssim.kargo.dev/applied"
)

// applied is the value of appliedAnnotation.
type applied struct {
	Labels []string `json:"labels,omitempty"`
	Taints []string `json:"taints,omitempty"` // KEY:EFFECT
}

// ensureNodes makes the Nodes be those of the node groups that EnsureNodes was
// called for; others are left alone. It tells whether all is as wanted.
func (c *cluster) ensureNodes(ctx context.Context) (settled bool, err error) {
	client := c.clients.quick
	c.mu.Lock()
	nodegroups, region := maps.Clone(c.nodegroups), c.want.Region
	c.mu.Unlock()
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: nodegroupLabel})
	if err != nil {
		return false, fmt.Errorf("list the nodes: %w", err)
	}
	c.recordReady(list.Items)
	settled = true
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(nodegroups)) {
		for _, want := range nodegroups[name] {
			i := slices.IndexFunc(list.Items, func(n corev1.Node) bool { return n.Name == want.Name })
			if i < 0 {
				settled = false
				errs = append(errs, createNode(ctx, client, desiredNode(want, name, region)))
				continue
			}
			errs = append(errs, updateNode(ctx, client, &list.Items[i], desiredNode(want, name, region)))
			settled = settled && isReady(list.Items[i])
		}
	}
	for _, n := range superfluous(list.Items, nodegroups) {
		settled = false
		errs = append(errs, c.retireNode(ctx, n, list.Items))
	}
	return settled, errors.Join(errs...)
}

// superfluous nodes belong to a known node group that no longer wants them.
func superfluous(nodes []corev1.Node, nodegroups map[string][]eks.Node) []*corev1.Node {
	var res []*corev1.Node
	for i := range nodes {
		want, known := nodegroups[nodes[i].Labels[nodegroupLabel]]
		if known && !slices.ContainsFunc(want, func(w eks.Node) bool { return w.Name == nodes[i].Name }) {
			res = append(res, &nodes[i])
		}
	}
	return res
}

func (c *cluster) recordReady(nodes []corev1.Node) {
	ready := map[string][]string{}
	for _, n := range nodes {
		if isReady(n) && n.DeletionTimestamp == nil {
			group := n.Labels[nodegroupLabel]
			ready[group] = append(ready[group], n.Status.NodeInfo.KubeletVersion)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready = ready
}

func isReady(n corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// desiredNode is the Node a kubelet on the instance would register and report.
func desiredNode(want eks.Node, nodegroup, region string) *corev1.Node {
	size := sizeOf(want.InstanceType)
	labels := map[string]string{
		corev1.LabelHostname:           want.Name,
		corev1.LabelOSStable:           "linux",
		corev1.LabelArchStable:         size.architecture(),
		corev1.LabelInstanceTypeStable: want.InstanceType,
		corev1.LabelTopologyZone:       want.Zone,
		corev1.LabelTopologyRegion:     region,
	}
	maps.Copy(labels, want.Labels)
	labels[nodegroupLabel] = nodegroup
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: want.Name, Labels: labels},
		Spec:       corev1.NodeSpec{ProviderID: "aws:///" + want.Zone + "/" + want.InstanceID, Taints: taints(want.Taints)},
		Status: corev1.NodeStatus{
			Capacity: size.capacity(), Allocatable: size.allocatable(),
			NodeInfo: corev1.NodeSystemInfo{
				KubeletVersion: kubeletVersion(want.Version), OperatingSystem: "linux", Architecture: size.architecture(),
				ContainerRuntimeVersion: "kwok://0.8.0", OSImage: "Amazon Linux 2023 (simulated)", KernelVersion: "simulated",
				MachineID: want.InstanceID, SystemUUID: want.InstanceID, BootID: want.InstanceID,
			},
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: want.Name}, {Type: corev1.NodeInternalDNS, Address: want.Name}},
		},
	}
	if ip, ok := privateIP(want.Name); ok {
		n.Status.Addresses = append([]corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: ip}}, n.Status.Addresses...)
	}
	b, _ := json.Marshal(appliedOf(n)) // strings only: cannot fail
	n.Annotations = map[string]string{appliedAnnotation: string(b)}
	return n
}

func appliedOf(n *corev1.Node) applied {
	a := applied{Labels: slices.Sorted(maps.Keys(n.Labels))}
	for _, t := range n.Spec.Taints {
		a.Taints = append(a.Taints, taintKey(t))
	}
	return a
}

func createNode(ctx context.Context, client kubernetes.Interface, want *corev1.Node) error {
	status := want.Status
	created, err := client.CoreV1().Nodes().Create(ctx, want, metav1.CreateOptions{FieldManager: fieldManager})
	if err != nil {
		return fmt.Errorf("register node %s: %w", want.Name, err)
	}
	created.Status = status
	if _, err := client.CoreV1().Nodes().UpdateStatus(ctx, created, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
		return ignoreConflict(fmt.Errorf("report the status of node %s: %w", want.Name, err))
	}
	return nil
}

// updateNode changes what a node group's new labels and taints, or a status
// that was not yet written, ask for; a conflict is left to the next pass.
func updateNode(ctx context.Context, client kubernetes.Interface, have, want *corev1.Node) error {
	if merged, changed := mergeNode(have, want); changed {
		if _, err := client.CoreV1().Nodes().Update(ctx, merged, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
			return ignoreConflict(fmt.Errorf("update node %s: %w", want.Name, err))
		}
		return nil
	}
	if have.Status.NodeInfo.KubeletVersion == want.Status.NodeInfo.KubeletVersion {
		return nil
	}
	updated := have.DeepCopy()
	conditions, phase := have.Status.Conditions, have.Status.Phase
	updated.Status = want.Status
	updated.Status.Conditions, updated.Status.Phase = conditions, phase
	if _, err := client.CoreV1().Nodes().UpdateStatus(ctx, updated, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
		return ignoreConflict(fmt.Errorf("report the status of node %s: %w", want.Name, err))
	}
	return nil
}

// mergeNode gives a node the labels and taints of its node group, takes away
// those the group once had, and keeps everybody else's.
func mergeNode(have, want *corev1.Node) (merged *corev1.Node, changed bool) {
	if have.Annotations[appliedAnnotation] == want.Annotations[appliedAnnotation] && containsAll(have.Labels, want.Labels) && hasTaints(have, want.Spec.Taints) {
		return have, false
	}
	var former applied
	_ = json.Unmarshal([]byte(have.Annotations[appliedAnnotation]), &former) // nothing applied if it cannot be read
	merged = have.DeepCopy()
	for _, key := range former.Labels {
		delete(merged.Labels, key)
	}
	if merged.Labels == nil {
		merged.Labels = map[string]string{}
	}
	maps.Copy(merged.Labels, want.Labels)
	merged.Spec.Taints = slices.DeleteFunc(merged.Spec.Taints, func(t corev1.Taint) bool {
		return slices.Contains(former.Taints, taintKey(t)) ||
			slices.ContainsFunc(want.Spec.Taints, func(w corev1.Taint) bool { return taintKey(w) == taintKey(t) })
	})
	merged.Spec.Taints = append(merged.Spec.Taints, want.Spec.Taints...)
	if merged.Annotations == nil {
		merged.Annotations = map[string]string{}
	}
	merged.Annotations[appliedAnnotation] = want.Annotations[appliedAnnotation]
	return merged, true
}

func containsAll(have, want map[string]string) bool {
	for k, v := range want {
		if got, ok := have[k]; !ok || got != v {
			return false
		}
	}
	return true
}

func hasTaints(n *corev1.Node, want []corev1.Taint) bool {
	return !slices.ContainsFunc(want, func(w corev1.Taint) bool {
		return !slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return taintKey(t) == taintKey(w) && t.Value == w.Value })
	})
}

func taintKey(t corev1.Taint) string { return t.Key + ":" + string(t.Effect) }

// taints in Kubernetes' spelling.
func taints(list []eks.Taint) []corev1.Taint {
	effects := map[string]corev1.TaintEffect{
		"NO_SCHEDULE": corev1.TaintEffectNoSchedule, "NO_EXECUTE": corev1.TaintEffectNoExecute, "PREFER_NO_SCHEDULE": corev1.TaintEffectPreferNoSchedule,
	}
	var res []corev1.Taint
	for _, t := range list {
		res = append(res, corev1.Taint{Key: t.Key, Value: t.Value, Effect: cmp.Or(effects[t.Effect], corev1.TaintEffect(t.Effect))})
	}
	return res
}

// kubeletVersion in EKS's form, for a minor version (1.34) or a full one (1.34.2).
func kubeletVersion(version string) string {
	if strings.Count(version, ".") < 2 {
		return engine.EKSVersion(version)
	}
	return "v" + version + "-eks-emulated"
}

// minorOf is 1.34 of 1.34, 1.34.2 and v1.34.2-eks-emulated.
func minorOf(version string) string {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// privateIP is 10.0.1.23 of ip-10-0-1-23.eu-central-1.compute.internal.
func privateIP(nodeName string) (string, bool) {
	host, _, _ := strings.Cut(nodeName, ".")
	dashed, ok := strings.CutPrefix(host, "ip-")
	return strings.ReplaceAll(dashed, "-", "."), ok && strings.Count(dashed, "-") == 3
}

func ignoreConflict(err error) error {
	if apierrors.IsConflict(err) {
		return nil
	}
	return err
}
