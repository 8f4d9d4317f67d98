package pki

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"kargo.dev/kargo/internal/local/profile"
)

// Kubeconfig is a way to a cluster for one user.
type Kubeconfig struct {
	Path    string
	Context string // name of its context, cluster and user
	Server  string // https://127.0.0.1:PORT
}

// WriteKubeconfig writes a kubeconfig with the client certificate in it.
func (a *Authority) WriteKubeconfig(k Kubeconfig, client Pair) error {
	cfg := clientcmdapi.Config{
		CurrentContext: k.Context,
		Clusters:       map[string]*clientcmdapi.Cluster{k.Context: {Server: k.Server, CertificateAuthorityData: a.CA()}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{k.Context: {ClientCertificateData: client.Cert, ClientKeyData: client.Key}},
		Contexts:       map[string]*clientcmdapi.Context{k.Context: {Cluster: k.Context, AuthInfo: k.Context}},
	}
	b, err := clientcmd.Write(cfg)
	if err != nil {
		return fmt.Errorf("encode the kubeconfig %s: %w", k.Path, err)
	}
	return profile.WriteFile(k.Path, b, 0o600)
}
