// Package networkclaims stores network claims in one ConfigMap. Every change is
// a compare-and-swap on its resourceVersion, so that two claimants at once, or
// two managers at once, never get overlapping ranges.
package networkclaims

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/network"
	"kargo.dev/kargo/internal/phase"
)

// Store is the fleet's register of network claims.
type Store struct {
	// Client writes; Reader reads past any cache, since a claim must be decided on the newest state.
	Client client.Client
	Reader client.Reader
	// Namespace of the ConfigMap "network-claims".
	Namespace string
}

// ForAccount is the claimant name of an account.
func ForAccount(accountID string) string { return "account." + accountID }

// ForCluster is the claimant name of a cluster in an account.
func ForCluster(accountID, cluster string) string { return "cluster." + accountID + "." + cluster }

// Reserve claims exactly this range.
func (s *Store) Reserve(ctx context.Context, claimant string, want netip.Prefix) error {
	return s.update(ctx, func(c network.Claims) error { return rivals(c, claimant).Reserve(claimant, want) },
		func(c network.Claims) { c[claimant] = want })
}

// Allocate claims a free range of the given size inside an account's pool.
func (s *Store) Allocate(ctx context.Context, claimant string, pool netip.Prefix, bits int) (netip.Prefix, error) {
	var got netip.Prefix
	err := s.update(ctx, func(c network.Claims) (err error) {
		got, err = rivals(c, claimant).Allocate(claimant, pool, bits)
		return err
	}, func(c network.Claims) { c[claimant] = got })
	return got, err
}

// Release gives a range back; an unknown claimant is no error.
func (s *Store) Release(ctx context.Context, claimant string) error {
	return s.update(ctx, func(network.Claims) error { return nil },
		func(c network.Claims) { delete(c, claimant) })
}

// update reads the claims, lets decide judge a copy of them and writes the change.
func (s *Store) update(ctx context.Context, decide func(network.Claims) error, change func(network.Claims)) error {
	key := client.ObjectKey{Namespace: s.Namespace, Name: "network-claims"}
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		cm := &corev1.ConfigMap{}
		err := s.Reader.Get(ctx, key, cm)
		if apierrors.IsNotFound(err) {
			cm.ObjectMeta = metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}
		} else if err != nil {
			return err
		}
		claims, err := parse(cm.Data)
		if err != nil {
			return err
		}
		if err := decide(maps.Clone(claims)); err != nil {
			return err
		}
		change(claims)
		return s.write(ctx, cm, claims)
	})
	return asPhaseError(err)
}

func (s *Store) write(ctx context.Context, cm *corev1.ConfigMap, claims network.Claims) error {
	data := make(map[string]string, len(claims))
	for claimant, prefix := range claims {
		data[claimant] = prefix.String()
	}
	if maps.Equal(data, cm.Data) {
		return nil
	}
	cm.Data = data
	if cm.ResourceVersion != "" {
		return s.Client.Update(ctx, cm)
	}
	if err := s.Client.Create(ctx, cm); apierrors.IsAlreadyExists(err) {
		return apierrors.NewConflict(corev1.Resource("configmaps"), cm.Name, err)
	} else if err != nil {
		return err
	}
	return nil
}

func parse(data map[string]string) (network.Claims, error) {
	claims := make(network.Claims, len(data))
	for claimant, text := range data {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("network claim of %s: %w; mend the ConfigMap network-claims", claimant, err)
		}
		claims[claimant] = prefix
	}
	return claims, nil
}

// rivals are the claims of the claimant's kind: accounts share the address
// space, clusters share their account's range.
func rivals(c network.Claims, claimant string) network.Claims {
	kind, _, _ := strings.Cut(claimant, ".")
	out := network.Claims{}
	for other, prefix := range c {
		if strings.HasPrefix(other, kind+".") {
			out[other] = prefix
		}
	}
	return out
}

func asPhaseError(err error) error {
	var overlap *network.OverlapError
	var exhausted *network.ExhaustedError
	switch {
	case errors.As(err, &overlap):
		return phase.Terminal(v1alpha1.ReasonNetworkOverlap, "%s; choose another range", overlap)
	case errors.As(err, &exhausted):
		return phase.Terminal(v1alpha1.ReasonNetworkExhausted, "%s; make the account's range larger, its clusters' smaller, or delete a cluster", exhausted)
	}
	return err
}
