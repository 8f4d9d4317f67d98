package fleet

import (
	"maps"
	"slices"

	"kargo.dev/kargo/internal/settings"
)

// checkSettings checks the layers one by one, where a line can be told, and
// then what each flavor gives in each environment.
func (r *reader) checkSettings(f *Fleet) {
	facts := settings.FactNames()
	before := len(r.problems)
	check := func(file string, document settings.Document) {
		for _, p := range f.Schema.CheckSettings(document.Values) {
			r.fail(file, document.Line(p.Path), "%s", p)
		}
		addons, _ := document.Values["addons"].(map[string]any)
		for _, name := range settings.VariableNames(addons) {
			if slices.Contains(facts, name) {
				r.fail(file, document.Line("addons"), "addons: %s is a name KARGO uses itself, take another", name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.Flavors)) {
		check(flavorFile(name), f.Flavors[name].document)
	}
	for _, name := range f.EnvironmentNames() {
		check(environmentFile(name), f.Environments[name].document)
	}
	if len(r.problems) > before {
		return
	}
	for _, name := range f.FlavorNames() {
		for _, environment := range f.EnvironmentNames() {
			layers := append(f.flavorLayers(f.Flavors[name]), f.Environments[environment].layer())
			for _, p := range checkComplete(f.Schema, settings.Merge(layers...).Map()) {
				r.fail(flavorFile(name), f.Flavors[name].document.Line(p.Path), "in environment %s: %s", environment, p)
			}
		}
	}
}

// checkComplete checks merged settings as the cluster chart will get them, with
// a stand-in for what KARGO adds: who and where the cluster is.
func checkComplete(schema *settings.Schema, values map[string]any) []settings.Problem {
	complete := settings.Merge(settings.Layer{Values: values}, settings.Layer{Values: map[string]any{
		"cluster": map[string]any{
			"name": "name", "team": "team", "accountID": "123456789012", "environment": "env", "region": "eu-central-1",
		},
		"accessEntries": map[string]any{"any": map[string]any{"role": "any", "policy": "AmazonEKSViewPolicy"}},
	}}).Map()
	return append(schema.CheckValues(complete), poolSizes(complete)...)
}
