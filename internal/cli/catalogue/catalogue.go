// Package catalogue reads what the fleet repository offers, as the manager
// publishes it in the management cluster, so that bad input is refused before
// it is sent. The manager judges again.
package catalogue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/fleet"
	"kargo.dev/kargo/internal/settings"
)

// Where the manager publishes the catalogue of the fleet repository's default branch.
const (
	namespace = "kargo-system"
	name      = "fleet-catalog"
	key       = "catalog.json"
)

// DefaultBranch of the fleet repository, which the catalogue is of.
const DefaultBranch = "main"

// DefaultFlavor is the API's default.
const DefaultFlavor = "standard"

// Catalogue is what the fleet repository offers. Nil offers nothing and refuses nothing.
type Catalogue struct {
	streams *command.IOStreams
	fleet   *fleet.Catalog
	schema  *settings.Schema
}

// Load reads the catalogue. One that is not there, or may not be read, is
// warned of: the manager judges then.
func Load(ctx context.Context, c client.Reader, streams *command.IOStreams) (*Catalogue, error) {
	offer, err := Read(ctx, c)
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		fmt.Fprintf(streams.ErrOut, "Warning: the fleet's catalogue cannot be read, so the manager alone judges the input: %v\n", err)
		return nil, nil
	case err != nil:
		return nil, err
	}
	offer.streams = streams
	return offer, nil
}

// Read reads the catalogue, and warns of nothing.
func Read(ctx context.Context, c client.Reader) (*Catalogue, error) {
	cm := &corev1.ConfigMap{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, cm); err != nil {
		return nil, err
	}
	offered, err := fleet.ParseCatalog([]byte(cm.Data[key]))
	if err != nil {
		return nil, fmt.Errorf("ConfigMap %s/%s: %w", namespace, name, err)
	}
	schema, err := settings.ParseSchema(offered.Schema)
	if err != nil {
		return nil, fmt.Errorf("ConfigMap %s/%s: %w", namespace, name, err)
	}
	return &Catalogue{fleet: offered, schema: schema}, nil
}

// Flavors are the names of the flavors.
func (c *Catalogue) Flavors() []string {
	if c == nil {
		return nil
	}
	return c.fleet.FlavorNames()
}

// Environments are the names of the environments.
func (c *Catalogue) Environments() []string {
	if c == nil {
		return nil
	}
	return c.fleet.EnvironmentNames()
}

// DefaultVersion is the Kubernetes version a new cluster of a flavor gets, "" if unknown.
func (c *Catalogue) DefaultVersion(flavor string) string {
	if c == nil {
		return ""
	}
	found, _ := c.fleet.Flavor(flavor)
	return found.Kubernetes.Default
}

// ParseSet reads --set, by the types the schema wants.
func (c *Catalogue) ParseSet(expressions []string) (map[string]any, error) {
	parse := settings.ParseSet
	if c != nil {
		parse = c.schema.ParseSet
	}
	values, err := parse(expressions...)
	if err != nil {
		return nil, command.Usagef("%w", err)
	}
	return values, nil
}

// Check judges a cluster; before is what it was, nil for a new one. What did not
// change is not judged again: a Kubernetes version that is no longer tested
// must not keep a cluster from being scaled. A cluster that is not of the
// catalogue's branch is only warned about.
func (c *Catalogue) Check(before, w *v1alpha1.WorkloadCluster, account *v1alpha1.Account) error {
	if c == nil {
		return nil
	}
	own, err := ownSettings(w)
	if err != nil {
		return err
	}
	request := fleet.Request{Flavor: cmp.Or(w.Spec.Flavor, DefaultFlavor), KubernetesVersion: w.Spec.KubernetesVersion, Settings: own}
	if account != nil {
		request.Environment = account.Spec.Environment
	}
	if before != nil && before.Spec.KubernetesVersion == w.Spec.KubernetesVersion && before.Spec.Flavor == w.Spec.Flavor {
		request.KubernetesVersion = ""
	}
	problems := c.fleet.Check(request)
	if len(problems) == 0 {
		return nil
	}
	if w.Spec.Branch != DefaultBranch {
		for _, p := range problems {
			fmt.Fprintf(c.streams.ErrOut, "Warning: on branch %s this would be refused: %s\n", DefaultBranch, p)
		}
		return nil
	}
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.String()
	}
	if len(lines) == 1 {
		return errors.New(lines[0])
	}
	return fmt.Errorf("%d problems:\n  %s", len(lines), strings.Join(lines, "\n  "))
}

// Values are those the cluster chart gets for a cluster from its flavor, its
// environment and its own settings; nil if the catalogue does not know them.
func (c *Catalogue) Values(w *v1alpha1.WorkloadCluster, account *v1alpha1.Account) (map[string]any, error) {
	if c == nil {
		return nil, nil
	}
	own, err := ownSettings(w)
	if err != nil {
		return nil, err
	}
	flavor, ok := c.fleet.Flavor(w.Spec.Flavor)
	if !ok {
		return nil, nil
	}
	layers := []settings.Layer{{Values: flavor.Settings}}
	for _, e := range c.fleet.Environments {
		if e.Name == account.Spec.Environment {
			layers = append(layers, settings.Layer{Values: e.Settings})
		}
	}
	return settings.Merge(append(layers, settings.Layer{Values: own})...).Map(), nil
}

func ownSettings(w *v1alpha1.WorkloadCluster) (map[string]any, error) {
	if w.Spec.Settings == nil {
		return map[string]any{}, nil
	}
	own, err := settings.ParseJSON(w.Spec.Settings.Raw)
	if err != nil {
		return nil, fmt.Errorf("settings of cluster %s/%s: %w", w.Namespace, w.Name, err)
	}
	return own, nil
}
