package cluster

import (
	"cmp"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/catalogue"
	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/cli/names"
)

// Target is the cluster that is to come: where it is, and what it is made of.
type Target struct {
	Name    string
	Team    string
	Account string
	Flavor  string
	Release string
	Branch  string
}

func (t *Target) addFlags(cmd *cobra.Command, f *command.Factory) {
	flags := cmd.Flags()
	flags.StringVar(&t.Team, "team", "", "team that owns the cluster (or -n)")
	flags.StringVar(&t.Account, "account", "", "account of the team that the cluster runs in")
	flags.StringVar(&t.Flavor, "flavor", catalogue.DefaultFlavor, "kind of cluster: a folder under flavors/ of the fleet repository")
	flags.StringVar(&t.Release, "release", "", "release of the fleet repository the cluster is made of")
	flags.StringVar(&t.Branch, "branch", "", "branch of the fleet repository to follow instead of a release (default main)")
	command.CompleteFlag(cmd, "team", names.Complete(f, names.Teams, nil, 0))
	command.CompleteFlag(cmd, "account", names.Complete(f, names.Accounts, &t.Team, 0))
	command.CompleteFlag(cmd, "flavor", names.Complete(f, names.Flavors, nil, 0))
}

// take sets the name, and the team that --team or -n names.
func (t *Target) take(name, namespace string) error {
	switch {
	case t.Team == "" && namespace == "":
		return command.Usagef("whose cluster is it? Give --team TEAM")
	case t.Team != "" && namespace != "" && t.Team != namespace:
		return command.Usagef("--team %s and -n %s contradict each other: a team's clusters live in the namespace of its name", t.Team, namespace)
	}
	t.Name, t.Team = name, cmp.Or(t.Team, namespace)
	return nil
}

// cluster is the target as an object.
func (t *Target) cluster() *v1alpha1.WorkloadCluster {
	w := &v1alpha1.WorkloadCluster{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "WorkloadCluster"},
		ObjectMeta: metav1.ObjectMeta{Namespace: t.Team, Name: t.Name},
		Spec: v1alpha1.WorkloadClusterSpec{
			AccountRef: v1alpha1.AccountReference{Name: t.Account},
			Flavor:     t.Flavor, Release: t.Release, Branch: t.Branch,
		},
	}
	if t.Release == "" && t.Branch == "" {
		w.Spec.Branch = catalogue.DefaultBranch
	}
	return w
}
