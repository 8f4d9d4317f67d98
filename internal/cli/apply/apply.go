// Package apply holds `kargoctl apply`: teams, accounts and clusters from files.
package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/catalogue"
	"kargo.dev/kargo/internal/cli/change"
	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/cli/progress"
)

// Options are the inputs of `apply`.
type Options struct {
	IO        *command.IOStreams
	Clock     clock.WithTicker
	Client    func() (client.WithWatch, error)
	Namespace func() string

	Filenames      []string
	ForceConflicts bool
	DryRun         bool
	Wait           bool
	Timeout        time.Duration
}

// defaultTimeout is the same as that of `create cluster`.
const defaultTimeout = 30 * time.Minute

// NewCmdApply makes `apply`.
func NewCmdApply(f *command.Factory, runF func(*Options) error) *cobra.Command {
	opts := &Options{IO: f.IO, Clock: f.Clock, Client: f.Client, Namespace: f.Namespace}
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Create or change teams, accounts and clusters from files",
		Long: `Create or change teams, accounts and clusters as files say. Server-side apply is
used: what an earlier apply or create set, and the file does not say any more,
is taken back; what others set stays.`,
		Example: `  kargoctl apply -f management/
  kargoctl get cluster shop-prod -n shop -o yaml | kargoctl apply -f - --dry-run`,
		Args: command.ExactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(opts)
			}
			return opts.Run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&opts.Filenames, "filename", "f", nil, "file or folder to apply, - for stdin, repeatable")
	flags.BoolVar(&opts.ForceConflicts, "force-conflicts", false, "take over fields that others set to another value")
	flags.BoolVar(&opts.DryRun, "dry-run", false, "let the management cluster judge and show what would change, but change nothing")
	flags.BoolVar(&opts.Wait, "wait", false, "wait until all clusters in the files are ready")
	flags.DurationVar(&opts.Timeout, "timeout", defaultTimeout, "how long --wait waits; then the exit code is 3")
	return cmd
}

// Run applies the files.
func (o *Options) Run(ctx context.Context) error {
	switch {
	case len(o.Filenames) == 0:
		return command.Usagef("what should be applied? Give -f FILE")
	case o.Timeout <= 0:
		return command.Usagef("--timeout %s is no time", o.Timeout)
	}
	docs, err := o.read()
	if err != nil {
		return err
	}
	c, err := o.Client()
	if err != nil {
		return err
	}
	fleet, err := catalogue.Load(ctx, c, o.IO)
	if err != nil {
		return err
	}
	if err := check(ctx, c, fleet, docs); err != nil {
		return err
	}
	var applied []*unstructured.Unstructured
	for _, d := range docs {
		u, err := o.one(ctx, c, d, docs)
		if err != nil {
			return err
		}
		applied = append(applied, u)
		if u.GetKind() == "Team" && !o.DryRun {
			// Its namespace must be there before what lives in it.
			if err := o.verdicts(ctx, c, []*unstructured.Unstructured{u}); err != nil {
				return err
			}
		}
	}
	if o.DryRun {
		return nil
	}
	if err := o.verdicts(ctx, c, applied); err != nil || !o.Wait {
		return err
	}
	return o.wait(ctx, c, applied)
}

// check judges all clusters before the first object is written.
func check(ctx context.Context, c client.Client, fleet *catalogue.Catalogue, docs []document) error {
	var errs []error
	for _, d := range docs {
		if d.object.GetKind() != "WorkloadCluster" {
			continue
		}
		w := &v1alpha1.WorkloadCluster{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(d.object.Object, w); err != nil {
			return command.Usagef("%s: %w", d.source, err)
		}
		before := &v1alpha1.WorkloadCluster{}
		err := c.Get(ctx, client.ObjectKeyFromObject(w), before)
		if apierrors.IsNotFound(err) {
			before = nil
		} else if err != nil {
			return fmt.Errorf("%s: WorkloadCluster %s: %w", d.source, client.ObjectKeyFromObject(w), err)
		}
		if err := fleet.Check(before, w, nil); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", d.source, err))
		}
	}
	return errors.Join(errs...)
}

// comes says whether a team is among the documents.
func comes(docs []document, team string) bool {
	return slices.ContainsFunc(docs, func(d document) bool { return d.object.GetKind() == "Team" && d.object.GetName() == team })
}

