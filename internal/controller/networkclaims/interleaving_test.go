package networkclaims_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/quick"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/internal/controller/networkclaims"
	"kargo.dev/kargo/internal/phase"
)

// disjoint checks that no two claims of a kind overlap.
func disjoint(claims map[string]string) error {
	names := slices.Sorted(maps.Keys(claims))
	for i, a := range names {
		for _, b := range names[i+1:] {
			kind, _, _ := strings.Cut(a, ".")
			if strings.HasPrefix(b, kind+".") && prefix(claims[a]).Overlaps(prefix(claims[b])) {
				return fmt.Errorf("%s of %s overlaps %s of %s", claims[a], a, claims[b], b)
			}
		}
	}
	return nil
}

var errLost = errors.New("the answer was lost")

// world is a management cluster with one ConfigMap, whose API takes its time,
// refuses writes on an old state, loses answers, and checks each state there is.
// (controller-runtime's fake client would take a hundred times as long.)
type world struct {
	client.Client
	t *testing.T

	mu       sync.Mutex
	random   *rand.Rand
	register *corev1.ConfigMap
}

func (w *world) below(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.IntN(n)
}

// pause takes virtual time: the seed decides who comes before whom.
func (w *world) pause() { time.Sleep(time.Duration(w.below(1000)) * time.Microsecond) }

// Get implements client.Reader.
func (w *world) Get(_ context.Context, _ client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	w.pause()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.register == nil {
		return apierrors.NewNotFound(corev1.Resource("configmaps"), obj.GetName())
	}
	w.register.DeepCopyInto(obj.(*corev1.ConfigMap))
	return nil
}

// Create implements client.Writer.
func (w *world) Create(_ context.Context, obj client.Object, _ ...client.CreateOption) error {
	return w.write(obj.(*corev1.ConfigMap), func(there *corev1.ConfigMap) error {
		if there == nil {
			return nil
		}
		return apierrors.NewAlreadyExists(corev1.Resource("configmaps"), obj.GetName())
	})
}

// Update implements client.Writer.
func (w *world) Update(_ context.Context, obj client.Object, _ ...client.UpdateOption) error {
	return w.write(obj.(*corev1.ConfigMap), func(there *corev1.ConfigMap) error {
		if there.ResourceVersion == obj.GetResourceVersion() {
			return nil
		}
		return apierrors.NewConflict(corev1.Resource("configmaps"), obj.GetName(), errors.New("it changed"))
	})
}

func (w *world) write(cm *corev1.ConfigMap, allowed func(there *corev1.ConfigMap) error) error {
	w.pause()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := allowed(w.register); err != nil {
		return err
	}
	if err := disjoint(cm.Data); err != nil {
		w.t.Error(err)
	}
	version := 0
	if w.register != nil {
		version, _ = strconv.Atoi(w.register.ResourceVersion)
	}
	w.register = cm.DeepCopy()
	w.register.ResourceVersion = strconv.Itoa(version + 1)
	if w.random.IntN(8) == 0 {
		return errLost
	}
	return nil
}

// operation is one of a claimant's; it says what it claims afterwards, nothing if "".
func (w *world) operation(ctx context.Context, s *networkclaims.Store, claimant string) func() (string, error) {
	pool, bits := prefix("10.0.0.0/24"), 25+w.below(4)
	want := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(w.below(256))}), bits).Masked()
	switch w.below(5) {
	case 0:
		return func() (string, error) { return "", s.Release(ctx, claimant) }
	case 1, 2:
		return func() (string, error) { return want.String(), s.Reserve(ctx, claimant, want) }
	default:
		return func() (string, error) {
			got, err := s.Allocate(ctx, claimant, pool, bits)
			return got.String(), err
		}
	}
}

// manager does operations for its claimants, each as often as a reconciler would,
// and returns what it believes they have.
func (w *world) manager(ctx context.Context, claimants []string) map[string]string {
	has := map[string]string{}
	for range 12 {
		claimant := claimants[w.below(len(claimants))]
		do := w.operation(ctx, newStore(w), claimant) // a new Store each time: it restarted
		for {
			got, err := do()
			var terminal *phase.TerminalError
			switch {
			case errors.Is(err, errLost), apierrors.IsConflict(err):
				continue
			case errors.As(err, &terminal): // it keeps what it had
			case err != nil:
				w.t.Error(err)
			case got == "":
				delete(has, claimant)
			default:
				has[claimant] = got
			}
			break
		}
	}
	return has
}

// TestAnyInterleaving: whatever managers do at once, and whatever answers are
// lost, no two ranges ever overlap, and each claimant has what it was told.
func TestAnyInterleaving(t *testing.T) {
	check := func(seed uint64) bool {
		synctest.Test(t, func(t *testing.T) {
			w := &world{t: t, random: rand.New(rand.NewPCG(seed, 0))}
			believed := make([]map[string]string, 4)
			var wg sync.WaitGroup
			for i := range believed {
				wg.Go(func() {
					id := fmt.Sprintf("%012d", i)
					own := []string{networkclaims.ForAccount(id), networkclaims.ForCluster(id, "a"), networkclaims.ForCluster(id, "b")}
					believed[i] = w.manager(t.Context(), own)
				})
			}
			// A manager that lost its lease and does not know works on the first one's claims.
			wg.Go(func() { w.manager(t.Context(), []string{networkclaims.ForCluster("shared", "a")}) })
			wg.Go(func() { w.manager(t.Context(), []string{networkclaims.ForCluster("shared", "a")}) })
			wg.Wait()

			want := map[string]string{}
			for _, has := range believed {
				maps.Copy(want, has)
			}
			got, err := claims(t.Context(), w)
			if err != nil {
				t.Fatal(err)
			}
			delete(got, networkclaims.ForCluster("shared", "a"))
			if !maps.Equal(want, got) {
				t.Errorf("the claimants were told %v, and the register says %v", want, got)
			}
		})
		return !t.Failed()
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 100}); err != nil {
		t.Error(err)
	}
}
