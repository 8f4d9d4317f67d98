package workloadcluster

import (
	"strings"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/blueprint"
	"kargo.dev/kargo/internal/delivery"
	"kargo.dev/kargo/internal/fleet"
	"kargo.dev/kargo/internal/phase"
	"kargo.dev/kargo/internal/settings"
	"kargo.dev/kargo/internal/upgrade"
)

// design is what a cluster should be made of: the triple (flavor, release,
// settings) resolved. It is pure: all that was read is in the scope.
type design struct {
	blueprint *blueprint.Blueprint
	// settings are the merged layers, without what KARGO itself sets.
	settings settings.Values
	// wanted is the Kubernetes version to arrive at, one step after the other.
	wanted upgrade.Minor
	scope  *scope
}

func newDesign(print *blueprint.Blueprint, s *scope) (*design, error) {
	own, err := ownSettings(s.cluster)
	if err != nil {
		return nil, err
	}
	spec := s.cluster.Spec
	problems := print.Catalog.Check(fleet.Request{
		Flavor: spec.Flavor, Environment: s.account.Spec.Environment, KubernetesVersion: spec.KubernetesVersion, Settings: own,
	})
	if len(problems) > 0 {
		return nil, problemError(problems)
	}
	layers, err := print.Fleet.Layers(spec.Flavor, s.account.Spec.Environment)
	if err != nil {
		return nil, phase.Terminal(v1alpha1.ReasonFlavorNotFound, "%s", err)
	}
	layers = append(layers, settings.Layer{Name: "cluster", Source: s.cluster.Namespace + "/" + s.cluster.Name, Values: own})
	wanted, err := wantedVersion(print, s)
	if err != nil {
		return nil, err
	}
	return &design{blueprint: print, settings: settings.Merge(layers...), wanted: wanted, scope: s}, nil
}

func ownSettings(cluster *v1alpha1.WorkloadCluster) (map[string]any, error) {
	if cluster.Spec.Settings == nil {
		return map[string]any{}, nil
	}
	own, err := settings.ParseJSON(cluster.Spec.Settings.Raw)
	if err != nil {
		return nil, phase.Terminal(v1alpha1.ReasonSettingsInvalid, "spec.settings: %s", err)
	}
	return own, nil
}

// problemError sums up what is wrong; the first problem gives the reason.
func problemError(problems []settings.Problem) error {
	reason := v1alpha1.ReasonSettingsInvalid
	switch problems[0].Path {
	case "flavor", "environment":
		reason = v1alpha1.ReasonFlavorNotFound
	case "kubernetesVersion":
		reason = v1alpha1.ReasonVersionNotTested
	}
	words := make([]string, len(problems))
	for i, p := range problems {
		words[i] = p.String()
	}
	return phase.Terminal(reason, "%s", strings.Join(words, "; "))
}

// wantedVersion is the cluster's own version, or else the flavor's default,
// which never takes a cluster back. An own version skips no minor of what was
// asked for last; admission sees only the spec before, which may have been empty.
func wantedVersion(print *blueprint.Blueprint, s *scope) (upgrade.Minor, error) {
	flavor, _ := print.Catalog.Flavor(s.cluster.Spec.Flavor)
	last := upgrade.Minor(0)
	if s.observed.controlPlane != nil && s.observed.controlPlane.Spec.Version != nil {
		last, _ = upgrade.Parse(*s.observed.controlPlane.Spec.Version) // CAPA's webhook keeps it valid
	}
	if s.cluster.Spec.KubernetesVersion == "" {
		wanted, err := upgrade.Parse(flavor.Kubernetes.Default)
		if err != nil {
			return 0, phase.Terminal(v1alpha1.ReasonVersionNotTested, "flavor %s: %s", flavor.Name, err)
		}
		return max(wanted, last), nil
	}
	wanted, err := upgrade.Parse(s.cluster.Spec.KubernetesVersion)
	switch {
	case err != nil:
		return 0, phase.Terminal(v1alpha1.ReasonVersionNotTested, "%s", err)
	case wanted < last:
		return 0, phase.Terminal(v1alpha1.ReasonVersionNotTested, "the control plane runs %s and cannot go back to %s", last, wanted)
	case last != 0 && wanted > last+1:
		return 0, phase.Terminal(v1alpha1.ReasonVersionNotTested, "Kubernetes versions go up one minor at a time: from %s to %s first, then to %s", last, last+1, wanted)
	}
	return wanted, nil
}

// givenVPC says whether the settings name a VPC that exists already.
func (d *design) givenVPC() bool {
	id, ok := d.settings.Get("network.vpc.id")
	return ok && id != ""
}

// values of the cluster chart for a step of versions: the settings, and over
// them what says who and where the cluster is.
func (d *design) values(step upgrade.Step, cidr string) map[string]any {
	account, team := d.scope.account, d.scope.team
	own := map[string]any{
		"cluster": map[string]any{
			"name": d.scope.cluster.Name, "team": team.Name, "accountID": account.Spec.ID,
			"environment": account.Spec.Environment, "region": account.Spec.Region,
		},
		"kubernetesVersion":  step.ControlPlane.String(),
		"deletionProtection": d.scope.cluster.Protected(),
		"accessEntries": map[string]any{
			"administrators": map[string]any{"role": team.Spec.Roles.Administrator, "policy": "AmazonEKSClusterAdminPolicy"},
			"viewers":        map[string]any{"role": team.Spec.Roles.Viewer, "policy": "AmazonEKSViewPolicy", "kubernetesGroups": []any{delivery.Viewers}},
		},
		"nodePools": d.poolVersions(step.Pools),
	}
	if cidr != "" && !d.givenVPC() {
		own["network"] = map[string]any{"cidr": cidr}
	}
	return settings.Merge(
		settings.Layer{Name: "settings", Values: d.settings.Map()},
		settings.Layer{Name: "kargo", Values: own},
	).Map()
}

// poolVersions gives every pool the version of the step.
func (d *design) poolVersions(version upgrade.Minor) map[string]any {
	pools, _ := d.settings.Map()["nodePools"].(map[string]any)
	out := map[string]any{}
	for name := range pools {
		out[name] = map[string]any{"version": version.String()}
	}
	return out
}

// deliveryOptions are what Flux in the cluster is told.
func (s *scope) deliveryOptions(url string, facts settings.Facts) delivery.Options {
	spec := s.cluster.Spec
	return delivery.Options{
		URL: url, Branch: spec.Branch, Commit: s.design.blueprint.Commit, ChartsCommit: s.design.blueprint.ChartsCommit,
		Flavor: spec.Flavor, Environment: s.account.Spec.Environment,
		Settings: settings.Substitutions(s.design.settings.Map(), facts),
	}
}

// facts about the cluster, as far as they are known.
func (s *scope) facts(issuer string) settings.Facts {
	status := s.cluster.Status
	return settings.Facts{
		ClusterName: s.cluster.Name, AccountID: status.AccountID, Region: status.Region, Environment: status.Environment,
		Team: s.cluster.Namespace, KubernetesVersion: status.ControlPlane.Version, VPCID: status.Network.VPCID,
		ClusterEndpoint: status.ControlPlane.Endpoint, OIDCIssuer: issuer,
	}
}
