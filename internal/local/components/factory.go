package components

import (
	"strconv"

	"kargo.dev/kargo/internal/local/gitserver"
	"kargo.dev/kargo/internal/process"
)

// Namespaces the components think they run in.
const (
	NamespaceClusterAPI    = "capi-system"
	NamespaceClusterAPIAWS = "capa-system"
	NamespaceFlux          = "flux-system"
	NamespaceKargo         = "kargo-system"
)

// waveLimit is how many clusters change at a time. CAPA blocks a worker while
// EKS changes state, so it has as many workers (law 11).
const waveLimit = "10"

func (l Layout) clusterAPI() process.Spec {
	return process.Spec{
		Name: ClusterAPI, Path: l.Engine.ClusterAPI,
		Args: []string{
			"--webhook-port=" + strconv.Itoa(l.Ports[PortCAPIWebhook]), "--webhook-cert-dir=" + l.PKI.WebhookDir,
			"--health-addr=" + l.Addr(PortCAPIHealth),
			"--diagnostics-address=" + l.Addr(PortCAPIMetrics), "--insecure-diagnostics=true",
			"--leader-elect=false",
			"--feature-gates=MachinePool=true,ClusterTopology=false",
		},
		Env:      env(50, l.kubeconfig(ClusterAPI), "POD_NAMESPACE="+NamespaceClusterAPI),
		ReadyURL: l.URL(PortCAPIHealth, "/readyz"),
	}
}

func (l Layout) clusterAPIAWS() process.Spec {
	return process.Spec{
		Name: ClusterAPIAWS, Path: l.Engine.ClusterAPIAWS,
		Args: []string{
			"--webhook-port=" + strconv.Itoa(l.Ports[PortCAPAWebhook]), "--webhook-cert-dir=" + l.PKI.WebhookDir,
			"--health-addr=" + l.Addr(PortCAPAHealth),
			"--diagnostics-address=" + l.Addr(PortCAPAMetrics), "--insecure-diagnostics=true",
			"--leader-elect=false",
			"--feature-gates=EKS=true,EKSEnableIAM=true,EKSAllowAddRoles=true,MachinePool=true," +
				"AutoControllerIdentityCreator=false,ExternalResourceGC=true,ROSA=false",
			"--awscluster-concurrency=" + waveLimit, "--instance-state-concurrency=" + waveLimit, "--awsmachine-concurrency=" + waveLimit,
			// AWS answers at once here; the default of one minute is for the real one.
			"--wait-infra-period=3s", "--sync-period=2m",
		},
		Env:      env(50, append(l.factoryAWS(), l.kubeconfig(ClusterAPIAWS), "POD_NAMESPACE="+NamespaceClusterAPIAWS)...),
		ReadyURL: l.URL(PortCAPAHealth, "/readyz"),
	}
}

// factoryAWS lets a process act as the factory's own identity. In production
// that comes from the pod's role; no process gets keys in its environment.
func (l Layout) factoryAWS() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + l.URL(PortAWSSim, ""),
		"AWS_CONFIG_FILE=" + l.Profile.Path("aws", "factory-config"),
		"AWS_SHARED_CREDENTIALS_FILE=" + l.Profile.Path("aws", "factory-credentials"),
		"AWS_EC2_METADATA_DISABLED=true",
	}
}

// flux is what all Flux controllers have in common.
func (l Layout) flux(name, path, health, metrics string, args ...string) process.Spec {
	return process.Spec{
		Name: name, Path: path,
		Args: append([]string{
			"--health-addr=" + l.Addr(health), "--metrics-addr=" + l.Addr(metrics),
			"--events-addr=", // no notification-controller
			"--log-level=info", "--enable-leader-election=false",
			"--interval-jitter-percentage=0",
		}, args...),
		// Controllers write to the current directory's TMPDIR only.
		Env:      env(40, l.kubeconfig(name), "RUNTIME_NAMESPACE="+NamespaceFlux, "HOME="+l.Profile.Path("flux")),
		Dir:      l.Profile.Path("flux"),
		ReadyURL: l.URL(health, "/readyz"),
	}
}

func (l Layout) sourceController() process.Spec {
	return l.flux(SourceController, l.Engine.SourceController, PortSourceHealth, PortSourceMetrics,
		"--storage-path="+l.Profile.Path("flux", "artifacts"),
		"--storage-addr="+l.Addr(PortSourceStorage), "--storage-adv-addr="+l.Addr(PortSourceStorage))
}

func (l Layout) kustomizeController() process.Spec {
	return l.flux(KustomizeController, l.Engine.KustomizeController, PortKustomHealth, PortKustomMetrics,
		"--requeue-dependency=5s")
}

func (l Layout) helmController() process.Spec {
	return l.flux(HelmController, l.Engine.HelmController, PortHelmHealth, PortHelmMetrics,
		"--requeue-dependency=5s")
}

func (l Layout) git() process.Spec {
	return process.Spec{
		Name: Git, Path: l.Programs.Kargoctl,
		Args: []string{
			"serve-git", "--root=" + l.Profile.GitRoot(), "--password-file=" + l.Profile.GitPassword(),
			"--listen=" + l.Addr(PortGit),
		},
		Env:      env(50),
		ReadyURL: l.URL(PortGit, "/healthz"),
	}
}

func (l Layout) manager() process.Spec {
	return process.Spec{
		Name: Manager, Path: l.Programs.Manager,
		Args: []string{
			"--fleet-url=" + l.FleetURL(), "--fleet-cluster-url=" + l.FleetURL(), "--fleet-branch=" + gitserver.Branch,
			"--data-dir=" + l.Profile.Path("manager"), "--factory-id=" + FactoryID,
			"--hook-addr=" + l.Addr(PortManagerHook),
			"--health-addr=" + l.Addr(PortManagerHealth), "--metrics-addr=" + l.Addr(PortManagerMetrics),
		},
		Env:      env(30, append(l.factoryAWS(), l.kubeconfig(Manager), "POD_NAMESPACE="+NamespaceKargo)...),
		ReadyURL: l.URL(PortManagerHealth, "/readyz"),
	}
}

// FactoryID distinguishes this factory from others in external ids.
const FactoryID = "local"
