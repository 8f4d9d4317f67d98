package platform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/local"
	"kargo.dev/kargo/internal/local/profile"
)

// LogsOptions are the inputs of `logs`.
type LogsOptions struct {
	IO      *command.IOStreams
	Clock   clock.WithTicker
	Profile func() (profile.Profile, error)

	Process string
	Follow  bool
}

// supervisorProcess is the name under which the supervisor's own log is asked for.
const supervisorProcess = "supervisor"

// NewCmdLogs makes `logs`.
func NewCmdLogs(f *command.Factory, runF func(*LogsOptions) error) *cobra.Command {
	opts := &LogsOptions{IO: f.IO, Clock: f.Clock, Profile: f.Profile}
	cmd := &cobra.Command{
		Use:     "logs PROCESS",
		Short:   "Print the log of one of the local platform's processes",
		Example: "  kargoctl logs kargo-manager -f",
		Args:    command.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Process = args[0]
			if runF != nil {
				return runF(opts)
			}
			return opts.Run(cmd.Context())
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			logs, err := opts.logs(cmd.Context())
			if err != nil {
				return nil, cobra.ShellCompDirectiveError
			}
			return names(logs), cobra.ShellCompDirectiveNoFileComp
		},
	}
	cmd.Flags().BoolVarP(&opts.Follow, "follow", "f", false, "go on printing what is written")
	return cmd
}

// Run prints the log.
func (o *LogsOptions) Run(ctx context.Context) error {
	logs, err := o.logs(ctx)
	if err != nil {
		return err
	}
	path, ok := logs[o.Process]
	if !ok {
		return command.Usagef("no process %q; there are %s", o.Process, strings.Join(names(logs), ", "))
	}
	return o.copy(ctx, path)
}

// logs are the log files by process. Those of a platform that is down are still there.
func (o *LogsOptions) logs(ctx context.Context) (map[string]string, error) {
	p, err := o.Profile()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	st, err := local.ReadStatus(ctx, p)
	if err != nil {
		return nil, err
	}
	logs := map[string]string{supervisorProcess: st.Supervisor.LogFile}
	for _, s := range st.Processes {
		logs[s.Name] = s.LogFile
	}
	if st.Running {
		return logs, nil
	}
	dir := filepath.Join(p.SupervisorDir(), "logs")
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if name, isLog := strings.CutSuffix(path, ".log"); err == nil && isLog && !d.IsDir() {
			if rel, err := filepath.Rel(dir, name); err == nil {
				logs[filepath.ToSlash(rel)] = path
			}
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list logs: %w", err)
	}
	return logs, nil
}

func names(logs map[string]string) []string {
	res := make([]string, 0, len(logs))
	for name := range logs {
		res = append(res, name)
	}
	slices.Sort(res)
	return res
}

// followEvery is how often a followed log is looked at.
const followEvery = 200 * time.Millisecond

// copy prints a file, and what comes to it; a log that was rotated is read from its new start.
func (o *LogsOptions) copy(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer func() { _ = f.Close() }()
	for {
		if _, err := io.Copy(o.IO.Out, f); err != nil {
			return fmt.Errorf("print the log: %w", err)
		}
		if !o.Follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-o.Clock.After(followEvery):
		}
		if rotated(f, path) {
			next, err := os.Open(path)
			if err != nil {
				continue
			}
			_, _ = io.Copy(o.IO.Out, f)
			_ = f.Close()
			f = next
		}
	}
}

func rotated(f *os.File, path string) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(path)
	return err == nil && !os.SameFile(open, now)
}
