package cluster

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clientauthenticationv1 "k8s.io/client-go/pkg/apis/clientauthentication/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/account"
	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/cli/names"
	"kargo.dev/kargo/internal/local/profile"
)

// The roles' names of a Team that says nothing else; the API's defaults.
const (
	defaultAdministrator = "team-admin"
	defaultViewer        = "team-viewer"
)

// KubeconfigOptions are the inputs of `kubeconfig`.
type KubeconfigOptions struct {
	IO         *command.IOStreams
	Client     func() (client.WithWatch, error)
	Namespace  func() string
	Platform   func() (*profile.Platform, bool)
	Executable string

	Name  string
	Admin bool
}

// NewCmdKubeconfig makes `kubeconfig`.
func NewCmdKubeconfig(f *command.Factory, runF func(*KubeconfigOptions) error) *cobra.Command {
	opts := &KubeconfigOptions{IO: f.IO, Client: f.Client, Namespace: f.Namespace, Platform: f.UsesPlatform, Executable: f.Executable}
	cmd := &cobra.Command{
		Use:   "kubeconfig NAME",
		Short: "Print a kubeconfig for a cluster",
		Long: `Print a kubeconfig for a cluster. It holds no secret: kubectl calls kargoctl for
a token, which is made from your own AWS credentials by assuming the team's
viewer role, or its administrator role with --admin.`,
		Example: `  kargoctl kubeconfig shop-prod -n shop > shop-prod.kubeconfig
  kubectl --kubeconfig shop-prod.kubeconfig get nodes`,
		Args: command.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Name = args[0]
			if runF != nil {
				return runF(opts)
			}
			return opts.Run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&opts.Admin, "admin", false, "as administrator of the cluster, not as viewer")
	cmd.ValidArgsFunction = names.Complete(f, names.Clusters, nil, 1)
	return cmd
}

// Run prints the kubeconfig.
func (o *KubeconfigOptions) Run(ctx context.Context) error {
	c, err := o.Client()
	if err != nil {
		return err
	}
	w, err := names.Cluster(ctx, c, o.Namespace(), o.Name)
	if err != nil {
		return err
	}
	if s := w.Status; s.ControlPlane.Endpoint == "" || len(s.ControlPlane.CertificateAuthority) == 0 {
		return command.WithHint(command.Pendingf("cluster %s/%s has no endpoint yet", w.Namespace, w.Name),
			"wait for it with `kargoctl wait cluster %s -n %s --for condition=ControlPlaneReady`", w.Name, w.Namespace)
	}
	role, err := o.role(ctx, c, w)
	if err != nil {
		return err
	}
	raw, err := clientcmd.Write(o.kubeconfig(w, role))
	if err != nil {
		return fmt.Errorf("cannot write the kubeconfig: %w", err)
	}
	_, err = o.IO.Out.Write(raw)
	return err
}

// role is the name of the team's IAM role to assume.
func (o *KubeconfigOptions) role(ctx context.Context, c client.Client, w *v1alpha1.WorkloadCluster) (string, error) {
	roles := v1alpha1.TeamRoles{Administrator: defaultAdministrator, Viewer: defaultViewer}
	team := &v1alpha1.Team{}
	switch err := c.Get(ctx, client.ObjectKey{Name: w.Namespace}, team); {
	case err == nil:
		roles = team.Spec.Roles
	case apierrors.IsForbidden(err):
		fmt.Fprintf(o.IO.ErrOut, "Warning: you may not read Team %s; its roles are taken to have the usual names\n", w.Namespace)
	default:
		return "", fmt.Errorf("cannot read team %s: %w", w.Namespace, err)
	}
	if o.Admin {
		return roles.Administrator, nil
	}
	return roles.Viewer, nil
}

func (o *KubeconfigOptions) kubeconfig(w *v1alpha1.WorkloadCluster, role string) clientcmdapi.Config {
	s := w.Status
	name := w.Namespace + "/" + w.Name
	user := name + "/" + role
	return clientcmdapi.Config{
		CurrentContext: name,
		Clusters: map[string]*clientcmdapi.Cluster{
			name: {Server: s.ControlPlane.Endpoint, CertificateAuthorityData: s.ControlPlane.CertificateAuthority},
		},
		Contexts: map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: user}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{user: {Exec: &clientcmdapi.ExecConfig{
			APIVersion:      clientauthenticationv1.SchemeGroupVersion.String(),
			Command:         o.Executable,
			Args:            []string{"token", "--cluster-name", w.Name, "--region", s.Region, "--role-arn", account.RoleARN(s.AccountID, role)},
			Env:             o.env(w),
			InstallHint:     "kargoctl makes the tokens for this cluster; make the kubeconfig again where it is installed",
			InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
		}}},
	}
}

// env points the AWS SDK to the simulated AWS when the cluster is a local one.
// On AWS the user's own configuration is used.
func (o *KubeconfigOptions) env(w *v1alpha1.WorkloadCluster) []clientcmdapi.ExecEnvVar {
	platform, ok := o.Platform()
	if !ok || platform.Addresses.AWSSim == "" {
		return nil
	}
	return []clientcmdapi.ExecEnvVar{
		{Name: "AWS_ENDPOINT_URL", Value: platform.Addresses.AWSSim},
		{Name: "AWS_CONFIG_FILE", Value: platform.Addresses.AWS.ConfigFile},
		{Name: "AWS_SHARED_CREDENTIALS_FILE", Value: platform.Addresses.AWS.CredentialsFile},
		{Name: "AWS_PROFILE", Value: w.Spec.AccountRef.Name},
		{Name: "AWS_EC2_METADATA_DISABLED", Value: "true"},
	}
}
