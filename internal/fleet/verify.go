package fleet

import (
	"context"
	"fmt"
	"io/fs"
	"path"

	"kargo.dev/kargo/internal/clusterchart"
	"kargo.dev/kargo/internal/settings"
)

// Verify checks a whole fleet repository, as its own CI should before a release:
// what Load checks, that a cluster of each flavor renders in each environment
// with each tested Kubernetes version, and that the vendored charts are those
// of the lock.
func Verify(ctx context.Context, fsys fs.FS) error {
	f, err := Load(fsys)
	if err != nil {
		return err
	}
	r := &reader{fs: fsys}
	r.verifyCharts()
	files, err := fs.Sub(fsys, "charts/cluster")
	if err != nil {
		return err
	}
	chart, err := clusterchart.Load(files)
	if err != nil {
		return err
	}
	for _, flavor := range f.FlavorNames() {
		for _, environment := range f.EnvironmentNames() {
			for _, version := range f.Flavors[flavor].Kubernetes.Tested {
				if err := f.trial(ctx, chart, flavor, environment, version); err != nil {
					r.fail(flavorFile(flavor), 0, "Kubernetes %s in environment %s: %w", version, environment, err)
				}
			}
		}
	}
	return r.err()
}

// trial renders a cluster that does not exist.
func (f *Fleet) trial(ctx context.Context, chart *clusterchart.Chart, flavor, environment, version string) error {
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

func (r *reader) verifyCharts() {
	lock, err := ReadLock(r.fs)
	if err != nil {
		r.fail(LockFile, 0, "%w", err)
		return
	}
	for _, locked := range lock.Charts {
		folder := path.Join("charts", locked.Name)
		files, err := fs.Sub(r.fs, folder)
		if err != nil {
			r.fail(LockFile, 0, "%s: %w", locked.Name, err)
			continue
		}
		if digest, err := Digest(files); err != nil {
			r.fail(folder, 0, "%w", err)
		} else if digest != locked.Digest {
			r.problems = append(r.problems, &FileError{folder, 0, fmt.Errorf("it is not what %s says: digest %s, want %s", LockFile, digest, locked.Digest)})
		}
	}
}
