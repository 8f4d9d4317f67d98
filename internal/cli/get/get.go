// Package get holds `kargoctl get`: clusters, accounts and teams, as tables or
// as the objects themselves.
package get

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/cli/names"
)

// Options are the inputs of `get`.
type Options struct {
	IO     *command.IOStreams
	Clock  clock.Clock
	Client func() (client.WithWatch, error)
	Output *command.Output
	// Scope is the namespace to look in, "" for all.
	Scope func() (string, error)

	Names     []string
	Selector  string
	Watch     bool
	NoHeaders bool

	kind kind
}

// NewCmdGet makes `get` with its nouns.
func NewCmdGet(f *command.Factory, runF func(*Options) error) *cobra.Command {
	get := command.NewGroup("get", "Show clusters, accounts and teams")
	get.Long = `Show clusters, accounts and teams.

Without -n, objects of all teams are shown, unless the kubeconfig's context
names a namespace. -o json and -o yaml print a Kubernetes List, or the object
itself if one name is given.`
	for _, k := range kinds() {
		get.AddCommand(newCmdKind(f, k, runF))
	}
	return get
}

func newCmdKind(f *command.Factory, k kind, runF func(*Options) error) *cobra.Command {
	opts := &Options{IO: f.IO, Clock: f.Clock, Client: f.Client, Scope: f.Scope, Output: command.NewOutput(command.FormatTable, command.FormatWide), kind: k}
	cmd := &cobra.Command{
		Use:     k.noun + " [NAME...]",
		Aliases: k.aliases,
		Short:   k.short,
		Example: fmt.Sprintf("  kargoctl get %[1]s\n  kargoctl get %[1]s -o wide\n  kargoctl get %[1]s -w\n  kargoctl get %[1]s -o json", k.noun),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Names = args
			if runF != nil {
				return runF(opts)
			}
			return opts.Run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&opts.Selector, "selector", "l", "", "labels the objects must have, such as env=prod,tier!=test")
	flags.BoolVarP(&opts.Watch, "watch", "w", false, "go on and show what changes")
	flags.BoolVar(&opts.NoHeaders, "no-headers", false, "print a table without its head")
	opts.Output.AddFlags(cmd)
	cmd.ValidArgsFunction = names.Complete(f, k.names, nil, 0)
	return cmd
}

// Run prints what there is.
func (o *Options) Run(ctx context.Context) error {
	if err := o.Output.Validate(); err != nil {
		return err
	}
	selector, err := labels.Parse(o.Selector)
	if err != nil {
		return command.Usagef("-l %s: %w", o.Selector, err)
	}
	if len(o.Names) > 0 && o.Selector != "" {
		return command.Usagef("names and -l contradict each other")
	}
	scope := ""
	if o.kind.namespaced {
		if scope, err = o.Scope(); err != nil {
			return err
		}
	}
	c, err := o.Client()
	if err != nil {
		return err
	}
	listing := []client.ListOption{client.InNamespace(scope), client.MatchingLabelsSelector{Selector: selector}}
	if o.Watch {
		return o.watch(ctx, c, listing)
	}
	objs, err := o.find(ctx, c, scope, listing)
	if err != nil {
		return err
	}
	return o.print(c.Scheme(), objs, scope)
}

// find lists the objects, sorted by namespace and name, or gets those named.
func (o *Options) find(ctx context.Context, c client.Client, scope string, opts []client.ListOption) ([]client.Object, error) {
	list := o.kind.list()
	if err := c.List(ctx, list, opts...); err != nil {
		err = fmt.Errorf("cannot list %s: %w", o.kind.noun, err)
		if apierrors.IsForbidden(err) && scope == "" && o.kind.namespaced {
			return nil, command.WithHint(err, "you may not see all teams' %s: say whose with -n TEAM", o.kind.noun)
		}
		return nil, err
	}
	all, err := apimeta.ExtractList(list)
	if err != nil {
		return nil, fmt.Errorf("cannot read a list: %w", err)
	}
	var objs []client.Object
	var known []string
	for _, item := range all {
		if obj, ok := item.(client.Object); ok {
			known = append(known, obj.GetName())
			if len(o.Names) == 0 || slices.Contains(o.Names, obj.GetName()) {
				objs = append(objs, obj)
			}
		}
	}
	slices.SortFunc(objs, func(a, b client.Object) int {
		return strings.Compare(a.GetNamespace()+"/"+a.GetName(), b.GetNamespace()+"/"+b.GetName())
	})
	for _, name := range o.Names {
		if !slices.Contains(known, name) {
			slices.Sort(known)
			where := ""
			if scope != "" {
				where = " in team " + scope
			}
			return nil, names.Unknown(strings.TrimSuffix(o.kind.noun, "s"), name, where, slices.Compact(known))
		}
	}
	return objs, nil
}

func (o *Options) print(scheme *runtime.Scheme, objs []client.Object, scope string) error {
	switch {
	case !o.Output.Human() && len(o.Names) == 1 && len(objs) == 1:
		return o.Output.PrintObject(o.IO.Out, scheme, objs[0])
	case !o.Output.Human():
		return o.Output.PrintList(o.IO.Out, scheme, objs)
	case len(objs) == 0:
		where := ""
		if scope != "" {
			where = " in namespace " + scope
		}
		fmt.Fprintf(o.IO.ErrOut, "No %s found%s.\n", o.kind.noun, where)
		return nil
	}
	return o.tablePrinter().PrintObj(o.kind.table(objs, o.Clock.Now()), o.IO.Out)
}

func (o *Options) tablePrinter() printers.ResourcePrinter {
	return printers.NewTablePrinter(printers.PrintOptions{Wide: o.Output.Format() == command.FormatWide, NoHeaders: o.NoHeaders})
}
