package command_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/local/profile"
)

func TestPrintError(t *testing.T) {
	team := schema.GroupKind{Group: "kargo.dev", Kind: "Team"}
	tests := map[string]struct {
		err    error
		code   int
		want   []string
		reason string
	}{
		"Plain":    {errors.New("broken"), 1, []string{"Error: broken"}, "no hint is better than an empty one"},
		"Usage":    {command.Usagef("no such flag"), 2, []string{"Error: no such flag", "Hint: see --help"}, "usage has a page"},
		"Pending":  {command.Pendingf("not yet"), 3, []string{"Error: not yet"}, "scripts look at the code"},
		"WithHint": {command.WithHint(command.Pendingf("not yet"), "wait"), 3, []string{"Error: not yet", "Hint: wait"}, "a hint keeps the code"},
		"Wrapped":  {fmt.Errorf("outer: %w", command.WithHint(errors.New("inner"), "do this")), 1, []string{"Error: outer: inner", "Hint: do this"}, "a hint survives wrapping"},
		"Invalid": {
			fmt.Errorf("cannot create: %w", apierrors.NewInvalid(team, "x", field.ErrorList{field.Required(field.NewPath("spec", "owners"), "at least one")})), 1,
			[]string{`Error: Team "x" is not valid:`, "  spec.owners: Required value: at least one"}, "one line for each cause",
		},
		"Forbidden":    {apierrors.NewForbidden(schema.GroupResource{Resource: "teams"}, "x", errors.New("no")), 1, []string{"Error: ", "Hint: you may act in your own team's namespace"}, "what may be done instead"},
		"Unauthorized": {apierrors.NewUnauthorized("expired"), 1, []string{"Error: expired", "Hint: the management cluster does not know you"}, "log in again"},
		"NoServer":     {&net.OpError{Op: "dial", Err: errors.New("connection refused")}, 1, []string{"Error: dial: connection refused", "Hint: the management cluster does not answer"}, "it may not run"},
		"Slow":         {fmt.Errorf("list: %w", context.DeadlineExceeded), 1, []string{"Error: list: ", "Hint: the management cluster does not answer"}, "it may hang"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := command.ExitCode(tt.err); got != tt.code {
				t.Errorf("%s: exit code %d, want %d", tt.reason, got, tt.code)
			}
			var out strings.Builder
			command.PrintError(&out, tt.err)
			lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			if len(lines) != len(tt.want) {
				t.Fatalf("%s: %d lines, want %d:\n%s", tt.reason, len(lines), len(tt.want), out.String())
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(lines[i], want) {
					t.Errorf("%s: line %q, want %q", tt.reason, lines[i], want)
				}
			}
		})
	}
}

