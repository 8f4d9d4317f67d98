package get

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/cli/follow"
)

// watch prints what there is, then a line or an object for each change, until
// interrupted.
func (o *Options) watch(ctx context.Context, c client.WithWatch, opts []client.ListOption) error {
	p, err := o.watchPrinter(c.Scheme())
	if err != nil {
		return err
	}
	var first []client.Object
	listed := false
	err = follow.Follower{
		Client: c, Clock: o.Clock, List: o.kind.list(), Options: opts,
		See: func(t watch.EventType, obj client.Object) (bool, error) {
			switch {
			case t == watch.Bookmark && !listed:
				listed = true
				return false, p(first)
			case obj == nil || len(o.Names) > 0 && !slices.Contains(o.Names, obj.GetName()):
				return false, nil
			case !listed:
				first = append(first, obj)
				return false, nil
			default:
				return false, p([]client.Object{obj})
			}
		},
		Lost: func(err error) {
			fmt.Fprintf(o.IO.ErrOut, "Warning: the management cluster does not answer, trying again: %v\n", err)
		},
	}.Run(ctx)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (o *Options) watchPrinter(scheme *runtime.Scheme) (func([]client.Object) error, error) {
	if o.Output.Human() {
		p := o.tablePrinter()                   // prints its head once
		w := printers.GetNewTabWriter(o.IO.Out) // keeps the columns where they are
		return func(objs []client.Object) error {
			if len(objs) == 0 {
				return nil
			}
			if err := p.PrintObj(o.kind.table(objs, o.Clock.Now()), w); err != nil {
				return fmt.Errorf("cannot print: %w", err)
			}
			return w.Flush()
		}, nil
	}
	p, err := o.Output.Printer(scheme)
	if err != nil {
		return nil, err
	}
	return func(objs []client.Object) error {
		for _, obj := range objs {
			if err := command.SetKind(scheme, obj); err != nil {
				return err
			}
			if err := p.PrintObj(obj, o.IO.Out); err != nil {
				return fmt.Errorf("cannot print: %w", err)
			}
		}
		return nil
	}, nil
}
