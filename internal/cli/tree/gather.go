package tree

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
)

// Gatherer collects the tree of a cluster.
type Gatherer struct {
	Client client.Client
	// Remote makes a client for the cluster from its kubeconfig.
	Remote func(kubeconfig []byte) (client.Client, error)
}

// Tree is what was found, and what could not be looked at.
type Tree struct {
	Root *Node `json:"root"`
	// Notes say which part could not be read, and why.
	Notes []string `json:"notes,omitempty"`
}

// remoteTimeout is how long the cluster itself may take to answer.
const remoteTimeout = 10 * time.Second

// behind are the kinds of Cluster API objects behind a cluster.
func behind() []schema.GroupKind {
	return []schema.GroupKind{
		{Group: "cluster.x-k8s.io", Kind: "Cluster"},
		{Group: "infrastructure.cluster.x-k8s.io", Kind: "AWSManagedCluster"},
		{Group: "controlplane.cluster.x-k8s.io", Kind: "AWSManagedControlPlane"},
		{Group: "cluster.x-k8s.io", Kind: "MachinePool"},
		{Group: "infrastructure.cluster.x-k8s.io", Kind: "AWSManagedMachinePool"},
	}
}

// inside are the kinds of Flux objects in a cluster.
func inside() []schema.GroupKind {
	return []schema.GroupKind{
		{Group: "source.toolkit.fluxcd.io", Kind: "GitRepository"},
		{Group: "kustomize.toolkit.fluxcd.io", Kind: "Kustomization"},
		{Group: "helm.toolkit.fluxcd.io", Kind: "HelmRelease"},
	}
}

// Gather collects the tree. Only a failure to read the WorkloadCluster itself is
// an error: the rest becomes notes, since somebody looks for what is broken.
func (g Gatherer) Gather(ctx context.Context, w *v1alpha1.WorkloadCluster) (*Tree, error) {
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(w)
	if err != nil {
		return nil, fmt.Errorf("cannot read cluster %s/%s: %w", w.Namespace, w.Name, err)
	}
	u := &unstructured.Unstructured{Object: raw}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("WorkloadCluster"))
	t := &Tree{Root: node(u)}
	if w.Status.FactoryNamespace == "" {
		t.Notes = append(t.Notes, "no AWS account was resolved yet, so nothing is behind the cluster")
		return t, nil
	}
	g.behind(ctx, w, t)
	g.inside(ctx, w, t)
	t.Root.sort()
	return t, nil
}

func (g Gatherer) behind(ctx context.Context, w *v1alpha1.WorkloadCluster, t *Tree) {
	objs, err := list(ctx, g.Client, behind(), client.InNamespace(w.Status.FactoryNamespace), client.MatchingLabels{v1alpha1.LabelCluster: w.Name})
	if apierrors.IsForbidden(err) {
		t.Notes = append(t.Notes, fmt.Sprintf("the objects behind the cluster are in the factory namespace %s, which you may not read", w.Status.FactoryNamespace))
	} else if err != nil {
		t.Notes = append(t.Notes, fmt.Sprintf("the objects behind the cluster cannot be read: %v", err))
	}
	nodes := map[string]*Node{}
	top := t.Root
	for _, u := range objs {
		nodes[string(u.GetUID())] = node(u)
		if u.GetKind() == "Cluster" {
			top = nodes[string(u.GetUID())]
			t.Root.Children = append(t.Root.Children, top)
		}
	}
	for _, u := range objs {
		if n := nodes[string(u.GetUID())]; n != top {
			parent := owner(u, nodes, top)
			parent.Children = append(parent.Children, n)
		}
	}
}

// owner is the node that owns an object; without one it hangs under the top.
func owner(u *unstructured.Unstructured, nodes map[string]*Node, top *Node) *Node {
	for _, ref := range u.GetOwnerReferences() {
		if n, ok := nodes[string(ref.UID)]; ok {
			return n
		}
	}
	return top
}

