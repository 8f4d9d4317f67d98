// Package delivery decides what tells Flux in a workload cluster which commit of
// the fleet repository to apply, and with which settings. It is pure.
package delivery

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Names of KARGO's objects in a workload cluster.
const (
	Namespace = "flux-system"
	// Source is the GitRepository of the fleet repository.
	Source = "fleet"
	// Charts is the GitRepository of the same repository that HelmReleases take
	// their charts from. It stays at the last commit that changed a chart, so that
	// a change of values does not package every chart in every cluster again.
	Charts = "charts"
	// Addons is the Kustomization that applies the flavor's add-ons.
	Addons = "addons"
	// Settings is the ConfigMap that Addons substitutes from.
	Settings = "kargo-settings"
)

// interval is how often Flux compares the cluster with the commit by itself. A
// new commit does not wait for it: the manager writes it into the GitRepository.
const interval = 10 * time.Minute

// Options say what a cluster gets.
type Options struct {
	// URL of the fleet repository as the cluster reaches it.
	URL string
	// Branch the commit is on; "" for a release, whose commit Flux looks for on all
	// branches (it fetches no tags to find a commit).
	Branch string
	// Commit to apply. Pinning it lets settings and content change together, and
	// lets no push reach a cluster that the manager has not decided on.
	Commit string
	// ChartsCommit is the last one up to Commit that changed a chart.
	ChartsCommit string
	// Flavor and Environment select the folders that are applied.
	Flavor, Environment string
	// Settings are the variables that ${...} in the add-ons stands for.
	Settings map[string]string
}

// ChecksumVariable is the variable that tells settings apart.
const ChecksumVariable = "kargoSettingsChecksum"

// Checksum of settings.
func Checksum(settings map[string]string) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(h, "%q=%q\n", name, settings[name])
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// Objects are what has to be in the cluster, in the order to apply.
func Objects(o Options) []client.Object {
	return append(viewerAccess(), settings(o), source(o, Charts, o.ChartsCommit), source(o, Source, o.Commit), addons(o))
}

func objectMeta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: Namespace, Name: name, Labels: map[string]string{"app.kubernetes.io/managed-by": "kargo"}}
}

func settings(o Options) *corev1.ConfigMap {
	cm := &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: objectMeta(Settings),
		Data:       o.Settings,
	}
	// kustomize-controller reconciles at once when a ConfigMap with this label changes.
	cm.Labels["reconcile.fluxcd.io/watch"] = "Enabled"
	return cm
}

func source(o Options, name, commit string) *sourcev1.GitRepository {
	ref := &sourcev1.GitRepositoryRef{Branch: o.Branch, Commit: commit}
	return &sourcev1.GitRepository{
		TypeMeta:   metav1.TypeMeta{APIVersion: sourcev1.GroupVersion.String(), Kind: sourcev1.GitRepositoryKind},
		ObjectMeta: objectMeta(name),
		Spec: sourcev1.GitRepositorySpec{
			URL: o.URL, Interval: metav1.Duration{Duration: interval},
			Timeout: &metav1.Duration{Duration: time.Minute}, Reference: ref,
		},
	}
}

func addons(o Options) *kustomizev1.Kustomization {
	return &kustomizev1.Kustomization{
		TypeMeta:   metav1.TypeMeta{APIVersion: kustomizev1.GroupVersion.String(), Kind: kustomizev1.KustomizationKind},
		ObjectMeta: objectMeta(Addons),
		Spec: kustomizev1.KustomizationSpec{
			Interval:      metav1.Duration{Duration: interval},
			RetryInterval: &metav1.Duration{Duration: 30 * time.Second},
			Timeout:       &metav1.Duration{Duration: 5 * time.Minute},
			SourceRef:     kustomizev1.CrossNamespaceSourceReference{Kind: sourcev1.GitRepositoryKind, Name: Source},
			Path:          "./flavors/" + o.Flavor,
			Components:    []string{"../../environments/" + o.Environment},
			Prune:         true,
			PostBuild: &kustomizev1.PostBuild{
				// Settings that change change the generation too, so that what
				// Flux reports says which settings it is about.
				Substitute:     map[string]string{ChecksumVariable: Checksum(o.Settings)},
				SubstituteFrom: []kustomizev1.SubstituteReference{{Kind: "ConfigMap", Name: Settings}},
			},
		},
	}
}
