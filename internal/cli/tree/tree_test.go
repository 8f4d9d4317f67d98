package tree_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/tree"
)

var now = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

const factory = "a111111111111"

type option func(*unstructured.Unstructured)

func object(gvk schema.GroupVersionKind, namespace, name string, opts ...option) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gvk)
	u.SetNamespace(namespace)
	u.SetName(name)
	u.SetUID(types.UID(gvk.Kind + "-" + name))
	u.SetLabels(map[string]string{v1alpha1.LabelCluster: "shop-prod"})
	for _, opt := range opts {
		opt(u)
	}
	return u
}

func ownedBy(kind, name string) option {
	return func(u *unstructured.Unstructured) {
		u.SetOwnerReferences([]metav1.OwnerReference{{Kind: kind, Name: name, UID: types.UID(kind + "-" + name)}})
	}
}

func condition(name, status, reason, message string) option {
	return func(u *unstructured.Unstructured) {
		_ = unstructured.SetNestedSlice(u.Object, []any{map[string]any{
			"type": name, "status": status, "reason": reason, "message": message, "lastTransitionTime": "2026-08-01T11:58:00Z",
		}}, "status", "conditions")
	}
}

// old is a Ready condition in the form of v1beta1.
func old(status string) option {
	return func(u *unstructured.Unstructured) {
		_ = unstructured.SetNestedSlice(u.Object, []any{map[string]any{"type": "Paused", "status": "False"}}, "status", "conditions")
		_ = unstructured.SetNestedSlice(u.Object, []any{map[string]any{"type": "Ready", "status": status}}, "status", "deprecated", "v1beta1", "conditions")
	}
}

// plain is no condition at all, but status.ready.
func plain(ready bool) option {
	return func(u *unstructured.Unstructured) {
		_ = unstructured.SetNestedField(u.Object, ready, "status", "ready")
	}
}

func from(kind, namespace, name string) option {
	return func(u *unstructured.Unstructured) {
		if kind == "GitRepository" {
			_ = unstructured.SetNestedStringMap(u.Object, map[string]string{"kind": kind, "name": name}, "spec", "sourceRef")
			return
		}
		u.SetLabels(map[string]string{"kustomize.toolkit.fluxcd.io/name": name, "kustomize.toolkit.fluxcd.io/namespace": namespace})
	}
}

func gvk(group, version, kind string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: group, Version: version, Kind: kind}
}

// kinds of the management cluster and of the cluster itself.
func kinds() (clusterKind, infra, plane, pool, infraPool, git, kustomization, helm schema.GroupVersionKind) {
	return gvk("cluster.x-k8s.io", "v1beta2", "Cluster"),
		gvk("infrastructure.cluster.x-k8s.io", "v1beta2", "AWSManagedCluster"),
		gvk("controlplane.cluster.x-k8s.io", "v1beta2", "AWSManagedControlPlane"),
		gvk("cluster.x-k8s.io", "v1beta2", "MachinePool"),
		gvk("infrastructure.cluster.x-k8s.io", "v1beta2", "AWSManagedMachinePool"),
		gvk("source.toolkit.fluxcd.io", "v1", "GitRepository"),
		gvk("kustomize.toolkit.fluxcd.io", "v1", "Kustomization"),
		gvk("helm.toolkit.fluxcd.io", "v2", "HelmRelease")
}

func newClient(t *testing.T, known []schema.GroupVersionKind, funcs interceptor.Funcs, objs ...client.Object) client.Client {
	t.Helper()
	s := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(s), v1alpha1.AddToScheme(s)); err != nil {
		t.Fatal(err)
	}
	var preferred []schema.GroupVersion
	for _, k := range known {
		preferred = append(preferred, k.GroupVersion())
	}
	mapper := meta.NewDefaultRESTMapper(preferred)
	for _, k := range known {
		mapper.Add(k, meta.RESTScopeNamespace)
		s.AddKnownTypeWithName(k, &unstructured.Unstructured{})
		s.AddKnownTypeWithName(k.GroupVersion().WithKind(k.Kind+"List"), &unstructured.UnstructuredList{})
	}
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Secret"), meta.RESTScopeNamespace)
	return fake.NewClientBuilder().WithScheme(s).WithRESTMapper(mapper).WithObjects(objs...).WithInterceptorFuncs(funcs).Build()
}

func workloadCluster() *v1alpha1.WorkloadCluster {
	return &v1alpha1.WorkloadCluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-prod", UID: "root"},
		Status: v1alpha1.WorkloadClusterStatus{FactoryNamespace: factory, Conditions: []metav1.Condition{{
			Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonProgressing,
			Message: "AddonsReady: 1 of 2 ready", LastTransitionTime: metav1.NewTime(now.Add(-time.Minute)),
		}}},
	}
}

