package dataplane

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/eks"
	"kargo.dev/kargo/internal/engine"
	"kargo.dev/kargo/internal/process"
)

const (
	testARN  = "arn:aws:eks:eu-central-1:111111111111:cluster/shop-prod"
	patience = 2 * time.Minute
)

// platform is a data plane with real processes.
type platform struct {
	t          *testing.T
	options    Options
	supervisor *process.Supervisor
	plane      *DataPlane
	stateDir   string
}

// logins plays awssim's authenticator and EKS's access entries.
type logins struct{}

func (logins) VerifyToken(token, cluster string) (api.Identity, error) {
	name, ok := strings.CutPrefix(token, "k8s-aws-v1."+cluster+".")
	if !ok {
		return api.Identity{}, errors.New("a token for another cluster")
	}
	return api.Identity{AccountID: "111111111111", ARN: "arn:aws:iam::111111111111:user/" + name, UserID: "AIDA" + name}, nil
}

func (logins) Authenticate(_, _ string, caller api.Identity) (eks.User, bool) {
	user := eks.User{Name: caller.ARN, UID: caller.UserID, Extra: map[string][]string{"arn": {caller.ARN}}}
	switch caller.UserID {
	case "AIDAadmin":
		user.Groups = []string{"eks-access-policy:AmazonEKSClusterAdminPolicy"}
	case "AIDAviewer":
		user.Groups = []string{"eks-access-policy:AmazonEKSViewPolicy:namespace:default"}
	default:
		return eks.User{}, false
	}
	return user, true
}

// newPlatform needs the engine's binaries.
func newPlatform(t *testing.T) *platform {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: -short; this test starts real clusters")
	}
	binaries, err := engine.Find(t.Context(), engine.SearchFromEnv("", os.Getenv))
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("SKIPPED: no real cluster is tested here: %v", err)
	}
	known, err := FromEngine(binaries)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	supervisor, err := process.NewSupervisor(process.Options{
		Dir: filepath.Join(dir, "supervisor"), Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(supervisor.Stop)
	p := &platform{t: t, supervisor: supervisor, stateDir: filepath.Join(dir, "state")}
	mux := http.NewServeMux()
	mux.HandleFunc("/_awssim/tokenreview/{account}/{cluster}", func(w http.ResponseWriter, r *http.Request) {
		p.plane.TokenReviewHandler(logins{}, logins{}).ServeHTTP(w, r)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.options = Options{
		Runner: supervisor, Binaries: known, StateDir: p.stateDir,
		Logger:         slog.New(slog.NewTextHandler(t.Output(), nil)),
		TokenReviewURL: server.URL + "/_awssim/tokenreview", DrainTimeout: time.Minute,
	}
	p.start()
	t.Cleanup(func() {
		p.plane.Close()
		if t.Failed() {
			p.showLogs()
		}
	})
	return p
}

// start makes a data plane, as a simulator that starts does.
func (p *platform) start() {
	p.t.Helper()
	plane, err := New(p.options)
	if err != nil {
		p.t.Fatal(err)
	}
	p.plane = plane
}

func (p *platform) ensure(version string) {
	p.t.Helper()
	if err := p.plane.EnsureCluster(p.t.Context(), eks.ControlPlane{
		ARN: testARN, Name: "shop-prod", AccountID: "111111111111", Region: "eu-central-1", Version: version,
	}); err != nil {
		p.t.Fatalf("EnsureCluster: %v", err)
	}
}

// eventually polls until ok says "", and fails with what it said last.
func (p *platform) eventually(what string, ok func(ctx context.Context) string) {
	p.t.Helper()
	began := time.Now()
	why := ""
	for time.Since(began) < patience {
		if why = ok(p.t.Context()); why == "" {
			p.t.Logf("%s after %s", what, time.Since(began).Round(10*time.Millisecond))
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.t.Fatalf("%s: not within %s: %s", what, patience, why)
}

func (p *platform) awaitReady(version string) {
	p.t.Helper()
	p.eventually("control plane "+version+" ready", func(context.Context) string {
		s, ok := p.plane.Status(testARN)
		switch {
		case !ok:
			return "unknown cluster"
		case !s.Ready || s.Version != version:
			return "message: " + s.Message + ", version: " + s.Version
		}
		return ""
	})
}

// client of the cluster with a bearer token, or as its administrator with "".
func (p *platform) client(token string) kubernetes.Interface {
	p.t.Helper()
	status, _ := p.plane.Status(testARN)
	config := &rest.Config{Host: status.Endpoint, BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAData: status.CA}, Timeout: 10 * time.Second, QPS: 100, Burst: 100}
	if token == "" {
		files := filepath.Join(p.stateDir, "clusters", "111111111111", "shop-prod", "files")
		config.CertFile, config.KeyFile = filepath.Join(files, "admin.crt"), filepath.Join(files, "admin.key")
	}
	c, err := kubernetes.NewForConfig(config)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

func (p *platform) processes(prefix string) map[string]process.Status {
	p.t.Helper()
	list, err := p.supervisor.List(p.t.Context(), prefix)
	if err != nil {
		p.t.Fatal(err)
	}
	res := map[string]process.Status{}
	for _, s := range list {
		res[s.Name] = s
	}
	return res
}

// showLogs prints how the log of each process ends.
func (p *platform) showLogs() {
	list, err := p.supervisor.List(context.Background(), "eks/")
	if err != nil {
		p.t.Log(err)
	}
	for _, s := range list {
		content, _ := os.ReadFile(s.LogFile)
		lines := strings.Split(strings.TrimSpace(string(content)), "\n")
		p.t.Logf("%s is %s\n%s", s.Name, s.State, strings.Join(lines[max(0, len(lines)-12):], "\n"))
	}
}

func testNode(name, id string) eks.Node {
	return eks.Node{
		Name: name, InstanceID: id, Zone: "eu-central-1a", InstanceType: "m5.large", Version: "1.34",
		Labels: map[string]string{"team": "shop"},
	}
}

// pods of a namespace with a label, each as NODE PHASE REASON.
func podsWith(ctx context.Context, c kubernetes.Interface, namespace, selector string) ([]corev1.Pod, error) {
	list, err := c.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}
