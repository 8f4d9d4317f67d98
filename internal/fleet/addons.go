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
	"strings"

	"go.yaml.in/yaml/v3"

	"kargo.dev/kargo/internal/settings"
)

// variable matches ${name} and ${name:=default}; $${name} is no variable.
var variable = regexp.MustCompile(`(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*)([^}]*)\}`)

// kustomization is the part of a kustomization.yaml that says what belongs to it.
type kustomization struct {
	Resources  []string `yaml:"resources"`
	Components []string `yaml:"components"`
}

// release is the part of a HelmRelease that has to fit the other files.
type release struct {
	Kind     string `yaml:"kind"`
	Metadata struct {
		Name string `yaml:"name"`
	} `yaml:"metadata"`
	Spec struct {
		DependsOn []struct {
			Name      string `yaml:"name"`
			Namespace string `yaml:"namespace"`
		} `yaml:"dependsOn"`
	} `yaml:"spec"`
}

// addon is what is known of a folder under addons/.
type addon struct {
	releases map[string]string   // file by name of HelmRelease
	needs    map[string][]string // what a HelmRelease depends on
}

// checkAddons finds the add-ons of each flavor and checks that their files fit
// together: variables that exist, dependencies that are in the same flavor.
func (r *reader) checkAddons(f *Fleet, addonSettings map[string]any) {
	known := slices.Concat(settings.FactNames(), settings.VariableNames(addonSettings))
	addons := map[string]*addon{}
	for _, name := range f.FlavorNames() {
		flavor := f.Flavors[name]
		r.flavorAddons("flavors/"+name, flavor, map[string]bool{})
		slices.Sort(flavor.Addons)
		flavor.Addons = slices.Compact(flavor.Addons)
		releases := map[string]bool{}
		for _, folder := range flavor.Addons {
			if addons[folder] == nil {
				addons[folder] = r.addon(folder, known)
			}
			for release := range addons[folder].releases {
				releases[release] = true
			}
		}
		for _, folder := range flavor.Addons {
			r.checkDependencies(name, addons[folder], releases)
		}
	}
}

func (r *reader) checkDependencies(flavor string, a *addon, releases map[string]bool) {
	for _, release := range slices.Sorted(maps.Keys(a.needs)) {
		for _, need := range a.needs[release] {
			if !releases[need] {
				r.fail(a.releases[release], 1, "%s depends on %s, which flavor %s does not have: it would wait for ever", release, need, flavor)
			}
		}
	}
}

// flavorAddons follows the resources of a flavor to the add-ons.
func (r *reader) flavorAddons(folder string, flavor *Flavor, seen map[string]bool) {
	if seen[folder] || len(seen) > maxBases {
		return
	}
	seen[folder] = true
	file := folder + "/kustomization.yaml"
	for _, at := range r.resources(file) {
		switch parent, name := path.Split(at); parent {
		case "addons/":
			flavor.Addons = append(flavor.Addons, name)
		case "flavors/":
			r.flavorAddons(at, flavor, seen)
		default:
			if _, err := fs.Stat(r.fs, at); err != nil {
				r.fail(file, 0, "%w", err)
			}
		}
	}
}

// resources are the paths a kustomization.yaml refers to, from the root.
func (r *reader) resources(file string) []string {
	data, err := r.read(file)
	if err != nil {
		r.fail(file, 0, "%w", err)
		return nil
	}
	var k kustomization
	if err := yaml.Unmarshal(data, &k); err != nil {
		r.failAtLine(file, err)
		return nil
	}
	var paths []string
	for _, entry := range append(k.Resources, k.Components...) {
		at := path.Join(path.Dir(file), entry)
		switch {
		case strings.Contains(entry, "://") || strings.HasPrefix(entry, "github.com/"):
			r.fail(file, 0, "%s: remote resources are not allowed, a release must pin all content", entry)
		case !fs.ValidPath(at) || strings.HasPrefix(at, ".."):
			r.fail(file, 0, "%s lies outside the repository", entry)
		default:
			paths = append(paths, at)
		}
	}
	return paths
}

// addon reads the files of an add-on.
func (r *reader) addon(folder string, known []string) *addon {
	a := &addon{releases: map[string]string{}, needs: map[string][]string{}}
	if !namePattern.MatchString(folder) {
		r.fail("addons/"+folder, 0, "a name is up to 30 lower-case letters, digits and hyphens, first a letter")
		return a
	}
	for _, file := range r.resources("addons/" + folder + "/kustomization.yaml") {
		if info, err := fs.Stat(r.fs, file); err == nil && info.IsDir() {
			continue
		}
		data, err := r.read(file)
		if err != nil {
			r.fail(file, 0, "%w", err)
			continue
		}
		r.checkVariables(file, data, known)
		r.releases(file, data, a)
	}
	return a
}

func (r *reader) checkVariables(file string, data []byte, known []string) {
	for i, line := range strings.Split(string(data), "\n") {
		for _, m := range variable.FindAllStringSubmatch(line, -1) {
			escaped, name, rest := m[1] != "", m[2], m[3]
			if escaped || rest != "" || slices.Contains(known, name) {
				continue
			}
			hint := "give addons." + strings.ReplaceAll(name, "_", ".") + " a value in a flavor"
			if near := settings.Nearest(name, known); near != "" {
				hint = "did you mean ${" + near + "}?"
			}
			r.fail(file, i+1, "${%s} is no setting and no fact: %s", name, hint)
		}
	}
}

func (r *reader) releases(file string, data []byte, a *addon) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var object release
		switch err := decoder.Decode(&object); {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			r.failAtLine(file, err)
			return
		}
		if object.Kind != "HelmRelease" {
			continue
		}
		name := object.Metadata.Name
		if before, ok := a.releases[name]; ok {
			r.problems = append(r.problems, &FileError{file, 1, fmt.Errorf("HelmRelease %s is in %s already", name, before)})
		}
		a.releases[name] = file
		for _, need := range object.Spec.DependsOn {
			if need.Namespace == "" || need.Namespace == "flux-system" {
				a.needs[name] = append(a.needs[name], need.Name)
			}
		}
	}
}
