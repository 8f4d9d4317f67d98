package scaffold

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	releasev1 "helm.sh/helm/v4/pkg/release/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"kargo.dev/kargo/internal/fleet"
	"kargo.dev/kargo/internal/settings"
)

// TestAddonsRender does for each flavor and environment what Flux does in a
// cluster: it builds the folder with the environment's component, substitutes
// the settings, and renders each HelmRelease with the vendored chart, once as
// in production and once as on the local platform. Equal HelmReleases of several
// flavors are rendered once, and those that differ by environment in one of them.
func TestAddonsRender(t *testing.T) {
	seen := map[string]bool{}
	for name, rendered := range map[string]string{"Production": "prod", "Local": "nonprod"} {
		t.Run(name, func(t *testing.T) {
			dir, local := repository(t), name == "Local"
			if local {
				useLocalOverlay(t, dir)
			}
			f, err := fleet.Load(os.DirFS(dir))
			if err != nil {
				t.Fatal(err)
			}
			for _, flavor := range f.FlavorNames() {
				for _, environment := range f.EnvironmentNames() {
					t.Run(flavor+"/"+environment, func(t *testing.T) {
						releases := helmReleases(t, dir, f, flavor, environment)
						if len(releases) != len(upstreams()) {
							t.Errorf("%d HelmReleases, want %d", len(releases), len(upstreams()))
						}
						for _, release := range releases {
							spec, err := json.Marshal(release)
							if err != nil {
								t.Fatal(err)
							}
							if environment == rendered && !seen[string(spec)] {
								seen[string(spec)] = true
								checkRelease(t, dir, release, local)
							}
						}
					})
				}
			}
		})
	}
}

func useLocalOverlay(t *testing.T, dir string) {
	t.Helper()
	for _, environment := range []string{"prod", "nonprod"} {
		if err := os.Remove(filepath.Join(dir, "environments", environment, "kustomization.yaml")); err != nil {
			t.Fatal(err)
		}
	}
	if err := (Options{Dir: dir, Local: true}).copyTemplate(&Result{}); err != nil {
		t.Fatal(err)
	}
}

// helmReleases builds a flavor as kustomize-controller does.
func helmReleases(t *testing.T, dir string, f *fleet.Fleet, flavor, environment string) []helmv2.HelmRelease {
	t.Helper()
	file := filepath.Join(dir, "flavors", flavor, "kustomization.yaml")
	original, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	withComponent := string(original) + "components:\n  - ../../environments/" + environment + "\n"
	if err := os.WriteFile(file, []byte(withComponent), 0o644); err != nil {
		t.Fatal(err)
	}
	built := kustomize(t, filesys.MakeFsOnDisk(), filepath.Dir(file))
	if err := os.WriteFile(file, original, 0o644); err != nil {
		t.Fatal(err)
	}
	layers, err := f.Layers(flavor, environment)
	if err != nil {
		t.Fatal(err)
	}
	variables := settings.Substitutions(settings.Merge(layers...).Map(), settings.Facts{
		ClusterName: "shop-prod", AccountID: "012345678901", Region: "eu-central-1", Environment: environment, Team: "shop",
		KubernetesVersion: "1.34", VPCID: "vpc-0123456789abcdef0", ClusterEndpoint: "https://127.0.0.1:6443", OIDCIssuer: "https://oidc.example",
	})
	var releases []helmv2.HelmRelease
	for _, resource := range built.Resources() {
		text := substitute(t, resource.MustYaml(), variables)
		switch resource.GetKind() {
		case "HelmRelease":
			var release helmv2.HelmRelease
			if err := yaml.UnmarshalStrict([]byte(text), &release); err != nil {
				t.Fatalf("HelmRelease %s: %v\n%s", resource.GetName(), err, text)
			}
			releases = append(releases, release)
		case "Namespace":
		default:
			t.Errorf("an add-on has a %s %s", resource.GetKind(), resource.GetName())
		}
	}
	return releases
}

func kustomize(t *testing.T, fsys filesys.FileSystem, dir string) resmap.ResMap {
	t.Helper()
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsNone
	built, err := krusty.MakeKustomizer(options).Run(fsys, dir)
	if err != nil {
		t.Fatalf("kustomize build %s: %v", dir, err)
	}
	return built
}

func substitute(t *testing.T, text string, variables map[string]string) string {
	t.Helper()
	return regexp.MustCompile(`\$\{(\w+)\}`).ReplaceAllStringFunc(text, func(found string) string {
		value, ok := variables[found[2:len(found)-1]]
		if !ok || value == "" {
			t.Errorf("%s stands for nothing", found)
		}
		return value
	})
}

