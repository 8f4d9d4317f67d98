// Package cli is kargoctl: all commands, put together, and how they end.
package cli

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"kargo.dev/kargo/internal/cli/account"
	"kargo.dev/kargo/internal/cli/apply"
	"kargo.dev/kargo/internal/cli/cluster"
	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/cli/fleet"
	"kargo.dev/kargo/internal/cli/get"
	"kargo.dev/kargo/internal/cli/login"
	"kargo.dev/kargo/internal/cli/platform"
	"kargo.dev/kargo/internal/cli/team"
)

// Groups of commands in the help of kargoctl.
const (
	groupFleet    = "fleet"
	groupAccess   = "access"
	groupPlatform = "platform"
)

//go:generate go run kargo.dev/kargo/hack/clidocs ../../docs/reference/kargoctl.md

// NewCmdRoot makes kargoctl.
func NewCmdRoot(f *command.Factory) *cobra.Command {
	root := command.NewGroup("kargoctl", "Create, change and watch clusters of the KARGO platform")
	root.Long = `kargoctl creates, changes and watches Kubernetes clusters in the AWS accounts of
teams. It talks to KARGO's management cluster: that of the local platform
("kargoctl up"), which it finds by itself, or any other that --kubeconfig names.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 differences or still pending.`
	root.Version = f.Version
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetIn(f.IO.In)
	root.SetOut(f.IO.Out)
	root.SetErr(f.IO.ErrOut)
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return command.WithHint(command.Usagef("%w", err), "see `%s --help`", cmd.CommandPath())
	})
	f.AddGlobalFlags(root.PersistentFlags())
	root.AddGroup(
		&cobra.Group{ID: groupFleet, Title: "Teams, accounts and clusters:"},
		&cobra.Group{ID: groupAccess, Title: "Access to clusters:"},
		&cobra.Group{ID: groupPlatform, Title: "The platform:"},
	)
	add(root, groupFleet,
		command.NewGroup("create", "Create clusters, accounts and teams",
			cluster.NewCmdCreate(f, nil), account.NewCmdCreate(f, nil), team.NewCmdCreate(f, nil)),
		get.NewCmdGet(f, nil),
		command.NewGroup("describe", "Show one object in detail, problems first", cluster.NewCmdDescribe(f, nil)),
		command.NewGroup("check", "Check whether something is ready for what is wanted of it", account.NewCmdCheck(f, nil)),
		command.NewGroup("wait", "Wait until objects reach a state", cluster.NewCmdWait(f, nil)),
		command.NewGroup("delete", "Delete clusters", cluster.NewCmdDelete(f, nil)),
		apply.NewCmdApply(f, nil),
		command.NewGroup("account", "Connect AWS accounts to the factory", account.NewCmdTemplate(f, nil)),
		command.NewGroup("adopt", "Take over what was made without KARGO", cluster.NewCmdAdopt(f, nil)),
	)
	add(root, groupAccess, cluster.NewCmdKubeconfig(f, nil), login.NewCmdToken(f, nil))
	add(root, groupPlatform, platform.NewCmds(f)...)
	add(root, groupPlatform, command.NewGroup("init", "Make something to start from", fleet.NewCmdInit(f, nil)))
	root.AddCommand(newCmdVersion(f))
	return root
}

func add(root *cobra.Command, group string, cmds ...*cobra.Command) {
	for _, c := range cmds {
		if !c.Hidden {
			c.GroupID = group
		}
		root.AddCommand(c)
	}
}

func newCmdVersion(f *command.Factory) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of kargoctl",
		Args:  command.ExactArgs(0),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(f.IO.Out, f.Version)
			return err
		},
	}
}

// Main runs kargoctl and returns its exit code.
func Main(ctx context.Context, streams *command.IOStreams, args []string) int {
	// Libraries log to places of their own; what matters comes back as an error.
	log.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	root := NewCmdRoot(command.New(streams, Version()))
	root.SetArgs(args)
	ran := false
	noteRun(root, &ran)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return command.ExitDone
	}
	if !ran && command.ExitCode(err) == command.ExitFailed {
		err = command.Usagef("%w", err) // Cobra found it, before any command ran
	}
	command.PrintError(streams.ErrOut, err)
	return command.ExitCode(err)
}

// noteRun makes all commands tell that they were run.
func noteRun(cmd *cobra.Command, ran *bool) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*ran = true
			return run(cmd, args)
		}
	}
	for _, c := range cmd.Commands() {
		noteRun(c, ran)
	}
}

// Version is that of the build: the module's, or the commit it was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "devel"
	}
	return info.Main.Version
}
