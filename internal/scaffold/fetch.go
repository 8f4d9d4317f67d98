package scaffold

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	"helm.sh/helm/v4/pkg/registry"
	"helm.sh/helm/v4/pkg/repo/v1"
	"sigs.k8s.io/yaml"
)

const (
	// probeTimeout is how long it may take to find out that there is no way to
	// the repositories.
	probeTimeout    = 4 * time.Second
	requestTimeout  = 60 * time.Second
	maxArchiveBytes = 20 << 20
	maxIndexBytes   = 50 << 20
)

// fetcher gets a chart as its origin has it, completed if that is a source
// tree, with its origin and what was changed.
type fetcher func(ctx context.Context, u upstream) (t tree, origin string, changes []string, err error)

func (o Options) fetcher(ctx context.Context) (fetcher, error) {
	helm := helmFetcher{client: &http.Client{Timeout: requestTimeout}}
	modules := &moduleFetcher{command: "go"}
	switch o.Source {
	case SourceHelm:
		return helm.fetch, nil
	case SourceGo:
		return modules.fetch, nil
	case SourceAuto, "":
		if err := helm.probe(ctx, upstreams()[0].repository); err != nil {
			o.Progress("chart repositories cannot be reached: charts come from Go modules")
			return modules.fetch, nil
		}
		return func(ctx context.Context, u upstream) (tree, string, []string, error) {
			t, origin, changes, err := helm.fetch(ctx, u)
			if err == nil {
				return t, origin, changes, nil
			}
			t, origin, changes, other := modules.fetch(ctx, u)
			if other != nil {
				return nil, "", nil, errors.Join(err, other)
			}
			return t, origin, changes, nil
		}, nil
	default:
		return nil, fmt.Errorf("chart source %q does not exist: there are auto, go, helm", o.Source)
	}
}

// helmFetcher gets packaged charts.
type helmFetcher struct {
	client    *http.Client
	plainHTTP bool // of OCI registries
}

func (h helmFetcher) probe(ctx context.Context, repository string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, repository+"/index.yaml", nil)
	if err != nil {
		return err
	}
	response, err := h.client.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", repository, response.Status)
	}
	return nil
}

func (h helmFetcher) fetch(ctx context.Context, u upstream) (tree, string, []string, error) {
	get := h.fromRepository
	if strings.HasPrefix(u.repository, "oci://") {
		get = h.fromRegistry
	}
	data, origin, err := get(ctx, u)
	if err != nil {
		return nil, "", nil, fmt.Errorf("get it from %s: %w", u.repository, err)
	}
	files, err := archive.LoadArchiveFiles(bytes.NewReader(data))
	if err != nil {
		return nil, "", nil, fmt.Errorf("%s: %w", origin, err)
	}
	t := tree{}
	for _, file := range files {
		t[file.Name] = file.Data
	}
	return t, origin, nil, nil
}

// fromRepository reads a Helm repository's index and gets the archive it names.
func (h helmFetcher) fromRepository(ctx context.Context, u upstream) (data []byte, origin string, err error) {
	index, err := h.get(ctx, u.repository+"/index.yaml", maxIndexBytes)
	if err != nil {
		return nil, "", err
	}
	parsed := repo.NewIndexFile()
	if err := yaml.Unmarshal(index, parsed); err != nil {
		return nil, "", err
	}
	entry, err := parsed.Get(u.name, u.version)
	if err != nil {
		return nil, "", err
	}
	if len(entry.URLs) == 0 {
		return nil, "", errors.New("the repository names no archive")
	}
	origin, err = repo.ResolveReferenceURL(u.repository, entry.URLs[0])
	if err != nil {
		return nil, "", err
	}
	if data, err = h.get(ctx, origin, maxArchiveBytes); err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(data)
	if want := strings.TrimPrefix(entry.Digest, "sha256:"); want != "" && want != hex.EncodeToString(sum[:]) {
		return nil, "", fmt.Errorf("%s is not what the index says: digest %x, want %s", origin, sum, want)
	}
	return data, origin, nil
}

func (h helmFetcher) get(ctx context.Context, url string, limit int64) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := h.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, response.Status)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", url, limit)
	}
	return data, err
}

// fromRegistry pulls a chart from an OCI registry, which addresses it by digest.
func (h helmFetcher) fromRegistry(ctx context.Context, u upstream) (data []byte, origin string, err error) {
	options := []registry.ClientOption{registry.ClientOptHTTPClient(h.client), registry.ClientOptWriter(io.Discard)}
	if h.plainHTTP {
		options = append(options, registry.ClientOptPlainHTTP())
	}
	client, err := registry.NewClient(options...)
	if err != nil {
		return nil, "", err
	}
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	ref := strings.TrimPrefix(u.repository, "oci://") + ":" + u.version
	result, err := client.Pull(ref)
	if err != nil {
		return nil, "", err
	}
	return result.Chart.Data, "oci://" + ref + "@" + result.Manifest.Digest, nil
}

// moduleFetcher gets charts out of Go modules, all modules at the first call.
type moduleFetcher struct {
	command string
	dirs    map[string]string // by MODULE@VERSION
}

func (m *moduleFetcher) fetch(ctx context.Context, u upstream) (tree, string, []string, error) {
	if m.dirs == nil {
		if err := m.download(ctx); err != nil {
			return nil, "", nil, err
		}
	}
	key := u.module + "@" + u.moduleVersion
	dir, ok := m.dirs[key]
	if !ok {
		return nil, "", nil, fmt.Errorf("module %s was not downloaded", key)
	}
	t, err := readTree(os.DirFS(filepath.Join(dir, filepath.FromSlash(u.folder))))
	if err != nil {
		return nil, "", nil, fmt.Errorf("module %s: %w", key, err)
	}
	var changes []string
	if u.complete != nil {
		changes, err = u.complete(t, func(file string) ([]byte, error) {
			return os.ReadFile(filepath.Join(dir, filepath.FromSlash(file)))
		})
	}
	return t, "go:" + path.Join(key, u.folder), changes, err
}

// download asks the go command for all modules at once. It checks their sums
// against the checksum database, and it keeps them in its cache.
func (m *moduleFetcher) download(ctx context.Context) error {
	args := []string{"mod", "download", "-json"}
	seen := map[string]bool{}
	for _, u := range upstreams() {
		if key := u.module + "@" + u.moduleVersion; !seen[key] {
			seen[key] = true
			args = append(args, key)
		}
	}
	dir, err := os.MkdirTemp("", "kargo-charts-") // outside of any module
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	command := exec.CommandContext(ctx, m.command, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, runErr := command.Output()
	if errors.Is(runErr, exec.ErrNotFound) {
		return fmt.Errorf("get charts from Go modules: %w: install Go, or use chart repositories (chart source helm)", runErr)
	}
	m.dirs = map[string]string{}
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var module struct{ Path, Version, Dir, Error string }
		if err := decoder.Decode(&module); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("go mod download: %w: %s", errors.Join(runErr, err), stderr.String())
		}
		if module.Error != "" {
			return fmt.Errorf("go mod download %s@%s: %s", module.Path, module.Version, module.Error)
		}
		m.dirs[module.Path+"@"+module.Version] = module.Dir
	}
	if runErr != nil {
		return fmt.Errorf("go mod download: %w: %s", runErr, stderr.String())
	}
	return nil
}
