package workloadcluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/object"
	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	fluxmeta "github.com/fluxcd/pkg/apis/meta"
	"github.com/fluxcd/pkg/runtime/conditions"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/delivery"
	"kargo.dev/kargo/internal/phase"
)

// reconcileAddons tells Flux in the cluster which commit to apply with which
// settings, and says how far it is. Without a design (the repository cannot be
// read) the cluster keeps what it has and goes on being watched.
func (r *Reconciler) reconcileAddons(ctx context.Context, s *scope) (string, error) {
	remote, err := r.remote(ctx, s)
	if err != nil {
		return "", err
	}
	if s.design == nil {
		return r.observeAddons(ctx, s, remote, "")
	}
	options, err := r.deliver(ctx, s, remote.live)
	if err != nil {
		return "", err
	}
	return r.observeAddons(ctx, s, remote, delivery.Checksum(options.Settings))
}

// deliver writes what Flux has to apply, and returns it.
func (r *Reconciler) deliver(ctx context.Context, s *scope, live client.Client) (delivery.Options, error) {
	issuer, err := r.issuer(ctx, s)
	if err != nil {
		return delivery.Options{}, err
	}
	facts := s.facts(issuer)
	if missing := facts.Missing(); len(missing) > 0 {
		return delivery.Options{}, phase.Waiting(v1alpha1.ReasonWaiting, "not known yet: %s", strings.Join(missing, ", ")).After(nodesRetry)
	}
	options := s.deliveryOptions(r.FleetURL, facts)
	sum, err := checksum(options)
	if err != nil {
		return delivery.Options{}, err
	}
	key := client.ObjectKeyFromObject(s.cluster)
	if r.applied.fresh(key, "delivery", sum, r.Now()) {
		return options, nil
	}
	objects, err := toUnstructured(delivery.Objects(options))
	if err != nil {
		return delivery.Options{}, err
	}
	manager, opts := resourceManager(live)
	if _, err := manager.ApplyAll(ctx, objects, opts); err != nil {
		if apimeta.IsNoMatchError(err) || strings.Contains(err.Error(), "no matches for kind") {
			return delivery.Options{}, phase.Waiting(v1alpha1.ReasonWaiting, "Flux's kinds are not served yet").After(nodesRetry)
		}
		return delivery.Options{}, fmt.Errorf("tell Flux in %s what to apply: %w", s.key(), err)
	}
	r.applied.remember(key, "delivery", sum, r.Now())
	return options, nil
}

// observeAddons believes only what Flux reports for the wanted commit and
// settings: an older revision, or no report, is not ready. An empty checksum
// means that nothing is known of the settings.
func (r *Reconciler) observeAddons(ctx context.Context, s *scope, remote client.Reader, checksum string) (string, error) {
	ks := &kustomizev1.Kustomization{}
	err := remote.Get(ctx, client.ObjectKey{Namespace: delivery.Namespace, Name: delivery.Addons}, ks)
	if apierrors.IsNotFound(err) || apimeta.IsNoMatchError(err) {
		return "", phase.Waiting(v1alpha1.ReasonWaiting, "Flux was not told yet what to apply").After(nodesRetry)
	}
	if err != nil {
		return "", fmt.Errorf("get Kustomization %s in %s: %w", delivery.Addons, s.key(), err)
	}
	s.cluster.Status.AppliedRevision = ks.Status.LastAppliedRevision
	addons, err := addonStates(ctx, remote, ks)
	if err != nil {
		return "", err
	}
	s.cluster.Status.Addons = addons.count()
	if commit := s.cluster.Status.Commit; !strings.HasSuffix(ks.Status.LastAppliedRevision, ":"+commit) || commit == "" {
		return "", phase.Waiting(v1alpha1.ReasonProgressing, "%s", deliveryMessage(ctx, remote, ks, commit))
	}
	if checksum != "" && (ks.Spec.PostBuild == nil || ks.Spec.PostBuild.Substitute[delivery.ChecksumVariable] != checksum) {
		return "", phase.Waiting(v1alpha1.ReasonProgressing, "the settings just changed").After(nodesRetry)
	}
	if !conditions.IsReady(ks) || ks.Status.ObservedGeneration < ks.Generation {
		return "", phase.Waiting(v1alpha1.ReasonProgressing, "Kustomization %s: %s", ks.Name, conditions.GetMessage(ks, fluxmeta.ReadyCondition))
	}
	if behind := addons.behind(); len(behind) > 0 {
		return "", phase.Waiting(v1alpha1.ReasonProgressing, "%d of %d add-ons ready; %s",
			s.cluster.Status.Addons.Ready, s.cluster.Status.Addons.Total, strings.Join(behind, "; "))
	}
	return fmt.Sprintf("%d add-ons ready at %s", s.cluster.Status.Addons.Total, ks.Status.LastAppliedRevision), nil
}

