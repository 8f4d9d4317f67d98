package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func parse(t *testing.T, b []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(b)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEnsure(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	server := Request{Name: "server", CommonName: "server", Hosts: []string{"127.0.0.1", "localhost"}}
	other := server
	other.Hosts = []string{"127.0.0.1"}

	cases := map[string]struct {
		reason string
		after  time.Duration
		then   Request
		keeps  bool
	}{
		"Same":       {reason: "what is there and fits is kept", then: server, keeps: true},
		"OtherHosts": {reason: "other hosts need another certificate", then: other},
		"RunsOut":    {reason: "a certificate is renewed in time", after: lifetime - renewBefore + time.Hour, then: server},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			a, err := Open(dir, at(start))
			if err != nil {
				t.Fatal(err)
			}
			first, err := a.Ensure(server)
			if err != nil {
				t.Fatal(err)
			}
			now := start.Add(tc.after)
			if a, err = Open(dir, at(now)); err != nil {
				t.Fatal(err)
			}
			second, err := a.Ensure(tc.then)
			if err != nil {
				t.Fatal(err)
			}
			if kept := bytes.Equal(first.Cert, second.Cert); kept != tc.keeps {
				t.Errorf("%s: kept = %v, want %v", tc.reason, kept, tc.keeps)
			}
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(a.CA())
			if _, err := parse(t, second.Cert).Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, DNSName: "127.0.0.1"}); err != nil {
				t.Errorf("%s: the certificate does not verify: %v", tc.reason, err)
			}
		})
	}
}

func TestOpenAfterTornWrite(t *testing.T) {
	dir := t.TempDir()
	a, err := Open(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	client := Request{Name: "c", CommonName: "c"}
	if _, err := a.Ensure(client); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "c.key"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := a.Ensure(client)
	if err != nil {
		t.Fatalf("a broken key: %v, want a new pair", err)
	}
	if onDisk, err := os.ReadFile(got.KeyFile); err != nil || !bytes.Equal(onDisk, got.Key) {
		t.Errorf("the key on disk is not the one answered (%v)", err)
	}
}

func TestWriteKubeconfig(t *testing.T) {
	a, err := Open(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := a.Ensure(Request{Name: "admin", CommonName: "admin", Organization: []string{"system:masters"}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := a.WriteKubeconfig(Kubeconfig{Path: path, Context: "kargo-x", Server: "https://127.0.0.1:1"}, pair); err != nil {
		t.Fatal(err)
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Host != "https://127.0.0.1:1" || !bytes.Equal(cfg.CertData, pair.Cert) || !bytes.Equal(cfg.CAData, a.CA()) {
		t.Errorf("kubeconfig does not hold what was written: %+v", cfg.TLSClientConfig)
	}
}

func TestEnsureKeyIsStable(t *testing.T) {
	a, err := Open(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	private, _, err := a.EnsureKey("sa")
	if err != nil {
		t.Fatal(err)
	}
	first, _ := os.ReadFile(private)
	if _, _, err := a.EnsureKey("sa"); err != nil {
		t.Fatal(err)
	}
	second, _ := os.ReadFile(private)
	if !bytes.Equal(first, second) {
		t.Error("the key changed: all service account tokens would be void")
	}
}
