// Package upstream reads the manifests that the engine's modules carry.
package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Module is a module of the engine on disk.
type Module struct {
	Path    string
	Version string
	Dir     string // in the module cache, read-only
}

// Get returns a module at the version engine/go.mod asks for, downloading it if
// need be. engineDir is the folder of that go.mod.
func Get(ctx context.Context, engineDir, path string) (Module, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", path)
	cmd.Dir = engineDir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var m struct{ Path, Version, Dir, Error string }
	if jsonErr := json.Unmarshal(out, &m); jsonErr != nil {
		return Module{}, fmt.Errorf("go mod download %s: %w: %s", path, err, stderr.String())
	}
	if m.Error != "" {
		return Module{}, fmt.Errorf("go mod download %s: %s", path, m.Error)
	}
	return Module{Path: m.Path, Version: m.Version, Dir: m.Dir}, nil
}

// Kustomize builds the kustomization in a folder of a file system.
func Kustomize(fs filesys.FileSystem, dir string) (resmap.ResMap, error) {
	// Warnings about deprecated fields of other people's kustomizations go to
	// os.Stderr straight away; there is no option against it.
	devNull, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	stderr := os.Stderr
	os.Stderr = devNull
	defer func() {
		os.Stderr = stderr
		_ = devNull.Close()
	}()
	m, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fs, dir)
	if err != nil {
		return nil, fmt.Errorf("kustomize build %s: %w", dir, err)
	}
	return m, nil
}

// Select returns, as one YAML stream, the resources of the kinds, in their order.
func Select(m resmap.ResMap, kinds ...string) ([]byte, error) {
	var out bytes.Buffer
	for _, r := range m.Resources() {
		for _, kind := range kinds {
			if r.GetKind() != kind {
				continue
			}
			b, err := r.AsYAML()
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", r.GetKind(), r.GetName(), err)
			}
			if out.Len() > 0 {
				out.WriteString("---\n")
			}
			out.Write(b)
		}
	}
	return out.Bytes(), nil
}

// Copy copies a folder of the disk into a file system.
func Copy(fs filesys.FileSystem, from, to string) error {
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return fs.WriteFile(filepath.Join(to, rel), b)
	})
}
