package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	releasev1 "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage"
	"helm.sh/helm/v4/pkg/storage/driver"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/delivery"
	"kargo.dev/kargo/internal/settings"
)

// bareCluster is a cluster that Helm made from the cluster chart.
type bareCluster struct {
	key     types.NamespacedName // of the Helm release
	release *releasev1.Release
	schema  *settings.Schema
}

// findBare looks up the Cluster API Cluster, and the Helm release that its
// annotations name, which may be in any namespace.
func findBare(ctx context.Context, c client.Client, cfg *rest.Config, name string, account *v1alpha1.Account) (*bareCluster, error) {
	namespace := v1alpha1.FactoryNamespace(account.Spec.ID)
	mapping, err := c.RESTMapper().RESTMapping(schema.GroupKind{Group: "cluster.x-k8s.io", Kind: "Cluster"})
	if err != nil {
		return nil, fmt.Errorf("cannot find Cluster API in the management cluster: %w", err)
	}
	cluster := &unstructured.Unstructured{}
	cluster.SetGroupVersionKind(mapping.GroupVersionKind)
	err = c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, cluster)
	if apierrors.IsNotFound(err) {
		return nil, command.WithHint(fmt.Errorf("account %s has no Cluster %s in its factory namespace %s", account.Name, name, namespace),
			"a new cluster is made with `kargoctl create cluster`")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read Cluster %s/%s: %w", namespace, name, err)
	}
	b := &bareCluster{key: types.NamespacedName{
		Namespace: cluster.GetAnnotations()["meta.helm.sh/release-namespace"],
		Name:      cluster.GetAnnotations()["meta.helm.sh/release-name"],
	}}
	if b.key.Name == "" {
		return nil, fmt.Errorf("the Cluster %s/%s was not made by Helm: only clusters made from charts/cluster can be taken over", namespace, name)
	}
	records, err := records(cfg, b.key.Namespace)
	if err != nil {
		return nil, err
	}
	found, err := records.Deployed(b.key.Name)
	if err != nil {
		return nil, fmt.Errorf("cannot read Helm release %s: %w", b.key, err)
	}
	release, ok := found.(*releasev1.Release)
	if !ok || release.Chart == nil || release.Chart.Metadata == nil {
		return nil, fmt.Errorf("the Helm release %s has no record this kargoctl understands", b.key)
	}
	b.release = release
	if b.schema, err = settings.ParseSchema(release.Chart.Schema); err != nil {
		return nil, fmt.Errorf("the chart of Helm release %s is no cluster chart: %w", b.key, err)
	}
	return b, nil
}

