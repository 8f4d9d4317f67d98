// Package components knows the command line of each process of a local
// platform. It is pure: what it says depends on the Layout only.
package components

import (
	"fmt"
	"strconv"

	"kargo.dev/kargo/internal/engine"
	"kargo.dev/kargo/internal/local/profile"
	"kargo.dev/kargo/internal/process"
)

// Names of processes, as `kargoctl status` and `kargoctl logs` show them.
const (
	Etcd                  = "etcd"
	KubeAPIServer         = "kube-apiserver"
	KubeControllerManager = "kube-controller-manager"
	AWSSim                = "awssim"
	Git                   = "git"
	ClusterAPI            = "cluster-api"
	ClusterAPIAWS         = "cluster-api-provider-aws"
	SourceController      = "source-controller"
	KustomizeController   = "kustomize-controller"
	HelmController        = "helm-controller"
	Manager               = "kargo-manager"
)

// Names of ports. A port belongs to the process that stands before the slash.
const (
	PortEtcdClient     = Etcd + "/client"
	PortEtcdMetrics    = Etcd + "/metrics"
	PortAPIServer      = KubeAPIServer + "/api"
	PortKCM            = KubeControllerManager + "/health"
	PortAWSSim         = AWSSim + "/api"
	PortGit            = Git + "/http"
	PortCAPIWebhook    = ClusterAPI + "/webhook"
	PortCAPIHealth     = ClusterAPI + "/health"
	PortCAPIMetrics    = ClusterAPI + "/metrics"
	PortCAPAWebhook    = ClusterAPIAWS + "/webhook"
	PortCAPAHealth     = ClusterAPIAWS + "/health"
	PortCAPAMetrics    = ClusterAPIAWS + "/metrics"
	PortSourceHealth   = SourceController + "/health"
	PortSourceMetrics  = SourceController + "/metrics"
	PortSourceStorage  = SourceController + "/storage"
	PortKustomHealth   = KustomizeController + "/health"
	PortKustomMetrics  = KustomizeController + "/metrics"
	PortHelmHealth     = HelmController + "/health"
	PortHelmMetrics    = HelmController + "/metrics"
	PortManagerHook    = Manager + "/hook"
	PortManagerHealth  = Manager + "/health"
	PortManagerMetrics = Manager + "/metrics"
)

// Ports are the names of all ports, in the order they are handed out.
func Ports() []string {
	return []string{
		PortAPIServer, PortGit, PortAWSSim, PortManagerHook,
		PortEtcdClient, PortEtcdMetrics, PortKCM,
		PortCAPIWebhook, PortCAPIHealth, PortCAPIMetrics,
		PortCAPAWebhook, PortCAPAHealth, PortCAPAMetrics,
		PortSourceHealth, PortSourceMetrics, PortSourceStorage,
		PortKustomHealth, PortKustomMetrics, PortHelmHealth, PortHelmMetrics,
		PortManagerHealth, PortManagerMetrics,
	}
}

// Programs are the paths of this project's own programs.
type Programs struct {
	Kargoctl, Manager, AWSSim string
}

// Layout is what command lines are made of.
type Layout struct {
	Profile  profile.Profile
	Engine   *engine.Binaries
	Programs Programs
	Ports    map[string]int
	PKI      PKI
	// Search is where awssim looks for the engine.
	Search engine.Search
}

// PKI are the paths of certificates and keys.
type PKI struct {
	CAFile                                       string
	EtcdServer, EtcdClient, APIServer, Component CertFiles
	ServiceAccountKey, ServiceAccountPublicKey   string
	// WebhookDir holds tls.crt and tls.key of the webhook servers.
	WebhookDir string
}

// CertFiles are a certificate and its key.
type CertFiles struct{ Cert, Key string }

// Addr is 127.0.0.1:PORT.
func (l Layout) Addr(port string) string {
	return "127.0.0.1:" + strconv.Itoa(l.Ports[port])
}

// URL is http://127.0.0.1:PORT and a path.
func (l Layout) URL(port, path string) string { return "http://" + l.Addr(port) + path }

// SecureURL is https://127.0.0.1:PORT and a path.
func (l Layout) SecureURL(port, path string) string { return "https://" + l.Addr(port) + path }

// FleetURL is where the fleet repository is cloned from.
func (l Layout) FleetURL() string { return l.URL(PortGit, "/fleet.git") }

// HookURL is told of pushes to the fleet repository.
func (l Layout) HookURL() string { return l.URL(PortManagerHook, "/hooks/fleet") }

// env is the environment of a Go process. gogc trades processor time for
// memory: many processes share one machine here.
func env(gogc int, vars ...string) []string {
	return append([]string{fmt.Sprintf("GOGC=%d", gogc)}, vars...)
}

func (l Layout) kubeconfig(component string) string {
	return "KUBECONFIG=" + l.Profile.ComponentKubeconfig(component)
}

// Specs are all processes in the order they are started in.
func (l Layout) Specs() []process.Spec {
	return []process.Spec{
		l.etcd(), l.apiServer(), l.controllerManager(), l.git(), l.awssim(),
		l.clusterAPI(), l.clusterAPIAWS(),
		l.sourceController(), l.kustomizeController(), l.helmController(),
		l.manager(),
	}
}