// one applies one object and says what became of it.
func (o *Options) one(ctx context.Context, c client.Client, d document, docs []document) (*unstructured.Unstructured, error) {
	u := d.object.DeepCopy()
	what := fmt.Sprintf("%s: %s", d.source, title(u))
	before := &unstructured.Unstructured{}
	before.SetGroupVersionKind(u.GroupVersionKind())
	err := c.Get(ctx, client.ObjectKeyFromObject(u), before)
	exists := err == nil
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if exists {
		if err := command.RefuseDeclared(before, strings.ToLower(u.GetKind())); err != nil {
			return nil, err
		}
		if err := o.takeOver(ctx, c, before); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
	}
	opts := []client.ApplyOption{client.FieldOwner(command.FieldManager)}
	if o.DryRun {
		opts = append(opts, client.DryRunAll)
	}
	if o.ForceConflicts {
		opts = append(opts, client.ForceOwnership)
	}
	err = c.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), opts...)
	if o.DryRun && apierrors.IsNotFound(err) && comes(docs, u.GetNamespace()) {
		fmt.Fprintf(o.IO.ErrOut, "%s is not judged: its namespace comes with the team\n", what)
		command.Report(o.IO.Out, strings.ToLower(u.GetKind()), u.GetName(), "created", true)
		return u, nil
	}
	if apierrors.IsConflict(err) {
		return nil, command.WithHint(fmt.Errorf("%s: %w", what, err), "somebody else set this; --force-conflicts takes it over")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return u, o.report(before, u, exists)
}

// title is "WorkloadCluster shop/shop-prod".
func title(u *unstructured.Unstructured) string {
	return u.GetKind() + " " + strings.TrimPrefix(client.ObjectKeyFromObject(u).String(), "/")
}

func (o *Options) report(before, after *unstructured.Unstructured, existed bool) error {
	outcome := "created"
	if existed {
		lines, err := change.Lines("spec", before.Object["spec"], after.Object["spec"])
		if err != nil {
			return err
		}
		for _, l := range lines {
			fmt.Fprintf(o.IO.ErrOut, "%s: %s\n", title(after), l)
		}
		outcome = "configured"
		if len(lines) == 0 && sameMeta(before, after) {
			outcome = "unchanged"
		}
	}
	command.Report(o.IO.Out, strings.ToLower(after.GetKind()), after.GetName(), outcome, o.DryRun)
	return nil
}

// verdicts stays to hear what the manager says of all objects, at the same time.
func (o *Options) verdicts(ctx context.Context, c client.WithWatch, objs []*unstructured.Unstructured) error {
	errs := make([]error, len(objs))
	var all sync.WaitGroup
	for i, u := range objs {
		all.Go(func() { errs[i] = o.verdict(ctx, c, u) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func (o *Options) verdict(ctx context.Context, c client.WithWatch, u *unstructured.Unstructured) error {
	judge := progress.Judge{Client: c, Clock: o.Clock}
	var obj progress.Conditioned
	var list client.ObjectList
	condition := v1alpha1.ConditionReady
	switch u.GetKind() {
	case "Team":
		obj, list = &v1alpha1.Team{}, &v1alpha1.TeamList{}
	case "Account":
		obj, list = &v1alpha1.Account{}, &v1alpha1.AccountList{}
	default:
		obj, list, condition = &v1alpha1.WorkloadCluster{}, &v1alpha1.WorkloadClusterList{}, v1alpha1.ConditionResolved
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, obj); err != nil {
		return fmt.Errorf("cannot read what was applied: %w", err)
	}
	return judge.Wait(ctx, strings.ToLower(u.GetKind()), list, obj, condition)
}

func (o *Options) wait(ctx context.Context, c client.WithWatch, objs []*unstructured.Unstructured) error {
	var keys []types.NamespacedName
	for _, u := range objs {
		if u.GetKind() == "WorkloadCluster" {
			keys = append(keys, client.ObjectKeyFromObject(u))
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return progress.Waiter{Client: c, Clock: o.Clock, IO: o.IO, Clusters: keys, Goal: progress.Ready(), Timeout: o.Timeout}.Run(ctx)
}
