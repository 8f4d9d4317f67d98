package apply

import (
	"context"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/internal/cli/command"
)

// takeOver books what kargoctl set by `create` on its apply, as kubectl does
// with what it applied before server-side apply: so a file is the whole truth
// of what kargoctl sets. A dry run leaves it, and may show a conflict for it.
func (o *Options) takeOver(ctx context.Context, c client.Client, u *unstructured.Unstructured) error {
	patch, err := csaupgrade.UpgradeManagedFieldsPatch(u, sets.New(command.FieldManager), command.FieldManager)
	if err != nil {
		return fmt.Errorf("cannot read who set what: %w", err)
	}
	if len(patch) == 0 || o.DryRun {
		return nil
	}
	if err := c.Patch(ctx, u, client.RawPatch(types.JSONPatchType, patch)); err != nil {
		return fmt.Errorf("cannot take over what was set by create: %w", err)
	}
	return nil
}

// sameMeta says whether labels and annotations are the same.
func sameMeta(a, b *unstructured.Unstructured) bool {
	return reflect.DeepEqual(a.GetLabels(), b.GetLabels()) && reflect.DeepEqual(a.GetAnnotations(), b.GetAnnotations())
}
