package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds of a chart.
const (
	maxChartFiles = 1000
	maxChartBytes = 20 << 20
)

// tree is a folder in memory: content by path.
type tree map[string][]byte

func readTree(fsys fs.FS) (tree, error) {
	t := tree{}
	total := 0
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		if total += len(data); len(t) == maxChartFiles || total > maxChartBytes {
			return fmt.Errorf("more than %d files or %d bytes", maxChartFiles, maxChartBytes)
		}
		t[name] = data
		return err
	})
	return t, err
}

// writeTo puts the tree in the place of a folder, whole or not at all.
func (t tree) writeTo(dir string) error {
	temporary := dir + ".tmp"
	if err := os.RemoveAll(temporary); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(t)) {
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return fmt.Errorf("a chart's file %q lies outside its folder", name)
		}
		target := filepath.Join(temporary, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(target, t[name], 0o644); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(temporary, dir)
}

// clean leaves out what a chart does not need to render: documentation, tests,
// what belongs to its project's tools. A .gitignore in it would make git lose files.
func (t tree) clean() {
	maps.DeleteFunc(t, func(name string, _ []byte) bool {
		first, _, nested := strings.Cut(name, "/")
		base := path.Base(name)
		switch {
		case nested && slices.Contains([]string{"ci", "tests", "docs", "schema"}, first):
			return true
		case strings.HasPrefix(base, "README") || strings.HasPrefix(base, "CHANGELOG"):
			return true
		}
		return slices.Contains([]string{
			".gitignore", ".schema.yaml", "Chart.lock", "OWNERS", "artifacthub-repo.yaml", "crds/kustomization.yaml",
			"signkey_annotation.txt", "test.yaml", "values.linter.exceptions",
		}, name)
	})
}

// dropMissingDependencies takes those dependencies out of Chart.yaml that are
// not in charts/ and that the values leave off; Helm would refuse the chart.
func (t tree) dropMissingDependencies() ([]string, error) {
	var chart struct {
		Dependencies []struct {
			Name      string `yaml:"name"`
			Condition string `yaml:"condition"`
		} `yaml:"dependencies"`
	}
	if err := yaml.Unmarshal(t["Chart.yaml"], &chart); err != nil {
		return nil, err
	}
	var values map[string]any
	if err := yaml.Unmarshal(t["values.yaml"], &values); err != nil {
		return nil, err
	}
	var dropped []string
	for _, dependency := range chart.Dependencies {
		prefix := "charts/" + dependency.Name
		if slices.ContainsFunc(slices.Collect(maps.Keys(t)), func(name string) bool { return strings.HasPrefix(name, prefix) }) {
			continue
		}
		if dependency.Condition == "" || lookup(values, dependency.Condition) != false {
			return nil, fmt.Errorf("its dependency %s is missing, and not off by its values", dependency.Name)
		}
		dropped = append(dropped, dependency.Name)
	}
	if len(dropped) == 0 {
		return nil, nil
	}
	err := t.editYAML("Chart.yaml", func(root *yaml.Node) error {
		list := find(root, "dependencies")
		list.Content = slices.DeleteFunc(list.Content, func(item *yaml.Node) bool {
			name := find(item, "name")
			return name != nil && slices.Contains(dropped, name.Value)
		})
		if len(list.Content) == 0 {
			remove(root, "dependencies")
		}
		return nil
	})
	return []string{"dependencies dropped that are off by default: " + strings.Join(dropped, ", ")}, err
}

func lookup(values map[string]any, dotted string) any {
	var at any = values
	for key := range strings.SplitSeq(dotted, ".") {
		below, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = below[key]
	}
	return at
}

// editYAML changes a YAML file and keeps its comments.
func (t tree) editYAML(name string, edit func(root *yaml.Node) error) error {
	var document yaml.Node
	if err := yaml.Unmarshal(t[name], &document); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(document.Content) == 0 {
		return fmt.Errorf("%s is empty or missing", name)
	}
	if err := edit(document.Content[0]); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(&document), encoder.Close()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	t[name] = out.Bytes()
	return nil
}

// find the node at a path of keys, nil if there is none.
func find(node *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		i := slices.IndexFunc(node.Content, func(n *yaml.Node) bool { return n.Value == key })
		if node.Kind != yaml.MappingNode || i < 0 || i+1 >= len(node.Content) {
			return nil
		}
		node = node.Content[i+1]
	}
	return node
}

func remove(node *yaml.Node, key string) {
	if i := slices.IndexFunc(node.Content, func(n *yaml.Node) bool { return n.Value == key }); i >= 0 {
		node.Content = slices.Delete(node.Content, i, i+2)
	}
}

// set a scalar that exists.
func set(root *yaml.Node, value string, keys ...string) error {
	node := find(root, keys...)
	if node == nil || node.Kind != yaml.ScalarNode {
		return fmt.Errorf("there is no %s", strings.Join(keys, "."))
	}
	node.SetString(value)
	return nil
}
