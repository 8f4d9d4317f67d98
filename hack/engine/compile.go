package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"kargo.dev/kargo/internal/engine"
)

// compiler returns a Builder's Compile that runs the go command in the
// engine's module. -trimpath makes the result the same in every folder.
func compiler(source string) func(context.Context, engine.Recipe, string) error {
	return func(ctx context.Context, r engine.Recipe, file string) error {
		cmd := exec.CommandContext(ctx, "go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false",
			"-ldflags", r.LDFlags(), "-o", file, r.Package)
		cmd.Dir = source
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
		cmd.WaitDelay = 10 * time.Second
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return errors.New("interrupted; what is finished is kept, run it again to go on")
		}
		return explain(err, out.String())
	}
}

// cause of a failed build, known by what the go command prints.
type cause struct {
	sign   *regexp.Regexp
	advice string
}

func causes() []cause {
	return []cause{
		{regexp.MustCompile(`no space left on device`),
			"the disk is full: free some (compiling needs about 6 GB in `go env GOCACHE` and 4 GB in `go env GOMODCACHE`); what is finished is kept"},
		{regexp.MustCompile(`40[34] (Forbidden|Not Found)|410 Gone|unknown revision`),
			"the module proxy (`go env GOPROXY`) has not this version of a module: use another proxy, or take a neighbouring version (engine/README.md)"},
		{regexp.MustCompile(`no such host|connection refused|connection reset|i/o timeout|TLS handshake|network is unreachable|50[234] `),
			"the module proxy (`go env GOPROXY`) is out of reach: check the network and run it again; what is finished is kept"},
		{regexp.MustCompile(`checksum mismatch|SECURITY ERROR|missing go\.sum entry`),
			"a module is not the one engine/go.sum knows: do not build it; `go clean -modcache` if the cache is broken"},
		{regexp.MustCompile(`requires go >= `),
			"this Go is too old for the engine: install the version that is named, or set GOTOOLCHAIN=auto"},
		{regexp.MustCompile(`signal: killed|cannot allocate memory`),
			"the machine ran out of memory: the linker needs about 2 GB; run it again with less beside it"},
	}
}

// maxLines is how much of the go command's output is shown.
const maxLines = 25

// explain says what to do about a failed build.
func explain(err error, output string) error {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if len(lines) > maxLines {
		lines = lines[len(lines)-maxLines:]
	}
	shown := strings.Join(lines, "\n")
	for _, c := range causes() {
		if c.sign.MatchString(output) {
			return fmt.Errorf("%s\n%s (%w)", shown, c.advice, err)
		}
	}
	return fmt.Errorf("%s\n%w", shown, err)
}
