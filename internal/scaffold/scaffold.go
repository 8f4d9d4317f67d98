// Package scaffold makes fleet repositories: it copies the template, puts the
// cluster chart into it, and vendors the upstream charts of the add-ons, so that
// a commit addresses all content a cluster is made of.
package scaffold

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"kargo.dev/kargo/charts"
	"kargo.dev/kargo/internal/fleet"
	"kargo.dev/kargo/internal/fleet/verify"
	"kargo.dev/kargo/template"
)

// Options of InitFleet.
type Options struct {
	// Dir becomes the fleet repository's work tree. It may not exist yet, be
	// empty but for .git, or be a fleet repository that is completed.
	Dir string
	// Name of the fleet; "fleet" if empty.
	Name string
	// Local adds overlays/local to the environments: for the local platform,
	// where nobody answers at the add-ons' webhooks.
	Local bool
	// Example adds the teams and accounts of the example.
	Example bool
	// Source of the charts; SourceAuto if empty.
	Source Source
	// Progress is told what happens, a line at a time; nil for silence.
	Progress func(line string)
}

// Result of InitFleet.
type Result struct {
	// Created are the files of the template that were written, sorted; those
	// that existed were left alone.
	Created []string
	// Charts are the vendored charts, as in charts/vendor.yaml.
	Charts []fleet.LockedChart
}

// InitFleet makes a fleet repository, or completes one: files that exist are
// left as they are. It commits nothing.
func InitFleet(ctx context.Context, o Options) (*Result, error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if err := checkDir(o.Dir); err != nil {
		return nil, err
	}
	result := &Result{}
	if err := o.copyTemplate(result); err != nil {
		return nil, err
	}
	var err error
	if result.Charts, err = vendor(ctx, o); err != nil {
		return nil, err
	}
	if err := verify.Repository(ctx, os.DirFS(o.Dir)); err != nil {
		return nil, fmt.Errorf("%s is no working fleet repository:\n%w", o.Dir, err)
	}
	return result, nil
}

// checkDir refuses a folder that is used for something else.
func checkDir(dir string) error {
	if dir == "" {
		return errors.New("no folder given for the fleet repository")
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	used := false
	for _, entry := range entries {
		if entry.Name() == "fleet.yaml" {
			return nil
		}
		used = used || entry.Name() != ".git"
	}
	if used {
		return fmt.Errorf("%s is not empty and holds no fleet.yaml: name an empty folder, or one that does not exist", dir)
	}
	return nil
}

// layer is a tree of files that is copied to a place in the repository.
type layer struct {
	files  fs.FS
	prefix string
}

func (o Options) copyTemplate(result *Result) error {
	layers := []layer{{charts.Cluster(), "charts/cluster"}, {template.Fleet(), ""}}
	if o.Example {
		layers = append([]layer{{template.Example(), ""}}, layers...) // the first that has a file wins
	}
	for _, l := range layers {
		err := fs.WalkDir(l.files, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := fs.ReadFile(l.files, name)
			if err != nil {
				return err
			}
			target := path.Join(l.prefix, name)
			created, err := create(filepath.Join(o.Dir, filepath.FromSlash(target)), o.adapt(target, data))
			if created {
				result.Created = append(result.Created, target)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("write the fleet repository: %w", err)
		}
	}
	return nil
}

// adapt fills in what the options say.
func (o Options) adapt(name string, data []byte) []byte {
	switch {
	case name == "fleet.yaml" && o.Name != "":
		return bytes.Replace(data, []byte("name: fleet\n"), []byte("name: "+o.Name+"\n"), 1)
	case o.Local && strings.HasPrefix(name, "environments/") && path.Base(name) == "kustomization.yaml":
		return bytes.Replace(data, []byte("components: []\n"), []byte("components:\n  - ../../overlays/local\n"), 1)
	}
	return data
}

// create writes a file that does not exist yet, whole or not at all.
func create(name string, data []byte) (bool, error) {
	if _, err := os.Lstat(name); err == nil {
		return false, nil
	}
	return true, write(name, data)
}

func write(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	temporary := name + ".tmp"
	if err := os.WriteFile(temporary, data, 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, name)
}
