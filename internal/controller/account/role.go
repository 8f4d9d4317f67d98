package account

import (
	"context"
	"fmt"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/aws/awserr"
	"kargo.dev/kargo/internal/phase"
)

// assumeRole checks that the factory's role leads into the account, and only there.
func (r *Reconciler) assumeRole(ctx context.Context, acct *v1alpha1.Account) (string, error) {
	got, err := r.AWS.Identity(ctx, r.target(acct))
	switch {
	case awserr.Denied(err):
		return "", phase.Terminal(v1alpha1.ReasonRoleRefused,
			"AWS refuses the factory role %s with external id %s: create or mend it with what `kargoctl account template %s -n %s` prints (%s)",
			acct.Status.RoleARN, acct.Status.ExternalID, acct.Name, acct.Namespace, awserr.Message(err))
	case err != nil:
		return "", fmt.Errorf("assume %s: %w", acct.Status.RoleARN, err)
	case got != acct.Spec.ID:
		return "", phase.Terminal(v1alpha1.ReasonWrongAccount, "role %s leads to account %s instead of %s", acct.Status.RoleARN, got, acct.Spec.ID)
	}
	return "the factory assumes " + acct.Status.RoleARN, nil
}

// demandExternalID checks that the role turns away who does not bring the
// account's external id: else whoever makes the factory assume roles reaches it.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
func (r *Reconciler) demandExternalID(ctx context.Context, acct *v1alpha1.Account) (string, error) {
	open, err := r.AWS.OpenToAll(ctx, r.target(acct))
	if err != nil {
		return "", fmt.Errorf("assume %s without its external id: %w", acct.Status.RoleARN, err)
	}
	if open {
		return "", phase.Terminal(v1alpha1.ReasonExternalIDMissing,
			"role %s can be assumed without an external id: let its trust policy demand sts:ExternalId %s, as `kargoctl account template %s -n %s` prints it",
			acct.Status.RoleARN, acct.Status.ExternalID, acct.Name, acct.Namespace)
	}
	return "the role demands its external id", nil
}
