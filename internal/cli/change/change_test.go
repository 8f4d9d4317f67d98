package change

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLines(t *testing.T) {
	type m = map[string]any
	tests := map[string]struct {
		before, after any
		want          []string
		reason        string
	}{
		"Equal":     {m{"a": 1}, m{"a": 1}, nil, "nothing changed, nothing said"},
		"Leaf":      {m{"a": m{"b": 1}}, m{"a": m{"b": 2}}, []string{"spec.a.b: 1 → 2"}, "the path leads to the leaf"},
		"AddedTree": {nil, m{"a": m{"b": "x"}}, []string{"spec.a.b: (unset) → x"}, "a new tree is shown by its leaves"},
		"Removed":   {m{"a": m{"b": 1}, "c": ""}, m{"c": ""}, []string{"spec.a.b: 1 → (unset)"}, "what is lost is shown too"},
		"EmptyMap":  {m{}, m{"a": m{}}, []string{"spec.a: (unset) → {}"}, "an empty map is a value"},
		"List":      {m{"a": []int{1}}, m{"a": []int{1, 2}}, []string{"spec.a: [1] → [1,2]"}, "a list changes as a whole"},
		"Sorted":    {m{}, m{"b": 1, "a": "x"}, []string{"spec.a: (unset) → x", "spec.b: (unset) → 1"}, "the order is stable"},
		"ToScalar":  {m{"a": m{"b": 1}}, m{"a": 1}, []string{`spec.a: {"b":1} → 1`}, "a tree that becomes a value"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Lines("spec", tt.before, tt.after)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
			}
		})
	}
}
