// Package login holds `kargoctl token`, which kubectl calls to log in to a cluster.
package login

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientauthenticationv1 "k8s.io/client-go/pkg/apis/clientauthentication/v1"
	"k8s.io/utils/clock"

	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/eksauth"
)

// TokenOptions are the inputs of `token`.
type TokenOptions struct {
	IO    *command.IOStreams
	Clock clock.Clock
	// Presigner signs with the credentials of a role, or with the caller's own if it is "".
	Presigner func(ctx context.Context, region, roleARN string) (eksauth.Presigner, error)

	ClusterName string
	Region      string
	RoleARN     string
	Timeout     time.Duration
}

// sessionName stands in CloudTrail and in the cluster's audit log.
const sessionName = "kargoctl"

// NewCmdToken makes `token`.
func NewCmdToken(f *command.Factory, runF func(*TokenOptions) error) *cobra.Command {
	opts := &TokenOptions{IO: f.IO, Clock: f.Clock, Presigner: NewPresigner}
	cmd := &cobra.Command{
		Use:   "token --cluster-name NAME",
		Short: "Print a login token for an EKS cluster (kubectl calls this)",
		Long: `Print a login token for an EKS cluster as an ExecCredential of
client.authentication.k8s.io/v1, as kubectl wants it. The kubeconfigs that
kargoctl makes call this command. Credentials come from the AWS SDK's default
chain: environment, AWS_PROFILE, SSO, and so on.`,
		Args: command.ExactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(opts)
			}
			return opts.Run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.ClusterName, "cluster-name", "", "name of the EKS cluster")
	flags.StringVar(&opts.Region, "region", "", "AWS region of the cluster (default: that of the AWS configuration)")
	flags.StringVar(&opts.RoleARN, "role-arn", "", "IAM role to assume first")
	flags.DurationVar(&opts.Timeout, "timeout", command.RequestTimeout, "how long AWS may take")
	return cmd
}

// Run prints the token.
func (o *TokenOptions) Run(ctx context.Context) error {
	if o.ClusterName == "" {
		return command.Usagef("for which cluster? Give --cluster-name NAME")
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	presigner, err := o.Presigner(ctx, o.Region, o.RoleARN)
	if err != nil {
		return err
	}
	token, err := eksauth.New(ctx, presigner, o.ClusterName, o.Clock.Now())
	if err != nil {
		as := "with your AWS credentials"
		if o.RoleARN != "" {
			as = "as " + o.RoleARN
		}
		return command.WithHint(fmt.Errorf("cannot log in to cluster %s %s: %w", o.ClusterName, as, err),
			"check who you are with `aws sts get-caller-identity`, and whether the role trusts you")
	}
	expires := metav1.NewTime(token.Expires)
	raw, err := json.Marshal(clientauthenticationv1.ExecCredential{
		TypeMeta: metav1.TypeMeta{APIVersion: clientauthenticationv1.SchemeGroupVersion.String(), Kind: "ExecCredential"},
		Status:   &clientauthenticationv1.ExecCredentialStatus{Token: token.Value, ExpirationTimestamp: &expires},
	})
	if err != nil {
		return fmt.Errorf("cannot write the token: %w", err)
	}
	_, err = fmt.Fprintf(o.IO.Out, "%s\n", raw)
	return err
}

// NewPresigner signs with the credentials of the AWS SDK's default chain, or
// with those of a role assumed with them.
func NewPresigner(ctx context.Context, region, roleARN string) (eksauth.Presigner, error) {
	var opts []func(*config.LoadOptions) error
	if region != "" {
		opts = append(opts, config.WithRegion(region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return nil, command.WithHint(fmt.Errorf("cannot read the AWS configuration: %w", err), "see AWS_PROFILE and AWS_CONFIG_FILE")
	}
	if cfg.Region == "" {
		return nil, command.Usagef("in which region? Give --region, or set one in the AWS configuration")
	}
	if roleARN != "" {
		role := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), roleARN, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = sessionName
		})
		cfg.Credentials = aws.NewCredentialsCache(role)
	}
	return sts.NewPresignClient(sts.NewFromConfig(cfg)), nil
}
