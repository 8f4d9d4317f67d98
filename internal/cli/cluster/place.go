package cluster

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/cli/names"
)

// findAccount looks whether team and account exist and can take a cluster.
func findAccount(ctx context.Context, c client.Client, streams *command.IOStreams, team, name string) (*v1alpha1.Account, error) {
	if err := checkTeam(ctx, c, team); err != nil {
		return nil, err
	}
	if name == "" {
		return nil, whichAccount(ctx, c, team)
	}
	account := &v1alpha1.Account{}
	err := c.Get(ctx, client.ObjectKey{Namespace: team, Name: name}, account)
	if apierrors.IsNotFound(err) {
		known, listErr := names.Accounts(ctx, c, team)
		if listErr != nil {
			known = nil
		}
		return nil, names.Unknown("account", name, " in team "+team, known)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read account %s/%s: %w", team, name, err)
	}
	return account, checkAccount(streams, account)
}

// checkTeam looks whether the team exists. Who may not read Teams, which are
// not in a namespace, is judged by what the namespace answers.
func checkTeam(ctx context.Context, c client.Client, team string) error {
	err := c.Get(ctx, client.ObjectKey{Name: team}, &v1alpha1.Team{})
	switch {
	case apierrors.IsNotFound(err):
		known, listErr := names.Teams(ctx, c, "")
		if listErr != nil {
			known = nil
		}
		return names.Unknown("team", team, "", known)
	case err != nil && !apierrors.IsForbidden(err):
		return fmt.Errorf("cannot read team %s: %w", team, err)
	}
	return nil
}

func whichAccount(ctx context.Context, c client.Client, team string) error {
	err := command.Usagef("in which account? Give --account ACCOUNT")
	known, listErr := names.Accounts(ctx, c, team)
	if listErr != nil || len(known) == 0 {
		return command.WithHint(err, "team %s has no account yet: see `kargoctl create account --help`", team)
	}
	return command.WithHint(err, "team %s has: %s", team, names.Join(known))
}

// checkAccount refuses an account that cannot become ready by itself, and warns
// of one that is not ready yet: the manager waits for it.
func checkAccount(streams *command.IOStreams, a *v1alpha1.Account) error {
	see := fmt.Sprintf("see `kargoctl get account %s -n %s -o yaml`", a.Name, a.Namespace)
	if c := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionStalled); c != nil && c.Status == "True" {
		return command.WithHint(fmt.Errorf("account %s/%s cannot be used (%s): %s", a.Namespace, a.Name, c.Reason, c.Message), "%s", see)
	}
	if a.DeletionTimestamp != nil {
		return command.WithHint(fmt.Errorf("account %s/%s is being deleted", a.Namespace, a.Name), "%s", see)
	}
	if c := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionReady); c == nil || c.Status != "True" {
		message := "nothing is known of it yet"
		if c != nil {
			message = c.Message
		}
		fmt.Fprintf(streams.ErrOut, "Warning: account %s/%s is not ready yet, the cluster waits for it: %s\n", a.Namespace, a.Name, message)
	}
	return nil
}
