// Package tree gathers the objects behind a cluster, in the management cluster
// and in the cluster itself, and says which of them are not well.
//
// Cluster API's own clusterctl tree is not used: it leaves out infrastructure
// objects that echo their parent, and knows nothing of Flux.
package tree

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// Node is one object and those it owns.
type Node struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Ready as the object's own condition says it. An object that says nothing is Unknown.
	Ready    metav1.ConditionStatus `json:"ready"`
	Reason   string                 `json:"reason,omitempty"`
	Message  string                 `json:"message,omitempty"`
	Since    *metav1.Time           `json:"since,omitempty"`
	Deleting bool                   `json:"deleting,omitempty"`
	Children []*Node                `json:"children,omitempty"`

	uid types.UID
}

// Title is "Kind name", with the namespace if it is not the given one.
func (n *Node) Title(namespace string) string {
	if n.Namespace == "" || n.Namespace == namespace {
		return n.Kind + " " + n.Name
	}
	return n.Kind + " " + n.Namespace + "/" + n.Name
}

// Problems lists the objects that are not ready, the deepest first: they are
// the causes of what their owners complain about.
func (n *Node) Problems() []*Node {
	var found []*Node
	for _, c := range n.Children {
		found = append(found, c.Problems()...)
	}
	if n.Ready != metav1.ConditionTrue || n.Deleting {
		found = append(found, n)
	}
	return found
}

func (n *Node) sort() {
	slices.SortStableFunc(n.Children, func(a, b *Node) int {
		return strings.Compare(a.Kind+"/"+a.Namespace+"/"+a.Name, b.Kind+"/"+b.Namespace+"/"+b.Name)
	})
	for _, c := range n.Children {
		c.sort()
	}
}

// node reads an object of any kind. What was judged at an earlier generation
// is no answer for the present one.
func node(u *unstructured.Unstructured) *Node {
	n := &Node{
		Kind: u.GetKind(), Namespace: u.GetNamespace(), Name: u.GetName(), uid: u.GetUID(),
		Ready: metav1.ConditionUnknown, Deleting: u.GetDeletionTimestamp() != nil,
	}
	c := readyCondition(u)
	if c == nil {
		n.Message = "says nothing of its state yet"
		return n
	}
	text := func(key string) string {
		s, _ := c[key].(string)
		return s
	}
	n.Ready, n.Reason, n.Message = metav1.ConditionStatus(text("status")), text("reason"), text("message")
	if t, err := time.Parse(time.RFC3339, text("lastTransitionTime")); err == nil {
		n.Since = &metav1.Time{Time: t}
	}
	if observed, ok := c["observedGeneration"].(int64); ok && observed != 0 && observed < u.GetGeneration() {
		n.Ready, n.Message = metav1.ConditionUnknown, "its last change was not looked at yet"
	}
	return n
}

// readyCondition is the condition that sums an object up. Cluster API's kinds
// say it in several ways, newest first: Ready, or Available; Ready in the form of
// v1beta1 (MachinePool in v1.13); and a plain status.ready (CAPA's AWSManagedCluster).
func readyCondition(u *unstructured.Unstructured) map[string]any {
	for _, path := range [][]string{{"status", "conditions"}, {"status", "deprecated", "v1beta1", "conditions"}} {
		list, _, err := unstructured.NestedSlice(u.Object, path...)
		if err != nil {
			continue
		}
		for _, wanted := range []string{"Ready", "Available"} {
			for _, item := range list {
				if c, ok := item.(map[string]any); ok && c["type"] == wanted {
					return c
				}
			}
		}
	}
	ready, found, err := unstructured.NestedBool(u.Object, "status", "ready")
	switch {
	case err != nil || !found:
		return nil
	case ready:
		return map[string]any{"status": string(metav1.ConditionTrue)}
	default:
		return map[string]any{"status": string(metav1.ConditionFalse), "message": "status.ready is false"}
	}
}

// UIDs are the objects of the tree, by their UID.
func (t *Tree) UIDs() map[types.UID]bool {
	all := map[types.UID]bool{}
	var add func(n *Node)
	add = func(n *Node) {
		all[n.uid] = true
		for _, c := range n.Children {
			add(c)
		}
	}
	add(t.Root)
	return all
}