func checkRelease(t *testing.T, dir string, release helmv2.HelmRelease, local bool) {
	t.Helper()
	if release.Spec.Upgrade == nil || release.Spec.Upgrade.Remediation == nil || release.Spec.Install.Remediation.Retries == 0 {
		t.Errorf("%s is not tried again when it fails", release.Name)
	}
	manifest, hooks := renderRelease(t, dir, release)
	kinds := map[string]int{}
	for _, object := range postRender(t, release, manifest) {
		kinds[object.GetKind()]++
		checkResources(t, release.Name, object)
		if release.Spec.TargetNamespace != "kube-system" {
			checkRestricted(t, release.Name, object)
		}
	}
	if kinds["Deployment"] == 0 && kinds["CustomResourceDefinition"] == 0 {
		t.Errorf("%s renders nothing that runs: %v", release.Name, kinds)
	}
	asked := kinds["ValidatingWebhookConfiguration"] + kinds["MutatingWebhookConfiguration"] + kinds["APIService"]
	expected := slices.Contains([]string{"aws-load-balancer-controller", "cert-manager", "external-secrets", "metrics-server"}, release.Name)
	switch {
	case local && asked > 0:
		t.Errorf("%s: the API server would ask pods that do not answer: %v", release.Name, kinds)
	case local && hooks > 0:
		t.Errorf("%s: %d hooks would show what is not so locally", release.Name, hooks)
	case !local && expected && asked == 0:
		t.Errorf("%s: production lost its webhooks or API: %v", release.Name, kinds)
	}
}

// renderRelease renders as helm-controller does, and returns the manifest and
// the number of hooks that run at install or upgrade.
func renderRelease(t *testing.T, dir string, release helmv2.HelmRelease) (manifest string, hooks int) {
	t.Helper()
	packaged, err := loader.LoadDir(filepath.Join(dir, release.Spec.Chart.Spec.Chart))
	if err != nil {
		t.Fatalf("%s: %v", release.Name, err)
	}
	version, err := common.ParseKubeVersion("v1.34.0")
	if err != nil {
		t.Fatal(err)
	}
	install := action.NewInstall(&action.Configuration{Capabilities: common.DefaultCapabilities})
	install.DryRunStrategy = action.DryRunClient
	install.KubeVersion = version
	install.ReleaseName = release.Spec.ReleaseName
	install.Namespace = release.Spec.TargetNamespace
	result, err := install.RunWithContext(t.Context(), packaged, release.GetValues())
	if err != nil {
		t.Fatalf("%s does not render: %v", release.Name, err)
	}
	rendered := result.(*releasev1.Release)
	for _, hook := range rendered.Hooks {
		if !slices.Contains(hook.Events, releasev1.HookTest) {
			hooks++
		}
	}
	checkSecretSize(t, rendered)
	return rendered.Manifest, hooks
}

// checkSecretSize: Helm keeps a release in a Secret, which holds at most 1 MiB.
func checkSecretSize(t *testing.T, release *releasev1.Release) {
	t.Helper()
	data, err := json.Marshal(release)
	if err != nil {
		t.Fatal(err)
	}
	var compressed bytes.Buffer
	writer := gzip.NewWriter(&compressed)
	if _, err := writer.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if size := base64.StdEncoding.EncodedLen(compressed.Len()); size > 900<<10 {
		t.Errorf("%s: the release has %d bytes, a Secret holds 1 MiB", release.Name, size)
	}
}

// postRender applies the HelmRelease's post-renderers as helm-controller does.
func postRender(t *testing.T, release helmv2.HelmRelease, manifest string) []*unstructured.Unstructured {
	t.Helper()
	if len(release.Spec.PostRenderers) == 0 {
		return decode(t, manifest)
	}
	fsys := filesys.MakeFsInMemory()
	k := types.Kustomization{Resources: []string{"all.yaml"}}
	for _, renderer := range release.Spec.PostRenderers {
		for _, patch := range renderer.Kustomize.Patches {
			selector := &types.Selector{}
			selector.Kind = patch.Target.Kind
			k.Patches = append(k.Patches, types.Patch{Patch: patch.Patch, Target: selector})
		}
	}
	data, err := yaml.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"kustomization.yaml": data, "all.yaml": []byte(manifest)} {
		if err := fsys.WriteFile(name, content); err != nil {
			t.Fatal(err)
		}
	}
	var objects []*unstructured.Unstructured
	for _, resource := range kustomize(t, fsys, ".").Resources() {
		content, err := resource.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(content); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
	return objects
}

