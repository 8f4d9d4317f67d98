package apply

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/command"
)

// document is one object and where it was read.
type document struct {
	source string
	object *unstructured.Unstructured
}

// kindOrder is the order in which objects need each other, and all kinds there are.
func kindOrder(kind string) int {
	return slices.Index([]string{"Team", "Account", "WorkloadCluster"}, kind)
}

// read reads all files, sorted so that what is needed comes first.
func (o *Options) read() ([]document, error) {
	var docs []document
	for _, name := range o.Filenames {
		found, err := o.readPath(name)
		if err != nil {
			return nil, err
		}
		docs = append(docs, found...)
	}
	if len(docs) == 0 {
		return nil, command.Usagef("there is nothing to apply in the files given")
	}
	for _, d := range docs {
		if err := o.complete(d); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(docs, func(a, b document) int {
		return cmp.Compare(kindOrder(a.object.GetKind()), kindOrder(b.object.GetKind()))
	})
	return docs, nil
}

func (o *Options) readPath(name string) ([]document, error) {
	if name == "-" {
		return decode("stdin", o.IO.In)
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, command.Usagef("%w", err)
	}
	if !info.IsDir() {
		return readFile(name)
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read folder %s: %w", name, err)
	}
	var docs []document
	for _, e := range entries {
		if e.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(e.Name())) {
			continue
		}
		found, err := readFile(filepath.Join(name, e.Name()))
		if err != nil {
			return nil, err
		}
		docs = append(docs, found...)
	}
	return docs, nil
}

func readFile(name string) ([]document, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, command.Usagef("%w", err)
	}
	defer func() { _ = file.Close() }()
	return decode(name, file)
}

// yamlBuffer is how far the decoder looks to tell YAML from JSON.
const yamlBuffer = 4096

func decode(source string, r io.Reader) ([]document, error) {
	var docs []document
	decoder := yaml.NewYAMLOrJSONDecoder(r, yamlBuffer)
	for {
		var content map[string]any
		err := decoder.Decode(&content)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, command.Usagef("%s: %w", source, err)
		}
		if len(content) == 0 {
			continue
		}
		u := &unstructured.Unstructured{Object: content}
		if !u.IsList() {
			docs = append(docs, document{source, u})
			continue
		}
		list, err := u.ToList()
		if err != nil {
			return nil, command.Usagef("%s: %w", source, err)
		}
		for i := range list.Items {
			docs = append(docs, document{source, &list.Items[i]})
		}
	}
}

// complete refuses kinds that are not KARGO's, fills in the namespace, and
// takes off what the server alone writes.
func (o *Options) complete(d document) error {
	u := d.object
	what := fmt.Sprintf("%s %q", u.GetKind(), u.GetName())
	switch {
	case u.GetAPIVersion() != v1alpha1.GroupVersion.String() || kindOrder(u.GetKind()) < 0:
		return command.WithHint(command.Usagef("%s: %s of %s is no kind of KARGO's", d.source, what, cmp.Or(u.GetAPIVersion(), "no apiVersion")),
			"kargoctl applies Team, Account and WorkloadCluster of %s; apply others with kubectl", v1alpha1.GroupVersion)
	case u.GetName() == "":
		return command.Usagef("%s: a %s has no name", d.source, u.GetKind())
	case u.GetKind() == "Team":
		u.SetNamespace("")
	case u.GetNamespace() == "" && o.Namespace() == "":
		return command.Usagef("%s: %s says no namespace: whose is it? Give -n TEAM", d.source, what)
	case u.GetNamespace() == "":
		u.SetNamespace(o.Namespace())
	case o.Namespace() != "" && o.Namespace() != u.GetNamespace():
		return command.Usagef("%s: %s is in namespace %s, but -n says %s", d.source, what, u.GetNamespace(), o.Namespace())
	}
	unstructured.RemoveNestedField(u.Object, "status")
	for _, field := range []string{"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"} {
		unstructured.RemoveNestedField(u.Object, "metadata", field)
	}
	return nil
}
