package account

import (
	"context"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/phase"
	"kargo.dev/kargo/internal/preflight"
)

// usualZones is over how many availability zones a cluster spreads unless its
// flavor says otherwise; a cluster's own preflight takes its own number.
const usualZones = 2

// checkQuotas checks that AWS's quotas suffice for the clusters that are asked
// for in the account and do not exist yet.
func (r *Reconciler) checkQuotas(ctx context.Context, acct *v1alpha1.Account) (string, error) {
	usages, err := r.AWS.Usages(ctx, r.target(acct))
	if err != nil {
		return "", fmt.Errorf("quotas of account %s: %w", acct.Spec.ID, err)
	}
	pending, err := r.pendingClusters(ctx, acct)
	if err != nil {
		return "", err
	}
	one := preflight.ClusterNeed(usualZones, nil)
	need := preflight.Need{}
	for code, n := range one {
		need[code] = n * pending
	}
	if short := preflight.Short(usages, need); len(short) > 0 {
		words := make([]string, len(short))
		for i, s := range short {
			words[i] = s.String()
		}
		return "", phase.Terminal(v1alpha1.ReasonQuotaExceeded, "%s", strings.Join(words, "; "))
	}
	return fmt.Sprintf("room for %d more clusters", room(usages, one)), nil
}

// pendingClusters counts the account's clusters that have no network in AWS yet.
func (r *Reconciler) pendingClusters(ctx context.Context, acct *v1alpha1.Account) (int64, error) {
	var clusters v1alpha1.WorkloadClusterList
	if err := r.Client.List(ctx, &clusters, client.InNamespace(acct.Namespace)); err != nil {
		return 0, fmt.Errorf("list clusters of team %s: %w", acct.Namespace, err)
	}
	var pending int64
	for i := range clusters.Items {
		c := &clusters.Items[i]
		if c.Spec.AccountRef.Name == acct.Name && c.Status.Network.VPCID == "" && c.DeletionTimestamp.IsZero() {
			pending++
		}
	}
	return pending, nil
}

// room is for how many more clusters of the usual need the quotas suffice.
func room(usages []preflight.Usage, need preflight.Need) int64 {
	var left int64 = -1
	for _, u := range usages {
		if n := need[u.Code]; n > 0 && (left < 0 || u.Free()/n < left) {
			left = u.Free() / n
		}
	}
	return max(0, left)
}
