package fleet_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	fluxmeta "github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"kargo.dev/kargo/internal/controller/fleet"
	catalog "kargo.dev/kargo/internal/fleet"
)

// TestCatalogue: the CLI checks input against the newest commit that can be read.
func TestCatalogue(t *testing.T) {
	g := &git{heads: map[string]string{"refs/heads/main": "c1"}}
	c := newClient(t, interceptor.Funcs{})
	published := func() (name, commit string) {
		t.Helper()
		cm := &corev1.ConfigMap{}
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: "kargo-system", Name: fleet.CatalogName}, cm); err != nil {
			t.Fatal(err)
		}
		parsed, err := catalog.ParseCatalog([]byte(cm.Data[fleet.CatalogKey]))
		if err != nil {
			t.Fatal(err)
		}
		return parsed.Name, cm.Data[fleet.CommitKey]
	}
	steps := []struct {
		reason string
		change func()
		want   string
	}{
		{"the first fetch publishes", func() {}, "c1"},
		{"a push does", func() { g.heads["refs/heads/main"] = "c2" }, "c2"},
		{"a broken commit leaves the catalogue", func() { g.heads["refs/heads/main"] = "broken" }, "c2"},
		{"a branch that is gone leaves it", func() { delete(g.heads, "refs/heads/main") }, "c2"},
		{"an outage leaves it, whatever the mirror has", func() { g.heads["refs/heads/main"], g.err = "c3", errors.New("down") }, "c2"},
		{"and it goes on afterwards", func() { g.err = nil }, "c3"},
	}
	follow(t, g, c, func(t *testing.T, f following) {
		for _, s := range steps {
			g.set(s.change)
			push(f)
			synctest.Wait()
			if name, commit := published(); name != s.want || commit != s.want {
				t.Errorf("%s: published %s of commit %s, want %s", s.reason, name, commit, s.want)
			}
		}
	})
}

// TestCatalogueIsTakenBack: what somebody else wrote into it does not stay.
func TestCatalogueIsTakenBack(t *testing.T) {
	g := &git{heads: map[string]string{"refs/heads/main": "c1"}}
	c := newClient(t, interceptor.Funcs{}, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kargo-system", Name: fleet.CatalogName}, Data: map[string]string{fleet.CommitKey: "mine"},
	})
	follow(t, g, c, func(t *testing.T, f following) {
		synctest.Wait()
		cm := &corev1.ConfigMap{}
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: "kargo-system", Name: fleet.CatalogName}, cm); err != nil || cm.Data[fleet.CommitKey] != "c1" {
			t.Errorf("the catalogue says commit %q, %v; want c1", cm.Data[fleet.CommitKey], err)
		}
	})
}

// TestManagementFlux is told of a push to its branch, and of nothing else.
func TestManagementFlux(t *testing.T) {
	key := client.ObjectKey{Namespace: "flux-system", Name: "fleet"}
	source := func(revision string) *sourcev1.GitRepository {
		repo := &sourcev1.GitRepository{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
		if revision != "" {
			repo.Status.Artifact = &fluxmeta.Artifact{Revision: revision}
		}
		return repo
	}
	tests := map[string]struct {
		reason   string
		source   *sourcev1.GitRepository
		wantTold bool
	}{
		"Behind":    {"it has another commit", source("main@sha1:c0"), true},
		"Empty":     {"it has nothing yet", source(""), true},
		"UpToDate":  {"it has the commit", source("main@sha1:c1"), false},
		"OtherName": {"the same commit under another branch is another revision", source("next@sha1:c1"), true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			g := &git{heads: map[string]string{"refs/heads/main": "c1"}}
			c := newClient(t, interceptor.Funcs{}, tc.source)
			follow(t, g, c, func(t *testing.T, f following) {
				time.Sleep(time.Millisecond)
				synctest.Wait()
				got := &sourcev1.GitRepository{}
				if err := c.Get(t.Context(), key, got); err != nil {
					t.Fatal(err)
				}
				want := map[string]string(nil)
				if tc.wantTold { // at the bubble's beginning of time
					want = map[string]string{fluxmeta.ReconcileRequestAnnotation: "2000-01-01T00:00:00Z"}
				}
				if diff := cmp.Diff(want, got.Annotations); diff != "" {
					t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
				}
			})
		})
	}
}

// TestWithoutManagementFlux: a factory may do without Flux in the management
// cluster. Any other trouble with it keeps nobody else from being told.
func TestWithoutManagementFlux(t *testing.T) {
	kind := schema.GroupKind{Group: sourcev1.GroupVersion.Group, Kind: sourcev1.GitRepositoryKind}
	tests := map[string]struct {
		reason string
		err    error
		logged int
	}{
		"NoObject":  {"nothing is applied from Git", apierrors.NewNotFound(schema.GroupResource{}, "fleet"), 0},
		"NoKind":    {"Flux is not installed", &meta.NoKindMatchError{GroupKind: kind}, 0},
		"Forbidden": {"somebody took the right away", apierrors.NewForbidden(schema.GroupResource{}, "fleet", nil), 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			g := &git{heads: map[string]string{"refs/heads/main": "c2"}}
			c := newClient(t, interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
				if _, ok := obj.(*sourcev1.GitRepository); ok {
					return tc.err
				}
				return c.Get(ctx, key, obj, opts...)
			}}, cluster("follows", "main", "", "c1"))
			follow(t, g, c, func(t *testing.T, f following) {
				if diff := cmp.Diff([]string{"follows"}, f.told.read()); diff != "" {
					t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
				}
				if got := f.logged.read(); len(got) != tc.logged {
					t.Errorf("%s: logged %q, want %d lines", tc.reason, got, tc.logged)
				}
				cm := &corev1.ConfigMap{}
				if err := c.Get(t.Context(), client.ObjectKey{Namespace: "kargo-system", Name: fleet.CatalogName}, cm); err != nil {
					t.Errorf("%s: the catalogue: %v", tc.reason, err)
				}
			})
		})
	}
}