func writeKubeconfig(t *testing.T, path, server, namespace string) {
	t.Helper()
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: %q}}]
users: [{name: u, user: {}}]
contexts: [{name: x, context: {cluster: c, user: u, namespace: %q}}]
current-context: x
`, server, namespace)
	if err := profile.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func savePlatform(t *testing.T, name, kubeconfig string) {
	t.Helper()
	p, err := profile.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Save(&profile.Platform{Addresses: profile.Addresses{Kubeconfig: kubeconfig}}); err != nil {
		t.Fatal(err)
	}
}

// TestConfig checks which management cluster is meant.
func TestConfig(t *testing.T) {
	tests := map[string]struct {
		profiles []string
		env      string
		args     []string
		want     string
		local    bool
		fails    string
		reason   string
	}{
		"NoProfile":      {want: "https://own", reason: "production has no local platform: the user's kubeconfig"},
		"Default":        {profiles: []string{"default"}, want: "https://default", local: true, reason: "bin/kargoctl finds the running platform by itself"},
		"Named":          {profiles: []string{"default", "two"}, args: []string{"--profile", "two"}, want: "https://two", local: true, reason: "several side by side"},
		"Env":            {profiles: []string{"default", "two"}, env: "two", want: "https://two", local: true, reason: "KARGO_PROFILE is --profile"},
		"FlagOverEnv":    {profiles: []string{"one", "two"}, env: "two", args: []string{"--profile", "one"}, want: "https://one", local: true, reason: "a flag is nearer than the environment"},
		"NamedMissing":   {args: []string{"--profile", "two"}, fails: "no local platform", reason: "who names a profile means it"},
		"Kubeconfig":     {profiles: []string{"default"}, args: []string{"--kubeconfig", "other"}, want: "https://other", reason: "a file that is named wins"},
		"Context":        {profiles: []string{"default"}, args: []string{"--context", "x"}, want: "https://own", reason: "a context is one of the user's own kubeconfig"},
		"ContextProfile": {profiles: []string{"two"}, args: []string{"--context", "x", "--profile", "two"}, want: "https://two", local: true, reason: "unless a profile is named, too"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("KARGO_HOME", filepath.Join(dir, "kargo"))
			t.Setenv("KARGO_PROFILE", tt.env)
			t.Setenv("KUBECONFIG", filepath.Join(dir, "own"))
			t.Chdir(dir)
			writeKubeconfig(t, "own", "https://own", "")
			writeKubeconfig(t, "other", "https://other", "")
			for _, p := range tt.profiles {
				path := filepath.Join(dir, p+".kubeconfig")
				writeKubeconfig(t, path, "https://"+p, "")
				savePlatform(t, p, path)
			}
			f := newFactory(t, tt.args...)
			cfg, err := f.Config()
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) {
					t.Errorf("%s: error %v, want %q", tt.reason, err, tt.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if cfg.Host != tt.want {
				t.Errorf("%s: got %s, want %s", tt.reason, cfg.Host, tt.want)
			}
			if _, local := f.UsesPlatform(); local != tt.local {
				t.Errorf("%s: local platform %t, want %t", tt.reason, local, tt.local)
			}
		})
	}
}

func newFactory(t *testing.T, args ...string) *command.Factory {
	t.Helper()
	streams, _, _, _ := command.TestIO()
	f := command.New(streams, "test")
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	f.AddGlobalFlags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestScope(t *testing.T) {
	tests := map[string]struct {
		context string
		args    []string
		want    string
		code    int
		reason  string
	}{
		"All":            {"", nil, "", 0, "no namespace anywhere: all teams"},
		"Context":        {"shop", nil, "shop", 0, "the context's namespace holds, as in kubectl"},
		"ContextDefault": {"default", nil, "", 0, "no team lives in default"},
		"Flag":           {"shop", []string{"-n", "media"}, "media", 0, "-n over the context"},
		"AllFlag":        {"shop", []string{"-A"}, "", 0, "-A over the context"},
		"Both":           {"", []string{"-A", "-n", "shop"}, "", command.ExitUsage, "they contradict each other"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("KARGO_HOME", dir)
			t.Setenv("KARGO_PROFILE", "")
			t.Setenv("KUBECONFIG", filepath.Join(dir, "own"))
			writeKubeconfig(t, filepath.Join(dir, "own"), "https://own", tt.context)
			got, err := newFactory(t, tt.args...).Scope()
			if got != tt.want || command.ExitCode(err) != tt.code {
				t.Errorf("%s: got %q, %v; want %q, exit code %d", tt.reason, got, err, tt.want, tt.code)
			}
		})
	}
}

func TestRefuseDeclared(t *testing.T) {
	obj := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "x"}}
	if err := command.RefuseDeclared(obj, "cluster"); err != nil {
		t.Error(err)
	}
	obj.Labels = map[string]string{"kustomize.toolkit.fluxcd.io/name": "management"}
	if err := command.RefuseDeclared(obj, "cluster"); err == nil || !strings.Contains(err.Error(), "declared in Git") {
		t.Errorf("got %v", err)
	}
}

func TestPlatformIsBroken(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("KARGO_HOME", dir)
	t.Setenv("KARGO_PROFILE", "")
	if err := os.MkdirAll(filepath.Join(dir, "profiles", "default"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "profiles", "default", "platform.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newFactory(t).Config(); err == nil || !strings.Contains(err.Error(), "platform.json") {
		t.Errorf("a broken profile must not lead to another cluster: %v", err)
	}
}
