package settings

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type tree = map[string]any

func TestMerge(t *testing.T) {
	base := Layer{Name: "flavor base", Source: "flavors/base/flavor.yaml", Values: tree{
		"nodePools": tree{"default": tree{"maxSize": int64(3), "labels": tree{}}},
		"logging":   []any{"audit"},
	}}
	cases := map[string]struct {
		reason  string
		over    tree
		want    tree
		origins map[string]string
	}{
		"Deep": {
			reason: "a layer changes only what it names",
			over:   tree{"nodePools": tree{"default": tree{"maxSize": int64(9)}}},
			want: tree{
				"nodePools": tree{"default": tree{"maxSize": int64(9), "labels": tree{}}},
				"logging":   []any{"audit"},
			},
			origins: map[string]string{"nodePools.default.maxSize": "cluster", "nodePools.default.labels": "flavor base", "logging": "flavor base"},
		},
		"ListsAreReplaced": {
			reason: "what belongs into a list together is decided in one place",
			over:   tree{"logging": []any{"apiServer"}},
			want: tree{
				"nodePools": tree{"default": tree{"maxSize": int64(3), "labels": tree{}}},
				"logging":   []any{"apiServer"},
			},
			origins: map[string]string{"nodePools.default.maxSize": "flavor base", "nodePools.default.labels": "flavor base", "logging": "cluster"},
		},
		"BlankChangesNothing": {
			reason: "blank never means delete (law 3)",
			over:   tree{"nodePools": nil, "logging": nil},
			want:   base.Values,
			origins: map[string]string{
				"nodePools.default.maxSize": "flavor base", "nodePools.default.labels": "flavor base", "logging": "flavor base",
			},
		},
		"EmptyMapChangesNothing": {
			reason: "an empty map is blank too",
			over:   tree{"nodePools": tree{}},
			want:   base.Values,
			origins: map[string]string{
				"nodePools.default.maxSize": "flavor base", "nodePools.default.labels": "flavor base", "logging": "flavor base",
			},
		},
		"EmptyMapIsFilled": {
			reason: "an empty map below is a place to put keys",
			over:   tree{"nodePools": tree{"default": tree{"labels": tree{"a.b/c": "d"}}}},
			want: tree{
				"nodePools": tree{"default": tree{"maxSize": int64(3), "labels": tree{"a.b/c": "d"}}},
				"logging":   []any{"audit"},
			},
			origins: map[string]string{"nodePools.default.maxSize": "flavor base", `nodePools.default.labels.a\.b/c`: "cluster", "logging": "flavor base"},
		},
		"OtherTypeReplacesAll": {
			reason: "no origin is left of what is gone",
			over:   tree{"nodePools": "none"},
			want:   tree{"nodePools": "none", "logging": []any{"audit"}},
			origins: map[string]string{
				"nodePools": "cluster", "logging": "flavor base",
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Merge(base, Layer{Name: "cluster", Values: tc.over})
			if diff := cmp.Diff(tc.want, got.Map()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			origins := map[string]string{}
			for _, leaf := range got.Leaves() {
				origins[leaf.Path] = leaf.Origin.Layer
				if value, ok := got.Get(leaf.Path); !ok || !cmp.Equal(value, leaf.Value) {
					t.Errorf("Get(%s) = %v, %v", leaf.Path, value, ok)
				}
			}
			if diff := cmp.Diff(tc.origins, origins); diff != "" {
				t.Errorf("%s: origins (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// randomTree makes trees that agree on which keys are maps: m0 to m2 are.
func randomTree(r *rand.Rand, depth int) tree {
	out := tree{}
	for i := range 3 {
		if depth > 0 && r.IntN(2) == 0 {
			out[fmt.Sprintf("m%d", i)] = randomTree(r, depth-1)
		}
		switch r.IntN(5) {
		case 0:
			out[fmt.Sprintf("v%d", i)] = int64(r.IntN(100))
		case 1:
			out[fmt.Sprintf("v%d", i)] = []any{fmt.Sprint(r.IntN(100))}
		case 2:
			out[fmt.Sprintf("v%d", i)] = nil
		}
	}
	return out
}

func TestMergeProperties(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 1))
		a := Layer{Name: "a", Values: randomTree(r, 3)}
		b := Layer{Name: "b", Values: randomTree(r, 3)}
		c := Layer{Name: "c", Values: randomTree(r, 3)}
		all := Merge(a, b, c)

		left := Merge(Layer{Values: Merge(a, b).Map()}, c).Map()
		right := Merge(a, Layer{Values: Merge(b, c).Map()}).Map()
		if diff := cmp.Diff(left, right); diff != "" {
			t.Fatalf("seed %d: not associative:\n%s", seed, diff)
		}
		if diff := cmp.Diff(left, all.Map()); diff != "" {
			t.Fatalf("seed %d: merging at once differs from merging in steps:\n%s", seed, diff)
		}
		if diff := cmp.Diff(Merge(a).Map(), Merge(a, a).Map()); diff != "" {
			t.Fatalf("seed %d: merging twice changes something:\n%s", seed, diff)
		}
		alone := []Values{Merge(a), Merge(b), Merge(c)}
		for _, leaf := range all.Leaves() {
			checkOrigin(t, seed, leaf, alone)
		}
		for _, leaf := range Merge(c).Leaves() { // the last layer always wins
			value, ok := all.Get(leaf.Path)
			if m, isMap := leaf.Value.(tree); !ok || (!isMap || len(m) > 0) && !cmp.Equal(value, leaf.Value) {
				t.Fatalf("seed %d: %s of the last layer is lost", seed, leaf.Path)
			}
		}
	}
}

func checkOrigin(t *testing.T, seed uint64, leaf Leaf, layers []Values) {
	t.Helper()
	for i := len(layers) - 1; i >= 0; i-- {
		name := string(rune('a' + i))
		value, ok := layers[i].Get(leaf.Path)
		if m, isMap := value.(tree); !ok || isMap && len(m) == 0 && leaf.Origin.Layer != name {
			continue
		}
		if leaf.Origin.Layer != name || !cmp.Equal(value, leaf.Value) {
			t.Fatalf("seed %d: %s = %v from %s, but layer %s says %v", seed, leaf.Path, leaf.Value, leaf.Origin.Layer, name, value)
		}
		return
	}
	t.Fatalf("seed %d: %s comes from nowhere", seed, leaf.Path)
}

func TestMergeSharesNothing(t *testing.T) {
	layer := Layer{Values: tree{"a": tree{"b": []any{tree{"c": "d"}}}}}
	merged := Merge(layer)
	merged.Map()["a"].(tree)["b"].([]any)[0].(tree)["c"] = "changed"
	layer.Values["a"].(tree)["b"].([]any)[0].(tree)["c"] = "changed too"
	if value, _ := merged.Get("a.b"); !cmp.Equal(value, []any{tree{"c": "d"}}) {
		t.Errorf("merged values changed with what they were made from: %v", value)
	}
}

func FuzzPath(f *testing.F) {
	f.Add("a", "b.c", `d\.e`)
	f.Add("nodePools", "default", "labels")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if a == "" || b == "" || c == "" {
			t.Skip()
		}
		want := []string{string([]rune(a)), string([]rune(b)), string([]rune(c))}
		if diff := cmp.Diff(want, Split(Join(Join(Join("", a), b), c))); diff != "" {
			t.Error(diff)
		}
	})
}
