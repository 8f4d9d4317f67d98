// Package pki is the certificate authority of a local platform: it issues the
// certificates of the management cluster and its clients, keeps them on disk
// and renews them when they run out.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
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
	"slices"
	"time"

	"kargo.dev/kargo/internal/local/profile"
)

const (
	// lifetime of certificates; a local platform has nobody to hand keys around to.
	lifetime = 10 * 365 * 24 * time.Hour
	// renewBefore the end of its lifetime a certificate is issued anew.
	renewBefore = 30 * 24 * time.Hour
)

// Authority issues certificates into a directory.
type Authority struct {
	dir  string
	now  func() time.Time
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Request describes a certificate.
type Request struct {
	// Name of the files: NAME.crt and NAME.key.
	Name         string
	CommonName   string
	Organization []string
	// Hosts are the names and addresses a server answers to; none for a client.
	Hosts []string
}

// Pair is a certificate and its key, as files and as PEM.
type Pair struct {
	CertFile, KeyFile string
	Cert, Key         []byte
}

// Open reads the authority in a directory, or makes a new one there.
func Open(dir string, now func() time.Time) (*Authority, error) {
	a := &Authority{dir: dir, now: now}
	pair, err := a.read("ca")
	if err != nil {
		return nil, err
	}
	if pair == nil || a.expires(pair.cert) {
		if pair, err = a.issueSelf(); err != nil {
			return nil, err
		}
	}
	a.cert, a.key = pair.cert, pair.key
	return a, nil
}

// CAFile is the path of the authority's own certificate.
func (a *Authority) CAFile() string { return filepath.Join(a.dir, "ca.crt") }

// CA is the authority's own certificate in PEM.
func (a *Authority) CA() []byte { return encodeCert(a.cert.Raw) }

// Ensure returns the certificate that was asked for, from disk if one is there
// that fits and lasts.
func (a *Authority) Ensure(r Request) (Pair, error) {
	have, err := a.read(r.Name)
	if err != nil {
		return Pair{}, err
	}
	if have == nil || !a.fits(have.cert, r) {
		if have, err = a.issue(r); err != nil {
			return Pair{}, err
		}
	}
	return a.pair(r.Name, have)
}

// EnsureKey returns the path of a private key and of its public half, which
// sign and check service account tokens.
func (a *Authority) EnsureKey(name string) (private, public string, err error) {
	private, public = filepath.Join(a.dir, name+".key"), filepath.Join(a.dir, name+".pub")
	_, keyErr := os.Stat(private)
	_, pubErr := os.Stat(public)
	if keyErr == nil && pubErr == nil {
		return private, public, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("make the key %s: %w", name, err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return "", "", fmt.Errorf("encode the key %s: %w", name, err)
	}
	pemKey, err := encodeKey(key)
	if err != nil {
		return "", "", err
	}
	if err := profile.WriteFile(public, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o644); err != nil {
		return "", "", err
	}
	return private, public, profile.WriteFile(private, pemKey, 0o600)
}

// material is a certificate with its key.
type material struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func (a *Authority) expires(c *x509.Certificate) bool {
	return a.now().Add(renewBefore).After(c.NotAfter)
}

func (a *Authority) fits(c *x509.Certificate, r Request) bool {
	want := template(r)
	return !a.expires(c) && c.CheckSignatureFrom(a.cert) == nil &&
		c.Subject.CommonName == r.CommonName && slices.Equal(c.Subject.Organization, r.Organization) &&
		slices.Equal(c.DNSNames, want.DNSNames) &&
		slices.EqualFunc(c.IPAddresses, want.IPAddresses, net.IP.Equal)
}

func template(r Request) *x509.Certificate {
	t := &x509.Certificate{
		Subject:     pkix.Name{CommonName: r.CommonName, Organization: r.Organization},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, h := range r.Hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	if len(r.Hosts) > 0 {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	return t
}

func (a *Authority) issueSelf() (*material, error) {
	t := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "kargo-local"},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	return a.sign("ca", t, nil)
}

func (a *Authority) issue(r Request) (*material, error) {
	return a.sign(r.Name, template(r), &material{cert: a.cert, key: a.key})
}

// sign issues a certificate; without an issuer it signs itself.
func (a *Authority) sign(name string, t *x509.Certificate, issuer *material) (*material, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of %s: %w", name, err)
	}
	if t.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	t.NotBefore, t.NotAfter = a.now().Add(-time.Minute), a.now().Add(lifetime)
	if issuer == nil {
		issuer = &material{cert: t, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, issuer.cert, &key.PublicKey, issuer.key)
	if err != nil {
		return nil, fmt.Errorf("issue the certificate %s: %w", name, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the certificate %s just issued: %w", name, err)
	}
	pemKey, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	// A key without its certificate is issued anew, so the key goes first.
	if err := profile.WriteFile(filepath.Join(a.dir, name+".key"), pemKey, 0o600); err != nil {
		return nil, err
	}
	if err := profile.WriteFile(filepath.Join(a.dir, name+".crt"), encodeCert(der), 0o644); err != nil {
		return nil, err
	}
	return &material{cert: cert, key: key}, nil
}

// read returns what lies in the directory, nil if nothing usable does.
func (a *Authority) read(name string) (*material, error) {
	certPEM, err := os.ReadFile(filepath.Join(a.dir, name+".crt"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the certificate %s: %w", name, err)
	}
	keyPEM, err := os.ReadFile(filepath.Join(a.dir, name+".key"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the key %s: %w", name, err)
	}
	certBlock, _ := pem.Decode(certPEM)
	keyBlock, _ := pem.Decode(keyPEM)
	if certBlock == nil || keyBlock == nil {
		return nil, nil
	}
	cert, certErr := x509.ParseCertificate(certBlock.Bytes)
	key, keyErr := x509.ParseECPrivateKey(keyBlock.Bytes)
	if certErr != nil || keyErr != nil || !key.PublicKey.Equal(cert.PublicKey) {
		return nil, nil
	}
	return &material{cert: cert, key: key}, nil
}

func (a *Authority) pair(name string, m *material) (Pair, error) {
	key, err := encodeKey(m.key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{
		CertFile: filepath.Join(a.dir, name+".crt"), KeyFile: filepath.Join(a.dir, name+".key"),
		Cert: encodeCert(m.cert.Raw), Key: key,
	}, nil
}

func encodeCert(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}
