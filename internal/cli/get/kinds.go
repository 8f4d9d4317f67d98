package get

import (
	"strings"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/names"
)

// kind is one of the things `get` shows.
type kind struct {
	noun       string // as it is typed, in the plural
	aliases    []string
	short      string
	namespaced bool
	list       func() client.ObjectList
	names      names.Lister
	columns    []metav1.TableColumnDefinition
	row        func(obj client.Object) []any
}

func kinds() []kind {
	return []kind{clusters(), accounts(), teams()}
}

func clusters() kind {
	return kind{
		noun:       "clusters",
		aliases:    []string{"cluster", "wc", "workloadcluster", "workloadclusters"},
		short:      "Show clusters",
		namespaced: true,
		list:       func() client.ObjectList { return &v1alpha1.WorkloadClusterList{} },
		names:      names.Clusters,
		columns: []metav1.TableColumnDefinition{
			column("Team"), column("Name"), column("Account"), column("Env"), column("Flavor"), column("Release"),
			column("Version"), column("Nodes"), column("Addons"), column("Ready"), column("Status"),
			wide("Endpoint"), wide("Region"), wide("Account ID"), wide("Applied"), wide("CIDR"),
		},
		row: func(obj client.Object) []any {
			w, ok := obj.(*v1alpha1.WorkloadCluster)
			if !ok {
				return nil
			}
			s := w.Status
			return []any{
				w.Namespace, w.Name, w.Spec.AccountRef.Name, orDash(s.Environment), orDash(w.Spec.Flavor), source(w),
				version(w), ratio(s.Nodes), ratio(s.Addons), ready(s.Conditions, w.Generation), status(w, s.Conditions),
				orDash(s.ControlPlane.Endpoint), orDash(s.Region), orDash(s.AccountID), orDash(shortRevision(s.AppliedRevision)), orDash(s.Network.CIDR),
			}
		},
	}
}

func accounts() kind {
	return kind{
		noun:       "accounts",
		aliases:    []string{"account"},
		short:      "Show AWS accounts",
		namespaced: true,
		list:       func() client.ObjectList { return &v1alpha1.AccountList{} },
		names:      names.Accounts,
		columns: []metav1.TableColumnDefinition{
			column("Team"), column("Name"), column("ID"), column("Env"), column("Region"), column("Network"),
			column("Ready"), column("Status"), wide("Role"), wide("External ID"), wide("Namespace"),
		},
		row: func(obj client.Object) []any {
			a, ok := obj.(*v1alpha1.Account)
			if !ok {
				return nil
			}
			return []any{
				a.Namespace, a.Name, a.Spec.ID, a.Spec.Environment, a.Spec.Region, a.Spec.Network.CIDR,
				ready(a.Status.Conditions, a.Generation), status(a, a.Status.Conditions),
				orDash(a.Status.RoleARN), orDash(a.Status.ExternalID), orDash(a.Status.FactoryNamespace),
			}
		},
	}
}

func teams() kind {
	return kind{
		noun:    "teams",
		aliases: []string{"team"},
		short:   "Show teams",
		list:    func() client.ObjectList { return &v1alpha1.TeamList{} },
		names:   names.Teams,
		columns: []metav1.TableColumnDefinition{
			column("Name"), column("Cost centre"), column("Owners"), column("Ready"), column("Status"),
			wide("Products"), wide("Administrator"), wide("Viewer"),
		},
		row: func(obj client.Object) []any {
			t, ok := obj.(*v1alpha1.Team)
			if !ok {
				return nil
			}
			var owners []string
			for _, o := range t.Spec.Owners {
				owners = append(owners, o.Name)
			}
			return []any{
				t.Name, orDash(t.Spec.CostCentre), names.Join(owners), ready(t.Status.Conditions, t.Generation), status(t, t.Status.Conditions),
				orDash(names.Join(t.Spec.Products)), t.Spec.Roles.Administrator, t.Spec.Roles.Viewer,
			}
		},
	}
}

func column(name string) metav1.TableColumnDefinition {
	return metav1.TableColumnDefinition{Name: name, Type: "string"}
}

// wide is a column that only -o wide shows.
func wide(name string) metav1.TableColumnDefinition {
	return metav1.TableColumnDefinition{Name: name, Type: "string", Priority: 1}
}

// source is what a cluster is made of: its release, or its branch and the
// commit that Flux applied.
func source(w *v1alpha1.WorkloadCluster) string {
	if w.Spec.Release != "" {
		return w.Spec.Release
	}
	_, commit, ok := strings.Cut(w.Status.AppliedRevision, "@sha1:")
	if !ok {
		return w.Spec.Branch
	}
	return w.Spec.Branch + "@" + short(commit)
}

// version is the control plane's, and where it is going.
func version(w *v1alpha1.WorkloadCluster) string {
	is, wanted := w.Status.ControlPlane.Version, w.Spec.KubernetesVersion
	switch {
	case is == "" && wanted == "":
		return "-"
	case wanted != "" && wanted != is:
		return is + "→" + wanted // "→1.34" while there is nothing yet
	default:
		return is
	}
}

// ready is the Ready condition; what was not judged at the present generation is unknown.
func ready(conditions []metav1.Condition, generation int64) string {
	c := apimeta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if c == nil || c.ObservedGeneration < generation {
		return string(metav1.ConditionUnknown)
	}
	return string(c.Status)
}

func shortRevision(revision string) string {
	ref, commit, ok := strings.Cut(revision, "@sha1:")
	if !ok {
		return revision
	}
	return ref + "@" + short(commit)
}

// short abbreviates a commit as Git does by default in small repositories.
func short(commit string) string { return commit[:min(8, len(commit))] }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
