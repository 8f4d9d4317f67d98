package fleet_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/internal/fleet"
)

// small is the smallest repository that has all kinds of files. The template
// would do, but its schema alone takes a hundred times as long to compile.
func small() map[string]string {
	return map[string]string{
		"fleet.yaml":                 "name: small\n",
		"charts/cluster/values.yaml": "nodePools: {}\naddons: {}\n",
		"charts/cluster/values.schema.json": `{"type":"object","additionalProperties":false,"properties":{
			"cluster":{"readOnly":true,"description":"KARGO's."},"accessEntries":{"readOnly":true},"addons":{"type":"object"},
			"nodePools":{"type":"object","patternProperties":{"^[a-z]+$":{"type":"object","required":["maxSize"],"properties":{
				"minSize":{"type":"integer"},"maxSize":{"type":"integer","maximum":9},"size":{"type":"integer"},"autoscaled":{"type":"boolean"}}}}}}}`,
		"flavors/base/flavor.yaml":             "description: To build on.\nsettings:\n  addons:\n    level: info\n",
		"flavors/standard/flavor.yaml":         "description: The usual.\nbase: base\nkubernetes:\n  default: \"1.34\"\n  tested: [\"1.34\", \"1.35\"]\nsettings:\n  nodePools:\n    one: {minSize: 1, maxSize: 3}\n",
		"flavors/standard/kustomization.yaml":  "resources:\n- ../../addons/dns\n- ../../addons/lb\n",
		"environments/prod/kustomization.yaml": "kind: Component\n",
		"environments/prod/settings.yaml":      "addons:\n  level: warn\n",
		"addons/dns/kustomization.yaml":        "resources: [release.yaml]\n",
		"addons/dns/release.yaml":              "kind: HelmRelease\nmetadata: {name: dns}\nspec:\n  dependsOn: [{name: lb}]\n  values: {level: \"${level}\", cluster: \"${clusterName}\", bare: \"$${x}\", other: \"${y:=z}\"}\n",
		"addons/lb/kustomization.yaml":         "resources: [release.yaml]\n",
		"addons/lb/release.yaml":               "kind: HelmRelease\nmetadata: {name: lb}\n---\nkind: Namespace\n",
	}
}

func filesOf(texts map[string]string) fstest.MapFS {
	files := fstest.MapFS{}
	for name, text := range texts {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

func TestLoadSmall(t *testing.T) {
	if _, err := fleet.Load(filesOf(small())); err != nil {
		t.Fatal(err)
	}
}

// FuzzLoad changes one file of a repository. Whatever it holds, Load gives a fleet
// that can be used or errors that a person can use, the same ones each time. Go
// would spend a minute on making each new input smaller, so:
//
//	go test -run '^$' -fuzz FuzzLoad -fuzzminimizetime 10x ./internal/fleet
func FuzzLoad(f *testing.F) {
	texts := small()
	names := slices.Sorted(maps.Keys(texts))
	for i, name := range names {
		f.Add(uint8(i), []byte(texts[name]))
	}
	add := func(name, text string) { f.Add(uint8(slices.Index(names, name)), []byte(text)) }
	add("flavors/standard/flavor.yaml", "settings: &a {b: *a}")
	add("flavors/standard/flavor.yaml", "kubernetes: {default: 1.34, tested: }")
	add("charts/cluster/values.schema.json", `{"type":"objec","properties":{"addons":{"type":"x"},"a":{"pattern":"("}}}`)
	add("flavors/base/flavor.yaml", "description: x\nbase: standard\n")
	add("flavors/standard/kustomization.yaml", "resources: [../../../x, https://example.com, ../standard, ../../addons/UPPER]\n")
	add("addons/dns/release.yaml", "kind: HelmRelease\nmetadata: {name: lb}\nspec: {dependsOn: [{name: a}, {name: b}], values: \"${levle}\"}\n")
	add("addons/lb/release.yaml", "kind: HelmRelease\nmetadata: {name: x}\nspec: {dependsOn: [{name: a}]}\n---\nkind: HelmRelease\nmetadata: {name: y}\nspec: {dependsOn: [{name: b}]}\n")
	add("environments/prod/settings.yaml", "addons: {vpcID: x}\nnodePools: {one: {size: 9}, A: {}}\ncluster: {name: x}\n")
	base := filesOf(texts)
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		changed := maps.Clone(base)
		changed[names[int(which)%len(names)]] = &fstest.MapFile{Data: data}
		loaded, err := fleet.Load(changed)
		if (loaded == nil) == (err == nil) {
			t.Fatalf("a fleet and an error, or neither: %v", err)
		}
		if err != nil {
			checkErrors(t, changed, err)
			return
		}
		checkFleet(t, loaded)
	})
}

// checkErrors: each names a file, and they are told in the same order each time.
func checkErrors(t *testing.T, files fs.FS, err error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%T is no joined error: %v", err, err)
	}
	for i, one := range joined.Unwrap() {
		var at *fleet.FileError
		if more := i == 20 && strings.HasPrefix(one.Error(), "and "); !errors.As(one, &at) && !more {
			t.Errorf("an error without a file: %v", one)
		}
		if at != nil && (at.File == "" || at.Line < 0 || !fs.ValidPath(at.File)) {
			t.Errorf("an error at no place: %q line %d: %v", at.File, at.Line, at.Err)
		}
	}
	_, again := fleet.Load(files)
	// Of several things wrong with a schema, the JSON schema library tells any one.
	schema := strings.HasPrefix(err.Error(), "charts/cluster/values.schema.json: ")
	if again == nil || (again.Error() != err.Error() && !schema) {
		t.Errorf("the second time another error:\n%v\n%v", err, again)
	}
}

// checkFleet: what is offered can be asked for, and survives being published.
func checkFleet(t *testing.T, loaded *fleet.Fleet) {
	catalog := loaded.Catalog()
	data, err := json.Marshal(catalog)
	if err != nil {
		t.Fatal(err)
	}
	published, err := fleet.ParseCatalog(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, flavor := range catalog.Flavors {
		for _, environment := range catalog.EnvironmentNames() {
			if _, err := loaded.Layers(flavor.Name, environment); err != nil {
				t.Error(err)
			}
			request := fleet.Request{Flavor: flavor.Name, Environment: environment, KubernetesVersion: flavor.Kubernetes.Default}
			if problems := published.Check(request); problems != nil {
				t.Errorf("%s in %s is offered and refused: %v", flavor.Name, environment, problems)
			}
			if diff := cmp.Diff(catalog.Check(request), published.Check(request)); diff != "" {
				t.Errorf("the manager and the CLI differ:\n%s", diff)
			}
		}
	}
}
