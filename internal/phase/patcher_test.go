package phase

import (
	"context"
	"testing"

	"github.com/fluxcd/pkg/runtime/conditions"
	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"kargo.dev/kargo/api/v1alpha1"
)

func newClient(t *testing.T, writes *[]string, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(objects...).
		WithInterceptorFuncs(interceptor.Funcs{
			Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
				*writes = append(*writes, "object")
				return c.Patch(ctx, o, p, opts...)
			},
			SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
				*writes = append(*writes, sub)
				return c.SubResource(sub).Patch(ctx, o, p, opts...)
			},
		}).Build()
}

func TestPatcher(t *testing.T) {
	tests := map[string]struct {
		reason string
		change func(*v1alpha1.Team)
		want   []string
	}{
		"Nothing":    {reason: "what did not change is not written", change: func(*v1alpha1.Team) {}},
		"Finalizers": {reason: "finalizers are metadata", change: func(o *v1alpha1.Team) { o.Finalizers = []string{v1alpha1.Finalizer} }, want: []string{"object"}},
		"Status": {
			reason: "fields and conditions go in one write", want: []string{"status"},
			change: func(o *v1alpha1.Team) {
				o.Status.Namespace = "shop"
				conditions.MarkTrue(o, v1alpha1.ConditionReady, v1alpha1.ReasonSucceeded, "fine")
			},
		},
		"Both": {
			reason: "the status goes first", want: []string{"status", "object"},
			change: func(o *v1alpha1.Team) { o.Status.Namespace, o.Finalizers = "shop", []string{v1alpha1.Finalizer} },
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var writes []string
			team := &v1alpha1.Team{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
			c := newClient(t, &writes, team)
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(team), team); err != nil {
				t.Fatal(err)
			}
			p := NewPatcher(c, "test", team)
			tc.change(team)
			want := team.DeepCopy()
			if err := p.Patch(t.Context(), team); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, writes); diff != "" {
				t.Errorf("\n%s\nwrites: -want, +got:\n%s", tc.reason, diff)
			}
			got := &v1alpha1.Team{}
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(team), got); err != nil {
				t.Fatal(err)
			}
			if got.Status.Namespace != want.Status.Namespace || !cmp.Equal(got.Finalizers, want.Finalizers) {
				t.Errorf("%s: stored %+v", tc.reason, got)
			}
			if err := p.Patch(t.Context(), team); err != nil || len(writes) != len(tc.want) {
				t.Errorf("%s: patching again wrote %v, %v", tc.reason, writes, err)
			}
		})
	}
}

func TestPatcherRefusesStaleWrites(t *testing.T) {
	var writes []string
	team := &v1alpha1.Team{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
	c := newClient(t, &writes, team)
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(team), team); err != nil {
		t.Fatal(err)
	}
	other := team.DeepCopy()
	late := NewPatcher(c, "late", team)
	other.Spec.CostCentre = "4711"
	if err := c.Update(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	team.Status.Namespace = "stale"
	err := late.Patch(t.Context(), team)
	if !apierrors.IsConflict(err) {
		t.Fatalf("a write on an old state: %v, want a conflict", err)
	}
	if result, err := Finish(ctrl.Result{}, nil, err); err != nil || result.RequeueAfter == 0 {
		t.Errorf("a conflict leads to %+v, %v; want another look", result, err)
	}
}
