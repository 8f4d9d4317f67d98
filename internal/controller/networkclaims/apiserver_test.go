package networkclaims_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"kargo.dev/kargo/internal/controller/networkclaims"
	"kargo.dev/kargo/internal/testenv"
)

// TestAPIServer: it is the real kube-apiserver's resourceVersion that keeps claims
// apart, made at once from before the register exists, and it takes the claimants'
// names as keys.
func TestAPIServer(t *testing.T) {
	env := testenv.Start(t)
	const managers, clusters = 6, 4
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := env.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		t.Fatal(err)
	}
	admin, err := client.NewWithWatch(env.Config, client.Options{Scheme: env.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	var refused atomic.Int32
	count := func(err error) error {
		if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
			refused.Add(1)
		}
		return err
	}
	c := interceptor.NewClient(admin, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			return count(c.Create(ctx, obj, opts...))
		},
		Update: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
			return count(c.Update(ctx, obj, opts...))
		},
	})
	var wg sync.WaitGroup
	for m := range managers {
		wg.Go(func() {
			id := fmt.Sprintf("%012d", m)
			for i := range clusters {
				if err := claim(ctx, c, networkclaims.ForCluster(id, fmt.Sprintf("shop-%d", i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got, err := claims(ctx, env.Client)
	if err != nil || len(got) != managers*clusters {
		t.Errorf("%d claims, %v; want %d", len(got), err, managers*clusters)
	}
	if err := disjoint(got); err != nil {
		t.Error(err)
	}
	if refused.Load() == 0 {
		t.Error("no write was refused: nothing happened at once, so this shows nothing")
	}
}

// claim tries until it succeeds, as a reconciler does.
func claim(ctx context.Context, c client.Client, claimant string) error {
	for {
		_, err := newStore(c).Allocate(ctx, claimant, netip.MustParsePrefix("10.0.0.0/16"), 21)
		if !apierrors.IsConflict(err) {
			return err
		}
	}
}
