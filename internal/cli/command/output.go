package command

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
)

// Formats of a table, besides those that print the objects themselves.
const (
	FormatTable = "table"
	FormatWide  = "wide"
)

// Output is the flag -o: a table, or the objects as kubectl prints them.
type Output struct {
	flags *genericclioptions.PrintFlags
	human []string
}

// NewOutput allows the formats of objects (json, yaml, name, jsonpath, ...), and
// the given ones made for people, which the command prints itself.
func NewOutput(human ...string) *Output {
	return &Output{flags: genericclioptions.NewPrintFlags(""), human: human}
}

// AddFlags adds -o and what goes with it.
func (o *Output) AddFlags(cmd *cobra.Command) {
	formats := append(slices.Clone(o.human), "json", "yaml", "name", "jsonpath=...", "go-template=...")
	cmd.Flags().StringVarP(o.flags.OutputFormat, "output", "o", "", "output format, one of: "+strings.Join(formats, ", "))
	o.flags.OutputFlagSpecified = func() bool { return cmd.Flag("output").Changed }
	o.flags.JSONYamlPrintFlags.AddFlags(cmd)
	cmd.Flag("show-managed-fields").Hidden = true
	_ = cmd.RegisterFlagCompletionFunc("output",
		cobra.FixedCompletions(append(slices.Clone(o.human), "json", "yaml", "name"), cobra.ShellCompDirectiveNoFileComp))
}

// Format is what -o said, "" by default.
func (o *Output) Format() string { return *o.flags.OutputFormat }

// Human says that the command prints for people: no format or one of its own.
func (o *Output) Human() bool {
	return o.Format() == "" || slices.Contains(o.human, o.Format())
}

// Validate refuses an unknown format before anything is done.
func (o *Output) Validate() error {
	if o.Human() {
		return nil
	}
	if _, err := o.flags.ToPrinter(); err != nil {
		return Usagef("%w", err)
	}
	return nil
}

// Printer prints objects in the format of -o, which is none for people.
func (o *Output) Printer(scheme *runtime.Scheme) (printers.ResourcePrinter, error) {
	p, err := o.flags.ToPrinter()
	if err != nil {
		return nil, Usagef("%w", err)
	}
	return printers.NewTypeSetter(scheme).ToPrinter(p), nil
}

// PrintObject prints one object.
func (o *Output) PrintObject(w io.Writer, scheme *runtime.Scheme, obj client.Object) error {
	p, err := o.Printer(scheme)
	if err != nil {
		return err
	}
	return printed(p.PrintObj(obj, w))
}

// PrintList prints objects as a v1 List as kubectl does; an empty one has items: [].
func (o *Output) PrintList(w io.Writer, scheme *runtime.Scheme, objs []client.Object) error {
	p, err := o.Printer(scheme)
	if err != nil {
		return err
	}
	if o.Format() == "name" {
		for _, obj := range objs {
			if err := p.PrintObj(obj, w); err != nil {
				return printed(err)
			}
		}
		return nil
	}
	list := &corev1.List{Items: make([]runtime.RawExtension, 0, len(objs))}
	for _, obj := range objs {
		if err := SetKind(scheme, obj); err != nil {
			return err
		}
		if !o.flags.JSONYamlPrintFlags.ShowManagedFields {
			obj.SetManagedFields(nil)
		}
		list.Items = append(list.Items, runtime.RawExtension{Object: obj})
	}
	return printed(p.PrintObj(list, w))
}

// SetKind fills in apiVersion and kind, which a decoded Go type has lost.
func SetKind(scheme *runtime.Scheme, obj runtime.Object) error {
	kinds, _, err := scheme.ObjectKinds(obj)
	if err != nil {
		return fmt.Errorf("cannot tell the kind of an object: %w", err)
	}
	obj.GetObjectKind().SetGroupVersionKind(kinds[0])
	return nil
}

func printed(err error) error {
	if err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	return nil
}

// Create creates an object, or only has the management cluster judge it.
func Create(ctx context.Context, c client.Client, obj client.Object, dryRun bool) error {
	var opts []client.CreateOption
	if dryRun {
		opts = append(opts, client.DryRunAll)
	}
	return c.Create(ctx, obj, opts...)
}

// Created says that an object was created, or prints the object if -o asks for it.
func (o *Output) Created(w io.Writer, scheme *runtime.Scheme, kind string, obj client.Object, dryRun bool) error {
	if !o.Human() {
		return o.PrintObject(w, scheme, obj)
	}
	Report(w, kind, obj.GetName(), "created", dryRun)
	return nil
}

// Report says what became of an object, as kubectl does:
// "workloadcluster.kargo.dev/shop-prod created".
func Report(w io.Writer, kind, name, outcome string, dryRun bool) {
	if dryRun {
		outcome += " (dry run)"
	}
	fmt.Fprintf(w, "%s.%s/%s %s\n", kind, v1alpha1.GroupVersion.Group, name, outcome)
}
