package networkclaims_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/controller/networkclaims"
	"kargo.dev/kargo/internal/phase"
)

const namespace = "kargo-system"

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// register is the ConfigMap with the claims, nil for none.
func register(claims map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "network-claims"}, Data: claims}
}

func newClient(claims map[string]string, funcs interceptor.Funcs) client.Client {
	b := fake.NewClientBuilder().WithInterceptorFuncs(funcs)
	if claims != nil {
		b = b.WithObjects(register(claims))
	}
	return b.Build()
}

func newStore(c client.Client) *networkclaims.Store {
	return &networkclaims.Store{Client: c, Reader: c, Namespace: namespace}
}

// claims are what is in the register, nil if there is none.
func claims(ctx context.Context, c client.Client) (map[string]string, error) {
	cm := register(nil)
	err := c.Get(ctx, client.ObjectKeyFromObject(cm), cm)
	return cm.Data, client.IgnoreNotFound(err)
}

func TestStore(t *testing.T) {
	const one, two = "111111111111", "222222222222"
	account, cluster := networkclaims.ForAccount, networkclaims.ForCluster
	reserve := func(claimant, want string) func(context.Context, *networkclaims.Store) (netip.Prefix, error) {
		return func(ctx context.Context, s *networkclaims.Store) (netip.Prefix, error) {
			return prefix(want), s.Reserve(ctx, claimant, prefix(want))
		}
	}
	allocate := func(claimant, pool string, bits int) func(context.Context, *networkclaims.Store) (netip.Prefix, error) {
		return func(ctx context.Context, s *networkclaims.Store) (netip.Prefix, error) {
			return s.Allocate(ctx, claimant, prefix(pool), bits)
		}
	}
	release := func(claimant string) func(context.Context, *networkclaims.Store) (netip.Prefix, error) {
		return func(ctx context.Context, s *networkclaims.Store) (netip.Prefix, error) {
			return netip.Prefix{}, s.Release(ctx, claimant)
		}
	}
	tests := map[string]struct {
		reason string
		before map[string]string
		do     func(context.Context, *networkclaims.Store) (netip.Prefix, error)
		got    string            // of Allocate
		stall  string            // reason of the terminal error
		says   string            // in the error
		after  map[string]string // before, if nil
	}{
		"ReserveFirst": {
			reason: "the register is made when it is needed",
			do:     reserve(account(one), "10.0.0.0/16"), after: map[string]string{"account." + one: "10.0.0.0/16"},
		},
		"ReserveAgain": {
			reason: "a claim is idempotent",
			before: map[string]string{"account." + one: "10.0.0.0/16"}, do: reserve(account(one), "10.0.0.0/16"),
		},
		"ReserveOther": {
			reason: "a claimant that wants another range gives the old one back",
			before: map[string]string{"account." + one: "10.0.0.0/16"}, do: reserve(account(one), "10.1.0.0/16"),
			after: map[string]string{"account." + one: "10.1.0.0/16"},
		},
		"ReserveTaken": {
			reason: "nobody's range is taken away, and the holder is named",
			before: map[string]string{"account." + one: "10.0.0.0/16"}, do: reserve(account(two), "10.0.128.0/17"),
			stall: v1alpha1.ReasonNetworkOverlap, says: "overlaps 10.0.0.0/16 of account.111111111111; choose another range",
		},
		"ReserveOtherTaken": {
			reason: "a claimant that cannot have another range keeps its own",
			before: map[string]string{"account." + one: "10.0.0.0/16", "account." + two: "10.1.0.0/16"}, do: reserve(account(two), "10.0.0.0/15"),
			stall: v1alpha1.ReasonNetworkOverlap, says: "account.111111111111",
		},
		"ReserveInAccount": {
			reason: "a cluster lies inside its account's range: that is no overlap",
			before: map[string]string{"account." + one: "10.0.0.0/16"}, do: reserve(cluster(one, "shop"), "10.0.0.0/18"),
			after: map[string]string{"account." + one: "10.0.0.0/16", "cluster." + one + ".shop": "10.0.0.0/18"},
		},
		"AllocateFirst": {
			reason: "the first free range",
			before: map[string]string{"account." + one: "10.0.0.0/16"}, do: allocate(cluster(one, "shop"), "10.0.0.0/16", 18),
			got: "10.0.0.0/18", after: map[string]string{"account." + one: "10.0.0.0/16", "cluster." + one + ".shop": "10.0.0.0/18"},
		},
		"AllocateNext": {
			reason: "the range next to another cluster's",
			before: map[string]string{"cluster." + one + ".a": "10.0.0.0/18"}, do: allocate(cluster(one, "b"), "10.0.0.0/16", 18),
			got: "10.0.64.0/18", after: map[string]string{"cluster." + one + ".a": "10.0.0.0/18", "cluster." + one + ".b": "10.0.64.0/18"},
		},
		"AllocateAgain": {
			reason: "after a restart of the manager a cluster gets the range it has, whatever is free before it",
			before: map[string]string{"cluster." + one + ".b": "10.0.64.0/18"}, do: allocate(cluster(one, "b"), "10.0.0.0/16", 18), got: "10.0.64.0/18",
		},
		"AllocateFull": {
			reason: "a full account says so, and what to do",
			before: map[string]string{"cluster." + one + ".a": "10.0.0.0/17", "cluster." + one + ".b": "10.0.128.0/17"},
			do:     allocate(cluster(one, "c"), "10.0.0.0/16", 18),
			stall:  v1alpha1.ReasonNetworkExhausted, says: "no free /18 left in 10.0.0.0/16; make the account's range larger",
		},
		"AllocateBeside": {
			reason: "a given range of another size leaves what is around it",
			before: map[string]string{"cluster." + one + ".a": "10.0.1.0/24"}, do: allocate(cluster(one, "b"), "10.0.0.0/16", 17),
			got: "10.0.128.0/17", after: map[string]string{"cluster." + one + ".a": "10.0.1.0/24", "cluster." + one + ".b": "10.0.128.0/17"},
		},
		"Release": {
			reason: "only the claimant's own range is free again; a name that begins the same is another",
			before: map[string]string{"cluster." + one + ".a": "10.0.0.0/18", "cluster." + one + ".ab": "10.0.64.0/18"}, do: release(cluster(one, "a")),
			after: map[string]string{"cluster." + one + ".ab": "10.0.64.0/18"},
		},
		"ReleaseUnknown": {
			reason: "what is not there need not go",
			before: map[string]string{"account." + one: "10.0.0.0/16"}, do: release(cluster(one, "a")),
		},
		"ReleaseNothing": {reason: "and makes no register", do: release(cluster(one, "a"))},
		"Broken": {
			reason: "a register that cannot be read is not an empty one: nothing is claimed over it",
			before: map[string]string{"account." + one: "10.0.0.0/16", "account." + two: "here"}, do: reserve(account("333333333333"), "10.3.0.0/16"),
			says: "network claim of account.222222222222",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			c := newClient(tc.before, interceptor.Funcs{})
			got, err := tc.do(t.Context(), newStore(c))
			if (err != nil) != (tc.says != "") || (err != nil && !strings.Contains(err.Error(), tc.says)) {
				t.Fatalf("%s: error %v, want %q", tc.reason, err, tc.says)
			}
			var terminal *phase.TerminalError
			if reason := ""; errors.As(err, &terminal) || tc.stall != "" {
				if terminal != nil {
					reason = terminal.Reason
				}
				if reason != tc.stall {
					t.Errorf("%s: stalled for %q, want %q", tc.reason, reason, tc.stall)
				}
			}
			if tc.got != "" && got != prefix(tc.got) {
				t.Errorf("%s: got %s, want %s", tc.reason, got, tc.got)
			}
			want := tc.after
			if want == nil {
				want = tc.before
			}
			after, err := claims(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, after); diff != "" {
				t.Errorf("%s: the register, -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestConflicts: what another manager wrote in between is read before it is decided again.
func TestConflicts(t *testing.T) {
	tests := map[string]struct {
		reason    string
		before    map[string]string
		conflicts int
		want      string
	}{
		"Update": {"somebody claimed the first range meanwhile", map[string]string{"account.111111111111": "10.0.0.0/8"}, 1, "10.0.64.0/18"},
		"Create": {"somebody made the register meanwhile", nil, 1, "10.0.64.0/18"},
		"Thrice": {"and again", map[string]string{"account.111111111111": "10.0.0.0/8"}, 3, "10.0.192.0/18"},
		"Always": {"it is given up, to be tried again by the reconciler", map[string]string{"account.111111111111": "10.0.0.0/8"}, 1000, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			rounds := 0
			// rival writes before us, each time another range.
			rival := func(ctx context.Context, c client.Client) error {
				if rounds++; rounds > tc.conflicts {
					return nil
				}
				other := newStore(c)
				_, err := other.Allocate(ctx, networkclaims.ForCluster("111111111111", "rival"+string(rune('a'+rounds))), prefix("10.0.0.0/8"), 18)
				return err
			}
			c := newClient(tc.before, interceptor.Funcs{
				Update: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
					if err := rival(ctx, c); err != nil {
						return err
					}
					return c.Update(ctx, obj, opts...)
				},
				Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
					if err := rival(ctx, c); err != nil {
						return err
					}
					return c.Create(ctx, obj, opts...)
				},
			})
			got, err := newStore(c).Allocate(t.Context(), networkclaims.ForCluster("111111111111", "mine"), prefix("10.0.0.0/16"), 18)
			if tc.want == "" {
				if !apierrors.IsConflict(err) {
					t.Errorf("%s: error %v, want a conflict", tc.reason, err)
				}
				return
			}
			if err != nil || got != prefix(tc.want) {
				t.Errorf("%s: got %s, %v; want %s", tc.reason, got, err, tc.want)
			}
		})
	}
}

// TestUnreadableRegister: what cannot be read or written claims nothing.
func TestUnreadableRegister(t *testing.T) {
	down := errors.New("the API server is down")
	tests := map[string]interceptor.Funcs{
		"Get": {Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return down
		}},
		"Create": {Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error {
			return down
		}},
	}
	for name, funcs := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStore(newClient(nil, funcs))
			if err := s.Reserve(t.Context(), networkclaims.ForAccount("111111111111"), prefix("10.0.0.0/16")); !errors.Is(err, down) {
				t.Errorf("Reserve: %v", err)
			}
		})
	}
}