func decode(t *testing.T, manifest string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(manifest), 4096)
	for {
		object := &unstructured.Unstructured{}
		switch err := decoder.Decode(object); {
		case errors.Is(err, io.EOF):
			return objects
		case err != nil:
			t.Fatal(err)
		case object.Object != nil:
			objects = append(objects, object)
		}
	}
}

// checkResources: each container says what it needs, and how much memory it may take.
func checkResources(t *testing.T, release string, object *unstructured.Unstructured) {
	t.Helper()
	containers, _, err := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers")
	if err != nil {
		t.Fatal(err)
	}
	for _, container := range containers {
		c := container.(map[string]any)
		for _, path := range [][]string{{"resources", "requests", "cpu"}, {"resources", "requests", "memory"}, {"resources", "limits", "memory"}} {
			if _, ok, _ := unstructured.NestedFieldNoCopy(c, path...); !ok {
				t.Errorf("%s: container %v of %s %s has no %s", release, c["name"], object.GetKind(), object.GetName(), strings.Join(path, "."))
			}
		}
	}
}

// checkRestricted: the add-ons' own namespaces enforce the restricted pod security
// standard, https://kubernetes.io/docs/concepts/security/pod-security-standards.
func checkRestricted(t *testing.T, release string, object *unstructured.Unstructured) {
	t.Helper()
	pod, ok, _ := unstructured.NestedMap(object.Object, "spec", "template", "spec")
	if !ok {
		return
	}
	seccomp, _, _ := unstructured.NestedString(pod, "securityContext", "seccompProfile", "type")
	nonRoot, _, _ := unstructured.NestedBool(pod, "securityContext", "runAsNonRoot")
	containers, _, _ := unstructured.NestedSlice(pod, "containers")
	for _, container := range containers {
		c := container.(map[string]any)
		own, _, _ := unstructured.NestedString(c, "securityContext", "seccompProfile", "type")
		ownNonRoot, _, _ := unstructured.NestedBool(c, "securityContext", "runAsNonRoot")
		escalation, set, _ := unstructured.NestedBool(c, "securityContext", "allowPrivilegeEscalation")
		drop, _, _ := unstructured.NestedStringSlice(c, "securityContext", "capabilities", "drop")
		if seccomp+own == "" || !nonRoot && !ownNonRoot || !set || escalation || !slices.Contains(drop, "ALL") {
			t.Errorf("%s: container %v of %s breaks the restricted pod security standard", release, c["name"], object.GetName())
		}
	}
}

// TestInjectedSettings checks that what KARGO knows of a cluster arrives in the
// objects of its add-ons.
func TestInjectedSettings(t *testing.T) {
	dir := repository(t)
	f, err := fleet.Load(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string][]string{
		"aws-load-balancer-controller": {"--cluster-name=shop-prod", "--aws-region=eu-central-1", "--aws-vpc-id=vpc-0123456789abcdef0", "arn:aws:iam::012345678901:role/kargo-shop-prod-aws-load-balancer-controller"},
		"cert-manager":                 {"arn:aws:iam::012345678901:role/kargo-shop-prod-cert-manager", "value: eu-central-1"},
		"external-dns":                 {"--domain-filter=prod.example.internal", "--txt-owner-id=kargo-012345678901-shop-prod", "--policy=upsert-only", "arn:aws:iam::012345678901:role/kargo-shop-prod-external-dns"},
		"external-secrets":             {"arn:aws:iam::012345678901:role/kargo-shop-prod-external-secrets", "value: eu-central-1"},
		"karpenter":                    {`value: "shop-prod"`, "https://127.0.0.1:6443", "arn:aws:iam::012345678901:role/kargo-shop-prod-karpenter", "public.ecr.aws/karpenter/controller:1.14.0\n"},
		"karpenter-crd":                {"name: nodepools.karpenter.sh"},
		"metrics-server":               {"replicas: 2"},
	}
	releases := map[string]string{}
	for _, release := range helmReleases(t, dir, f, "standard", "prod") {
		releases[release.Name], _ = renderRelease(t, dir, release)
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		for _, text := range wanted[name] {
			if !strings.Contains(releases[name], text) {
				t.Errorf("%s: nothing says %s", name, fmt.Sprintf("%q", text))
			}
		}
	}
}
