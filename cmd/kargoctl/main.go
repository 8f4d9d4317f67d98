// Command kargoctl is the command line of KARGO.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"kargo.dev/kargo/internal/cli"
	"kargo.dev/kargo/internal/cli/command"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return cli.Main(ctx, command.SystemIO(), os.Args[1:])
}
