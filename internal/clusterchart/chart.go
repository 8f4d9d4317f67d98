// Package clusterchart renders the cluster chart of a fleet repository into the
// Cluster API objects of one cluster. It asks no server: the objects are a
// function of the chart and its values, and equal to those that
// `helm upgrade --install` of the same chart sends.
package clusterchart

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Bounds of a chart that is read: far above charts/cluster, far below what hurts.
const (
	maxFiles = 200
	maxBytes = 2 << 20
)

var templatePosition = regexp.MustCompile(`^execution error at \([^)]*\): `)

// Chart is a parsed cluster chart. It may be used by several goroutines.
type Chart struct {
	chart    *chartv2.Chart
	defaults map[string]any
}

// ReleaseOptions is what the chart learns about its release.
type ReleaseOptions struct {
	// Name of the release; the cluster's name unless the values give another.
	Name string
	// Namespace of the release. The objects go to the account's factory
	// namespace in any case.
	Namespace string
	// KubeVersion of the management cluster, "v1.36.3"; Helm's own default if empty.
	KubeVersion string
}

// Load reads a chart from the root of a file system, such as the folder
// charts/cluster of a fleet repository at one commit.
func Load(fsys fs.FS) (*Chart, error) {
	files, err := readFiles(fsys)
	if err != nil {
		return nil, fmt.Errorf("read the cluster chart: %w", err)
	}
	chart, err := loader.LoadFiles(files)
	if err != nil {
		return nil, fmt.Errorf("load the cluster chart: %w", err)
	}
	if len(chart.Metadata.Dependencies) > 0 {
		return nil, errors.New("the cluster chart has dependencies: it must be complete by itself")
	}
	if len(chart.Schema) == 0 {
		return nil, errors.New("the cluster chart has no values.schema.json: settings could not be checked")
	}
	return &Chart{chart: chart, defaults: chart.Values}, nil
}

// Version of the chart, from its Chart.yaml.
func (c *Chart) Version() string { return c.chart.Metadata.Version }

// Schema is the chart's values.schema.json.
func (c *Chart) Schema() []byte { return c.chart.Schema }

// Defaults are the chart's values.yaml; the caller owns the copy.
func (c *Chart) Defaults() map[string]any { return deepCopy(c.defaults) }

// Render renders the objects of one cluster in the order in which Helm applies
// them. The values are checked against the chart's schema first.
func (c *Chart) Render(ctx context.Context, release ReleaseOptions, values map[string]any) ([]*unstructured.Unstructured, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	capabilities := common.DefaultCapabilities.Copy()
	if release.KubeVersion != "" {
		version, err := common.ParseKubeVersion(release.KubeVersion)
		if err != nil {
			return nil, fmt.Errorf("the management cluster's version %q: %w", release.KubeVersion, err)
		}
		capabilities.KubeVersion = *version
	}
	// Templates may change the maps they are given: each rendering gets its own.
	chart := *c.chart
	chart.Values = c.Defaults()
	all, err := util.ToRenderValues(&chart, deepCopy(values), common.ReleaseOptions{
		Name: release.Name, Namespace: release.Namespace, Revision: 1, IsInstall: true,
	}, capabilities)
	if err != nil {
		return nil, fmt.Errorf("values of the cluster chart: %w", err)
	}
	files, err := engine.Render(&chart, all)
	if err != nil {
		return nil, fmt.Errorf("render the cluster chart: %w", failMessage(err))
	}
	maps.DeleteFunc(files, func(name, _ string) bool { return path.Base(name) == "NOTES.txt" })
	hooks, manifests, err := releaseutil.SortManifests(files, capabilities.APIVersions, releaseutil.InstallOrder)
	if err != nil {
		return nil, fmt.Errorf("the cluster chart renders no valid YAML: %w", err)
	}
	if len(hooks) > 0 {
		return nil, fmt.Errorf("the cluster chart has a hook (%s): KARGO applies objects and runs no hooks", hooks[0].Path)
	}
	return decode(manifests)
}

func decode(manifests []releaseutil.Manifest) ([]*unstructured.Unstructured, error) {
	objects := make([]*unstructured.Unstructured, 0, len(manifests))
	for _, m := range manifests {
		data, err := yaml.YAMLToJSONStrict([]byte(m.Content))
		if err != nil {
			return nil, fmt.Errorf("%s renders no valid YAML: %w", m.Name, err)
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(data); err != nil {
			return nil, fmt.Errorf("%s renders no Kubernetes object: %w", m.Name, err)
		}
		if object.GetName() == "" || object.GetNamespace() == "" {
			return nil, fmt.Errorf("%s renders a %s without name or namespace", m.Name, object.GetKind())
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// failMessage leaves only the sentence of a template's own `fail`, without the
// position in the template that Helm puts before it.
func failMessage(err error) error {
	text := err.Error()
	if m := templatePosition.FindStringIndex(text); m != nil {
		return errors.New(text[m[1]:])
	}
	return err
}

func readFiles(fsys fs.FS) ([]*archive.BufferedFile, error) {
	var files []*archive.BufferedFile
	total := int64(0)
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if total += info.Size(); len(files) == maxFiles || total > maxBytes {
			return fmt.Errorf("more than %d files or %d bytes", maxFiles, maxBytes)
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		files = append(files, &archive.BufferedFile{Name: name, ModTime: info.ModTime(), Data: data})
		return nil
	})
	return files, err
}

// deepCopy copies values; unlike runtime.DeepCopyJSON it takes any type of number.
func deepCopy(values map[string]any) map[string]any {
	out := make(map[string]any, len(values))
	for key, value := range values {
		out[key] = deepCopyValue(value)
	}
	return out
}

func deepCopyValue(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return deepCopy(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = deepCopyValue(v[i])
		}
		return out
	default:
		return v
	}
}
