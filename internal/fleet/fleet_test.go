package fleet_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/charts"
	"kargo.dev/kargo/internal/fleet"
	"kargo.dev/kargo/internal/settings"
	"kargo.dev/kargo/template"
)

// repository is the fleet repository that the template makes, as the manager
// sees it: without the vendored charts.
func repository(t testing.TB) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	for prefix, source := range map[string]fs.FS{"": template.Fleet(), "charts/cluster/": charts.Cluster()} {
		err := fs.WalkDir(source, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := fs.ReadFile(source, name)
			files[prefix+name] = &fstest.MapFile{Data: data}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func load(t testing.TB) *fleet.Fleet {
	t.Helper()
	f, err := fleet.Load(repository(t))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestLoadTemplate(t *testing.T) {
	f := load(t)
	if diff := cmp.Diff([]string{"economy", "standard"}, f.FlavorNames()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"nonprod", "prod"}, f.EnvironmentNames()); diff != "" {
		t.Error(diff)
	}
	addons := []string{"aws-load-balancer-controller", "cert-manager", "external-dns", "external-secrets", "karpenter", "karpenter-crd", "metrics-server"}
	for _, name := range f.FlavorNames() {
		if diff := cmp.Diff(addons, f.Flavors[name].Addons); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestLayers(t *testing.T) {
	f := load(t)
	layers, err := f.Layers("economy", "nonprod")
	if err != nil {
		t.Fatal(err)
	}
	merged := settings.Merge(layers...)
	for path, want := range map[string]struct {
		value  any
		origin settings.Origin
	}{
		"network.availabilityZones":      {int64(2), settings.Origin{Layer: "chart", Source: "charts/cluster/values.yaml"}},
		"addons.logLevel":                {"info", settings.Origin{Layer: "flavor base", Source: "flavors/base/flavor.yaml"}},
		"nodePools.default.maxSize":      {int64(6), settings.Origin{Layer: "flavor standard", Source: "flavors/standard/flavor.yaml"}},
		"nodePools.default.capacityType": {"spot", settings.Origin{Layer: "flavor economy", Source: "flavors/economy/flavor.yaml"}},
		"addons.externalDNS.policy":      {"sync", settings.Origin{Layer: "environment nonprod", Source: "environments/nonprod/settings.yaml"}},
	} {
		value, _ := merged.Get(path)
		origin, _ := merged.Origin(path)
		if !cmp.Equal(value, want.value) || origin != want.origin {
			t.Errorf("%s = %v from %v, want %v from %v", path, value, origin, want.value, want.origin)
		}
	}
	for name, names := range map[string][2]string{"flavor": {"base", "prod"}, "environment": {"standard", "test"}} {
		if _, err := f.Layers(names[0], names[1]); err == nil || !strings.Contains(err.Error(), name+" "+names[min(1, strings.Count(name, "environment"))]) {
			t.Errorf("unknown %s: got error %v", name, err)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	const standard = "flavors/standard/flavor.yaml"
	cases := map[string]struct {
		reason string
		file   string
		data   string // "" removes the file
		change [2]string
		want   string
	}{
		"NoFleetFile":   {reason: "this may be any folder", file: "fleet.yaml", want: "fleet.yaml: open fleet.yaml: file does not exist"},
		"NoChart":       {reason: "a release pins the cluster chart", file: "charts/cluster/values.schema.json", want: "charts/cluster/values.schema.json: "},
		"UnknownKey":    {reason: "with file and line", file: standard, change: [2]string{"base: base", "bas: base"}, want: standard + ":2: field bas not found"},
		"UnknownBase":   {reason: "named", file: standard, change: [2]string{"base: base", "base: bass"}, want: standard + ":1: base: flavor bass does not exist"},
		"Cycle":         {reason: "flavors must not build on each other", file: "flavors/base/flavor.yaml", change: [2]string{"settings:", "base: standard\nsettings:"}, want: "base: it builds on itself"},
		"Unquoted":      {reason: "1.30 would become 1.3", file: standard, change: [2]string{`default: "1.34"`, "default: 1.3"}, want: standard + `:1: kubernetes: "1.3" is no Kubernetes version`},
		"Untested":      {reason: "the default must be tested", file: standard, change: [2]string{`default: "1.34"`, `default: "1.33"`}, want: "the default 1.33 is not among the tested versions"},
		"Setting":       {reason: "a misspelt setting, with its line", file: standard, change: [2]string{"maxSize", "maxSise"}, want: standard + ":12: nodePools.default.maxSise: unknown setting: did you mean nodePools.default.maxSize?"},
		"Incomplete":    {reason: "EKS would refuse a pool without instance type", file: standard, change: [2]string{"instanceType: m7i.large", "maxUnavailable: 2"}, want: "nodePools.default.instanceType: is missing"},
		"Sizes":         {reason: "sizes must fit", file: standard, change: [2]string{"maxSize: 6", "maxSize: 1"}, want: "nodePools.default: minSize 2 is more than maxSize 1"},
		"Environment":   {reason: "environments are checked like flavors", file: "environments/prod/settings.yaml", data: "addons:\n  dnsZone: a\n  dnszone: b\n", want: "environments/prod/settings.yaml:3: addons.dnszone: unknown setting: did you mean addons.dnsZone?"},
		"NoComponent":   {reason: "Flux would fail in all clusters of the environment", file: "environments/prod/kustomization.yaml", want: "environments/prod/kustomization.yaml: "},
		"FactAsSetting": {reason: "a fact would silently win", file: "environments/prod/settings.yaml", data: "addons:\n  vpcID: a\n", want: "vpcID"},
		"Variable":      {reason: "Flux would substitute nothing", file: "addons/external-dns/helmrelease.yaml", change: [2]string{"${dnsZone}", "${dnsZoen}"}, want: "addons/external-dns/helmrelease.yaml:36: ${dnsZoen} is no setting and no fact: did you mean ${dnsZone}?"},
		"NoAddon":       {reason: "Flux would fail in all clusters of the flavor", file: "addons/karpenter/kustomization.yaml", want: "addons/karpenter/kustomization.yaml: "},
		"Dependency":    {reason: "it would wait for ever", file: "flavors/standard/kustomization.yaml", change: [2]string{"  - ../../addons/karpenter-crd\n", ""}, want: "karpenter depends on karpenter-crd, which flavor standard does not have"},
		"Remote":        {reason: "a release pins all content", file: "addons/karpenter/kustomization.yaml", change: [2]string{"helmrelease.yaml", "https://example.com/x.yaml"}, want: "remote resources are not allowed"},
		"Outside":       {reason: "Flux reads nothing outside", file: "addons/karpenter/kustomization.yaml", change: [2]string{"helmrelease.yaml", "../../../x.yaml"}, want: "lies outside the repository"},
		"Large":         {reason: "what is read is bounded", file: standard, data: "description: " + strings.Repeat("x", settings.MaxDocumentBytes), want: "larger than"},
		"TwoDocuments":  {reason: "nothing is ignored in silence", file: standard, data: "description: a\n---\ndescription: b\n", want: standard + ":2: more than one YAML document"},
		"Broken":        {reason: "with file and line", file: standard, data: "description: [\n", want: standard + ":1: did not find expected node content"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			files := repository(t)
			switch {
			case tc.data != "":
				files[tc.file] = &fstest.MapFile{Data: []byte(tc.data)}
			case tc.change[0] != "":
				before := string(files[tc.file].Data)
				after := strings.Replace(before, tc.change[0], tc.change[1], 1)
				if before == after {
					t.Fatalf("%s does not hold %q", tc.file, tc.change[0])
				}
				files[tc.file] = &fstest.MapFile{Data: []byte(after)}
			default:
				delete(files, tc.file)
			}
			_, err := fleet.Load(files)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("%s: got error %v, want one with %q", tc.reason, err, tc.want)
			}
			var at *fleet.FileError
			if !errors.As(err, &at) {
				t.Errorf("%s: the error names no file: %v", tc.reason, err)
			}
		})
	}
}

func TestLoadEmptyRepository(t *testing.T) {
	if f, err := fleet.Load(fstest.MapFS{}); err == nil {
		t.Errorf("an empty repository is not a fleet without flavors (law 2): %v", f)
	}
}

func TestCatalogCheck(t *testing.T) {
	data, err := json.Marshal(load(t).Catalog())
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 200<<10 {
		t.Errorf("the catalogue has %d bytes: it goes into a ConfigMap of 1 MiB at most", len(data))
	}
	catalog, err := fleet.ParseCatalog(data)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason  string
		request fleet.Request
		want    []string
	}{
		"Good": {
			reason:  "settings may add a pool and change one",
			request: fleet.Request{Flavor: "standard", Environment: "prod", KubernetesVersion: "1.35", Settings: parse(t, "nodePools: {default: {maxSize: 9, size: 8}, big: {instanceType: m7i.4xlarge, minSize: 0, maxSize: 3}}")},
		},
		"Empty": {reason: "what is not asked for is not checked", request: fleet.Request{}},
		"Flavor": {
			reason:  "the known ones are listed, the nearest one named",
			request: fleet.Request{Flavor: "standart"},
			want:    []string{`flavor: "standart" does not exist: did you mean standard? There are economy, standard`},
		},
		"BaseOnly": {
			reason:  "a flavor without versions is no choice",
			request: fleet.Request{Flavor: "base"},
			want:    []string{`flavor: "base" does not exist: there are economy, standard`},
		},
		"Environment": {
			reason:  "the known ones are listed",
			request: fleet.Request{Flavor: "standard", Environment: "staging"},
			want:    []string{`environment: "staging" does not exist: there are nonprod, prod`},
		},
		"Version": {
			reason:  "only tested versions",
			request: fleet.Request{Flavor: "standard", KubernetesVersion: "1.33"},
			want:    []string{"kubernetesVersion: flavor standard is not tested with 1.33: there are 1.34, 1.35, 1.36"},
		},
		"Setting": {
			reason:  "the path is one of the cluster's settings",
			request: fleet.Request{Flavor: "standard", Settings: parse(t, "nodePools: {default: {maxSzie: 9}}")},
			want:    []string{"settings.nodePools.default.maxSzie: unknown setting: did you mean nodePools.default.maxSize?"},
		},
		"Merged": {
			reason:  "sizes are judged together with those of the flavor",
			request: fleet.Request{Flavor: "standard", Environment: "prod", Settings: parse(t, "nodePools: {default: {size: 9}}")},
			want:    []string{"settings.nodePools.default: size 9 is not between minSize 2 and maxSize 6"},
		},
		"NewPool": {
			reason:  "a new pool must be complete",
			request: fleet.Request{Flavor: "standard", Settings: parse(t, "nodePools: {big: {minSize: 1, maxSize: 2}}")},
			want:    []string{"settings.nodePools.big.instanceType: is missing"},
		},
		"Several": {
			reason:  "all is said at once",
			request: fleet.Request{Flavor: "x", KubernetesVersion: "1.35", Settings: parse(t, "cluster: {team: other}")},
			want: []string{
				`flavor: "x" does not exist: there are economy, standard`,
				"settings.cluster: KARGO sets this itself, it is no setting. Who and where the cluster is. KARGO sets it from the Account.",
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, p := range catalog.Check(tc.request) {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func parse(t *testing.T, yaml string) map[string]any {
	t.Helper()
	d, err := settings.ParseYAML([]byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	return d.Values
}
