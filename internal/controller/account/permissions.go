package account

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/phase"
)

// named is how many actions a message names.
const named = 8

// allowActions checks that the role may do all that CAPA and KARGO need. What
// only service control policies forbid is said and no more: AWS's simulator does
// not know their conditions, so it may well be allowed.
func (r *Reconciler) allowActions(ctx context.Context, acct *v1alpha1.Account) (string, error) {
	denials, err := r.AWS.Denied(ctx, r.target(acct))
	if err != nil {
		return "", fmt.Errorf("simulate the policies of %s: %w", acct.Status.RoleARN, err)
	}
	var missing, advisory []string
	for _, d := range denials {
		if d.ByOrganization {
			advisory = append(advisory, d.Action)
		} else {
			missing = append(missing, d.Action)
		}
	}
	if len(missing) > 0 {
		return "", phase.Terminal(v1alpha1.ReasonActionsDenied, "role %s may not do %s: give it the policy that `kargoctl account template %s -n %s` prints",
			acct.Status.RoleARN, list(missing), acct.Name, acct.Namespace)
	}
	if len(advisory) > 0 {
		return "allowed; AWS's simulator says that a service control policy forbids " + list(advisory) + ", but it does not evaluate their conditions", nil
	}
	return "the role may do all that is needed", nil
}

// list names actions in a stable order, not all of very many.
func list(actions []string) string {
	slices.Sort(actions)
	actions = slices.Compact(actions)
	if len(actions) > named {
		return fmt.Sprintf("%s and %d more", strings.Join(actions[:named], ", "), len(actions)-named)
	}
	return strings.Join(actions, ", ")
}
