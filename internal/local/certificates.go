package local

import (
	"context"
	"fmt"

	"kargo.dev/kargo/internal/local/components"
	"kargo.dev/kargo/internal/local/gitserver"
	"kargo.dev/kargo/internal/local/pki"
)

// user is who a component is to the management cluster.
type user struct {
	component string // names the kubeconfig, "" for the administrator's
	name      string
	groups    []string
}

// users of the management cluster. Components are the service accounts they
// would be in production, so that the same RBAC rules hold.
func users() []user {
	return []user{
		{name: "kargo-local-admin", groups: []string{"system:masters"}},
		{component: components.KubeControllerManager, name: "system:kube-controller-manager"},
		serviceAccount(components.ClusterAPI, components.NamespaceClusterAPI, "capi-manager"),
		serviceAccount(components.ClusterAPIAWS, components.NamespaceClusterAPIAWS, "capa-controller-manager"),
		serviceAccount(components.SourceController, components.NamespaceFlux, "source-controller"),
		serviceAccount(components.KustomizeController, components.NamespaceFlux, "kustomize-controller"),
		serviceAccount(components.HelmController, components.NamespaceFlux, "helm-controller"),
		serviceAccount(components.Manager, components.NamespaceKargo, "kargo-manager"),
	}
}

func serviceAccount(component, namespace, name string) user {
	return user{
		component: component, name: fmt.Sprintf("system:serviceaccount:%s:%s", namespace, name),
		groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace},
	}
}

// certificates issues what servers and clients of the platform need.
func (u *up) certificates(context.Context) error {
	ca, err := pki.Open(u.Profile.PKI(), u.Now)
	if err != nil {
		return err
	}
	u.pki = ca
	hosts := []string{"127.0.0.1", "localhost"}
	files := components.PKI{CAFile: ca.CAFile(), WebhookDir: u.Profile.Path("pki", "webhook")}
	requests := []struct {
		into    *components.CertFiles
		request pki.Request
	}{
		{&files.EtcdServer, pki.Request{Name: "etcd-server", CommonName: "etcd", Hosts: hosts}},
		{&files.EtcdClient, pki.Request{Name: "etcd-client", CommonName: "kube-apiserver-etcd-client"}},
		{&files.APIServer, pki.Request{Name: "kube-apiserver", CommonName: "kube-apiserver", Hosts: append(hosts, "kubernetes.default.svc")}},
		{&files.Component, pki.Request{Name: "component", CommonName: "component", Hosts: hosts}},
		{&components.CertFiles{}, pki.Request{Name: "webhook/tls", CommonName: "webhook", Hosts: hosts}},
	}
	for _, r := range requests {
		pair, err := ca.Ensure(r.request)
		if err != nil {
			return err
		}
		*r.into = components.CertFiles{Cert: pair.CertFile, Key: pair.KeyFile}
	}
	if files.ServiceAccountKey, files.ServiceAccountPublicKey, err = ca.EnsureKey("service-account"); err != nil {
		return err
	}
	u.layout.PKI = files
	return u.kubeconfigs()
}

func (u *up) kubeconfigs() error {
	for _, us := range users() {
		name, path := "admin", u.Profile.Kubeconfig()
		if us.component != "" {
			name, path = us.component, u.Profile.ComponentKubeconfig(us.component)
		}
		pair, err := u.pki.Ensure(pki.Request{Name: "client/" + name, CommonName: us.name, Organization: us.groups})
		if err != nil {
			return err
		}
		err = u.pki.WriteKubeconfig(pki.Kubeconfig{
			Path: path, Context: "kargo-" + u.Profile.Name, Server: u.layout.SecureURL(components.PortAPIServer, ""),
		}, pair)
		if err != nil {
			return err
		}
	}
	credential, err := gitserver.EnsureCredential(u.Profile.GitPassword())
	if err != nil {
		return err
	}
	return credential.WriteStore(u.Profile.GitCredentials(), u.layout.URL(components.PortGit, ""))
}
