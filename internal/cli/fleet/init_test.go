package fleet

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/scaffold"
)

func TestInit(t *testing.T) {
	tests := map[string]struct {
		args   []string
		fails  error
		want   *scaffold.Options
		code   int
		stdout string
	}{
		"Default":   {args: []string{"dir"}, want: &scaffold.Options{Dir: "dir", Source: scaffold.SourceAuto}, stdout: "dir\n"},
		"Options":   {args: []string{"dir", "--name", "acme", "--local", "--example", "--chart-source", "go"}, want: &scaffold.Options{Dir: "dir", Name: "acme", Local: true, Example: true, Source: scaffold.SourceGo}, stdout: "dir\n"},
		"BadSource": {args: []string{"dir", "--chart-source", "ftp"}, code: command.ExitUsage},
		"NoDir":     {args: []string{}, code: command.ExitUsage},
		"Fails":     {args: []string{"dir"}, fails: errors.New("no disk space"), want: &scaffold.Options{Dir: "dir", Source: scaffold.SourceAuto}, code: command.ExitFailed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			streams, _, out, errOut := command.TestIO()
			var got *scaffold.Options
			cmd := NewCmdInit(command.New(streams, "test"), func(o *InitOptions) error {
				o.InitFleet = func(_ context.Context, so scaffold.Options) (*scaffold.Result, error) {
					got = &so
					so.Progress("fetching charts")
					return &scaffold.Result{Created: []string{"a"}}, tt.fails
				}
				return o.Run(t.Context())
			})
			cmd.SilenceErrors, cmd.SilenceUsage = true, true
			cmd.SetArgs(tt.args)
			if err := cmd.Execute(); command.ExitCode(err) != tt.code {
				t.Errorf("got %v, want exit code %d", err, tt.code)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(scaffold.Options{}, "Progress")); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
			if out.String() != tt.stdout {
				t.Errorf("stdout %q, want %q", out, tt.stdout)
			}
			if got != nil && !strings.Contains(errOut.String(), "fetching charts") {
				t.Errorf("progress belongs on stderr: %q", errOut)
			}
		})
	}
}
