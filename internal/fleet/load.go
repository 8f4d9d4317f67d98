package fleet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"kargo.dev/kargo/internal/settings"
)

// Bounds of a repository that is read.
const (
	maxFolders  = 500 // flavors, environments, add-ons: of each
	maxProblems = 20  // that are told at once
	maxBases    = 8
)

var (
	namePattern    = regexp.MustCompile(`^[a-z][a-z0-9-]{0,29}$`)
	versionPattern = regexp.MustCompile(`^1\.[1-9][0-9]$`)
	lineInError    = regexp.MustCompile(`line (\d+): `)
)

// FileError is something wrong in a file of the repository.
type FileError struct {
	File string
	Line int // 0 if it is about the whole file
	Err  error
}

// Error implements error: file:line: what.
func (e *FileError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

// Unwrap gives the error without its place.
func (e *FileError) Unwrap() error { return e.Err }

// reader collects what is wrong, so that all is told at once.
type reader struct {
	fs       fs.FS
	problems []error
}

func (r *reader) fail(file string, line int, format string, args ...any) {
	r.problems = append(r.problems, &FileError{file, line, fmt.Errorf(format, args...)})
}

func (r *reader) err() error {
	if n := len(r.problems); n > maxProblems {
		return errors.Join(append(slices.Clone(r.problems[:maxProblems]), fmt.Errorf("and %d more", n-maxProblems))...)
	}
	return errors.Join(r.problems...)
}

// Load reads a fleet repository. It needs charts/cluster of the charts, and
// none of the vendored ones. The error joins a *FileError for each thing wrong.
func Load(fsys fs.FS) (*Fleet, error) {
	r := &reader{fs: fsys}
	f := &Fleet{Flavors: map[string]*Flavor{}, Environments: map[string]*Environment{}}
	f.Name = r.name()
	schema := r.chart(f)
	for _, name := range r.folders("flavors") {
		f.Flavors[name] = r.flavor(name)
	}
	for _, name := range r.folders("environments") {
		f.Environments[name] = r.environment(name)
	}
	r.bases(f)
	if err := r.err(); err != nil {
		return nil, err // what follows builds on it
	}
	if len(f.FlavorNames()) == 0 {
		r.fail("flavors", 0, "no flavor names Kubernetes versions, so no cluster could be made")
	}
	if len(f.Environments) == 0 {
		r.fail("environments", 0, "there is no environment, so no cluster could be made")
	}
	addons := r.addonSettings(f)
	schema, err := settings.NarrowAddons(schema, addons)
	if err == nil {
		f.Schema, err = settings.ParseSchema(schema)
	}
	if err != nil {
		r.fail("charts/cluster/values.schema.json", 0, "%w", err)
		return nil, r.err()
	}
	r.checkSettings(f)
	r.checkAddons(f, addons)
	if err := r.err(); err != nil {
		return nil, err
	}
	return f, nil
}

// read reads a file whole, if it is not larger than settings may be.
func (r *reader) read(name string) ([]byte, error) {
	file, err := r.fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, settings.MaxDocumentBytes+1))
	if err == nil && len(data) > settings.MaxDocumentBytes {
		err = fmt.Errorf("larger than %d bytes", settings.MaxDocumentBytes)
	}
	return data, err
}

// decode reads a YAML file into out; it refuses keys that out does not have.
func (r *reader) decode(name string, out any) bool {
	data, err := r.read(name)
	if err != nil {
		r.fail(name, 0, "%w", err)
		return false
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(out); err != nil && !errors.Is(err, io.EOF) {
		r.failAtLine(name, err)
		return false
	}
	var second yaml.Node
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		r.fail(name, second.Line, "more than one YAML document: only the first would count")
		return false
	}
	return true
}

// failAtLine takes the line out of an error that names one.
func (r *reader) failAtLine(file string, err error) {
	var typed *yaml.TypeError
	if errors.As(err, &typed) {
		for _, text := range typed.Errors {
			r.failAtLine(file, errors.New(text))
		}
		return
	}
	line := 0
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := lineInError.FindStringSubmatchIndex(text); m != nil {
		line, _ = strconv.Atoi(text[m[2]:m[3]]) // digits, by the expression
		text = text[:m[0]] + text[m[1]:]
	}
	r.problems = append(r.problems, &FileError{file, line, errors.New(text)})
}

