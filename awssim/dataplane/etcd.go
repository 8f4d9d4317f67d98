package dataplane

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"kargo.dev/kargo/internal/process"
)

// etcdProcess is the name of the process that keeps the data of all clusters.
const etcdProcess = "eks/etcd"

// etcd is the one database of all workload clusters; each has a key prefix of
// its own. Real EKS has one per cluster: what is shared here is memory, not
// data, because each API server only reads and writes below its prefix.
type etcd struct {
	binary string
	dir    string
	ports  *portBook
	runner process.Runner
	env    []string
	now    func() time.Time

	mu  sync.Mutex // one cluster's worker at a time sets it up
	ca  *authority
	url string
}

// ensure makes etcd run and tells whether it serves.
func (e *etcd) ensure(ctx context.Context) (ready bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	client, metrics, err := e.setUp()
	if err != nil {
		return false, err
	}
	file := func(name string) string { return filepath.Join(e.dir, "pki", name) }
	health := "http://127.0.0.1:" + strconv.Itoa(metrics)
	e.url = "https://127.0.0.1:" + strconv.Itoa(client)
	if err := e.runner.Ensure(ctx, process.Spec{
		Name: etcdProcess, Path: e.binary, Env: e.env,
		Args: []string{
			"--name=eks", "--data-dir=" + filepath.Join(e.dir, "data"),
			"--listen-client-urls=" + e.url, "--advertise-client-urls=" + e.url,
			"--listen-peer-urls=http://127.0.0.1:0", // no peers: any port
			"--listen-metrics-urls=" + health,
			"--client-cert-auth", "--trusted-ca-file=" + file("ca.crt"),
			"--cert-file=" + file("server.crt"), "--key-file=" + file("server.key"),
			// A power cut may lose the last writes; a killed process loses none,
			// because what was written is in the kernel. fsync on a busy laptop
			// disk would make every write of every cluster wait.
			"--unsafe-no-fsync",
			"--quota-backend-bytes=" + strconv.Itoa(4<<30),
			"--auto-compaction-mode=periodic", "--auto-compaction-retention=10m",
			"--snapshot-count=5000", // entries kept in memory
			"--log-level=warn",
		},
		ReadyURL: health + "/readyz", StopGrace: 10 * time.Second,
	}); err != nil {
		return false, err
	}
	list, err := e.runner.List(ctx, etcdProcess)
	if err != nil {
		return false, err
	}
	return len(list) == 1 && list[0].State == process.StateRunning, nil
}

func (e *etcd) setUp() (client, metrics int, err error) {
	if e.ca == nil {
		ca, err := openAuthority(filepath.Join(e.dir, "pki"), "awssim-etcd", nil, e.now)
		if err != nil {
			return 0, 0, err
		}
		if err := ca.server("server", nil); err != nil {
			return 0, 0, err
		}
		if err := ca.client("client", "kube-apiserver"); err != nil {
			return 0, 0, err
		}
		e.ca = ca
	}
	if client, err = e.ports.port("etcd/client"); err != nil {
		return 0, 0, err
	}
	metrics, err = e.ports.port("etcd/metrics")
	return client, metrics, err
}

// apiserverFlags make an API server keep its objects below a prefix.
func (e *etcd) apiserverFlags(prefix string) []string {
	file := func(name string) string { return filepath.Join(e.dir, "pki", name) }
	return []string{
		"--etcd-servers=" + e.url, "--etcd-prefix=" + prefix,
		"--etcd-cafile=" + file("ca.crt"), "--etcd-certfile=" + file("client.crt"), "--etcd-keyfile=" + file("client.key"),
	}
}

// deletePrefix deletes all keys of a cluster, through etcd's JSON gateway.
// See https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/.
func (e *etcd) deletePrefix(ctx context.Context, prefix string) error {
	start := []byte(prefix + "/")
	end := []byte(prefix + "0") // '0' follows '/'
	body, err := json.Marshal(map[string][]byte{"key": start, "range_end": end})
	if err != nil {
		return fmt.Errorf("encode the deletion of %s: %w", prefix, err)
	}
	client, err := e.client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+"/v3/kv/deleterange", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("delete %s from etcd: %w", prefix, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("delete %s from etcd: %w", prefix, err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("delete %s from etcd: it answers %s; see the log of %s", prefix, resp.Status, etcdProcess)
	}
	return nil
}

func (e *etcd) client() (*http.Client, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(e.dir, "pki", "client.crt"), filepath.Join(e.dir, "pki", "client.key"))
	if err != nil {
		return nil, fmt.Errorf("read etcd's client certificate: %w", err)
	}
	pem, err := os.ReadFile(e.ca.certFile())
	if err != nil {
		return nil, fmt.Errorf("read etcd's authority: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: roots, MinVersion: tls.VersionTLS12,
	}}}, nil
}
