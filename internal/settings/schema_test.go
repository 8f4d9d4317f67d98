package settings

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/charts"
)

func chartSchema(t testing.TB) *Schema {
	t.Helper()
	data, err := fs.ReadFile(charts.Cluster(), "values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := ParseSchema(data)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestCheckSettings(t *testing.T) {
	narrow, err := NarrowAddons(chartSchema(t).Raw(), tree{"dnsZone": "", "externalDNS": tree{"replicas": int64(1)}})
	if err != nil {
		t.Fatal(err)
	}
	schema, err := ParseSchema(narrow)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason string
		yaml   string
		want   []string
	}{
		"Good": {
			reason: "nothing is required of a layer",
			yaml:   "nodePools: {default: {maxSize: 5}}\naddons: {dnsZone: a.example.com, externalDNS: {replicas: 2}}\ntags: {costCentre: '4711'}\n",
		},
		"MisspeltKey": {
			reason: "the nearest key is named, with the pool's own name",
			yaml:   "nodePools: {default: {maxSiz: 5}}",
			want:   []string{"nodePools.default.maxSiz: unknown setting: did you mean nodePools.default.maxSize?"},
		},
		"MisspeltTop": {
			reason: "a wrong word at the top is as easy to make",
			yaml:   "nodepool: {default: {maxSize: 5}}",
			want:   []string{"nodepool: unknown setting: did you mean nodePools?"},
		},
		"MisspeltAddon": {
			reason: "the flavors say which settings of add-ons exist",
			yaml:   "addons: {dnsZoen: x}",
			want:   []string{"addons.dnsZoen: unknown setting: did you mean addons.dnsZone?"},
		},
		"WrongPlace": {
			reason: "the right key in the wrong place is found too",
			yaml:   "dnsZone: x",
			want:   []string{"dnsZone: unknown setting: did you mean addons.dnsZone?"},
		},
		"NothingNear": {
			reason: "what there is is listed",
			yaml:   "endpointAccess: {zzzzzzzzzzzz: x}",
			want:   []string{"endpointAccess.zzzzzzzzzzzz: unknown setting: there are private, public, publicCIDRs"},
		},
		"PoolName": {
			reason: "a hyphen in a pool's name could make two clusters' pools collide",
			yaml:   "nodePools: {my-pool: {maxSize: 5}}",
			want:   []string{"nodePools.my-pool: this name is not allowed here: it must match ^[a-z][a-z0-9]{0,14}$"},
		},
		"Type": {
			reason: "types are checked",
			yaml:   "nodePools: {default: {maxSize: many}}",
			want:   []string{"nodePools.default.maxSize: must be integer, not string"},
		},
		"Unquoted": {
			reason: "YAML takes unquoted versions for numbers",
			yaml:   "nodePools: {default: {instanceType: 7}}",
			want:   []string{"nodePools.default.instanceType: must be string, not number: write it in quotes"},
		},
		"Blank": {
			reason: "blank never means delete (law 3)",
			yaml:   "nodePools: {default: }",
			want:   []string{"nodePools.default: blank: give it a value, or leave it out to keep the value from below"},
		},
		"Several": {
			reason: "all is said at once, in order",
			yaml:   "nodePools: {default: {maxSize: 9999, amiType: AL2, instanceType: big}}\nlogging: [audits]",
			want: []string{
				"logging[0]: must be one of apiServer, audit, authenticator, controllerManager, scheduler, not audits",
				"nodePools.default.amiType: must be one of AL2023_x86_64_STANDARD, AL2023_ARM_64_STANDARD, AL2023_x86_64_NEURON, AL2023_x86_64_NVIDIA, AL2023_ARM_64_NVIDIA, BOTTLEROCKET_ARM_64, BOTTLEROCKET_x86_64, BOTTLEROCKET_ARM_64_FIPS, BOTTLEROCKET_x86_64_FIPS, BOTTLEROCKET_ARM_64_NVIDIA, BOTTLEROCKET_x86_64_NVIDIA, not AL2",
				`nodePools.default.instanceType: "big" does not match ^[a-z0-9-]+\.[a-z0-9-]+$ (an example: m7i.large)`,
				"nodePools.default.maxSize: must be at most 450, not 9999",
			},
		},
		"KARGOsOwn": {
			reason: "who and where the cluster is follows from its Account",
			yaml:   "cluster: {team: other}",
			want:   []string{"cluster: KARGO sets this itself, it is no setting. Who and where the cluster is. KARGO sets it from the Account."},
		},
		"Injection": {
			reason: "a value is substituted into YAML and must stay one value",
			yaml:   "addons: {dnsZone: \"a\\nb: c\"}",
			want:   []string{"addons.dnsZone: \"a\\nb: c\" does not match ^[A-Za-z0-9 _./:@*,=+-]*$"},
		},
		"OwnTag": {
			reason: "KARGO's tags say who pays",
			yaml:   "tags: {kargo.dev/team: x}",
			want:   []string{`tags.kargo\.dev/team: this name is not allowed here`},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d, err := ParseYAML([]byte(tc.yaml))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range schema.CheckSettings(d.Values) {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestCheckValues(t *testing.T) {
	var got []string
	for _, p := range chartSchema(t).CheckValues(tree{"cluster": tree{"team": "shop"}, "accessEntries": tree{}}) {
		got = append(got, p.String())
	}
	for _, want := range []string{"cluster.accountID: is missing", "kubernetesVersion: is missing", "accessEntries: minProperties: got 0, want 1"} {
		if !slices.Contains(got, want) {
			t.Errorf("complete values must have all that is required: no %q in\n%s", want, strings.Join(got, "\n"))
		}
	}
}

// TestSchemaDescribesTheChart keeps values.schema.json, from which the reference
// is made, true to values.yaml.
func TestSchemaDescribesTheChart(t *testing.T) {
	data, err := fs.ReadFile(charts.Cluster(), "values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d, err := ParseYAML(data)
	if err != nil {
		t.Fatal(err)
	}
	defaults := Merge(Layer{Values: d.Values})
	described := 0
	for field := range chartSchema(t).Fields() {
		if field.Description == "" {
			t.Errorf("%s has no description", field.Path)
		}
		if strings.Contains(field.Path, Placeholder) {
			continue
		}
		value, ok := defaults.Get(field.Path)
		if field.HasDefault != ok && !field.Children {
			t.Errorf("%s: the schema says default %v, values.yaml %v", field.Path, field.Default, value)
		}
		if field.HasDefault {
			described++
			if diff := cmp.Diff(field.Default, value); diff != "" {
				t.Errorf("%s: default (-schema +values.yaml):\n%s", field.Path, diff)
			}
		}
	}
	if described < 10 {
		t.Errorf("only %d defaults described", described)
	}
}

func TestParseSet(t *testing.T) {
	schema := chartSchema(t)
	cases := map[string]struct {
		reason string
		set    []string
		want   tree
		err    string
	}{
		"Typed": {
			reason: "numbers and booleans are what they look like",
			set:    []string{"nodePools.default.maxSize=5,oidcProvider=true"},
			want:   tree{"nodePools": tree{"default": tree{"maxSize": int64(5)}}, "oidcProvider": true},
		},
		"LaterWins": {
			reason: "as with Helm",
			set:    []string{"nodePools.a.maxSize=5", "nodePools.a.maxSize=6", "nodePools.b.minSize=1"},
			want:   tree{"nodePools": tree{"a": tree{"maxSize": int64(6)}, "b": tree{"minSize": int64(1)}}},
		},
		"TextBySchema": {
			reason: "a cost centre of digits is text, so are versions and account ids",
			set:    []string{"tags.costCentre=0815", "tags.number=4711", "tags.on=true"},
			want:   tree{"tags": tree{"costCentre": "0815", "number": "4711", "on": "true"}},
		},
		"List": {
			reason: "Helm's lists",
			set:    []string{"logging={audit,apiServer}", "nodePools.a.taints[0].key=x"},
			want:   tree{"logging": []any{"audit", "apiServer"}, "nodePools": tree{"a": tree{"taints": []any{tree{"key": "x"}}}}},
		},
		"Escaped": {
			reason: "labels have dots",
			set:    []string{`nodePools.a.labels.kargo\.dev/pool=x`},
			want:   tree{"nodePools": tree{"a": tree{"labels": tree{"kargo.dev/pool": "x"}}}},
		},
		"None":       {reason: "no --set, no settings", want: tree{}},
		"NoValue":    {reason: "the form is shown", set: []string{"nodePools"}, err: "write it as key=value"},
		"NoKey":      {reason: "Helm would drop it silently", set: []string{"=5"}, err: "write it as key=value"},
		"Null":       {reason: "blank never means delete (law 3)", set: []string{"nodePools.a=null"}, err: "--set nodePools.a: blank"},
		"LargeIndex": {reason: "a list of 60,000 nulls is a mistake", set: []string{"logging[60000]=audit"}, err: "a list index over 999"},
		"Gap":        {reason: "a gap in a list is blank", set: []string{"logging[2]=audit"}, err: "--set logging[0]: blank"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := schema.ParseSet(tc.set...)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("%s: got error %v, want one with %q", tc.reason, err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func FuzzParseSet(f *testing.F) {
	schema := chartSchema(f)
	for _, seed := range []string{"nodePools.default.maxSize=5", "a={b,c}", "a[0].b=1,a[1].b=2", `a\.b=c`, "a=", "=", "a[999]=x", "a.b=1,a=2,a.c=3", "a[-1]=x", "a={"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		values, err := schema.ParseSet(expression)
		if err != nil {
			return
		}
		if path, ok := blank(values, ""); ok {
			t.Errorf("%q left %s blank", expression, path)
		}
		for _, problem := range schema.CheckSettings(values) {
			if problem.Message == "" {
				t.Errorf("%q: a problem without a message at %s", expression, problem.Path)
			}
		}
	})
}

func FuzzParseSchema(f *testing.F) {
	f.Add([]byte(`{"type":"object","properties":{"a":{"type":["string","null"],"default":1}},"patternProperties":{"^x":{"items":{}}}}`))
	f.Add([]byte(`{"$ref":"https://example.com/x"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		schema, err := ParseSchema(data)
		if err != nil {
			return
		}
		schema.CheckSettings(tree{"a": "b", "x": []any{int64(1)}})
	})
}

// TestSchemaErrorIsStable: it becomes a condition's message, in one line and the
// same each time.
func TestSchemaErrorIsStable(t *testing.T) {
	const want = "values.schema.json: at /properties/a/type: got number, want array"
	for range 20 {
		_, err := ParseSchema([]byte(`{"type":"object","properties":{"b":{"type":2},"a":{"type":1},"c":{"minimum":"x"}}}`))
		if err == nil || err.Error() != want {
			t.Fatalf("got %v, want %s", err, want)
		}
	}
}
