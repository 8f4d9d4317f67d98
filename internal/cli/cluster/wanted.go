package cluster

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/catalogue"
	"kargo.dev/kargo/internal/cli/command"
)

// The API refuses what does not match these, too; here it costs no round trip
// and is told as wrong usage.
var (
	nameLaw    = regexp.MustCompile(`^[a-z][a-z0-9-]{0,38}[a-z0-9]$`)
	versionLaw = regexp.MustCompile(`^1\.[1-9][0-9]$`)
)

func (o *CreateOptions) validate() error {
	o.KubernetesVersion = strings.TrimPrefix(o.KubernetesVersion, "v")
	switch {
	case !nameLaw.MatchString(o.Name):
		return command.Usagef("a cluster cannot be called %q: a name is 2 to 40 lower-case letters, digits and hyphens, first a letter, last no hyphen", o.Name)
	case o.KubernetesVersion != "" && !versionLaw.MatchString(o.KubernetesVersion):
		return command.Usagef("%q is no Kubernetes minor version such as 1.35", o.KubernetesVersion)
	case o.Given["account"] && o.Account == "":
		return command.Usagef("--account is empty")
	case o.Release != "" && o.Branch != "":
		return command.Usagef("--release and --branch contradict each other: a cluster is made of one of them")
	case o.Timeout <= 0:
		return command.Usagef("--timeout %s is no time", o.Timeout)
	}
	return o.Output.Validate()
}

// wanted is the cluster as it should be: a new one from the flags, or the
// existing one with the flags over it.
func (o *CreateOptions) wanted(ctx context.Context, c client.Client, existing *v1alpha1.WorkloadCluster, offer *catalogue.Catalogue) (*v1alpha1.WorkloadCluster, error) {
	var w *v1alpha1.WorkloadCluster
	var account *v1alpha1.Account
	if existing == nil {
		var err error
		if account, err = findAccount(ctx, c, o.IO, o.Team, o.Account); err != nil {
			return nil, err
		}
		w = o.fresh(offer)
	} else {
		if err := command.RefuseDeclared(existing, "cluster"); err != nil {
			return nil, err
		}
		if existing.DeletionTimestamp != nil {
			return nil, command.WithHint(fmt.Errorf("cluster %s/%s is being deleted", o.Team, o.Name),
				"wait for it with `kargoctl wait cluster %s -n %s --for delete`, then create it anew", o.Name, o.Team)
		}
		if o.Given["account"] && o.Account != existing.Spec.AccountRef.Name {
			return nil, command.WithHint(fmt.Errorf("cluster %s/%s runs in account %s and keeps it", o.Team, o.Name, existing.Spec.AccountRef.Name),
				"create another cluster in account %s", o.Account)
		}
		w = existing.DeepCopy()
		o.overlay(w)
	}
	settings, err := o.settings(w.Spec.Settings, offer)
	if err != nil {
		return nil, err
	}
	w.Spec.Settings = settings
	if err := offer.Check(existing, w, account); err != nil {
		return nil, err
	}
	return w, nil
}

func (o *CreateOptions) fresh(offer *catalogue.Catalogue) *v1alpha1.WorkloadCluster {
	w := o.cluster()
	w.Spec.KubernetesVersion = o.KubernetesVersion
	if w.Spec.KubernetesVersion == "" {
		w.Spec.KubernetesVersion = offer.DefaultVersion(w.Spec.Flavor)
	}
	w.Spec.DeletionProtection = &o.DeletionProtection
	return w
}

// overlay puts the flags that were typed over an existing cluster.
func (o *CreateOptions) overlay(w *v1alpha1.WorkloadCluster) {
	if o.Given["flavor"] {
		w.Spec.Flavor = o.Flavor
	}
	if o.Given["release"] {
		w.Spec.Release, w.Spec.Branch = o.Release, ""
	}
	if o.Given["branch"] {
		w.Spec.Release, w.Spec.Branch = "", o.Branch
	}
	if o.Given["kubernetes-version"] {
		w.Spec.KubernetesVersion = o.KubernetesVersion
	}
	if o.Given["deletion-protection"] {
		w.Spec.DeletionProtection = &o.DeletionProtection
	}
}
