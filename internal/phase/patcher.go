package phase

import (
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Patcher writes what a reconciliation changed: the status as one patch, so that
// nobody sees Ready=True beside fields of before, and the finalizers. Each patch
// carries the resourceVersion that was read: a reconciler that worked on an old
// state, or lost its lease, fails with a conflict instead of writing.
// (fluxcd/pkg/runtime/patch writes conditions and other fields in two patches.)
type Patcher struct {
	client client.Client
	owner  client.FieldOwner
	before client.Object
}

// NewPatcher remembers the object as it was read.
func NewPatcher(c client.Client, owner string, obj client.Object) *Patcher {
	return &Patcher{client: c, owner: client.FieldOwner(owner), before: clone(obj)}
}

// Patch writes the changes since the object was read or last patched. After it
// obj has the newest resourceVersion. The status goes first: an object whose
// last finalizer is removed has none afterwards.
func (p *Patcher) Patch(ctx context.Context, obj client.Object) error {
	status := clone(obj)
	status.SetFinalizers(p.before.GetFinalizers())
	changed, err := differ(p.before, status)
	if err != nil {
		return err
	}
	if changed {
		if err := p.client.Status().Patch(ctx, status, p.since(), p.owner); err != nil {
			return fmt.Errorf("write the status of %s: %w", obj.GetName(), err)
		}
		p.before = status
	}
	if !slices.Equal(p.before.GetFinalizers(), obj.GetFinalizers()) {
		meta := clone(p.before)
		meta.SetFinalizers(obj.GetFinalizers())
		if err := p.client.Patch(ctx, meta, p.since(), p.owner); err != nil {
			return fmt.Errorf("write the finalizers of %s: %w", obj.GetName(), err)
		}
		p.before = meta
	}
	obj.SetResourceVersion(p.before.GetResourceVersion())
	return nil
}

// since is a patch against the object as it was, refused if it changed meanwhile.
func (p *Patcher) since() client.Patch {
	return client.MergeFromWithOptions(clone(p.before), client.MergeFromWithOptimisticLock{})
}

func differ(before, after client.Object) (bool, error) {
	data, err := client.MergeFrom(before).Data(after)
	return string(data) != "{}", err
}

func clone(obj client.Object) client.Object { return obj.DeepCopyObject().(client.Object) }
