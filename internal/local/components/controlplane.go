package components

import (
	"strconv"
	"strings"
	"time"

	"kargo.dev/kargo/internal/process"
)

// serviceCIDR is the management cluster's service network; no service of it is reached.
const serviceCIDR = "10.96.0.0/24"

func (l Layout) etcd() process.Spec {
	client := l.SecureURL(PortEtcdClient, "")
	return process.Spec{
		Name: Etcd, Path: l.Engine.Etcd,
		Args: []string{
			"--name=management", "--data-dir=" + l.Profile.Path("etcd"),
			"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
			"--listen-peer-urls=http://127.0.0.1:0", // it has no peers: any port
			"--listen-metrics-urls=" + l.URL(PortEtcdMetrics, ""),
			"--client-cert-auth", "--trusted-ca-file=" + l.PKI.CAFile,
			"--cert-file=" + l.PKI.EtcdServer.Cert, "--key-file=" + l.PKI.EtcdServer.Key,
			"--snapshot-count=5000", // entries kept in memory
			"--log-level=warn",
		},
		Env:      env(50),
		ReadyURL: l.URL(PortEtcdMetrics, "/readyz"), StopGrace: 10 * time.Second,
	}
}

func (l Layout) apiServer() process.Spec {
	return process.Spec{
		Name: KubeAPIServer, Path: l.Engine.NewestAPIServer(),
		Args: []string{
			"--bind-address=127.0.0.1", "--secure-port=" + strconv.Itoa(l.Ports[PortAPIServer]),
			// No service of this cluster is used; 127.0.0.1 is not allowed as its endpoint.
			"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
			"--service-cluster-ip-range=" + serviceCIDR,
			"--etcd-servers=" + l.SecureURL(PortEtcdClient, ""), "--etcd-cafile=" + l.PKI.CAFile,
			"--etcd-certfile=" + l.PKI.EtcdClient.Cert, "--etcd-keyfile=" + l.PKI.EtcdClient.Key,
			"--client-ca-file=" + l.PKI.CAFile,
			"--tls-cert-file=" + l.PKI.APIServer.Cert, "--tls-private-key-file=" + l.PKI.APIServer.Key,
			"--authorization-mode=RBAC",
			"--service-account-issuer=https://kubernetes.default.svc",
			"--service-account-key-file=" + l.PKI.ServiceAccountPublicKey,
			"--service-account-signing-key-file=" + l.PKI.ServiceAccountKey,
			"--profiling=false",
		},
		Env:      env(40),
		ReadyURL: l.SecureURL(PortAPIServer, "/readyz"), ReadyCAFile: l.PKI.CAFile, StopGrace: 15 * time.Second,
	}
}

// managementControllers are all the management cluster needs: it has no nodes and no pods.
func managementControllers() []string {
	return []string{
		"namespace-controller", "garbage-collector-controller",
		"serviceaccount-controller", "serviceaccount-token-controller", "root-ca-certificate-publisher-controller",
		"clusterrole-aggregation-controller", // Cluster API's roles are aggregated
		"validatingadmissionpolicy-status-controller",
		"resourcequota-controller",
	}
}

func (l Layout) controllerManager() process.Spec {
	kubeconfig := l.Profile.ComponentKubeconfig(KubeControllerManager)
	return process.Spec{
		Name: KubeControllerManager, Path: l.Engine.KubeControllerManager,
		Args: []string{
			"--kubeconfig=" + kubeconfig,
			"--controllers=" + strings.Join(managementControllers(), ","),
			"--bind-address=127.0.0.1", "--secure-port=" + strconv.Itoa(l.Ports[PortKCM]),
			"--tls-cert-file=" + l.PKI.Component.Cert, "--tls-private-key-file=" + l.PKI.Component.Key,
			"--leader-elect=false",
			"--use-service-account-credentials=true",
			"--service-account-private-key-file=" + l.PKI.ServiceAccountKey, "--root-ca-file=" + l.PKI.CAFile,
			// Kinds of CRDs are noticed by garbage collection and namespace deletion at this pace.
			"--min-resync-period=12h", "--profiling=false",
		},
		Env:      env(40),
		ReadyURL: l.SecureURL(PortKCM, "/healthz"), ReadyCAFile: l.PKI.CAFile,
	}
}
