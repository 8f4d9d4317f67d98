package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/internal/engine"
)

// bench is a Builder whose compiler writes text files.
type bench struct {
	Builder
	compiled []string
	fail     string // name of the program that fails half way
}

func newBench(dir string) *bench {
	b := &bench{}
	b.Builder = Builder{
		Dir: dir,
		Recipes: []engine.Recipe{
			{Name: "etcd"}, {Name: engine.APIServerName("1.36")}, {Name: "kwok"},
		},
		Missing: func(context.Context) ([]string, error) { return b.missing() },
		Compile: func(_ context.Context, r engine.Recipe, file string) error {
			b.compiled = append(b.compiled, r.Name)
			if err := os.WriteFile(file, []byte("half"), 0o755); err != nil {
				return err
			}
			if r.Name == b.fail {
				return errors.New("compiler was killed")
			}
			return os.WriteFile(file, []byte("whole"), 0o755)
		},
		WriteManifests: func(_ context.Context, dir string) error {
			return os.WriteFile(filepath.Join(dir, "crds.yaml"), []byte("whole"), 0o644)
		},
		Progress: io.Discard,
	}
	return b
}

func (b *bench) missing() ([]string, error) {
	var names []string
	for _, r := range b.Recipes {
		names = append(names, r.Name)
	}
	names = append(names, "manifests/crds.yaml")
	return slices.DeleteFunc(names, func(name string) bool {
		_, err := os.Stat(filepath.Join(b.Dir, name))
		return err == nil
	}), nil
}

func TestBuilderGoesOnAfterAnInterruption(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "engine")
	b := newBench(dir)
	b.fail = engine.APIServerName("1.36")
	if err := b.Run(t.Context()); err == nil || !strings.Contains(err.Error(), b.fail) {
		t.Fatalf("Run: %v, want an error that names what failed", err)
	}
	if _, err := os.Stat(filepath.Join(dir, b.fail)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a half built program is there")
	}
	b.fail, b.compiled = "", nil
	var progress bytes.Buffer
	b.Progress = &progress
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"kube-apiserver-1.36", "kwok"}, b.compiled); diff != "" {
		t.Errorf("second run compiled (-want +got):\n%s", diff)
	}
	for _, want := range []string{"building 3 parts", "[ 1/3] kube-apiserver-1.36", "[ 3/3] manifests", "ready after"} {
		if !strings.Contains(progress.String(), want) {
			t.Errorf("progress lacks %q:\n%s", want, &progress)
		}
	}
	for _, name := range []string{"etcd", "kube-apiserver-1.36", "kube-apiserver", "kwok", "manifests/crds.yaml"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != "whole" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, partialPrefix+"*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	b.compiled = nil
	if err := b.Run(t.Context()); err != nil || len(b.compiled) > 0 {
		t.Errorf("third run: %v, compiled %v; want nothing to do", err, b.compiled)
	}
}

func TestBuildersTakeTurns(t *testing.T) {
	dir := t.TempDir()
	first, second := newBench(dir), newBench(dir)
	started, proceed, waits := make(chan struct{}), make(chan struct{}), make(chan struct{})
	compile := first.Compile
	first.Compile = func(ctx context.Context, r engine.Recipe, file string) error {
		if r.Name == "etcd" {
			close(started)
			<-proceed
		}
		return compile(ctx, r, file)
	}
	second.Progress = writerFunc(func(p []byte) {
		if bytes.Contains(p, []byte("waiting")) {
			close(waits)
		}
	})
	done := make(chan error, 2)
	go func() { done <- first.Run(t.Context()) }()
	<-started
	go func() { done <- second.Run(t.Context()) }()
	<-waits
	close(proceed)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if len(second.compiled) > 0 {
		t.Errorf("the second builder compiled %v again", second.compiled)
	}
}

func TestExclusiveGivesUpWithTheContext(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lock")
	unlock, err := exclusive(t.Context(), file, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := exclusive(ctx, file, func() {}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second holder: %v, want a deadline", err)
	}
}

func TestExplain(t *testing.T) {
	cases := map[string]struct {
		output, want, reason string
	}{
		"disk":     {"link: write /x: no space left on device", "the disk is full", "names the folders that grow"},
		"proxy":    {"reading https://proxy/x/@v/v1.zip: 403 Forbidden", "another proxy", "some proxies lack versions"},
		"network":  {"dial tcp: lookup proxy: no such host", "check the network", "no connection at all"},
		"checksum": {"verifying module: checksum mismatch", "do not build it", "never work around a wrong sum"},
		"go":       {"go: go.mod requires go >= 1.27 (running go 1.26.8)", "too old", "toolchain"},
		"memory":   {"/usr/lib/go/link: signal: killed", "out of memory", "small machines"},
		"other":    {"x.go:1: syntax error", "syntax error", "shown as it is"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cause := errors.New("exit status 1")
			err := explain(cause, c.output)
			if !strings.Contains(err.Error(), c.want) || !errors.Is(err, cause) {
				t.Errorf("explain: %v, want %q (%s)", err, c.want, c.reason)
			}
		})
	}
}

func TestRequireSpace(t *testing.T) {
	if err := requireSpace(t.TempDir(), 1); err != nil {
		t.Errorf("one byte: %v", err)
	}
	if err := requireSpace(t.TempDir(), 1<<60); err == nil || !strings.Contains(err.Error(), "KARGO_CACHE") {
		t.Errorf("an exabyte: %v, want advice", err)
	}
}

func TestPruneKeepsThisEngine(t *testing.T) {
	cache := t.TempDir()
	keep, err := engine.Dir(cache)
	if err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(filepath.Dir(keep), "old")
	for _, dir := range []string{keep, old} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := pruneOthers(cache, io.Discard); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(keep); err != nil {
		t.Errorf("this engine is gone: %v", err)
	}
	if _, err := os.Stat(old); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old engine is still there")
	}
}

func TestPrintDir(t *testing.T) {
	cache := t.TempDir()
	var out bytes.Buffer
	getenv := func(name string) string { return map[string]string{"KARGO_CACHE": cache}[name] }
	if err := run(t.Context(), []string{"--print-dir"}, getenv, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	want, err := engine.Dir(cache)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(out.String()); got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}
