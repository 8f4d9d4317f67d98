package platform

import (
	"context"
	"fmt"
	"strings"
	"time"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/get"
	"kargo.dev/kargo/internal/local"
	"kargo.dev/kargo/internal/local/profile"
)

// summary says what there is now and how to go on.
func (o *UpOptions) summary(ctx context.Context, p profile.Profile, took time.Duration) error {
	st, err := local.ReadStatus(ctx, p)
	if err != nil {
		return err
	}
	out := o.IO.Out
	fmt.Fprintln(out)
	clusters := get.NewCmdGet(o.Factory, nil)
	clusters.SetArgs([]string{"clusters"})
	clusters.SetOut(out)
	if err := clusters.ExecuteContext(ctx); err != nil {
		return err
	}
	a := st.Addresses
	fmt.Fprintf(out, `
The platform of profile %s is up after %s: %d processes, %s of memory together.

management cluster  export KUBECONFIG=%s
fleet repository    git clone %s
                    git -c credential.helper="store --file=%s" push
simulated AWS       %s
                    export AWS_CONFIG_FILE=%s AWS_SHARED_CREDENTIALS_FILE=%s
                    AWS_PROFILE=shop-prod aws --endpoint-url %s eks list-clusters
`, st.Profile, took.Round(time.Second), len(st.Processes), mib(st.Memory()),
		a.Kubeconfig, a.Git.URL, a.Git.Credentials, a.AWSSim, a.AWS.ConfigFile, a.AWS.CredentialsFile, a.AWSSim)
	if err := o.printSimulation(ctx, a.AWSSim); err != nil {
		return err
	}
	return o.printNext(ctx)
}

// printNext says how to go on, with a cluster there is.
func (o *UpOptions) printNext(ctx context.Context) error {
	c, err := o.Factory.Client()
	if err != nil {
		return err
	}
	var list v1alpha1.WorkloadClusterList
	if err := c.List(ctx, &list); err != nil {
		return fmt.Errorf("cannot list clusters: %w", err)
	}
	out := o.IO.Out
	fmt.Fprint(out, "\nGo on with\n  kargoctl get clusters -o wide\n")
	if len(list.Items) > 0 {
		w := list.Items[len(list.Items)-1]
		fmt.Fprintf(out, "  kargoctl describe cluster %[1]s -n %[2]s\n  kargoctl kubeconfig %[1]s -n %[2]s > %[1]s.kubeconfig\n", w.Name, w.Namespace)
	}
	fmt.Fprint(out, `  kargoctl create cluster shop-lab --team shop --account shop-lab --wait
  kargoctl status      processes, memory, addresses
  kargoctl down        stop; the data stays
`)
	return nil
}

func (o *UpOptions) printSimulation(ctx context.Context, url string) error {
	s, err := local.ReadSimulation(ctx, url)
	if err != nil {
		return err
	}
	var perAccount []string
	for _, a := range s.Accounts {
		if a.Resources > 0 {
			perAccount = append(perAccount, fmt.Sprintf("%s %d", a.Name, a.Resources))
		}
	}
	in := ""
	if len(perAccount) > 0 {
		in = " (" + strings.Join(perAccount, ", ") + ")"
	}
	fmt.Fprintf(o.IO.Out, "                    %d resources%s; %d calls crossed an account's border\n", s.Resources, in, s.Violations)
	return nil
}
