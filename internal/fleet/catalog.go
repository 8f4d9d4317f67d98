package fleet

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"kargo.dev/kargo/internal/settings"
)

// Catalog is what a fleet repository offers, small enough for a ConfigMap. The
// manager publishes it, and the CLI checks against it what it is about to ask for.
type Catalog struct {
	Name         string               `json:"name"`
	Flavors      []CatalogFlavor      `json:"flavors"`
	Environments []CatalogEnvironment `json:"environments"`
	// Schema of the settings, a JSON schema.
	Schema json.RawMessage `json:"schema"`

	parsed *settings.Schema // nil in a catalogue that was read
}

// CatalogFlavor is a flavor that clusters may have.
type CatalogFlavor struct {
	Name        string     `json:"name"`
	Description string     `json:"description"`
	Kubernetes  Kubernetes `json:"kubernetes"`
	Addons      []string   `json:"addons"`
	// Settings that clusters of the flavor have, the chart's defaults included.
	Settings map[string]any `json:"settings"`
}

// CatalogEnvironment is an environment that accounts may be in.
type CatalogEnvironment struct {
	Name     string         `json:"name"`
	Settings map[string]any `json:"settings,omitempty"`
}

// Catalog sums up what the repository offers.
func (f *Fleet) Catalog() *Catalog {
	c := &Catalog{Name: f.Name, Schema: f.Schema.Raw(), parsed: f.Schema}
	for _, name := range f.FlavorNames() {
		flavor := f.Flavors[name]
		c.Flavors = append(c.Flavors, CatalogFlavor{
			Name: name, Description: flavor.Description, Kubernetes: *flavor.Kubernetes, Addons: slices.Clone(flavor.Addons),
			Settings: settings.Merge(f.flavorLayers(flavor)...).Map(),
		})
	}
	for _, name := range f.EnvironmentNames() {
		c.Environments = append(c.Environments, CatalogEnvironment{Name: name, Settings: settings.Merge(f.Environments[name].layer()).Map()})
	}
	return c
}

// ParseCatalog reads a catalogue that was published as JSON.
func ParseCatalog(data []byte) (*Catalog, error) {
	c := &Catalog{}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("the fleet's catalogue: %w", err)
	}
	for i := range c.Flavors {
		c.Flavors[i].Settings = settings.Normalize(c.Flavors[i].Settings)
	}
	for i := range c.Environments {
		c.Environments[i].Settings = settings.Normalize(c.Environments[i].Settings)
	}
	return c, nil
}

// Settings is the schema of the settings, parsed.
func (c *Catalog) Settings() (*settings.Schema, error) {
	if c.parsed != nil {
		return c.parsed, nil
	}
	return settings.ParseSchema(c.Schema)
}

// Flavor finds a flavor by name.
func (c *Catalog) Flavor(name string) (CatalogFlavor, bool) {
	i := slices.IndexFunc(c.Flavors, func(f CatalogFlavor) bool { return f.Name == name })
	if i < 0 {
		return CatalogFlavor{}, false
	}
	return c.Flavors[i], true
}

// FlavorNames are the flavors, sorted.
func (c *Catalog) FlavorNames() []string {
	names := make([]string, len(c.Flavors))
	for i, f := range c.Flavors {
		names[i] = f.Name
	}
	return names
}

// EnvironmentNames are the environments, sorted.
func (c *Catalog) EnvironmentNames() []string {
	names := make([]string, len(c.Environments))
	for i, e := range c.Environments {
		names[i] = e.Name
	}
	return names
}

// Request is what a cluster asks for. What is empty is not checked.
type Request struct {
	Flavor            string
	Environment       string
	KubernetesVersion string // "1.34"
	// Settings of the cluster itself, and of its account and team.
	Settings map[string]any
}

// Check says what is wrong with a request, in the order flavor, environment,
// Kubernetes version, settings. Paths of problems are flavor, environment,
// kubernetesVersion, and those of settings under settings.
func (c *Catalog) Check(r Request) []settings.Problem {
	var problems []settings.Problem
	fail := func(path, format string, args ...any) {
		problems = append(problems, settings.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	flavor, known := c.Flavor(r.Flavor)
	if r.Flavor != "" && !known {
		fail("flavor", "%q does not exist: %s", r.Flavor, choice(r.Flavor, c.FlavorNames()))
	}
	at := slices.Index(c.EnvironmentNames(), r.Environment)
	if r.Environment != "" && at < 0 {
		fail("environment", "%q does not exist: %s", r.Environment, choice(r.Environment, c.EnvironmentNames()))
	}
	if r.KubernetesVersion != "" && known && !slices.Contains(flavor.Kubernetes.Tested, r.KubernetesVersion) {
		fail("kubernetesVersion", "flavor %s is not tested with %s: there are %s", r.Flavor, r.KubernetesVersion, strings.Join(flavor.Kubernetes.Tested, ", "))
	}
	schema, err := c.Settings()
	if err != nil {
		return append(problems, settings.Problem{Message: err.Error()})
	}
	wrong := schema.CheckSettings(r.Settings)
	if len(wrong) == 0 && known {
		layers := []settings.Layer{{Values: flavor.Settings}, {Values: r.Settings}}
		if at >= 0 {
			layers = slices.Insert(layers, 1, settings.Layer{Values: c.Environments[at].Settings})
		}
		wrong = checkComplete(schema, settings.Merge(layers...).Map())
	}
	for _, p := range wrong {
		p.Path = strings.TrimSuffix("settings."+p.Path, ".")
		problems = append(problems, p)
	}
	return problems
}

func choice(word string, known []string) string {
	if near := settings.Nearest(word, known); near != "" {
		return fmt.Sprintf("did you mean %s? There are %s", near, strings.Join(known, ", "))
	}
	return "there are " + strings.Join(known, ", ")
}

// poolSizes checks what a schema cannot say: that sizes fit each other.
func poolSizes(values map[string]any) []settings.Problem {
	pools, _ := values["nodePools"].(map[string]any)
	var problems []settings.Problem
	for name, value := range pools {
		pool, _ := value.(map[string]any)
		low, okLow := pool["minSize"].(int64)
		high, okHigh := pool["maxSize"].(int64)
		size, okSize := pool["size"].(int64)
		autoscaled, _ := pool["autoscaled"].(bool)
		path := settings.Join("nodePools", name)
		switch {
		case !okLow || !okHigh:
		case low > high:
			problems = append(problems, settings.Problem{Path: path, Message: fmt.Sprintf("minSize %d is more than maxSize %d", low, high)})
		case okSize && !autoscaled && (size < low || size > high):
			problems = append(problems, settings.Problem{Path: path, Message: fmt.Sprintf("size %d is not between minSize %d and maxSize %d", size, low, high)})
		}
	}
	slices.SortFunc(problems, func(a, b settings.Problem) int { return strings.Compare(a.Path, b.Path) })
	return problems
}
