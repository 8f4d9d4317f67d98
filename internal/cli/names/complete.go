package names

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/catalogue"
	"kargo.dev/kargo/internal/cli/command"
)

// Lister returns the names that may stand at a place of a command line.
type Lister func(ctx context.Context, c client.Reader, namespace string) ([]string, error)

// Clusters lists the names of the clusters that exist.
func Clusters(ctx context.Context, c client.Reader, namespace string) ([]string, error) {
	return List(ctx, c, &v1alpha1.WorkloadClusterList{}, namespace)
}

// Accounts lists the names of the accounts that exist.
func Accounts(ctx context.Context, c client.Reader, namespace string) ([]string, error) {
	return List(ctx, c, &v1alpha1.AccountList{}, namespace)
}

// Teams lists the names of the teams that exist.
func Teams(ctx context.Context, c client.Reader, _ string) ([]string, error) {
	return List(ctx, c, &v1alpha1.TeamList{}, "")
}

// completionTimeout is how long somebody who pressed Tab waits.
const completionTimeout = 3 * time.Second

// Complete completes arguments or a flag's value with live names; team says in
// whose namespace to look, and may be nil for -n. At most max arguments are completed (0: any number).
func Complete(f *command.Factory, list Lister, team *string, max int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if max > 0 && len(args) >= max {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		c, err := f.Client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		namespace := f.Namespace()
		if team != nil && *team != "" {
			namespace = *team
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
		defer cancel()
		found, err := list(ctx, c, namespace)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// Flavors lists the flavors that the fleet repository offers.
func Flavors(ctx context.Context, c client.Reader, _ string) ([]string, error) {
	offer, err := catalogue.Read(ctx, c)
	if err != nil {
		return nil, err
	}
	return offer.Flavors(), nil
}
