package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Search says where to look for the engine's parts: in this order, each part
// in the first place that has it.
type Search struct {
	Dir    string // --engine-dir, "" if not given
	Assets string // $KUBEBUILDER_ASSETS, "" if not set
	Cache  string // $KARGO_CACHE, "" for the default; see Dir
}

// SearchFromEnv fills a Search from a flag and environment variables.
func SearchFromEnv(engineDir string, getenv func(string) string) Search {
	return Search{Dir: engineDir, Assets: getenv("KUBEBUILDER_ASSETS"), Cache: getenv("KARGO_CACHE")}
}

// Binaries are the absolute paths of the engine's programs.
type Binaries struct {
	Etcd                  string
	KubeControllerManager string
	KubeScheduler         string
	Kubectl               string
	KWOK                  string
	ClusterAPI            string
	ClusterAPIAWS         string
	SourceController      string
	KustomizeController   string
	HelmController        string
	// APIServers are the kube-apiservers by Kubernetes minor version ("1.34").
	APIServers map[string]string
	// Manifests is the folder of the files that the Manifest constants name.
	Manifests string
}

// APIServer returns the kube-apiserver of a Kubernetes minor version ("1.34").
func (b *Binaries) APIServer(minor string) (string, error) {
	path, ok := b.APIServers[minor]
	if !ok {
		return "", fmt.Errorf("no kube-apiserver for Kubernetes %s; there is %s", minor, strings.Join(b.Minors(), ", "))
	}
	return path, nil
}

// Minors returns the Kubernetes minor versions there is an API server for, ascending.
func (b *Binaries) Minors() []string {
	return slices.SortedFunc(maps.Keys(b.APIServers), compareMinors)
}

// NewestAPIServer returns the kube-apiserver of the newest minor version, the
// management cluster's.
func (b *Binaries) NewestAPIServer() string {
	minors := b.Minors()
	if len(minors) == 0 {
		return ""
	}
	return b.APIServers[minors[len(minors)-1]]
}

// Manifest returns the path of a file of the manifests folder.
func (b *Binaries) Manifest(name string) string { return filepath.Join(b.Manifests, name) }

// MissingError says which parts of the engine are not there.
type MissingError struct {
	Names []string // of programs and, as manifests/NAME, of manifests
	Dirs  []string // where was looked
}

// Error implements error.
func (e *MissingError) Error() string {
	return fmt.Sprintf("the engine lacks %s (looked in %s); run `make engine`",
		strings.Join(e.Names, ", "), strings.Join(e.Dirs, ", "))
}

// Find returns the engine, or a *MissingError.
func Find(ctx context.Context, s Search) (*Binaries, error) {
	f, err := Look(ctx, s)
	if err != nil {
		return nil, err
	}
	if missing := f.Missing(); len(missing) > 0 {
		return nil, &MissingError{Names: missing, Dirs: f.dirs}
	}
	b := &Binaries{
		Etcd:                  f.programs[Etcd],
		KubeControllerManager: f.programs[KubeControllerManager],
		KubeScheduler:         f.programs[KubeScheduler],
		Kubectl:               f.programs[Kubectl],
		KWOK:                  f.programs[KWOK],
		ClusterAPI:            f.programs[ClusterAPI],
		ClusterAPIAWS:         f.programs[ClusterAPIAWS],
		SourceController:      f.programs[SourceController],
		KustomizeController:   f.programs[KustomizeController],
		HelmController:        f.programs[HelmController],
		APIServers:            map[string]string{},
		Manifests:             f.manifests,
	}
	for name, path := range f.programs {
		if minor, ok := strings.CutPrefix(name, KubeAPIServer+"-"); ok {
			b.APIServers[minor] = path
		}
	}
	return b, nil
}

// Found is what Look found.
type Found struct {
	programs  map[string]string // path by name
	manifests string            // folder, "" if none is complete
	recipes   []Recipe
	dirs      []string
}

// Look looks for the engine's parts without insisting on all of them.
func Look(ctx context.Context, s Search) (*Found, error) {
	lock, err := ReadLock()
	if err != nil {
		return nil, err
	}
	recipes, err := Recipes(lock)
	if err != nil {
		return nil, err
	}
	cache, err := Dir(s.Cache)
	if err != nil {
		return nil, err
	}
	f := &Found{programs: map[string]string{}, recipes: recipes}
	for _, dir := range []string{s.Dir, s.Assets, cache} {
		if dir == "" {
			continue
		}
		if dir, err = filepath.Abs(dir); err != nil {
			return nil, fmt.Errorf("engine directory: %w", err)
		}
		if slices.Contains(f.dirs, dir) {
			continue
		}
		f.dirs = append(f.dirs, dir)
		if err := f.look(ctx, dir); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// Missing names what was not found: programs, and manifests as manifests/NAME.
func (f *Found) Missing() []string {
	var names []string
	for _, r := range f.recipes {
		if f.programs[r.Name] == "" {
			names = append(names, r.Name)
		}
	}
	if f.manifests == "" {
		for _, m := range Manifests() {
			names = append(names, "manifests/"+m)
		}
	}
	return names
}

func (f *Found) look(ctx context.Context, dir string) error {
	ownServer := false
	for _, r := range f.recipes {
		path := filepath.Join(dir, r.Name)
		if !executable(path) {
			continue
		}
		ownServer = ownServer || strings.HasPrefix(r.Name, KubeAPIServer+"-")
		if f.programs[r.Name] == "" {
			f.programs[r.Name] = path
		}
	}
	// A kube-apiserver without a minor version in its name, as in the folder of
	// envtest's assets, serves for the version it says.
	if plain := filepath.Join(dir, KubeAPIServer); !ownServer && executable(plain) {
		minor, err := minorOf(ctx, plain)
		if err != nil {
			return err
		}
		if name := APIServerName(minor); f.programs[name] == "" {
			f.programs[name] = plain
		}
	}
	if m := filepath.Join(dir, ManifestsDir); f.manifests == "" && complete(m) {
		f.manifests = m
	}
	return nil
}

func complete(manifests string) bool {
	return !slices.ContainsFunc(Manifests(), func(name string) bool {
		_, err := os.Stat(filepath.Join(manifests, name))
		return err != nil
	})
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// kubeVersion is the line kube-apiserver --version prints.
var kubeVersion = regexp.MustCompile(`^Kubernetes v(1\.\d+)\.`)

func minorOf(ctx context.Context, apiServer string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, apiServer, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("asking %s for its version: %w", apiServer, err)
	}
	m := kubeVersion.FindSubmatch(out)
	if m == nil {
		return "", errors.New(apiServer + " --version says " + strings.TrimSpace(string(out)) + ", which is no Kubernetes version")
	}
	return string(m[1]), nil
}

// compareMinors orders "1.9" before "1.34".
func compareMinors(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
