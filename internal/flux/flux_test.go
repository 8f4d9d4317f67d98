package flux_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"kargo.dev/kargo/internal/engine"
	"kargo.dev/kargo/internal/flux"
)

func TestManifestsAreAnInstallation(t *testing.T) {
	objects, err := flux.Manifests(flux.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range objects {
		got = append(got, o.GetKind()+"/"+o.GetName())
	}
	want := []string{
		"CustomResourceDefinition/buckets.source.toolkit.fluxcd.io",
		"CustomResourceDefinition/externalartifacts.source.toolkit.fluxcd.io",
		"CustomResourceDefinition/gitrepositories.source.toolkit.fluxcd.io",
		"CustomResourceDefinition/helmcharts.source.toolkit.fluxcd.io",
		"CustomResourceDefinition/helmreleases.helm.toolkit.fluxcd.io",
		"CustomResourceDefinition/helmrepositories.source.toolkit.fluxcd.io",
		"CustomResourceDefinition/kustomizations.kustomize.toolkit.fluxcd.io",
		"CustomResourceDefinition/ocirepositories.source.toolkit.fluxcd.io",
		"Namespace/flux-system",
		"ClusterRole/crd-controller-flux-system",
		"ClusterRole/flux-edit-flux-system",
		"ClusterRole/flux-view-flux-system",
		"ClusterRoleBinding/cluster-reconciler-flux-system",
		"ClusterRoleBinding/crd-controller-flux-system",
		"NetworkPolicy/allow-egress",
		"NetworkPolicy/allow-scraping",
		"Deployment/helm-controller",
		"ServiceAccount/helm-controller",
		"Deployment/kustomize-controller",
		"ServiceAccount/kustomize-controller",
		"Deployment/source-controller",
		"Service/source-controller",
		"ServiceAccount/source-controller",
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	for _, o := range objects {
		if o.GetLabels()["app.kubernetes.io/part-of"] != "flux" {
			t.Errorf("%s %s is not labelled as part of Flux", o.GetKind(), o.GetName())
		}
	}
	if kind := objects[0].GetKind(); kind != "CustomResourceDefinition" {
		t.Errorf("first object is a %s, want CRDs first", kind)
	}
}

func TestControllersRunAsKARGONeedsThem(t *testing.T) {
	cases := map[string]struct {
		reason string
		args   []string
	}{
		"source-controller": {
			"the others fetch artifacts from its Service",
			[]string{"--events-addr=", "--watch-all-namespaces", "--storage-path=/data",
				"--storage-adv-addr=source-controller.$(RUNTIME_NAMESPACE).svc.cluster.local."},
		},
		"kustomize-controller": {
			"an unset variable must fail, not vanish",
			[]string{"--events-addr=", "--watch-all-namespaces", "--feature-gates=StrictPostBuildSubstitutions=true"},
		},
		"helm-controller": {
			"releases that depend on each other follow soon",
			[]string{"--events-addr=", "--watch-all-namespaces", "--requeue-dependency=5s"},
		},
	}
	objects, err := flux.Manifests(flux.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if o.GetKind() != "Deployment" {
			continue
		}
		c, ok := cases[o.GetName()]
		if !ok {
			t.Errorf("unexpected Deployment %s", o.GetName())
			continue
		}
		container := soleContainer(t, o)
		args, _, _ := unstructured.NestedStringSlice(container, "args")
		for _, arg := range c.args {
			if !slices.Contains(args, arg) {
				t.Errorf("%s lacks %s (%s); has %q", o.GetName(), arg, c.reason, args)
			}
		}
		account, _, _ := unstructured.NestedString(o.Object, "spec", "template", "spec", "serviceAccountName")
		if account != o.GetName() {
			t.Errorf("%s runs as %q, which has no rights", o.GetName(), account)
		}
		part, _, _ := unstructured.NestedString(o.Object, "spec", "template", "metadata", "labels", "app.kubernetes.io/part-of")
		if part != "flux" {
			t.Errorf("pods of %s are not labelled as part of Flux", o.GetName())
		}
	}
}

func TestControllersAreOfTheEnginesVersions(t *testing.T) {
	lock, err := engine.ReadLock()
	if err != nil {
		t.Fatal(err)
	}
	got, err := flux.Controllers()
	if err != nil {
		t.Fatal(err)
	}
	var want []flux.Controller
	for _, c := range []struct{ name, module string }{
		{"helm-controller", engine.ModuleHelmController},
		{"kustomize-controller", engine.ModuleKustomizeController},
		{"source-controller", engine.ModuleSourceController},
	} {
		v := lock.Modules[c.module]
		want = append(want, flux.Controller{Name: c.name, Version: v, Image: flux.Registry + "/" + c.name + ":" + v})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("run `make generate` (-want +got):\n%s", diff)
	}
}

func TestRegistry(t *testing.T) {
	cases := map[string]struct {
		registry, want, reason string
	}{
		"default":        {"", "ghcr.io/fluxcd/", "upstream's own"},
		"mirror":         {"123456789012.dkr.ecr.eu-central-1.amazonaws.com/fluxcd", "123456789012.dkr.ecr.eu-central-1.amazonaws.com/fluxcd/", "path kept"},
		"port and slash": {"registry.example:5000/", "registry.example:5000/", "a trailing slash is not doubled"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			objects, err := flux.Manifests(flux.Options{Registry: c.registry})
			if err != nil {
				t.Fatal(err)
			}
			controllers, err := flux.Controllers()
			if err != nil {
				t.Fatal(err)
			}
			for _, ctl := range controllers {
				i := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool {
					return o.GetKind() == "Deployment" && o.GetName() == ctl.Name
				})
				got := soleContainer(t, objects[i])["image"]
				if want := c.want + ctl.Name + ":" + ctl.Version; got != want {
					t.Errorf("image of %s: %v, want %s (%s)", ctl.Name, got, want, c.reason)
				}
			}
		})
	}
}

func TestCRDs(t *testing.T) {
	crds, err := flux.CRDs()
	if err != nil {
		t.Fatal(err)
	}
	if len(crds) != 8 {
		t.Errorf("%d CRDs, want 8", len(crds))
	}
}

func soleContainer(t *testing.T, deployment *unstructured.Unstructured) map[string]any {
	t.Helper()
	containers, _, err := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	if err != nil || len(containers) != 1 {
		t.Fatalf("containers of %s: %v, %v", deployment.GetName(), containers, err)
	}
	return containers[0].(map[string]any)
}
