package settings

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseYAML(t *testing.T) {
	cases := map[string]struct {
		reason string
		yaml   string
		want   tree
		err    string
	}{
		"Types": {
			reason: "numbers, booleans and texts stay what they are",
			yaml:   "a: 1\nb: 1.5\nc: true\nd: text\ne: [1, x]\nf: {g: '1.34'}\nh:\ni: 2026-01-02\nj: 0x10\n",
			want:   tree{"a": int64(1), "b": 1.5, "c": true, "d": "text", "e": []any{int64(1), "x"}, "f": tree{"g": "1.34"}, "h": nil, "i": "2026-01-02", "j": int64(16)},
		},
		"Empty":       {reason: "an environment may have no settings", yaml: "# nothing\n", want: tree{}},
		"Null":        {reason: "an environment may have no settings", yaml: "---\n", want: tree{}},
		"Twice":       {reason: "one of the two would be lost", yaml: "a: 1\nb:\n  c: 1\n  c: 2\n", err: "line 4: b.c is given twice"},
		"Alias":       {reason: "aliases make small files large", yaml: "a: &x {b: 1}\nc: *x\n", err: "line 2: anchors and aliases"},
		"MergeKey":    {reason: "merge keys are aliases", yaml: "a: &x {b: 1}\nc:\n  <<: *x\n", err: "line 3: a key must be a word"},
		"List":        {reason: "settings have names", yaml: "- a\n", err: "line 1: settings are a map"},
		"Two":         {reason: "the second would be overlooked", yaml: "a: 1\n---\nb: 2\n", err: "more than one YAML document"},
		"Broken":      {reason: "the line helps", yaml: "a: 1\nb: [\n", err: "line 2"},
		"NotANumber":  {reason: "JSON has none", yaml: "a: .nan\n", err: "line 1: .nan"},
		"TooDeep":     {reason: "depth is bounded", yaml: strings.Repeat("{a: ", 40) + "1" + strings.Repeat("}", 40), err: "deeper than"},
		"TooLarge":    {reason: "size is bounded", yaml: "a: " + strings.Repeat("x", MaxDocumentBytes), err: "larger than"},
		"ComplexKeys": {reason: "a key is text", yaml: "? [a]\n: 1\n", err: "a key must be a word"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ParseYAML([]byte(tc.yaml))
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("%s: got error %v, want one with %q", tc.reason, err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, got.Values); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestDocumentLine(t *testing.T) {
	d, err := ParseYAML([]byte("a:\n  b: 1\n  c.d:\n    e: 2\nf: 3\n"))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"a": 1, "a.b": 2, `a.c\.d.e`: 4, "f": 5, "f.unknown": 5, "unknown": 1} {
		if got := d.Line(path); got != want {
			t.Errorf("Line(%s) = %d, want %d", path, got, want)
		}
	}
}

func TestParseJSON(t *testing.T) {
	got, err := ParseJSON([]byte(`{"a": 3, "b": 1.5, "c": {"d": [1e2, "x"]}, "e": 123456789012}`))
	if err != nil {
		t.Fatal(err)
	}
	want := tree{"a": int64(3), "b": 1.5, "c": tree{"d": []any{100.0, "x"}}, "e": int64(123456789012)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{`[]`, `{`, `{} {}`} {
		if _, err := ParseJSON([]byte(bad)); err == nil {
			t.Errorf("%s was taken for settings", bad)
		}
	}
}

func FuzzParseYAML(f *testing.F) {
	for _, seed := range []string{"a: 1\n", "a: &x [1]\nb: *x\n", "? {a: b}\n: c\n", "a: 2026-01-02\n", "{}", "- 1", "a: !!binary aGk=\n", "a: .inf\n", "\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseYAML(data)
		if err != nil {
			return
		}
		if diff := cmp.Diff(d.Values, Normalize(d.Values), cmp.Comparer(func(a, b float64) bool { return a == b })); diff != "" && !strings.Contains(diff, "float64") {
			t.Errorf("a parsed tree has other types than promised:\n%s", diff)
		}
		Merge(Layer{Values: d.Values}).Leaves()
		for path := range d.Lines {
			if d.Line(path) < 1 {
				t.Errorf("%s has no line", path)
			}
		}
	})
}
