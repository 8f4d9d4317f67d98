package account

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/runtime/conditions"
	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/cli/names"
	"kargo.dev/kargo/internal/factoryrole"
)

// Formats of the role, by what takes them.
const (
	formatCloudFormation = "cloudformation"
	formatTerraform      = "terraform"
	formatJSON           = "json"
)

func formats() []string { return []string{formatCloudFormation, formatTerraform, formatJSON} }

// TemplateOptions are the inputs of `account template`.
type TemplateOptions struct {
	IO        *command.IOStreams
	Client    func() (client.WithWatch, error)
	Namespace func() string

	Name   string
	Format string
}

// NewCmdTemplate makes `account template`.
func NewCmdTemplate(f *command.Factory, runF func(*TemplateOptions) error) *cobra.Command {
	opts := &TemplateOptions{IO: f.IO, Client: f.Client, Namespace: f.Namespace}
	cmd := &cobra.Command{
		Use:   "template NAME -n TEAM",
		Short: "Print the IAM role that an account has to have",
		Long: `Print the IAM role that the factory assumes in a team's AWS account, for the
team to create there: as a CloudFormation template, as Terraform, or as JSON.
It lets in nobody but the factory, with the external id issued for this account,
and may do no more than making and deleting KARGO's clusters takes; each
statement says what for. Nothing is left to fill in.`,
		Example: `  kargoctl account template shop-prod -n shop > role.yaml
  aws cloudformation deploy --template-file role.yaml --stack-name kargo-factory \
      --capabilities CAPABILITY_NAMED_IAM

  kargoctl account template shop-prod -n shop -o terraform > kargo_factory.tf

  kargoctl account template shop-prod -n shop -o json > role.json
  aws iam create-role --role-name "$(jq -r .roleName role.json)" \
      --assume-role-policy-document "$(jq -c .trust role.json)"
  for policy in $(jq -r '.policies | keys[]' role.json); do
    aws iam put-role-policy --role-name "$(jq -r .roleName role.json)" \
        --policy-name "$policy" --policy-document "$(jq -c ".policies[\"$policy\"]" role.json)"
  done`,
		Args: command.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Name = args[0]
			if runF != nil {
				return runF(opts)
			}
			return opts.Run(cmd.Context())
		},
	}
	cmd.Flags().StringVarP(&opts.Format, "output", "o", formatCloudFormation, "what to print, one of: "+strings.Join(formats(), ", "))
	command.CompleteFlag(cmd, "output", cobra.FixedCompletions(formats(), cobra.ShellCompDirectiveNoFileComp))
	cmd.ValidArgsFunction = names.Complete(f, names.Accounts, nil, 1)
	return cmd
}

// Run prints the role.
func (o *TemplateOptions) Run(ctx context.Context) error {
	team := o.Namespace()
	switch {
	case !slices.Contains(formats(), o.Format):
		return command.Usagef("-o %s is none of %s", o.Format, strings.Join(formats(), ", "))
	case team == "":
		return command.Usagef("say whose account it is with -n TEAM")
	}
	c, err := o.Client()
	if err != nil {
		return err
	}
	a, err := find(ctx, c, team, o.Name)
	if err != nil {
		return err
	}
	raw, err := o.print(a)
	if err != nil {
		return err
	}
	_, err = o.IO.Out.Write(raw)
	return err
}

func (o *TemplateOptions) print(a *v1alpha1.Account) ([]byte, error) {
	if s := a.Status; s.RoleARN == "" || s.ExternalID == "" || s.FactoryPrincipal == "" {
		err := command.Pendingf("account %s/%s has no external id yet", a.Namespace, a.Name)
		if ready := conditions.GetMessage(a, v1alpha1.ConditionReady); ready != "" {
			err = command.Pendingf("account %s/%s has no external id yet: %s", a.Namespace, a.Name, ready)
		}
		return nil, command.WithHint(err, "it gets one as soon as it is claimed: see `kargoctl get account %s -n %s -o yaml`", a.Name, a.Namespace)
	}
	role := factoryrole.Role{
		AccountID: a.Spec.ID, Region: a.Spec.Region,
		Name:      a.Status.RoleARN[strings.LastIndex(a.Status.RoleARN, "/")+1:],
		Principal: a.Status.FactoryPrincipal, ExternalID: a.Status.ExternalID,
	}
	render := map[string]func() ([]byte, error){
		formatCloudFormation: role.CloudFormation, formatTerraform: role.Terraform, formatJSON: role.JSON,
	}[o.Format]
	raw, err := render()
	if err != nil {
		return nil, fmt.Errorf("account %s/%s: %w", a.Namespace, a.Name, err)
	}
	return raw, nil
}
