// Package team holds kargoctl's commands about teams.
package team

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/cli/progress"
)

// CreateOptions are the inputs of `create team`.
type CreateOptions struct {
	IO     *command.IOStreams
	Clock  clock.Clock
	Client func() (client.WithWatch, error)
	Output *command.Output

	Name string
	// Owners and Viewers as group:NAME or user:NAME.
	Owners     []string
	Viewers    []string
	CostCentre string
	Products   []string
	DryRun     bool
}

// NewCmdCreate makes `create team`.
func NewCmdCreate(f *command.Factory, runF func(*CreateOptions) error) *cobra.Command {
	opts := &CreateOptions{IO: f.IO, Clock: f.Clock, Client: f.Client, Output: command.NewOutput()}
	cmd := &cobra.Command{
		Use:   "team NAME --owner group:NAME",
		Short: "Create a team",
		Long: `Create a team. Its namespace, which bears its name, holds the team's accounts and
clusters. What this command has no flag for is declared in a file: see
"kargoctl apply".`,
		Example: `  kargoctl create team shop --owner group:shop-admins --cost-centre 4711`,
		Args:    command.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Name = args[0]
			if runF != nil {
				return runF(opts)
			}
			return opts.Run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&opts.Owners, "owner", nil, "who administers the team's objects, as group:NAME or user:NAME, repeatable")
	flags.StringArrayVar(&opts.Viewers, "viewer", nil, "who sees the team's objects, as group:NAME or user:NAME, repeatable")
	flags.StringVar(&opts.CostCentre, "cost-centre", "", "cost centre the team's costs are booked on")
	flags.StringArrayVar(&opts.Products, "product", nil, "product the team builds, repeatable")
	flags.BoolVar(&opts.DryRun, "dry-run", false, "let the management cluster judge, but change nothing")
	opts.Output.AddFlags(cmd)
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	return cmd
}

var (
	nameLaw  = regexp.MustCompile(`^[a-z][a-z0-9]{1,29}$`)
	reserved = regexp.MustCompile(`^(default|kube.*|kargo.*|a[0-9]{12})$`)
)

func (o *CreateOptions) validate() error {
	switch {
	case !nameLaw.MatchString(o.Name):
		return command.Usagef("a team cannot be called %q: a name is 2 to 30 lower-case letters and digits, first a letter, without a hyphen", o.Name)
	case reserved.MatchString(o.Name):
		return command.Usagef("%q is reserved: default, kube*, kargo* and a + 12 digits are no team names", o.Name)
	case len(o.Owners) == 0:
		return command.Usagef("whose team is it? Give --owner group:NAME or --owner user:NAME")
	}
	return o.Output.Validate()
}

// Run creates the team.
func (o *CreateOptions) Run(ctx context.Context) error {
	if err := o.validate(); err != nil {
		return err
	}
	c, err := o.Client()
	if err != nil {
		return err
	}
	t, err := o.team()
	if err != nil {
		return err
	}
	err = command.Create(ctx, c, t, o.DryRun)
	if apierrors.IsAlreadyExists(err) {
		return command.WithHint(fmt.Errorf("there is a team %s already", o.Name), "see `kargoctl get team %s -o yaml`, change it with `kargoctl apply -f`", o.Name)
	}
	if err != nil {
		return fmt.Errorf("cannot create team %s: %w", o.Name, err)
	}
	if err := o.Output.Created(o.IO.Out, c.Scheme(), "team", t, o.DryRun); err != nil || o.DryRun {
		return err
	}
	judge := progress.Judge{Client: c, Clock: o.Clock, Hint: fmt.Sprintf("the team's object stays: mend the cause, or remove it with `kubectl delete team %s`", o.Name)}
	return judge.Wait(ctx, "team", &v1alpha1.TeamList{}, t, v1alpha1.ConditionReady)
}

func (o *CreateOptions) team() (*v1alpha1.Team, error) {
	owners, err := subjects("--owner", o.Owners)
	if err != nil {
		return nil, err
	}
	viewers, err := subjects("--viewer", o.Viewers)
	if err != nil {
		return nil, err
	}
	return &v1alpha1.Team{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Team"},
		ObjectMeta: metav1.ObjectMeta{Name: o.Name},
		Spec:       v1alpha1.TeamSpec{Owners: owners, Viewers: viewers, CostCentre: o.CostCentre, Products: o.Products},
	}, nil
}

// subjects reads group:NAME and user:NAME; the names may hold colons themselves.
func subjects(flag string, values []string) ([]v1alpha1.Subject, error) {
	var all []v1alpha1.Subject
	for _, value := range values {
		kind, name, _ := strings.Cut(value, ":")
		kinds := map[string]string{"group": "Group", "user": "User"}
		if kinds[kind] == "" || name == "" {
			return nil, command.Usagef("%s %q: write it as group:NAME or user:NAME", flag, value)
		}
		all = append(all, v1alpha1.Subject{Kind: kinds[kind], Name: name})
	}
	return all, nil
}