// deliveryMessage says why Flux has not applied the commit: its source's word, or the Kustomization's.
func deliveryMessage(ctx context.Context, remote client.Reader, ks *kustomizev1.Kustomization, commit string) string {
	repo := &sourcev1.GitRepository{}
	err := remote.Get(ctx, client.ObjectKey{Namespace: delivery.Namespace, Name: delivery.Source}, repo)
	if err == nil && conditions.IsFalse(repo, fluxmeta.ReadyCondition) {
		return "GitRepository " + repo.Name + ": " + conditions.GetMessage(repo, fluxmeta.ReadyCondition)
	}
	if conditions.IsFalse(ks, fluxmeta.ReadyCondition) {
		return "Kustomization " + ks.Name + ": " + conditions.GetMessage(ks, fluxmeta.ReadyCondition)
	}
	return "Flux has not applied commit " + short(commit) + " yet"
}

func short(commit string) string { return commit[:min(len(commit), 8)] }

// addonState is one HelmRelease; message is empty when it is ready.
type addonState struct{ name, message string }

type addonList []addonState

// addonStates looks up every HelmRelease in the Kustomization's inventory.
func addonStates(ctx context.Context, remote client.Reader, ks *kustomizev1.Kustomization) (addonList, error) {
	if ks.Status.Inventory == nil {
		return nil, nil
	}
	var releases helmv2.HelmReleaseList
	if err := remote.List(ctx, &releases); err != nil {
		return nil, fmt.Errorf("list HelmReleases: %w", err)
	}
	byKey := map[client.ObjectKey]*helmv2.HelmRelease{}
	for i := range releases.Items {
		byKey[client.ObjectKeyFromObject(&releases.Items[i])] = &releases.Items[i]
	}
	var list addonList
	for _, e := range ks.Status.Inventory.Entries {
		id, err := object.ParseObjMetadata(e.ID)
		if err != nil || id.GroupKind.Kind != helmv2.HelmReleaseKind {
			continue
		}
		list = append(list, addonState{id.Name, releaseMessage(byKey[client.ObjectKey{Namespace: id.Namespace, Name: id.Name}])})
	}
	slices.SortFunc(list, func(a, b addonState) int { return strings.Compare(a.name, b.name) })
	return list, nil
}

// releaseMessage is why the release is not ready, or "".
func releaseMessage(hr *helmv2.HelmRelease) string {
	switch {
	case hr == nil:
		return "does not exist"
	case hr.Status.ObservedGeneration < hr.Generation || !conditions.IsReady(hr):
		return cmp.Or(conditions.GetMessage(hr, fluxmeta.ReadyCondition), "not seen yet")
	}
	return ""
}

func (l addonList) count() v1alpha1.Count {
	c := v1alpha1.Count{Total: int32(len(l))}
	for _, a := range l {
		if a.message == "" {
			c.Ready++
		}
	}
	return c
}

// behind lists the add-ons that are not ready, at most three in words.
func (l addonList) behind() []string {
	var out []string
	for _, a := range l {
		if a.message != "" {
			out = append(out, a.name+": "+a.message)
		}
	}
	if len(out) > 3 {
		out = append(out[:3], fmt.Sprintf("and %d more", len(out)-3))
	}
	return out
}