// inside adds what Flux says in the cluster, read with the kubeconfig that
// Cluster API keeps, which only administrators of the factory may read.
func (g Gatherer) inside(ctx context.Context, w *v1alpha1.WorkloadCluster, t *Tree) {
	secret := &corev1.Secret{}
	err := g.Client.Get(ctx, client.ObjectKey{Namespace: w.Status.FactoryNamespace, Name: w.Name + "-kubeconfig"}, secret)
	switch {
	case apierrors.IsForbidden(err):
		t.Notes = append(t.Notes, "the cluster's inside is not shown: only administrators of the factory may read its kubeconfig; see `kargoctl kubeconfig`")
		return
	case apierrors.IsNotFound(err):
		t.Notes = append(t.Notes, "the cluster cannot be reached yet")
		return
	case err != nil:
		t.Notes = append(t.Notes, fmt.Sprintf("the cluster's kubeconfig cannot be read: %v", err))
		return
	}
	ctx, cancel := context.WithTimeout(ctx, remoteTimeout)
	defer cancel()
	remote, err := g.Remote(secret.Data["value"])
	if err != nil {
		t.Notes = append(t.Notes, fmt.Sprintf("the cluster cannot be reached: %v", err))
		return
	}
	objs, err := list(ctx, remote, inside())
	if err != nil {
		t.Notes = append(t.Notes, fmt.Sprintf("Flux in the cluster cannot be read: %v", err))
	}
	flux(t.Root, objs)
}

// flux hangs HelmReleases under the Kustomization that applies them, and that
// under its GitRepository.
func flux(root *Node, objs []*unstructured.Unstructured) {
	byName := map[string]*Node{}
	for _, u := range objs {
		byName[u.GetKind()+"/"+u.GetNamespace()+"/"+u.GetName()] = node(u)
	}
	for _, u := range objs {
		n := byName[u.GetKind()+"/"+u.GetNamespace()+"/"+u.GetName()]
		parent := root
		labels := u.GetLabels()
		by := "Kustomization/" + labels["kustomize.toolkit.fluxcd.io/namespace"] + "/" + labels["kustomize.toolkit.fluxcd.io/name"]
		if p, ok := byName[by]; ok && p != n {
			parent = p
		} else if u.GetKind() == "Kustomization" {
			kind, _, _ := unstructured.NestedString(u.Object, "spec", "sourceRef", "kind")
			name, _, _ := unstructured.NestedString(u.Object, "spec", "sourceRef", "name")
			namespace, found, _ := unstructured.NestedString(u.Object, "spec", "sourceRef", "namespace")
			if !found {
				namespace = u.GetNamespace()
			}
			if p, ok := byName[kind+"/"+namespace+"/"+name]; ok {
				parent = p
			}
		}
		parent.Children = append(parent.Children, n)
	}
}

// list reads all kinds that the server knows, in the version it prefers.
func list(ctx context.Context, c client.Client, kinds []schema.GroupKind, opts ...client.ListOption) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, gk := range kinds {
		mapping, err := c.RESTMapper().RESTMapping(gk)
		if apimeta.IsNoMatchError(err) {
			continue
		}
		if err != nil {
			return all, fmt.Errorf("cannot look up kind %s: %w", gk.Kind, err)
		}
		var found unstructured.UnstructuredList
		found.SetGroupVersionKind(mapping.GroupVersionKind)
		if err := c.List(ctx, &found, opts...); err != nil {
			return all, err
		}
		for i := range found.Items {
			all = append(all, &found.Items[i])
		}
	}
	return all, nil
}

// Remote makes a client from a kubeconfig.
func Remote(kubeconfig []byte) (client.Client, error) {
	cfg, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("cannot read the kubeconfig: %w", err)
	}
	cfg.Timeout = remoteTimeout
	return client.New(cfg, client.Options{Scheme: runtime.NewScheme()})
}
