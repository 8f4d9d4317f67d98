package fleet

import (
	"context"
	"encoding/json"
	"fmt"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/internal/gitrepo"
)

const (
	// CatalogName is the ConfigMap that holds the catalogue.
	CatalogName = "fleet-catalog"
	// CatalogKey is its key in the ConfigMap.
	CatalogKey = "catalog.json"
	// CommitKey holds the commit the catalogue was made of.
	CommitKey = "commit"
)

// publish writes the catalogue of the default branch into the management
// cluster, so that the CLI refuses bad input at once. The manager judges again.
// A broken commit leaves the catalogue as it was.
func (t *Tracker) publish(ctx context.Context) error {
	print, err := t.opts.Blueprints.Get(ctx, gitrepo.Ref{Branch: t.opts.Branch})
	if err != nil {
		return err
	}
	data, err := json.Marshal(print.Catalog)
	if err != nil {
		return fmt.Errorf("catalogue of commit %s: %w", print.Commit, err)
	}
	cm := corev1ac.ConfigMap(CatalogName, t.opts.Namespace).WithData(map[string]string{CatalogKey: string(data), CommitKey: print.Commit})
	if err := t.opts.Client.Apply(ctx, cm, client.FieldOwner("kargo-fleet"), client.ForceOwnership); err != nil {
		return fmt.Errorf("publish the catalogue: %w", err)
	}
	return nil
}
