// Package settings is what KARGO knows about settings: the values injected into
// a cluster. It merges their layers and remembers where each value came from,
// parses and checks them against the cluster chart's schema, and turns them
// into the variables that Flux substitutes in a cluster. It is pure: it reads no
// file and asks no server.
//
// A tree of settings consists of map[string]any, []any, string, bool, int64 and
// float64. Blank never means delete: a null in a layer changes nothing.
package settings

import (
	"maps"
	"slices"
	"strings"
)

// Layer is one source of settings.
type Layer struct {
	// Name says whose settings these are: "flavor standard", "environment prod", "cluster".
	Name string
	// Source is where they are written: "flavors/standard/flavor.yaml".
	Source string
	Values map[string]any
}

// Origin is where a value came from: the last layer that set it.
type Origin struct {
	Layer  string `json:"layer"`
	Source string `json:"source,omitempty"`
}

// Leaf is one value in a tree: anything but a map with keys.
type Leaf struct {
	Path   string `json:"path"`
	Value  any    `json:"value"`
	Origin Origin `json:"origin"`
}

// Values are merged layers. The zero value holds nothing.
type Values struct {
	tree    map[string]any
	origins map[string]Origin // by the path of a leaf
}

// Merge lays the layers over each other: maps are merged deep, any other value
// of a later layer replaces that of an earlier one, lists as a whole. It is
// associative for layers that agree on which keys are maps, as all do that the
// schema allows.
func Merge(layers ...Layer) Values {
	v := Values{tree: map[string]any{}, origins: map[string]Origin{}}
	for _, layer := range layers {
		v.merge(v.tree, layer.Values, "", Origin{Layer: layer.Name, Source: layer.Source})
	}
	return v
}

func (v Values) merge(dst, src map[string]any, parent string, origin Origin) {
	for key, value := range src {
		path := Join(parent, key)
		below, isMap := value.(map[string]any)
		switch {
		case value == nil:
			continue
		case isMap && hasValues(below):
			inner, ok := dst[key].(map[string]any)
			if !ok || len(inner) == 0 {
				v.forget(dst[key], path)
				inner = map[string]any{}
				dst[key] = inner
			}
			v.merge(inner, below, path, origin)
		case isMap:
			// An empty map says that the key exists; it takes nothing away.
			if _, ok := dst[key].(map[string]any); !ok {
				v.forget(dst[key], path)
				dst[key] = map[string]any{}
				v.origins[path] = origin
			}
		default:
			v.forget(dst[key], path)
			dst[key] = copyValue(value)
			v.origins[path] = origin
		}
	}
}

// forget drops the origins of a value that is replaced.
func (v Values) forget(value any, path string) {
	delete(v.origins, path)
	if below, ok := value.(map[string]any); ok {
		for key, inner := range below {
			v.forget(inner, Join(path, key))
		}
	}
}

// hasValues says whether a map holds anything but nulls.
func hasValues(m map[string]any) bool {
	for _, value := range m {
		below, isMap := value.(map[string]any)
		if value != nil && (!isMap || len(below) == 0 || hasValues(below)) {
			return true
		}
	}
	return false
}

// Map is the merged tree; the caller owns the copy.
func (v Values) Map() map[string]any { return copyMap(v.tree) }

// Get finds the value at a path, a leaf or a map.
func (v Values) Get(path string) (any, bool) {
	var at any = v.tree
	for _, key := range Split(path) {
		below, ok := at.(map[string]any)
		if !ok {
			return nil, false
		}
		if at, ok = below[key]; !ok {
			return nil, false
		}
	}
	return copyValue(at), true
}

// Origin says which layer a leaf came from.
func (v Values) Origin(path string) (Origin, bool) {
	origin, ok := v.origins[path]
	return origin, ok
}

// Leaves lists all values with their origins, sorted by path.
func (v Values) Leaves() []Leaf {
	leaves := make([]Leaf, 0, len(v.origins))
	for _, path := range slices.Sorted(maps.Keys(v.origins)) {
		value, _ := v.Get(path)
		leaves = append(leaves, Leaf{Path: path, Value: value, Origin: v.origins[path]})
	}
	return leaves
}

// Join makes the path of a key below a path. A dot in a key is escaped, as
// `--set` wants it: tags.kargo\.dev/product.
func Join(parent, key string) string {
	if strings.ContainsAny(key, `\.`) {
		key = strings.NewReplacer(`\`, `\\`, `.`, `\.`).Replace(key)
	}
	if parent == "" {
		return key
	}
	return parent + "." + key
}

// Split is the reverse of Join.
func Split(path string) []string {
	if path == "" {
		return nil
	}
	var keys []string
	var key strings.Builder
	escaped := false
	for _, r := range path {
		switch {
		case escaped:
			key.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == '.':
			keys = append(keys, key.String())
			key.Reset()
		default:
			key.WriteRune(r)
		}
	}
	return append(keys, key.String())
}

func copyMap(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for key, value := range m {
		out[key] = copyValue(value)
	}
	return out
}

func copyValue(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return copyMap(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = copyValue(v[i])
		}
		return out
	default:
		return v
	}
}
