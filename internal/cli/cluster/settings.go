package cluster

import (
	"encoding/json"
	"fmt"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"kargo.dev/kargo/internal/cli/catalogue"
	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/settings"
)

// settings takes --unset off the settings there are and puts --set over them:
// what neither names stays.
func (o *CreateOptions) settings(existing *apiextensionsv1.JSON, offer *catalogue.Catalogue) (*apiextensionsv1.JSON, error) {
	if len(o.Set)+len(o.Unset) == 0 {
		return existing, nil
	}
	own := map[string]any{}
	if existing != nil {
		parsed, err := settings.ParseJSON(existing.Raw)
		if err != nil {
			return nil, fmt.Errorf("cannot read the cluster's settings: %w", err)
		}
		own = parsed
	}
	for _, path := range o.Unset {
		if !remove(own, settings.Split(path)) {
			return nil, command.WithHint(command.Usagef("--unset %s: the cluster has no such setting of its own", path),
				"see `kargoctl describe cluster %s -n %s`", o.Name, o.Team)
		}
	}
	set, err := offer.ParseSet(o.Set)
	if err != nil {
		return nil, err
	}
	merged := settings.Merge(settings.Layer{Values: own}, settings.Layer{Values: set}).Map()
	if len(merged) == 0 {
		return nil, nil
	}
	raw, err := json.Marshal(merged)
	if err != nil {
		return nil, fmt.Errorf("cannot write the cluster's settings: %w", err)
	}
	return &apiextensionsv1.JSON{Raw: raw}, nil
}

// remove takes a setting off a tree, and the maps that become empty by it.
func remove(tree map[string]any, path []string) bool {
	if len(path) == 0 {
		return false
	}
	value, ok := tree[path[0]]
	if !ok {
		return false
	}
	if len(path) == 1 {
		delete(tree, path[0])
		return true
	}
	below, ok := value.(map[string]any)
	if !ok || !remove(below, path[1:]) {
		return false
	}
	if len(below) == 0 {
		delete(tree, path[0])
	}
	return true
}
