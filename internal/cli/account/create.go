// Package account holds kargoctl's commands about AWS accounts.
package account

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/cli/names"
	"kargo.dev/kargo/internal/cli/progress"
)

// CreateOptions are the inputs of `create account`.
type CreateOptions struct {
	IO     *command.IOStreams
	Clock  clock.Clock
	Client func() (client.WithWatch, error)
	Output *command.Output

	Name        string
	Team        string
	ID          string
	Environment string
	Region      string
	CIDR        string
	FactoryRole string
	DryRun      bool
}

// NewCmdCreate makes `create account`.
func NewCmdCreate(f *command.Factory, runF func(*CreateOptions) error) *cobra.Command {
	opts := &CreateOptions{IO: f.IO, Clock: f.Clock, Client: f.Client, Output: command.NewOutput()}
	cmd := &cobra.Command{
		Use:   "account NAME --team TEAM --id ID --environment ENV --region REGION --cidr CIDR",
		Short: "Create a team's AWS account",
		Long: `Enter an AWS account that exists for a team, so that clusters can be created in
it. "kargoctl account template" prints the role that the factory then needs in it.`,
		Example: `  kargoctl create account shop-prod --team shop --id 111111111111 --environment prod \
      --region eu-central-1 --cidr 10.16.0.0/16`,
		Args: command.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Name = args[0]
			if opts.Team == "" {
				opts.Team = f.Namespace()
			}
			if runF != nil {
				return runF(opts)
			}
			return opts.Run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.Team, "team", "", "team that owns the account (or -n)")
	flags.StringVar(&opts.ID, "id", "", "the account's 12-digit id")
	flags.StringVar(&opts.Environment, "environment", "", "environment the account belongs to, such as prod")
	flags.StringVar(&opts.Region, "region", "", "AWS region of the account's clusters")
	flags.StringVar(&opts.CIDR, "cidr", "", "the account's part of the company's address space, such as 10.16.0.0/16")
	flags.StringVar(&opts.FactoryRole, "factory-role", "", "name of the IAM role in the account that the factory assumes (default kargo-factory)")
	flags.BoolVar(&opts.DryRun, "dry-run", false, "let the management cluster judge, but change nothing")
	opts.Output.AddFlags(cmd)
	command.CompleteFlag(cmd, "team", names.Complete(f, names.Teams, nil, 0))
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	return cmd
}

var (
	nameLaw = regexp.MustCompile(`^[a-z][a-z0-9-]{0,38}[a-z0-9]$`)
	idLaw   = regexp.MustCompile(`^[0-9]{12}$`)
)

func (o *CreateOptions) validate() error {
	for _, f := range []struct{ flag, value string }{
		{"team", o.Team}, {"id", o.ID}, {"environment", o.Environment}, {"region", o.Region}, {"cidr", o.CIDR},
	} {
		if f.value == "" {
			return command.Usagef("--%s is missing", f.flag)
		}
	}
	cidr, err := netip.ParsePrefix(o.CIDR)
	switch {
	case !nameLaw.MatchString(o.Name):
		return command.Usagef("an account cannot be called %q: a name is 2 to 40 lower-case letters, digits and hyphens, first a letter, last no hyphen", o.Name)
	case !idLaw.MatchString(o.ID):
		return command.Usagef("--id %q is no AWS account id: 12 digits", o.ID)
	case err != nil:
		return command.Usagef("--cidr: %w", err)
	case cidr.Masked() != cidr:
		return command.Usagef("--cidr %s has host bits set: did you mean %s?", cidr, cidr.Masked())
	}
	return o.Output.Validate()
}

// Run creates the account.
func (o *CreateOptions) Run(ctx context.Context) error {
	if err := o.validate(); err != nil {
		return err
	}
	c, err := o.Client()
	if err != nil {
		return err
	}
	a := o.account()
	if err := command.Create(ctx, c, a, o.DryRun); err != nil {
		return o.createError(ctx, c, err)
	}
	if err := o.Output.Created(o.IO.Out, c.Scheme(), "account", a, o.DryRun); err != nil || o.DryRun {
		return err
	}
	judge := progress.Judge{Client: c, Clock: o.Clock, Hint: fmt.Sprintf("the account's object stays: mend the cause, or remove it with `kubectl delete account %s -n %s`", o.Name, o.Team)}
	return judge.Wait(ctx, "account", &v1alpha1.AccountList{}, a, v1alpha1.ConditionReady)
}

func (o *CreateOptions) createError(ctx context.Context, c client.Client, err error) error {
	switch {
	case apierrors.IsAlreadyExists(err):
		return command.WithHint(fmt.Errorf("team %s has an account %s already", o.Team, o.Name),
			"see `kargoctl get account %s -n %s -o yaml`, change it with `kargoctl apply -f`", o.Name, o.Team)
	case apierrors.IsNotFound(err): // of the namespace
		known, listErr := names.Teams(ctx, c, "")
		if listErr != nil {
			known = nil
		}
		return names.Unknown("team", o.Team, "", known)
	default:
		return fmt.Errorf("cannot create account %s/%s: %w", o.Team, o.Name, err)
	}
}

func (o *CreateOptions) account() *v1alpha1.Account {
	return &v1alpha1.Account{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Account"},
		ObjectMeta: metav1.ObjectMeta{Namespace: o.Team, Name: o.Name},
		Spec: v1alpha1.AccountSpec{
			ID: o.ID, Environment: o.Environment, Region: o.Region, FactoryRole: o.FactoryRole,
			Network: v1alpha1.AccountNetwork{CIDR: o.CIDR},
		},
	}
}
