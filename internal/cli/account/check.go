package account

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spf13/cobra"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/cli/follow"
	"kargo.dev/kargo/internal/cli/names"
)

// CheckOptions are the inputs of `check account`.
type CheckOptions struct {
	IO        *command.IOStreams
	Clock     clock.Clock
	Client    func() (client.WithWatch, error)
	Namespace func() string
	Output    *command.Output

	Name    string
	Timeout time.Duration
}

// NewCmdCheck makes `check account`.
func NewCmdCheck(f *command.Factory, runF func(*CheckOptions) error) *cobra.Command {
	opts := &CheckOptions{IO: f.IO, Clock: f.Clock, Client: f.Client, Namespace: f.Namespace, Output: command.NewOutput()}
	cmd := &cobra.Command{
		Use:   "account NAME -n TEAM",
		Short: "Check whether an AWS account is ready for clusters",
		Long: `Ask AWS now whether clusters can be created in an account: whether the factory's
role leads into it and demands its external id, whether the region is enabled,
the role's permissions and the quotas suffice, and the network range is free.
What fails says how to mend it. Nothing is created in the account.

The command fails if a check does; it is still pending (exit code 3) if one could
not be made in time.`,
		Example: `  kargoctl check account shop-prod -n shop`,
		Args:    command.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Name = args[0]
			if runF != nil {
				return runF(opts)
			}
			return opts.Run(cmd.Context())
		},
	}
	cmd.Flags().DurationVar(&opts.Timeout, "timeout", time.Minute, "how long to wait for AWS's answers")
	opts.Output.AddFlags(cmd)
	cmd.ValidArgsFunction = names.Complete(f, names.Accounts, nil, 1)
	return cmd
}

// Run asks for a check, waits for its results and prints them.
func (o *CheckOptions) Run(ctx context.Context) error {
	team := o.Namespace()
	if team == "" {
		return command.Usagef("say whose account it is with -n TEAM")
	}
	if err := o.Output.Validate(); err != nil {
		return err
	}
	c, err := o.Client()
	if err != nil {
		return err
	}
	a, err := find(ctx, c, team, o.Name)
	if err != nil {
		return err
	}
	if a, err = o.check(ctx, c, a); err != nil {
		return err
	}
	if o.Output.Human() {
		err = o.print(a)
	} else {
		err = o.Output.PrintObject(o.IO.Out, c.Scheme(), a)
	}
	return errors.Join(err, verdict(a))
}

// check asks the manager to look at AWS again, and returns the account as it was then found.
func (o *CheckOptions) check(ctx context.Context, c client.WithWatch, a *v1alpha1.Account) (*v1alpha1.Account, error) {
	id := o.Clock.Now().UTC().Format(time.RFC3339Nano)
	before := a.DeepCopy()
	if a.Annotations == nil {
		a.Annotations = map[string]string{}
	}
	a.Annotations[v1alpha1.AnnotationCheck] = id
	if err := c.Patch(ctx, a, client.MergeFrom(before)); err != nil {
		return nil, fmt.Errorf("cannot ask for a check of account %s/%s: %w", a.Namespace, a.Name, err)
	}
	within, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	err := follow.Follower{
		Client: c, Clock: o.Clock, List: &v1alpha1.AccountList{},
		Options: []client.ListOption{client.InNamespace(a.Namespace), client.MatchingFields{"metadata.name": a.Name}},
		See: func(t watch.EventType, seen client.Object) (bool, error) {
			found, ok := seen.(*v1alpha1.Account)
			if t == watch.Deleted {
				return true, fmt.Errorf("account %s was deleted meanwhile", a.Name)
			}
			if !ok || found.Status.Checked != id {
				return false, nil
			}
			a = found
			return true, nil
		},
	}.Run(within)
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return nil, command.WithHint(command.Pendingf("the manager has not answered within %s", o.Timeout),
			"see whether it runs with `kargoctl status`")
	}
	return a, err
}

// checks are the conditions that a check is about, in the order of the phases, with their names in words.
func checks() []struct{ condition, words string } {
	return []struct{ condition, words string }{
		{v1alpha1.ConditionClaimed, "account is the team's own"},
		{v1alpha1.ConditionNetworkReserved, "network range is free"},
		{v1alpha1.ConditionRoleAssumable, "factory role can be assumed"},
		{v1alpha1.ConditionExternalIDDemanded, "role demands its external id"},
		{v1alpha1.ConditionRegionEnabled, "region is enabled"},
		{v1alpha1.ConditionActionsAllowed, "role may do what is needed"},
		{v1alpha1.ConditionQuotasSuffice, "quotas suffice"},
	}
}

func (o *CheckOptions) print(a *v1alpha1.Account) error {
	w := tabwriter.NewWriter(o.IO.Out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "CHECK\tRESULT\tMESSAGE")
	for _, check := range checks() {
		result, message := "unknown", "not checked yet"
		if c := apimeta.FindStatusCondition(a.Status.Conditions, check.condition); c != nil {
			message = c.Message
			switch c.Status {
			case metav1.ConditionTrue:
				result = "passed"
			case metav1.ConditionFalse:
				result = "failed"
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", check.words, result, message)
	}
	return w.Flush()
}

// verdict is an error if a check failed, and a pending one if one was not made.
func verdict(a *v1alpha1.Account) error {
	failed, unknown := 0, 0
	for _, check := range checks() {
		c := apimeta.FindStatusCondition(a.Status.Conditions, check.condition)
		switch {
		case c == nil || c.Status == metav1.ConditionUnknown:
			unknown++
		case c.Status == metav1.ConditionFalse:
			failed++
		}
	}
	switch {
	case failed > 0:
		return fmt.Errorf("account %s/%s is not ready for clusters: %d of %d checks failed", a.Namespace, a.Name, failed, len(checks()))
	case unknown > 0:
		return command.Pendingf("%d of %d checks of account %s/%s could not be made yet", unknown, len(checks()), a.Namespace, a.Name)
	}
	return nil
}
