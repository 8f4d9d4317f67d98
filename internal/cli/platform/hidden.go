package platform

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/local"
	"kargo.dev/kargo/internal/local/gitserver"
)

// NewCmdSupervise makes `supervise`, which `up` starts in the background.
func NewCmdSupervise(f *command.Factory) *cobra.Command {
	return &cobra.Command{
		Use:    "supervise",
		Short:  "Run the processes of a local platform (started by up)",
		Hidden: true,
		Args:   command.ExactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := f.Profile()
			if err != nil {
				return err
			}
			// The terminal of whoever started it may go: the platform stays.
			signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			return local.Supervise(ctx, p, slog.New(slog.NewTextHandler(f.IO.ErrOut, nil)))
		},
	}
}

// NewCmdServeGit makes `serve-git`, the platform's Git server.
func NewCmdServeGit(f *command.Factory) *cobra.Command {
	var root, listen, passwordFile string
	cmd := &cobra.Command{
		Use:    "serve-git",
		Short:  "Serve bare Git repositories over HTTP (started by up)",
		Hidden: true,
		Args:   command.ExactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			credential, err := gitserver.ReadCredential(passwordFile)
			if err != nil {
				return err
			}
			h, err := gitserver.Handler(gitserver.Options{
				Root: root, Credential: credential, Logger: slog.New(slog.NewTextHandler(f.IO.ErrOut, nil)),
			})
			if err != nil {
				return err
			}
			return serve(ctx, listen, h)
		},
	}
	cmd.Flags().StringVar(&root, "root", "", "directory of the repositories")
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "address to listen on")
	cmd.Flags().StringVar(&passwordFile, "password-file", "", "file with the password for pushing")
	for _, name := range []string{"root", "password-file"} {
		_ = cmd.MarkFlagRequired(name)
	}
	return cmd
}

// serve until ctx ends; pushes under way get a moment to finish.
func serve(ctx context.Context, listen string, h http.Handler) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", listen, err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		closing, cancel := context.WithTimeout(context.Background(), 4*time.Second)
		defer cancel()
		_ = server.Shutdown(closing)
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %s: %w", listen, err)
	}
	return nil
}

// NewCmdHook makes `hook post-receive`, which Git runs after a push.
func NewCmdHook(f *command.Factory) *cobra.Command {
	cmd := &cobra.Command{Use: "hook", Short: "Hooks of the fleet repository (run by git)", Hidden: true, Args: command.ExactArgs(0)}
	var url string
	post := &cobra.Command{
		Use:   "post-receive",
		Short: "Tell KARGO's manager of a push",
		Args:  command.ExactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return gitserver.PostReceive(cmd.Context(), f.IO.In, url)
		},
	}
	post.Flags().StringVar(&url, "url", "", "where to tell")
	_ = post.MarkFlagRequired("url")
	cmd.AddCommand(post)
	return cmd
}

// NewCmds are all commands of this package.
func NewCmds(f *command.Factory) []*cobra.Command {
	return []*cobra.Command{
		NewCmdUp(f, nil), NewCmdDown(f, nil), NewCmdStatus(f, nil), NewCmdLogs(f, nil),
		NewCmdSupervise(f), NewCmdServeGit(f), NewCmdHook(f),
	}
}
