package dataplane

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certLife is long because nothing rotates these certificates: they never leave 127.0.0.1.
const certLife = 10 * 365 * 24 * time.Hour

// authority is a certificate authority whose certificate and key lie in a directory.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  crypto.Signer
	now  func() time.Time
}

// openAuthority reads ca.crt and ca.key of a directory, or makes them. With a
// parent the authority is an intermediate one: who trusts the parent trusts it.
func openAuthority(dir, name string, parent *authority, now func() time.Time) (*authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of certificates: %w", err)
	}
	a := &authority{dir: dir, now: now}
	cert, key, err := readPair(filepath.Join(dir, "ca"))
	if err == nil {
		a.cert, a.key = cert, key
		return a, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
	}
	issuer := parent
	if issuer == nil {
		issuer = a
	}
	if err := issuer.write(filepath.Join(dir, "ca"), template); err != nil {
		return nil, err
	}
	a.cert, a.key, err = readPair(filepath.Join(dir, "ca"))
	return a, err
}

// certFile is the path of the authority's own certificate.
func (a *authority) certFile() string { return filepath.Join(a.dir, "ca.crt") }

// client makes sure of a client certificate NAME.crt, NAME.key for a user.
func (a *authority) client(name, user string, groups ...string) error {
	return a.ensure(name, &x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

// server makes sure of a certificate NAME.crt, NAME.key for 127.0.0.1 and
// names. It is good for clients too: etcd's gateway uses it to call itself.
func (a *authority) server(name string, ips []net.IP, names ...string) error {
	return a.ensure(name, &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		IPAddresses: append([]net.IP{net.IPv4(127, 0, 0, 1)}, ips...),
		DNSNames:    append([]string{"localhost"}, names...),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
}

func (a *authority) ensure(name string, template *x509.Certificate) error {
	base := filepath.Join(a.dir, name)
	if _, _, err := readPair(base); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return a.write(base, template)
}

// write signs a new key pair. A leaf's file holds its issuer too, so that
// those who trust only the root find the way. An authority without a
// certificate of its own signs itself.
func (a *authority) write(base string, template *x509.Certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make the key of %s: %w", base, err)
	}
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return fmt.Errorf("make a serial number: %w", err)
	}
	template.NotBefore, template.NotAfter = a.now().Add(-time.Hour), a.now().Add(certLife)
	issuer, signer := template, crypto.Signer(key)
	if a.cert != nil {
		issuer, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	if err != nil {
		return fmt.Errorf("sign %s: %w", base, err)
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if a.cert != nil && !template.IsCA {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})...)
	}
	if err := writePrivateKey(base+".key", key); err != nil {
		return err
	}
	return writeFile(base+".crt", chain)
}

// serviceAccountKey makes sure of the key that signs service account tokens:
// RSA, because OIDC relying parties such as AWS STS want RS256.
func serviceAccountKey(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("make the service account key: %w", err)
	}
	return writePrivateKey(path, key)
}

func readPair(base string) (*x509.Certificate, crypto.Signer, error) {
	cert, err := readPEM(base + ".crt")
	if err != nil {
		return nil, nil, err
	}
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s.crt: %w", base, err)
	}
	der, err := readPEM(base + ".key")
	if err != nil {
		return nil, nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s.key: %w", base, err)
	}
	return parsed, key.(crypto.Signer), nil
}

func readPEM(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read a certificate: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM; remove it to have it made anew", path)
	}
	return block.Bytes, nil
}

func writePrivateKey(path string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return writeFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// writeFile replaces a file at once; nobody else may read it.
func writeFile(path string, content []byte) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, content, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
