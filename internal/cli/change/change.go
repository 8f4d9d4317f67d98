// Package change says in words how an object differs from what it was.
package change

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// Lines lists the differences between two values as JSON trees, one line for
// each leaf, sorted by path: "spec.release: v1.0.0 → v1.1.0".
func Lines(path string, before, after any) ([]string, error) {
	a, err := tree(before)
	if err != nil {
		return nil, err
	}
	b, err := tree(after)
	if err != nil {
		return nil, err
	}
	return diff(path, a, b), nil
}

// tree brings a value to JSON's types.
func tree(v any) (any, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("cannot compare: %w", err)
	}
	var out any
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("cannot compare: %w", err)
	}
	return out, nil
}

func diff(path string, a, b any) []string {
	am, aIsMap := a.(map[string]any)
	bm, bIsMap := b.(map[string]any)
	switch {
	case reflect.DeepEqual(a, b):
		return nil
	case aIsMap && bIsMap, aIsMap && b == nil && len(am) > 0, bIsMap && a == nil && len(bm) > 0:
		keys := map[string]bool{}
		for k := range am {
			keys[k] = true
		}
		for k := range bm {
			keys[k] = true
		}
		var lines []string
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			lines = append(lines, diff(path+"."+k, am[k], bm[k])...)
		}
		return lines
	default:
		return []string{fmt.Sprintf("%s: %s → %s", path, show(a), show(b))}
	}
}

func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "(unset)"
	case string:
		if v == "" {
			return `""`
		}
		return v
	default:
		raw, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		return string(raw)
	}
}
