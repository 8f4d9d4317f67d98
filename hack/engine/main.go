// Command engine builds what is missing of the engine (see package engine)
// and tells where it lies. It runs in the project's root: `go run ./hack/engine`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"kargo.dev/kargo/internal/engine"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "engine:", err)
		}
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("engine", flag.ContinueOnError)
	flags.SetOutput(stderr)
	source := flags.String("source", "engine", "folder of the engine's Go module")
	engineDir := flags.String("engine-dir", "", "use the programs in this folder, build only what it lacks")
	printDir := flags.Bool("print-dir", false, "print the engine's directory and build nothing")
	prune := flags.Bool("prune", false, "remove the engines of other versions and build nothing")
	lock := flags.String("lock", "", "write what internal/engine must know of the module to this file and build nothing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	search := engine.SearchFromEnv(*engineDir, getenv)
	switch {
	case *lock != "":
		return writeLock(ctx, *source, *lock)
	case *printDir:
		dir, err := engine.Dir(search.Cache)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(stdout, dir)
		return err
	case *prune:
		return pruneOthers(search.Cache, stderr)
	}
	return build(ctx, search, *source, stderr)
}

func build(ctx context.Context, search engine.Search, source string, progress io.Writer) error {
	lock, err := engine.ReadLock()
	if err != nil {
		return err
	}
	if sum, err := engine.SumOf(source); err != nil {
		return err
	} else if sum != lock.Sum {
		return fmt.Errorf("%s/go.mod or go.sum has changed; run `make generate`", source)
	}
	recipes, err := engine.Recipes(lock)
	if err != nil {
		return err
	}
	dir, err := engine.Dir(search.Cache)
	if err != nil {
		return err
	}
	b := Builder{
		Dir:     dir,
		Recipes: recipes,
		Missing: func(ctx context.Context) ([]string, error) {
			found, err := engine.Look(ctx, search)
			if err != nil {
				return nil, err
			}
			return found.Missing(), nil
		},
		Compile:        compiler(source),
		WriteManifests: manifestWriter(source),
		Progress:       progress,
	}
	return b.Run(ctx)
}
