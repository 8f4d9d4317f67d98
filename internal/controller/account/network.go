package account

import (
	"context"
	"net/netip"
	"time"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/controller/networkclaims"
	"kargo.dev/kargo/internal/phase"
)

// retrySoon is when to look again at what no watch tells of.
const retrySoon = 2 * time.Second

// reserveNetwork claims the account's range in the whole fleet.
func (r *Reconciler) reserveNetwork(ctx context.Context, acct *v1alpha1.Account) (string, error) {
	want, err := netip.ParsePrefix(acct.Spec.Network.CIDR)
	if err != nil {
		return "", phase.Terminal(v1alpha1.ReasonNetworkOverlap, "network.cidr: %s", err)
	}
	if err := r.Network.Reserve(ctx, networkclaims.ForAccount(acct.Spec.ID), want); err != nil {
		return "", err
	}
	return "network range " + want.String(), nil
}
