package engine

import (
	"fmt"
	"slices"
	"strings"
)

// Names of the programs in an engine directory. The Kubernetes API server is
// there once per minor version, see APIServerName.
const (
	Etcd                  = "etcd"
	KubeAPIServer         = "kube-apiserver" // a link to the newest minor, for envtest
	KubeControllerManager = "kube-controller-manager"
	KubeScheduler         = "kube-scheduler"
	Kubectl               = "kubectl"
	KWOK                  = "kwok"
	ClusterAPI            = "cluster-api-controller"
	ClusterAPIAWS         = "cluster-api-provider-aws"
	SourceController      = "source-controller"
	KustomizeController   = "kustomize-controller"
	HelmController        = "helm-controller"
)

// Modules the engine is made of.
const (
	ModuleEtcd                = "go.etcd.io/etcd/server/v3"
	ModuleKubernetes          = "k8s.io/kubernetes"
	ModuleKWOK                = "sigs.k8s.io/kwok"
	ModuleClusterAPI          = "sigs.k8s.io/cluster-api"
	ModuleClusterAPIAWS       = "sigs.k8s.io/cluster-api-provider-aws/v2"
	ModuleSourceController    = "github.com/fluxcd/source-controller"
	ModuleKustomizeController = "github.com/fluxcd/kustomize-controller"
	ModuleHelmController      = "github.com/fluxcd/helm-controller"
)

// recipeFormat changes the engine directory's name when the way of building
// changes otherwise than by a Recipe: flags of the compiler, manifests.
const recipeFormat = "1: -trimpath -s -w"

// Modules returns the paths of all modules the engine is made of, sorted.
func Modules() []string {
	m := []string{
		ModuleEtcd, ModuleKubernetes, ModuleKWOK, ModuleClusterAPI, ModuleClusterAPIAWS,
		ModuleSourceController, ModuleKustomizeController, ModuleHelmController,
	}
	slices.Sort(m)
	return m
}

// Minors returns the Kubernetes minor versions an EKS cluster of the engine
// can have, ascending. The last one is the version of the Kubernetes module.
//
// One kube-apiserver is linked per minor, because /version, and with it Helm's
// kubeVersion check, says what was linked in and not what --emulated-version
// says. Kubernetes takes the linked version as the one to be: which APIs are
// served and which features are on follows it. It goes back three minors.
func Minors() []string { return []string{"1.34", "1.35", "1.36"} }

// APIServerName is the name of the kube-apiserver of a minor version ("1.34").
func APIServerName(minor string) string { return KubeAPIServer + "-" + minor }

// EKSVersion is what /version of an EKS cluster of a minor version answers.
// EKS says v1.34.1-eks-113cf36: a patch version and a commit of its own
// build. Here the suffix says that this is not EKS.
func EKSVersion(minor string) string { return "v" + minor + ".1-eks-emulated" }

// Recipe says how one program is built.
type Recipe struct {
	Name    string            // of the file in the engine directory
	Package string            // its main package
	Module  string            // the module the package is of
	Set     map[string]string // string variables set by the linker, by qualified name
}

// LDFlags returns the linker's flags.
func (r Recipe) LDFlags() string {
	flags := []string{"-s", "-w"}
	for name, value := range r.Set {
		flags = append(flags, "-X "+name+"="+value)
	}
	slices.Sort(flags[2:])
	return strings.Join(flags, " ")
}

// Recipes returns how to build the whole engine, in the order of building:
// what the first minutes of a platform need comes first.
func Recipes(l Lock) ([]Recipe, error) {
	for _, m := range Modules() {
		if l.Modules[m] == "" {
			return nil, fmt.Errorf("internal/engine/lock.json names no version of %s; run `make generate`", m)
		}
	}
	kubernetes := l.Modules[ModuleKubernetes]
	recipes := []Recipe{{Name: Etcd, Package: ModuleEtcd, Module: ModuleEtcd}}
	for _, minor := range Minors() {
		recipes = append(recipes, kubernetesRecipe(APIServerName(minor), KubeAPIServer, EKSVersion(minor)))
	}
	recipes = append(recipes,
		kubernetesRecipe(KubeControllerManager, KubeControllerManager, kubernetes),
		kubernetesRecipe(KubeScheduler, KubeScheduler, kubernetes),
		kubernetesRecipe(Kubectl, Kubectl, kubernetes),
		Recipe{Name: KWOK, Package: ModuleKWOK + "/cmd/kwok", Module: ModuleKWOK, Set: map[string]string{
			"sigs.k8s.io/kwok/pkg/consts.Version": strings.TrimPrefix(l.Modules[ModuleKWOK], "v"),
		}},
		Recipe{Name: ClusterAPI, Package: ModuleClusterAPI, Module: ModuleClusterAPI,
			Set: versionVars("sigs.k8s.io/cluster-api/version", l.Modules[ModuleClusterAPI])},
		Recipe{Name: ClusterAPIAWS, Package: ModuleClusterAPIAWS, Module: ModuleClusterAPIAWS,
			Set: versionVars("sigs.k8s.io/cluster-api-provider-aws/v2/version", l.Modules[ModuleClusterAPIAWS])},
		Recipe{Name: SourceController, Package: ModuleSourceController, Module: ModuleSourceController},
		Recipe{Name: KustomizeController, Package: ModuleKustomizeController, Module: ModuleKustomizeController},
		Recipe{Name: HelmController, Package: ModuleHelmController, Module: ModuleHelmController},
	)
	return recipes, nil
}

// kubernetesRecipe builds a command of Kubernetes that says it is of a version.
// Cluster API refuses an API server that says v0.0.0-master, the default.
func kubernetesRecipe(name, command, version string) Recipe {
	set := versionVars("k8s.io/component-base/version", version)
	for k, v := range versionVars("k8s.io/client-go/pkg/version", version) { // the user agent
		set[k] = v
	}
	return Recipe{Name: name, Package: ModuleKubernetes + "/cmd/" + command, Module: ModuleKubernetes, Set: set}
}

// versionVars sets the variables that Kubernetes' version packages have in common.
func versionVars(pkg, version string) map[string]string {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	return map[string]string{
		pkg + ".gitVersion":   version,
		pkg + ".gitMajor":     major,
		pkg + ".gitMinor":     minor,
		pkg + ".gitCommit":    "",
		pkg + ".gitTreeState": "clean",
	}
}

// Component is a part of the engine and its version.
type Component struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Versions returns the versions of the engine's parts, sorted by name.
func Versions() ([]Component, error) {
	l, err := ReadLock()
	if err != nil {
		return nil, err
	}
	return []Component{
		{ClusterAPI, l.Modules[ModuleClusterAPI]},
		{ClusterAPIAWS, l.Modules[ModuleClusterAPIAWS]},
		{Etcd, l.Modules[ModuleEtcd]},
		{HelmController, l.Modules[ModuleHelmController]},
		{"kubernetes", l.Modules[ModuleKubernetes]},
		{KustomizeController, l.Modules[ModuleKustomizeController]},
		{KWOK, l.Modules[ModuleKWOK]},
		{SourceController, l.Modules[ModuleSourceController]},
	}, nil
}
