package dataplane

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"

	"kargo.dev/kargo/awssim/eks"
	"kargo.dev/kargo/internal/process"
)

// recorder is a Runner whose processes run as soon as they are ensured.
type recorder struct {
	mu    sync.Mutex
	specs map[string]process.Spec
	log   []string
}

func newRecorder() *recorder { return &recorder{specs: map[string]process.Spec{}} }

func (r *recorder) Ensure(_ context.Context, s process.Spec) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old, ok := r.specs[s.Name]; !ok || !old.Equal(s) {
		r.log = append(r.log, "start "+s.Name)
	}
	r.specs[s.Name] = s
	return s.Validate()
}

func (r *recorder) Remove(_ context.Context, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.specs, name)
	r.log = append(r.log, "stop "+name)
	return nil
}

func (r *recorder) List(_ context.Context, prefix string) ([]process.Status, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var res []process.Status
	for name := range r.specs {
		if strings.HasPrefix(name, prefix) {
			res = append(res, process.Status{Name: name, State: process.StateRunning, PID: 1})
		}
	}
	return res, nil
}

func (r *recorder) started() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.log)
}

func newTestPlane(t *testing.T, runner process.Runner) *DataPlane {
	t.Helper()
	d, err := New(Options{
		Runner: runner, StateDir: t.TempDir(), TokenReviewURL: "http://127.0.0.1:1/review",
		Binaries: Binaries{
			Etcd: "/engine/etcd", KWOK: "/engine/kwok", KubeScheduler: "/engine/scheduler", KubeControllerManager: "/engine/kcm",
			APIServer: func(minor string) (string, error) { return "/engine/kube-apiserver-" + minor, nil },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s", what)
		}
	}
}

func TestEnsureClusterWithoutAnAPI(t *testing.T) {
	runner := newRecorder()
	d := newTestPlane(t, runner)
	want := eks.ControlPlane{ARN: testARN, Name: "shop-prod", AccountID: "111111111111", Region: "eu-central-1", Version: "1.34"}
	if err := d.EnsureNodes(t.Context(), testARN, "pool", nil); err == nil {
		t.Error("EnsureNodes before EnsureCluster: got no error")
	}
	if err := d.EnsureCluster(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	await(t, "a kube-apiserver", func() bool {
		return slices.Contains(runner.started(), "start eks/111111111111/shop-prod/kube-apiserver")
	})
	if diff := cmp.Diff([]string{"start eks/etcd", "start eks/111111111111/shop-prod/kube-apiserver"}, runner.started()); diff != "" {
		t.Errorf("nothing starts before what it needs serves: -want +got\n%s", diff)
	}
	await(t, "a message", func() bool { s, _ := d.Status(testARN); return strings.Contains(s.Message, "version") })
	status, ok := d.Status(testARN)
	if !ok || status.Ready || !strings.HasPrefix(status.Endpoint, "https://127.0.0.1:") || len(status.CA) == 0 || status.Issuer != status.Endpoint {
		t.Errorf("status of a cluster whose API does not answer: got %+v, %v", status, ok)
	}
	twin := want
	twin.ARN = strings.Replace(testARN, "eu-central-1", "us-east-1", 1)
	if err := d.EnsureCluster(t.Context(), twin); err == nil || !strings.Contains(err.Error(), "another region") {
		t.Errorf("a cluster of the same name in another region: got %v", err)
	}
	if _, ok := d.Status(twin.ARN); ok {
		t.Error("the other region's cluster is known")
	}
}

func TestEndpointStays(t *testing.T) {
	dir := t.TempDir()
	open := func() *portBook {
		b, err := openPortBook(filepath.Join(dir, "ports.json"), PortRange{Low: 40000, High: 40005})
		if err != nil {
			t.Fatal(err)
		}
		b.free = func(port int) bool { return port != 40003 }
		return b
	}
	b := open()
	got := map[string]int{}
	for _, owner := range []string{"a/x", "a/y", "ab/x", "b/x", "c/x"} {
		p, err := b.port(owner)
		if err != nil {
			t.Fatal(err)
		}
		got[owner] = p
	}
	if _, err := b.port("d/x"); err == nil {
		t.Error("a sixth port of five: got no error")
	}
	if slices.Contains([]int{got["a/x"], got["a/y"], got["ab/x"], got["b/x"], got["c/x"]}, 40003) {
		t.Errorf("an occupied port was handed out: %v", got)
	}
	b = open()
	if err := b.release("a/"); err != nil {
		t.Fatal(err)
	}
	for _, owner := range []string{"ab/x", "b/x", "c/x"} {
		if p, err := b.port(owner); err != nil || p != got[owner] {
			t.Errorf("port of %s after a restart: got %d, %v, want %d", owner, p, err, got[owner])
		}
	}
	if len(b.ports) != 3 {
		t.Errorf("after the release of a/: got %v", b.ports)
	}
}

func TestCertificates(t *testing.T) {
	root, err := openAuthority(filepath.Join(t.TempDir(), "root"), "root", nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	dirs := []string{t.TempDir(), t.TempDir()}
	var leaves []*x509.Certificate
	var pools []*x509.CertPool
	for _, dir := range dirs {
		ca, err := openAuthority(dir, "cluster", root, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		if err := ca.server("apiserver", []net.IP{net.IPv4(172, 20, 0, 1)}); err != nil {
			t.Fatal(err)
		}
		if err := ca.client("admin", "awssim", "system:masters"); err != nil {
			t.Fatal(err)
		}
		leaf, _, err := readPair(filepath.Join(dir, "apiserver"))
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AddCert(ca.cert)
		leaves, pools = append(leaves, leaf), append(pools, pool)
	}
	if _, err := leaves[0].Verify(x509.VerifyOptions{Roots: pools[0], DNSName: "127.0.0.1"}); err != nil {
		t.Errorf("with the cluster's authority: %v", err)
	}
	if _, err := leaves[0].Verify(x509.VerifyOptions{Roots: pools[1]}); err == nil {
		t.Error("another cluster's authority accepts the certificate")
	}
	chain, err := os.ReadFile(filepath.Join(dirs[0], "apiserver.crt"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest := pem.Decode(chain)
	intermediates, roots := x509.NewCertPool(), x509.NewCertPool()
	intermediates.AppendCertsFromPEM(rest)
	roots.AddCert(root.cert)
	if _, err := leaves[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates}); err != nil {
		t.Errorf("with the root authority: %v", err)
	}
	again, err := openAuthority(dirs[0], "cluster", root, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.server("apiserver", nil); err != nil {
		t.Fatal(err)
	}
	if kept, _ := os.ReadFile(filepath.Join(dirs[0], "apiserver.crt")); !bytes.Equal(kept, chain) {
		t.Error("the certificate was made anew")
	}
}

func TestClusterKey(t *testing.T) {
	for name, tc := range map[string]struct {
		reason, arn, want string
		ok                bool
	}{
		"Cluster":   {reason: "account and name are unique here", arn: testARN, want: "111111111111/shop-prod", ok: true},
		"Nodegroup": {reason: "another resource", arn: "arn:aws:eks:eu-central-1:111111111111:nodegroup/a/b/c"},
		"Escape":    {reason: "it names directories", arn: "arn:aws:eks:eu-central-1:111111111111:cluster/../../x"},
		"Empty":     {reason: "no ARN", arn: ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := clusterKey(tc.arn)
			if diff := cmp.Diff(tc.want, got); diff != "" || (err == nil) != tc.ok {
				t.Errorf("%s: %v -want +got\n%s", tc.reason, err, diff)
			}
		})
	}
}

func TestServiceIPs(t *testing.T) {
	for cidr, want := range map[string]string{"172.20.0.0/16": "172.20.0.10", "10.100.0.0/16": "10.100.0.10", "fd00::/108": "fd00::a"} {
		got, err := dnsServiceIP(cidr)
		if err != nil || got.String() != want {
			t.Errorf("DNS address in %s: got %v, %v, want %s", cidr, got, err, want)
		}
	}
	if _, err := dnsServiceIP("10.0.0.0/30"); err == nil {
		t.Error("a network too small: got no error")
	}
}

func TestTokenReview(t *testing.T) {
	d := newTestPlane(t, newRecorder())
	mux := http.NewServeMux()
	mux.Handle("POST /review/{account}/{cluster}", d.TokenReviewHandler(logins{}, logins{}))
	for name, tc := range map[string]struct {
		reason, token string
		want          authenticationv1.TokenReviewStatus
	}{
		"Known": {
			reason: "an access entry matches", token: "k8s-aws-v1.shop-prod.admin",
			want: authenticationv1.TokenReviewStatus{Authenticated: true, User: authenticationv1.UserInfo{
				Username: "arn:aws:iam::111111111111:user/admin", UID: "AIDAadmin", Groups: []string{"eks-access-policy:AmazonEKSClusterAdminPolicy"},
				Extra: map[string]authenticationv1.ExtraValue{"arn": {"arn:aws:iam::111111111111:user/admin"}},
			}},
		},
		"NoEntry": {
			reason: "a good signature is not enough", token: "k8s-aws-v1.shop-prod.nobody",
			want: authenticationv1.TokenReviewStatus{Error: "no access entry of this cluster matches arn:aws:iam::111111111111:user/nobody"},
		},
		"BadToken": {
			reason: "why is nobody's business", token: "k8s-aws-v1.pay-prod.admin",
			want: authenticationv1.TokenReviewStatus{Error: "the token is not valid for this cluster"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			body, err := json.Marshal(authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: tc.token}})
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/review/111111111111/shop-prod", bytes.NewReader(body)))
			var got authenticationv1.TokenReview
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("%v: %s", err, w.Body)
			}
			if diff := cmp.Diff(tc.want, got.Status); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}
