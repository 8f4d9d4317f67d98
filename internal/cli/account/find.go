package account

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/names"
)

// find reads an account; one that does not exist is answered with those that do.
func find(ctx context.Context, c client.Client, team, name string) (*v1alpha1.Account, error) {
	a := &v1alpha1.Account{}
	switch err := c.Get(ctx, client.ObjectKey{Namespace: team, Name: name}, a); {
	case apierrors.IsNotFound(err):
		known, listErr := names.Accounts(ctx, c, team)
		if listErr != nil {
			known = nil
		}
		return nil, names.Unknown("account", name, " in team "+team, known)
	case err != nil:
		return nil, fmt.Errorf("cannot read account %s/%s: %w", team, name, err)
	}
	return a, nil
}