// TestReadsPastTheCache: a claim is decided on what is there, not on what a cache
// remembers.
func TestReadsPastTheCache(t *testing.T) {
	c := newClient(map[string]string{"account.111111111111": "10.0.0.0/16"}, interceptor.Funcs{})
	cache := interceptor.NewClient(c.(client.WithWatch), interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			t.Error("the register was read from the cache")
			return apierrors.NewNotFound(corev1.Resource("configmaps"), "network-claims")
		},
	})
	s := &networkclaims.Store{Client: cache, Reader: c, Namespace: namespace}
	var terminal *phase.TerminalError
	if err := s.Reserve(t.Context(), networkclaims.ForAccount("222222222222"), prefix("10.0.0.0/16")); !errors.As(err, &terminal) {
		t.Errorf("the range was given twice: %v", err)
	}
}

// TestClaimants: the names are keys of a ConfigMap, and no two are the same.
func TestClaimants(t *testing.T) {
	names := []string{
		networkclaims.ForAccount("111111111111"), networkclaims.ForAccount("222222222222"),
		networkclaims.ForCluster("111111111111", "a"), networkclaims.ForCluster("111111111111", "b"), networkclaims.ForCluster("222222222222", "a"),
	}
	slices.Sort(names)
	if got := slices.Compact(slices.Clone(names)); len(got) != len(names) {
		t.Errorf("two claimants have one name: %v", names)
	}
}