// belongsTo refuses a cluster whose identity is not the account's.
func (b *bareCluster) belongsTo(team string, account *v1alpha1.Account) error {
	identity, ok := b.release.Config["cluster"].(map[string]any)
	if !ok {
		return fmt.Errorf("the Helm release %s has no values under cluster: it was not made from the cluster chart", b.key)
	}
	var errs []error
	for _, must := range []struct{ key, be string }{
		{"team", team}, {"accountID", account.Spec.ID}, {"environment", account.Spec.Environment}, {"region", account.Spec.Region},
	} {
		if is := identity[must.key]; is != must.be {
			errs = append(errs, fmt.Errorf("cluster.%s of Helm release %s is %v, but account %s/%s says %s", must.key, b.key, is, team, account.Name, must.be))
		}
	}
	if err := b.networkFits(account); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// networkFits refuses a network outside the account's range, which KARGO could
// not keep apart from others'.
func (b *bareCluster) networkFits(account *v1alpha1.Account) error {
	network, _ := b.effective(b.release.Config)["network"].(map[string]any)
	if vpc, ok := network["vpc"].(map[string]any); ok && vpc["id"] != nil {
		return nil
	}
	text, _ := network["cidr"].(string)
	is, err := netip.ParsePrefix(text)
	if err != nil {
		return fmt.Errorf("network.cidr of Helm release %s: %w", b.key, err)
	}
	pool, err := netip.ParsePrefix(account.Spec.Network.CIDR)
	if err != nil {
		return fmt.Errorf("network.cidr of account %s: %w", account.Name, err)
	}
	if !pool.Contains(is.Addr()) || is.Bits() < pool.Bits() {
		return fmt.Errorf("network %s of the cluster is not inside %s, the range of account %s", is, pool, account.Name)
	}
	return nil
}

// workloadCluster turns the release's values into a cluster of KARGO's: what
// the schema marks read-only is KARGO's own or has its place in the spec.
func (o *AdoptOptions) workloadCluster(b *bareCluster) (*v1alpha1.WorkloadCluster, error) {
	own := settings.Normalize(b.release.Config)
	all := b.effective(b.release.Config)
	for field := range b.schema.Fields() {
		if field.ReadOnly {
			removeAll(own, settings.Split(field.Path))
		}
	}
	w := o.cluster()
	w.Annotations = map[string]string{v1alpha1.AnnotationAdopt: "true", annotationRelease: b.key.String()}
	w.Spec.KubernetesVersion, _ = all["kubernetesVersion"].(string)
	if protected, ok := all["deletionProtection"].(bool); ok {
		w.Spec.DeletionProtection = &protected
	}
	if len(own) > 0 {
		raw, err := json.Marshal(own)
		if err != nil {
			return nil, fmt.Errorf("cannot read the values of Helm release %s: %w", b.key, err)
		}
		w.Spec.Settings = &apiextensionsv1.JSON{Raw: raw}
	}
	return w, nil
}

// withIdentity adds to the fleet's values what the manager sets itself. The
// network stays where it is.
func (b *bareCluster) withIdentity(values map[string]any, w *v1alpha1.WorkloadCluster, team *v1alpha1.Team, account *v1alpha1.Account) map[string]any {
	own := map[string]any{
		"cluster": map[string]any{
			"name": w.Name, "team": team.Name, "accountID": account.Spec.ID,
			"environment": account.Spec.Environment, "region": account.Spec.Region,
		},
		"kubernetesVersion":  w.Spec.KubernetesVersion,
		"deletionProtection": w.Protected(),
		"accessEntries": map[string]any{
			"administrators": map[string]any{"role": team.Spec.Roles.Administrator, "policy": "AmazonEKSClusterAdminPolicy"},
			"viewers":        map[string]any{"role": team.Spec.Roles.Viewer, "policy": "AmazonEKSViewPolicy", "kubernetesGroups": []any{delivery.Viewers}},
		},
	}
	if network, ok := b.effective(b.release.Config)["network"].(map[string]any); ok {
		own["network"] = map[string]any{"cidr": network["cidr"]}
	}
	return settings.Merge(settings.Layer{Values: values}, settings.Layer{Values: own}).Map()
}

// effective are values over the defaults of the release's chart.
func (b *bareCluster) effective(values map[string]any) map[string]any {
	merged, err := util.CoalesceValues(b.release.Chart, maps.Clone(values))
	if err != nil {
		return values // a chart without dependencies has nothing that fails
	}
	return common.Values(merged).AsMap()
}

// removeAll takes a setting off a tree; Placeholder stands for every key.
func removeAll(tree map[string]any, path []string) {
	if len(path) == 0 {
		return
	}
	if path[0] != settings.Placeholder {
		if len(path) == 1 {
			delete(tree, path[0])
		} else if below, ok := tree[path[0]].(map[string]any); ok {
			removeAll(below, path[1:])
			if len(below) == 0 {
				delete(tree, path[0])
			}
		}
		return
	}
	for key := range tree {
		removeAll(tree, append([]string{key}, path[1:]...))
	}
}

// records are the releases Helm keeps in a namespace.
func records(cfg *rest.Config, namespace string) (*storage.Storage, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.Timeout = command.RequestTimeout
	set, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot make a client for Helm's records: %w", err)
	}
	return storage.Init(driver.NewSecrets(set.CoreV1().Secrets(namespace))), nil
}

// removeRelease removes all revisions of a release and says how many. Nothing
// else of the release is touched; one that is gone already is no error.
func removeRelease(cfg *rest.Config, namespace, name string) (int, error) {
	records, err := records(cfg, namespace)
	if err != nil {
		return 0, err
	}
	history, err := records.History(name)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cannot read the history of Helm release %s/%s: %w", namespace, name, err)
	}
	for _, r := range history {
		release, ok := r.(*releasev1.Release)
		if !ok {
			return 0, fmt.Errorf("the Helm release %s/%s has a record this kargoctl does not understand", namespace, name)
		}
		if _, err := records.Delete(name, release.Version); err != nil && !errors.Is(err, driver.ErrReleaseNotFound) {
			return 0, fmt.Errorf("cannot remove revision %d of Helm release %s/%s: %w", release.Version, namespace, name, err)
		}
	}
	return len(history), nil
}
