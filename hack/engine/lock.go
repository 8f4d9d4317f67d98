package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"

	"kargo.dev/kargo/internal/engine"
)

// writeLock writes internal/engine/lock.json, see engine.Lock.
func writeLock(ctx context.Context, source, file string) error {
	lock := engine.Lock{Modules: map[string]string{}}
	var err error
	if lock.Sum, err = engine.SumOf(source); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "mod", "edit", "-json")
	cmd.Dir = source
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("reading %s/go.mod: %w", source, err)
	}
	var mod struct {
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		return fmt.Errorf("reading %s/go.mod: %w", source, err)
	}
	for _, r := range mod.Require {
		if slices.Contains(engine.Modules(), r.Path) {
			lock.Modules[r.Path] = r.Version
		}
	}
	for _, m := range engine.Modules() {
		if lock.Modules[m] == "" {
			return fmt.Errorf("%s/go.mod does not require %s", source, m)
		}
	}
	b, err := json.MarshalIndent(lock, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}
