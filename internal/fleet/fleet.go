// Package fleet reads a fleet repository at one commit: its flavors,
// environments and settings, and which add-ons a flavor has. It is pure over an
// fs.FS, reads bounded amounts, and says file and line of what is wrong.
package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"kargo.dev/kargo/internal/settings"
)

// Fleet is a fleet repository at one commit. It is read-only.
type Fleet struct {
	// Name of the fleet, from fleet.yaml.
	Name string
	// Flavors and Environments by name.
	Flavors      map[string]*Flavor
	Environments map[string]*Environment
	// Schema of all settings: the cluster chart's, with the add-ons' settings
	// that the flavors declare.
	Schema *settings.Schema

	chart settings.Layer // the chart's defaults
}

// Flavor is a kind of cluster.
type Flavor struct {
	Name        string
	Description string
	// Base is the flavor it builds on, "" for none.
	Base string
	// Kubernetes versions; nil if the flavor is only there to build on.
	Kubernetes *Kubernetes
	// Addons it has, sorted: folders under addons/.
	Addons []string

	document settings.Document
}

// Kubernetes are the minor versions a flavor may have.
type Kubernetes struct {
	Default string   `yaml:"default" json:"default"`
	Tested  []string `yaml:"tested" json:"tested"`
}

// Environment is a group of accounts with settings in common.
type Environment struct {
	Name string

	document settings.Document
}

func (f *Flavor) layer() settings.Layer {
	return settings.Layer{Name: "flavor " + f.Name, Source: flavorFile(f.Name), Values: f.document.Values}
}

func (e *Environment) layer() settings.Layer {
	return settings.Layer{Name: "environment " + e.Name, Source: environmentFile(e.Name), Values: e.document.Values}
}

func flavorFile(name string) string      { return "flavors/" + name + "/flavor.yaml" }
func environmentFile(name string) string { return "environments/" + name + "/settings.yaml" }

// Layers are the settings that the repository gives a cluster, the weakest
// first: those of the chart, of the flavors it builds on, of its flavor and of
// its environment. Those of team, account and cluster go over them.
func (f *Fleet) Layers(flavor, environment string) ([]settings.Layer, error) {
	found, ok := f.Flavors[flavor]
	if !ok || found.Kubernetes == nil {
		return nil, fmt.Errorf("flavor %s does not exist: there are %s", flavor, strings.Join(f.FlavorNames(), ", "))
	}
	env, ok := f.Environments[environment]
	if !ok {
		return nil, fmt.Errorf("environment %s does not exist: there are %s", environment, strings.Join(f.EnvironmentNames(), ", "))
	}
	return append(f.flavorLayers(found), env.layer()), nil
}

func (f *Fleet) flavorLayers(flavor *Flavor) []settings.Layer {
	layers := []settings.Layer{flavor.layer()}
	for flavor.Base != "" {
		flavor = f.Flavors[flavor.Base]
		layers = append(layers, flavor.layer())
	}
	layers = append(layers, f.chart)
	slices.Reverse(layers)
	return layers
}

// FlavorNames are the flavors a cluster may have, sorted.
func (f *Fleet) FlavorNames() []string {
	var names []string
	for name, flavor := range f.Flavors {
		if flavor.Kubernetes != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// EnvironmentNames are the environments, sorted.
func (f *Fleet) EnvironmentNames() []string {
	return slices.Sorted(maps.Keys(f.Environments))
}