func TestGather(t *testing.T) {
	clusterKind, infra, plane, pool, infraPool, git, kustomization, helm := kinds()
	management := newClient(t, []schema.GroupVersionKind{clusterKind, infra, plane, pool, infraPool}, interceptor.Funcs{},
		object(clusterKind, factory, "shop-prod", condition("Available", "True", "Available", "")),
		object(infra, factory, "shop-prod", ownedBy("Cluster", "shop-prod"), plain(true)),
		object(infra, factory, "zz", plain(false)),
		object(pool, factory, "zz", old("True")),
		object(plane, factory, "shop-prod", ownedBy("Cluster", "shop-prod"), condition("Ready", "True", "", "not shown")),
		object(pool, factory, "shop-prod-default"), // not owned yet
		object(infraPool, factory, "shop-prod-default", ownedBy("MachinePool", "shop-prod-default"), condition("Ready", "False", "Scaling", "1 of 2\nnodes")),
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: factory, Name: "shop-prod-kubeconfig"}, Data: map[string][]byte{"value": []byte("config")}},
	)
	remote := newClient(t, []schema.GroupVersionKind{git, kustomization, helm}, interceptor.Funcs{},
		object(git, "flux-system", "fleet", condition("Ready", "True", "Succeeded", "")),
		object(kustomization, "flux-system", "addons", from("GitRepository", "", "fleet"), condition("Ready", "False", "HealthCheckFailed", "karpenter is not ready")),
		object(helm, "flux-system", "karpenter", from("Kustomization", "flux-system", "addons"), condition("Ready", "False", "InstallFailed", "no such chart")),
		object(helm, "kube-system", "stray", condition("Ready", "True", "Succeeded", "")),
	)
	g := tree.Gatherer{Client: management, Remote: func(kubeconfig []byte) (client.Client, error) {
		if string(kubeconfig) != "config" {
			t.Errorf("kubeconfig %q is not the Secret's", kubeconfig)
		}
		return remote, nil
	}}
	got, err := g.Gather(t.Context(), workloadCluster())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := got.Print(&out, now); err != nil {
		t.Fatal(err)
	}
	want := `OBJECT                                                           READY     SINCE   REASON              MESSAGE
WorkloadCluster shop-prod                                        False     60s     Progressing         AddonsReady: 1 of 2 ready
├─ Cluster a111111111111/shop-prod                               True      2m      Available           
│  ├─ AWSManagedCluster a111111111111/shop-prod                  True      -                           
│  ├─ AWSManagedCluster a111111111111/zz                         False     -                           status.ready is false
│  ├─ AWSManagedControlPlane a111111111111/shop-prod             True      2m                          
│  ├─ MachinePool a111111111111/shop-prod-default                Unknown   -                           says nothing of its state yet
│  │  └─ AWSManagedMachinePool a111111111111/shop-prod-default   False     2m      Scaling             1 of 2 nodes
│  └─ MachinePool a111111111111/zz                               True      -                           
├─ GitRepository flux-system/fleet                               True      2m      Succeeded           
│  └─ Kustomization flux-system/addons                           False     2m      HealthCheckFailed   karpenter is not ready
│     └─ HelmRelease flux-system/karpenter                       False     2m      InstallFailed       no such chart
└─ HelmRelease kube-system/stray                                 True      2m      Succeeded           
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	var problems []string
	for _, p := range got.Root.Problems() {
		problems = append(problems, p.Kind)
	}
	if diff := cmp.Diff([]string{"AWSManagedCluster", "AWSManagedMachinePool", "MachinePool", "HelmRelease", "Kustomization", "WorkloadCluster"}, problems); diff != "" {
		t.Errorf("causes come before what they cause (-want +got):\n%s", diff)
	}
	if len(got.Notes) != 0 {
		t.Errorf("notes: %v", got.Notes)
	}
}

func TestGatherNotes(t *testing.T) {
	clusterKind, _, _, _, _, _, _, helm := kinds()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: factory, Name: "shop-prod-kubeconfig"}}
	forbidden := apierrors.NewForbidden(schema.GroupResource{}, "", errors.New("no"))
	refuse := interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			return forbidden
		},
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return forbidden
		},
	}
	tests := map[string]struct {
		client client.Client
		remote func(t *testing.T) (client.Client, error)
		edit   func(*v1alpha1.WorkloadCluster)
		want   []string
		reason string
	}{
		"TeamMember": {
			client: newClient(t, []schema.GroupVersionKind{clusterKind}, refuse),
			want: []string{
				"the objects behind the cluster are in the factory namespace a111111111111, which you may not read",
				"the cluster's inside is not shown: only administrators of the factory may read its kubeconfig; see `kargoctl kubeconfig`",
			},
			reason: "factory namespaces are closed to teams",
		},
		"Unresolved": {
			client: newClient(t, nil, interceptor.Funcs{}),
			edit:   func(w *v1alpha1.WorkloadCluster) { w.Status.FactoryNamespace = "" },
			want:   []string{"no AWS account was resolved yet, so nothing is behind the cluster"},
			reason: "a cluster that was refused",
		},
		"NotYet": {
			client: newClient(t, nil, interceptor.Funcs{}),
			want:   []string{"the cluster cannot be reached yet"},
			reason: "Cluster API has made no kubeconfig yet, and its kinds are not even installed",
		},
		"Unreachable": {
			client: newClient(t, nil, interceptor.Funcs{}, secret),
			remote: func(t *testing.T) (client.Client, error) {
				return newClient(t, []schema.GroupVersionKind{helm}, interceptor.Funcs{
					List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
						return errors.New("dial tcp: timeout")
					},
				}), nil
			},
			want:   []string{"Flux in the cluster cannot be read: dial tcp: timeout"},
			reason: "what can be read is shown all the same",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := workloadCluster()
			if tt.edit != nil {
				tt.edit(w)
			}
			g := tree.Gatherer{Client: tt.client, Remote: func([]byte) (client.Client, error) { return tt.remote(t) }}
			got, err := g.Gather(t.Context(), w)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Notes); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
			}
		})
	}
}
