package scaffold

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"kargo.dev/kargo/internal/fleet"
)

// Source is where charts come from.
type Source string

// Sources of charts.
const (
	// SourceAuto takes packaged charts where their repositories can be reached,
	// and else what lies in Go modules.
	SourceAuto Source = "auto"
	// SourceHelm takes packaged charts from Helm and OCI repositories only.
	SourceHelm Source = "helm"
	// SourceGo takes charts from Go modules only, through the module proxy.
	SourceGo Source = "go"
)

const lockHeader = `# Where the charts in this folder came from. A digest is that of a folder, as
# computed in it by: find . -type f | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum
# Documentation and tests are left out of the folders.
`

// vendor makes charts/NAME of all upstream charts, and the lock. Charts that are
// there as the lock says are left alone.
func vendor(ctx context.Context, o Options) ([]fleet.LockedChart, error) {
	repository := os.DirFS(o.Dir)
	lock, err := fleet.ReadLock(repository)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	fetch, err := o.fetcher(ctx)
	if err != nil {
		return nil, err
	}
	var charts []fleet.LockedChart
	for _, chart := range upstreams() {
		locked, ok := lock.Find(chart.name)
		if ok {
			ok, err = unchanged(repository, locked)
		}
		if err == nil && !ok {
			locked, err = chart.vendor(ctx, fetch, o)
		}
		if err != nil {
			return nil, fmt.Errorf("chart %s %s: %w", chart.name, chart.version, err)
		}
		charts = append(charts, locked)
	}
	for _, locked := range lock.Charts { // those that a fleet added by itself
		if !isUpstream(locked.Name) {
			charts = append(charts, locked)
		}
	}
	return charts, writeLock(o.Dir, lock, charts)
}

func isUpstream(name string) bool {
	for _, chart := range upstreams() {
		if chart.name == name {
			return true
		}
	}
	return false
}

// unchanged says whether a chart lies where it should. One that somebody changed
// is an error: it is neither kept silently nor overwritten.
func unchanged(repository fs.FS, locked fleet.LockedChart) (bool, error) {
	folder := "charts/" + locked.Name
	if _, err := fs.Stat(repository, folder); err != nil {
		return false, nil //nolint:nilerr // it is fetched, and an error shows then
	}
	files, err := fs.Sub(repository, folder)
	if err != nil {
		return false, err
	}
	digest, err := fleet.Digest(files)
	if err != nil {
		return false, err
	}
	if digest != locked.Digest {
		return false, fmt.Errorf("%s was changed, its digest is %s and %s says %s: remove the folder to get it again", folder, digest, fleet.LockFile, locked.Digest)
	}
	return true, nil
}

func (u upstream) vendor(ctx context.Context, fetch fetcher, o Options) (fleet.LockedChart, error) {
	t, origin, changes, err := fetch(ctx, u)
	if err != nil {
		return fleet.LockedChart{}, err
	}
	t.clean()
	dropped, err := t.dropMissingDependencies()
	if err != nil {
		return fleet.LockedChart{}, err
	}
	var meta struct {
		Name    string `yaml:"name"`
		Version string `yaml:"version"`
	}
	if err := yaml.Unmarshal(t["Chart.yaml"], &meta); err != nil {
		return fleet.LockedChart{}, fmt.Errorf("read Chart.yaml: %w", err)
	}
	if meta.Name != u.name || meta.Version != u.version {
		return fleet.LockedChart{}, fmt.Errorf("%s has %s %s", origin, meta.Name, meta.Version)
	}
	folder := filepath.Join(o.Dir, "charts", u.name)
	if err := t.writeTo(folder); err != nil {
		return fleet.LockedChart{}, err
	}
	digest, err := fleet.Digest(os.DirFS(folder))
	if err != nil {
		return fleet.LockedChart{}, err
	}
	o.Progress(fmt.Sprintf("chart %s %s from %s", u.name, u.version, origin))
	return fleet.LockedChart{Name: u.name, Version: u.version, Origin: origin, Digest: digest, Changes: append(changes, dropped...)}, nil
}

// writeLock writes the lock if it says anything new.
func writeLock(dir string, before fleet.Lock, charts []fleet.LockedChart) error {
	old, err := encodeLock(before)
	if err != nil {
		return err
	}
	data, err := encodeLock(fleet.Lock{Charts: charts})
	if err != nil || bytes.Equal(old, data) {
		return err
	}
	return write(filepath.Join(dir, filepath.FromSlash(fleet.LockFile)), data)
}

func encodeLock(lock fleet.Lock) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString(lockHeader)
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	err := errors.Join(encoder.Encode(lock), encoder.Close())
	return out.Bytes(), err
}