func (r *reader) folders(parent string) []string {
	entries, err := fs.ReadDir(r.fs, parent)
	if err != nil {
		r.fail(parent, 0, "%w", err)
		return nil
	}
	var names []string
	for _, entry := range entries {
		switch {
		case !entry.IsDir():
			continue
		case !namePattern.MatchString(entry.Name()):
			r.fail(path.Join(parent, entry.Name()), 0, "a name is up to 30 lower-case letters, digits and hyphens, first a letter")
		case len(names) == maxFolders:
			r.fail(parent, 0, "more than %d folders", maxFolders)
			return names
		default:
			names = append(names, entry.Name())
		}
	}
	return names
}

func (r *reader) name() string {
	var file struct {
		Name string `yaml:"name"`
	}
	if r.decode("fleet.yaml", &file) && !namePattern.MatchString(file.Name) {
		r.fail("fleet.yaml", 1, "name: up to 30 lower-case letters, digits and hyphens, first a letter")
	}
	return file.Name
}

// chart reads the cluster chart's defaults, and returns its schema.
func (r *reader) chart(f *Fleet) []byte {
	const valuesFile, schemaFile = "charts/cluster/values.yaml", "charts/cluster/values.schema.json"
	data, err := r.read(valuesFile)
	if err != nil {
		r.fail(valuesFile, 0, "%w", err)
	}
	document, err := settings.ParseYAML(data)
	if err != nil {
		r.failAtLine(valuesFile, err)
	}
	f.chart = settings.Layer{Name: "chart", Source: valuesFile, Values: document.Values}
	schema, err := r.read(schemaFile)
	if err != nil {
		r.fail(schemaFile, 0, "%w", err)
	}
	return schema
}

func (r *reader) flavor(name string) *Flavor {
	var file struct {
		Description string      `yaml:"description"`
		Base        string      `yaml:"base"`
		Kubernetes  *Kubernetes `yaml:"kubernetes"`
		Settings    yaml.Node   `yaml:"settings"`
	}
	f := &Flavor{Name: name}
	if !r.decode(flavorFile(name), &file) {
		return f
	}
	f.Description, f.Base, f.Kubernetes = file.Description, file.Base, file.Kubernetes
	document, err := settings.FromNode(&file.Settings)
	if err != nil {
		r.failAtLine(flavorFile(name), err)
	}
	f.document = document
	if f.Description == "" {
		r.fail(flavorFile(name), 1, "description is missing: say in a few words what the flavor is for")
	}
	if k := f.Kubernetes; k != nil {
		for _, version := range append([]string{k.Default}, k.Tested...) {
			if !versionPattern.MatchString(version) {
				r.fail(flavorFile(name), 1, "kubernetes: %q is no Kubernetes version: write it as \"1.34\", in quotes", version)
			}
		}
		if !slices.Contains(k.Tested, k.Default) {
			r.fail(flavorFile(name), 1, "kubernetes: the default %s is not among the tested versions", k.Default)
		}
	}
	return f
}

func (r *reader) environment(name string) *Environment {
	e := &Environment{Name: name}
	if _, err := r.read(path.Join("environments", name, "kustomization.yaml")); err != nil {
		r.fail(path.Join("environments", name, "kustomization.yaml"), 0, "%w: each environment has a kustomize component, an empty one if it changes nothing", err)
	}
	data, err := r.read(environmentFile(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.fail(environmentFile(name), 0, "%w", err)
		return e
	}
	if e.document, err = settings.ParseYAML(data); err != nil {
		r.failAtLine(environmentFile(name), err)
	}
	return e
}

// bases checks that each flavor builds on flavors that exist, not on itself.
func (r *reader) bases(f *Fleet) {
	for _, name := range slices.Sorted(maps.Keys(f.Flavors)) {
		at := f.Flavors[name]
		for depth := 0; at.Base != ""; depth++ {
			next, ok := f.Flavors[at.Base]
			if !ok {
				r.fail(flavorFile(at.Name), 1, "base: flavor %s does not exist", at.Base)
				break
			}
			if at = next; depth == maxBases {
				r.fail(flavorFile(name), 1, "base: it builds on itself, or on more than %d flavors", maxBases)
				break
			}
		}
	}
}

// addonSettings are the settings of add-ons that have a value in any flavor.
func (r *reader) addonSettings(f *Fleet) map[string]any {
	var layers []settings.Layer
	for _, name := range slices.Sorted(maps.Keys(f.Flavors)) {
		layers = append(layers, f.flavorLayers(f.Flavors[name])...)
	}
	merged, _ := settings.Merge(layers...).Get("addons")
	addons, _ := merged.(map[string]any)
	return addons
}
