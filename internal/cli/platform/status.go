package platform

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/local"
	"kargo.dev/kargo/internal/local/profile"
)

// StatusOptions are the inputs of `status`.
type StatusOptions struct {
	IO      *command.IOStreams
	Profile func() (profile.Profile, error)

	Output string
}

// NewCmdStatus makes `status`.
func NewCmdStatus(f *command.Factory, runF func(*StatusOptions) error) *cobra.Command {
	opts := &StatusOptions{IO: f.IO, Profile: f.Profile}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the local platform's processes and addresses",
		Long:  "Show the local platform's processes and addresses. The exit code is 1 if it does not run.",
		Args:  command.ExactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opts.Output != command.FormatTable && opts.Output != "json" {
				return command.Usagef("-o %s: want table or json", opts.Output)
			}
			if runF != nil {
				return runF(opts)
			}
			return opts.Run(cmd.Context())
		},
	}
	cmd.Flags().StringVarP(&opts.Output, "output", "o", command.FormatTable, "output format: table or json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{command.FormatTable, "json"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// statusTimeout bounds how long the supervisor may take to answer.
const statusTimeout = 10 * time.Second

// Run prints the status.
func (o *StatusOptions) Run(ctx context.Context) error {
	p, err := o.Profile()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	st, err := local.ReadStatus(ctx, p)
	if err != nil {
		return err
	}
	if err := o.print(st); err != nil {
		return err
	}
	if !st.Running {
		return command.WithHint(fmt.Errorf("the platform of profile %s does not run", p.Name), "start it with `kargoctl up`")
	}
	return nil
}

func (o *StatusOptions) print(st local.Status) error {
	if o.Output == "json" {
		enc := json.NewEncoder(o.IO.Out)
		enc.SetIndent("", "  ")
		return enc.Encode(st)
	}
	if !st.Running {
		return nil
	}
	return printTable(o.IO.Out, st)
}

func printTable(out io.Writer, st local.Status) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "PROCESS\tPID\tSTATE\tRESTARTS\tMEMORY\tLAST EXIT")
	for _, p := range st.Processes {
		pid, memory := "-", "-"
		if p.PID != 0 {
			pid, memory = strconv.Itoa(p.PID), mib(p.Memory)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", p.Name, pid, p.State, p.Restarts, memory, p.LastExit)
	}
	fmt.Fprintf(w, "all\t\t\t\t%s\t\n\n", mib(st.Memory()))
	a := st.Addresses
	for _, line := range [][2]string{
		{"profile", st.Profile}, {"kubeconfig", a.Kubeconfig},
		{"fleet repository", a.Git.URL}, {"push credential", a.Git.Credentials},
		{"simulated AWS", a.AWSSim}, {"AWS_CONFIG_FILE", a.AWS.ConfigFile}, {"AWS_SHARED_CREDENTIALS_FILE", a.AWS.CredentialsFile},
		{"hook", a.Hook},
	} {
		fmt.Fprintf(w, "%s\t%s\n", line[0], line[1])
	}
	return w.Flush()
}

func mib(b int64) string { return fmt.Sprintf("%d MiB", b>>20) }
