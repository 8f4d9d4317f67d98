// Command awssim simulates the AWS APIs that KARGO and Cluster API call, for all
// accounts of an organisation, with real Kubernetes API servers as EKS clusters.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"kargo.dev/kargo/awssim/app"
	"kargo.dev/kargo/internal/engine"
)

func main() {
	var o app.Options
	var engineDir string
	flag.StringVar(&o.Listen, "listen", "127.0.0.1:4566", "address of all services; keep it over restarts")
	flag.StringVar(&o.StateDir, "state-dir", "awssim-state", "directory of all state")
	flag.StringVar(&o.Config, "config", "awssim.json", "file with the accounts and their roles")
	flag.Float64Var(&o.ClockFactor, "clock-factor", 0, "0 is as fast as possible, 1 as slow as AWS")
	flag.StringVar(&o.RunnerSocket, "runner-socket", "", "socket of the supervisor that runs clusters' processes; none: awssim runs them")
	flag.StringVar(&engineDir, "engine-dir", "", "directory of the Kubernetes programs")
	flag.Parse()
	o.Engine = engine.SearchFromEnv(engineDir, os.Getenv)
	o.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := app.Run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop is called above
	}
}
