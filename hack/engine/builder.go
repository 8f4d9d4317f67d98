package main

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

	"kargo.dev/kargo/internal/engine"
)

// Builder builds the missing parts of the engine into a directory. A part
// appears there whole or not at all, so that an interrupted build is simply
// continued by the next one.
type Builder struct {
	Dir     string
	Recipes []engine.Recipe
	// Missing names the parts that are found nowhere.
	Missing func(ctx context.Context) ([]string, error)
	// Compile builds a program into a file.
	Compile func(ctx context.Context, r engine.Recipe, file string) error
	// WriteManifests writes all manifests into an empty folder.
	WriteManifests func(ctx context.Context, dir string) error
	Progress       io.Writer
}

// bytesPerPart is what a program of the engine takes on disk at most.
const bytesPerPart = 130 << 20

// partialPrefix begins the names of unfinished parts.
const partialPrefix = ".partial-"

// Run builds what is missing, after any other builder of the same directory.
func (b *Builder) Run(ctx context.Context) error {
	missing, err := b.Missing(ctx)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		return nil
	}
	if err := os.MkdirAll(b.Dir, 0o755); err != nil {
		return fmt.Errorf("engine directory: %w; set KARGO_CACHE to another place", err)
	}
	unlock, err := exclusive(ctx, filepath.Join(b.Dir, ".lock"), func() {
		fmt.Fprintln(b.Progress, "engine: another build is under way, waiting for it")
	})
	if err != nil {
		return err
	}
	defer unlock()
	if missing, err = b.Missing(ctx); err != nil { // the other builder may have built it
		return err
	}
	return b.buildAll(ctx, missing)
}

func (b *Builder) buildAll(ctx context.Context, missing []string) error {
	if err := b.removePartials(); err != nil {
		return err
	}
	var steps []step
	for _, r := range b.Recipes {
		if slices.Contains(missing, r.Name) {
			steps = append(steps, step{name: r.Name, run: func(ctx context.Context) (int64, error) { return b.program(ctx, r) }})
		}
	}
	if len(steps) > 0 {
		if err := requireSpace(b.Dir, int64(len(steps))*bytesPerPart); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(missing, func(name string) bool { return strings.HasPrefix(name, engine.ManifestsDir+"/") }) {
		steps = append(steps, step{name: engine.ManifestsDir, run: b.manifests})
	}
	start := time.Now()
	fmt.Fprintf(b.Progress, "engine: building %d parts into %s\n", len(steps), b.Dir)
	for i, s := range steps {
		fmt.Fprintf(b.Progress, "[%2d/%d] %-26s", i+1, len(steps), s.name)
		began := time.Now()
		size, err := s.run(ctx)
		if err != nil {
			fmt.Fprintln(b.Progress)
			return fmt.Errorf("building %s: %w", s.name, err)
		}
		fmt.Fprintf(b.Progress, "%7.1fs %5d MB\n", time.Since(began).Seconds(), (size+1<<19)>>20)
	}
	if err := b.link(); err != nil {
		return err
	}
	fmt.Fprintf(b.Progress, "engine: ready after %s\n", time.Since(start).Round(time.Second))
	return nil
}

type step struct {
	name string
	run  func(ctx context.Context) (size int64, err error)
}

func (b *Builder) program(ctx context.Context, r engine.Recipe) (int64, error) {
	partial := filepath.Join(b.Dir, partialPrefix+r.Name)
	if err := b.Compile(ctx, r, partial); err != nil {
		return 0, err
	}
	info, err := os.Stat(partial)
	if err != nil {
		return 0, err
	}
	return info.Size(), os.Rename(partial, filepath.Join(b.Dir, r.Name))
}

func (b *Builder) manifests(ctx context.Context) (int64, error) {
	partial := filepath.Join(b.Dir, partialPrefix+engine.ManifestsDir)
	if err := os.Mkdir(partial, 0o755); err != nil {
		return 0, err
	}
	if err := b.WriteManifests(ctx, partial); err != nil {
		return 0, err
	}
	final := filepath.Join(b.Dir, engine.ManifestsDir)
	if err := os.RemoveAll(final); err != nil { // incomplete, else it were not missing
		return 0, err
	}
	return 0, os.Rename(partial, final)
}

// link names the newest kube-apiserver as envtest wants it: kube-apiserver.
func (b *Builder) link() error {
	minors := engine.Minors()
	newest := engine.APIServerName(minors[len(minors)-1])
	if _, err := os.Stat(filepath.Join(b.Dir, newest)); errors.Is(err, fs.ErrNotExist) {
		return nil // it is taken from elsewhere
	}
	name := filepath.Join(b.Dir, engine.KubeAPIServer)
	if target, err := os.Readlink(name); err == nil && target == newest {
		return nil
	}
	partial := filepath.Join(b.Dir, partialPrefix+engine.KubeAPIServer)
	if err := os.Symlink(newest, partial); err != nil {
		return err
	}
	return os.Rename(partial, name)
}

func (b *Builder) removePartials() error {
	entries, err := os.ReadDir(b.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), partialPrefix) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(b.Dir, e.Name())); err != nil {
			return fmt.Errorf("removing what an interrupted build left: %w", err)
		}
	}
	return nil
}

// pruneOthers removes all engines but the one of this version.
func pruneOthers(cache string, progress io.Writer) error {
	keep, err := engine.Dir(cache)
	if err != nil {
		return err
	}
	root, err := engine.Root(cache)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		dir := filepath.Join(root, e.Name())
		if !e.IsDir() || dir == keep {
			continue
		}
		fmt.Fprintln(progress, "engine: removing", dir)
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}
