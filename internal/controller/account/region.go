package account

import (
	"context"
	"fmt"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/phase"
)

// enableRegion checks that the account may use its region.
func (r *Reconciler) enableRegion(ctx context.Context, acct *v1alpha1.Account) (string, error) {
	region, err := r.AWS.Region(ctx, r.target(acct))
	if err != nil {
		return "", fmt.Errorf("state of region %s: %w", acct.Spec.Region, err)
	}
	if !region.Enabled {
		return "", phase.Terminal(v1alpha1.ReasonRegionDisabled,
			"region %s is not enabled in the account (%s): `aws account enable-region --region-name %s`", acct.Spec.Region, region.Status, acct.Spec.Region)
	}
	return "region " + acct.Spec.Region + " is enabled", nil
}
