// Package verify checks a whole fleet repository, as its own CI should before a
// release. It renders clusters, which takes Helm; package fleet does without.
package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"kargo.dev/kargo/internal/clusterchart"
	"kargo.dev/kargo/internal/fleet"
	"kargo.dev/kargo/internal/settings"
)

// Repository checks what fleet.Load checks, that the vendored charts are those of
// the lock, and that a cluster of each flavor renders in each environment with
// each tested Kubernetes version.
func Repository(ctx context.Context, fsys fs.FS) error {
	f, err := fleet.Load(fsys)
	if err != nil {
		return err
	}
	files, err := fs.Sub(fsys, "charts/cluster")
	if err != nil {
		return err
	}
	chart, err := clusterchart.Load(files)
	if err != nil {
		return err
	}
	problems := []error{charts(fsys)}
	for _, flavor := range f.FlavorNames() {
		for _, environment := range f.EnvironmentNames() {
			for _, version := range f.Flavors[flavor].Kubernetes.Tested {
				if err := trial(ctx, f, chart, flavor, environment, version); err != nil {
					problems = append(problems, &fleet.FileError{
						File: "flavors/" + flavor + "/flavor.yaml",
						Err:  fmt.Errorf("with Kubernetes %s in environment %s: %w", version, environment, err),
					})
				}
			}
		}
	}
	return errors.Join(problems...)
}

// trial renders a cluster that does not exist.
func trial(ctx context.Context, f *fleet.Fleet, chart *clusterchart.Chart, flavor, environment, version string) error {
	layers, err := f.Layers(flavor, environment)
	if err != nil {
		return err
	}
	layers = append(layers, settings.Layer{Name: "trial", Values: map[string]any{
		"cluster": map[string]any{
			"name": "trial", "team": "trial", "accountID": "123456789012", "environment": environment, "region": "eu-central-1",
		},
		"kubernetesVersion": version,
		"accessEntries":     map[string]any{"trial": map[string]any{"role": "trial", "policy": "AmazonEKSViewPolicy"}},
	}})
	_, err = chart.Render(ctx, clusterchart.ReleaseOptions{Name: "trial"}, settings.Merge(layers...).Map())
	return err
}

// charts compares the vendored charts with the lock.
func charts(fsys fs.FS) error {
	lock, err := fleet.ReadLock(fsys)
	if err != nil {
		return &fleet.FileError{File: fleet.LockFile, Err: err}
	}
	var problems []error
	fail := func(file string, err error) { problems = append(problems, &fleet.FileError{File: file, Err: err}) }
	for _, locked := range lock.Charts {
		folder := path.Join("charts", locked.Name)
		files, err := fs.Sub(fsys, folder)
		if err != nil {
			fail(fleet.LockFile, fmt.Errorf("%s: %w", locked.Name, err))
			continue
		}
		if digest, err := fleet.Digest(files); err != nil {
			fail(folder, err)
		} else if digest != locked.Digest {
			fail(folder, fmt.Errorf("it is not what %s says: digest %s, want %s", fleet.LockFile, digest, locked.Digest))
		}
	}
	return errors.Join(problems...)
}
