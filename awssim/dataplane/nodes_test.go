package dataplane

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/eks"
)

func TestDesiredNode(t *testing.T) {
	got := desiredNode(testNode("ip-10-0-1-23.eu-central-1.compute.internal", "i-1"), "pool", "eu-central-1")
	wantLabels := map[string]string{
		"kubernetes.io/hostname": "ip-10-0-1-23.eu-central-1.compute.internal", "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
		"node.kubernetes.io/instance-type": "m5.large", "topology.kubernetes.io/zone": "eu-central-1a", "topology.kubernetes.io/region": "eu-central-1",
		"eks.amazonaws.com/nodegroup": "pool", "team": "shop",
	}
	if diff := cmp.Diff(wantLabels, got.Labels); diff != "" {
		t.Errorf("labels: -want +got\n%s", diff)
	}
	if got.Spec.ProviderID != "aws:///eu-central-1a/i-1" || got.Status.Addresses[0].Address != "10.0.1.23" {
		t.Errorf("node: got %+v", got)
	}
	if cpu := got.Status.Allocatable.Cpu().MilliValue(); cpu != 1930 {
		t.Errorf("allocatable CPU: got %d m, want 1930 m", cpu)
	}
	if v := kubeletVersion("1.35.2"); !strings.HasPrefix(v, "v1.35.2-eks-") || minorOf(v) != "1.35" {
		t.Errorf("kubelet version of 1.35.2: got %s", v)
	}
}

func TestMergeNode(t *testing.T) {
	desired := func(labels map[string]string, taints ...eks.Taint) *corev1.Node {
		n := testNode("n", "i-1")
		n.Labels, n.Taints = labels, taints
		return desiredNode(n, "pool", "eu-central-1")
	}
	ours := eks.Taint{Key: "dedicated", Value: "gpu", Effect: "NO_SCHEDULE"}
	first := desired(map[string]string{"a": "1", "b": "1"}, ours)
	have := first.DeepCopy()
	have.Labels["somebody/else"] = "yes"
	have.Spec.Taints = append(have.Spec.Taints, corev1.Taint{Key: "node.kubernetes.io/not-ready", Effect: corev1.TaintEffectNoSchedule})

	if _, changed := mergeNode(have, first); changed {
		t.Error("a node as wanted was changed")
	}
	merged, changed := mergeNode(have, desired(map[string]string{"b": "2"}))
	if !changed {
		t.Fatal("new labels and taints changed nothing")
	}
	if _, there := merged.Labels["a"]; there || merged.Labels["b"] != "2" || merged.Labels["somebody/else"] != "yes" {
		t.Errorf("labels: got %v", merged.Labels)
	}
	if len(merged.Spec.Taints) != 1 || merged.Spec.Taints[0].Key != "node.kubernetes.io/not-ready" {
		t.Errorf("taints: got %v", merged.Spec.Taints)
	}
	if again, changed := mergeNode(merged, desired(map[string]string{"b": "2"})); changed {
		t.Errorf("a second pass changes the node again: %v", again)
	}
}

func TestRetireNode(t *testing.T) {
	now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	drained := func(since time.Time) *corev1.Node {
		return &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: "old", Annotations: map[string]string{drainAnnotation: since.Format(time.RFC3339)}},
			Spec:       corev1.NodeSpec{Unschedulable: true},
		}
	}
	other := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "other"}}
	app := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "app", Namespace: "default", UID: "1"}, Spec: corev1.PodSpec{NodeName: "old"}}
	agent := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "agent", Namespace: "default", UID: "2"}, Spec: corev1.PodSpec{NodeName: "old"}}
	isController := true
	agent.OwnerReferences = []metav1.OwnerReference{{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "DaemonSet", Name: "agent", Controller: &isController}}

	for name, tc := range map[string]struct {
		reason string
		node   *corev1.Node
		pods   []runtime.Object
		others []corev1.Node
		want   []string
	}{
		"Cordon":   {reason: "first nothing new may come", node: &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "old"}}, pods: []runtime.Object{app}, others: []corev1.Node{other}, want: []string{"update nodes"}},
		"Evict":    {reason: "disruption budgets are asked", node: drained(now.Add(-time.Second)), pods: []runtime.Object{app, agent}, others: []corev1.Node{other}, want: []string{"create pods/eviction"}},
		"Force":    {reason: "but not for ever", node: drained(now.Add(-time.Hour)), pods: []runtime.Object{app, agent}, others: []corev1.Node{other}, want: []string{"delete pods"}},
		"LastNode": {reason: "nor where pods have nowhere to go", node: drained(now), pods: []runtime.Object{app}, want: []string{"delete pods"}},
		"Empty":    {reason: "daemons go with their node", node: drained(now), pods: []runtime.Object{agent}, others: []corev1.Node{other}, want: []string{"delete nodes", "delete pods"}},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(append(slices.Clone(tc.pods), tc.node)...)
			c := &cluster{plane: &DataPlane{opts: Options{DrainTimeout: time.Minute, Clock: api.Clock{Now: func() time.Time { return now }}}}, clients: &clients{quick: client}}
			if err := c.retireNode(t.Context(), tc.node, append(tc.others, *tc.node)); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range client.Actions() {
				if a.GetVerb() == "list" {
					continue
				}
				verb := a.GetVerb() + " " + a.GetResource().Resource
				if a.GetSubresource() != "" {
					verb += "/" + a.GetSubresource()
				}
				got = append(got, verb)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

func TestSuperfluous(t *testing.T) {
	node := func(name, group string) corev1.Node {
		return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{nodegroupLabel: group}}}
	}
	got := superfluous([]corev1.Node{node("a", "known"), node("b", "known"), node("c", "unheard-of")},
		map[string][]eks.Node{"known": {{Name: "a"}}})
	var names []string
	for _, n := range got {
		names = append(names, n.Name)
	}
	if diff := cmp.Diff([]string{"b"}, names); diff != "" {
		t.Errorf("a group nobody asked for since the start is not empty: -want +got\n%s", diff)
	}
}
