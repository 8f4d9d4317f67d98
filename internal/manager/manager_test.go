package manager

import (
	"context"
	"errors"
	"fmt"
	"io"

	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/charts"
	"kargo.dev/kargo/internal/controller/fleet"
	"kargo.dev/kargo/internal/gitrepo"
	"kargo.dev/kargo/internal/testenv"
	"kargo.dev/kargo/template"
)

func good() Options {
	return Options{FleetURL: "http://git/fleet.git", FleetBranch: "main", FleetInterval: time.Minute, FactoryID: "test", Namespace: "kargo-system", MetricsAddr: "0"}
}

func TestRunRefuses(t *testing.T) {
	tests := map[string]struct {
		reason string
		change func(*Options)
		want   []string
	}{
		"FleetURL":  {"clusters are made of it", func(o *Options) { o.FleetURL = "" }, []string{"no fleet repository: give its address with --fleet-url"}},
		"Branch":    {"the catalogue is that of a branch", func(o *Options) { o.FleetBranch = "" }, []string{"--fleet-branch"}},
		"Interval":  {"it would fetch without a pause", func(o *Options) { o.FleetInterval = 0 }, []string{"every 0s: give at least 1s with --fleet-interval"}},
		"FactoryID": {"another id would lock the factory out of all accounts", func(o *Options) { o.FactoryID = "" }, []string{"no factory id: give one with --factory-id", "so it never changes"}},
		"Namespace": {"claims and catalogue need a place", func(o *Options) { o.Namespace = "" }, []string{"--namespace"}},
		"All":       {"all is told at once", func(o *Options) { *o = Options{} }, []string{"--fleet-url", "--fleet-branch", "--fleet-interval", "--factory-id", "--namespace"}},
		"NoCluster": {"nowhere to work", func(*Options) {}, []string{"no management cluster: ", "; set KUBECONFIG or run in the cluster"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
			t.Setenv("HOME", t.TempDir())
			t.Setenv("KUBERNETES_SERVICE_HOST", "")
			opts := good()
			tc.change(&opts)
			err := Run(t.Context(), opts)
			if err == nil {
				t.Fatalf("%s, yet it ran", tc.reason)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s: error %v does not say %q", tc.reason, err, want)
				}
			}
		})
	}
}

// TestHookServer: only its path is the hook. What the hook does is tested in controller/fleet.
func TestHookServer(t *testing.T) {
	var hooks atomic.Int32
	server := hookServer("127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hooks.Add(1)
		w.WriteHeader(http.StatusAccepted)
	}))
	for path, want := range map[string]int{"/hooks/fleet": http.StatusAccepted, "/hooks/fleet/x": http.StatusNotFound, "/": http.StatusNotFound, "/metrics": http.StatusNotFound} {
		w := httptest.NewRecorder()
		server.Server.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, nil))
		if w.Code != want {
			t.Errorf("POST %s is answered %d, want %d", path, w.Code, want)
		}
	}
	if hooks.Load() != 1 {
		t.Errorf("the hook was called %d times", hooks.Load())
	}
	if server.Server.ReadHeaderTimeout == 0 {
		t.Error("whoever never ends a request holds a connection for ever")
	}
}

type fetched gitrepo.Fetched

func (f fetched) Fetched() gitrepo.Fetched { return gitrepo.Fetched(f) }

func TestLastFetchMetric(t *testing.T) {
	tests := map[string]struct {
		reason string
		repo   fetched
		want   float64
	}{
		"Never":  {"not the year 1", fetched{Err: errors.New("down")}, 0},
		"Once":   {"with fractions of a second", fetched{At: time.UnixMilli(1_700_000_000_250)}, 1_700_000_000.25},
		"Outage": {"the last success counts", fetched{At: time.Unix(10, 0), Err: errors.New("down"), FailingSince: time.Unix(20, 0)}, 10},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			registry.MustRegister(lastFetch(tc.repo))
			families, err := registry.Gather()
			if err != nil || len(families) != 1 {
				t.Fatalf("%d metrics, %v", len(families), err)
			}
			if got := families[0].GetMetric()[0].GetGauge().GetValue(); got != tc.want {
				t.Errorf("%s: %f, want %f", tc.reason, got, tc.want)
			}
		})
	}
}

// upstream is a fleet repository with a work tree.
type upstream struct{ dir string }

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	dir := t.TempDir()
	_, err := git.PlainInitWithOptions(dir, &git.PlainInitOptions{InitOptions: git.InitOptions{DefaultBranch: plumbing.NewBranchReferenceName("main")}})
	if err := errors.Join(err, os.CopyFS(dir, template.Fleet()), os.CopyFS(filepath.Join(dir, "charts", "cluster"), charts.Cluster())); err != nil {
		t.Fatal(err)
	}
	return &upstream{dir}
}

// commit adds a file and commits all.
func (u *upstream) commit(t *testing.T, name string) string {
	t.Helper()
	repo, err := git.PlainOpen(u.dir)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := repo.Worktree()
	if err := errors.Join(err, os.WriteFile(filepath.Join(u.dir, name), []byte(name), 0o600), tree.AddWithOptions(&git.AddOptions{All: true})); err != nil {
		t.Fatal(err)
	}
	hash, err := tree.Commit(name, &git.CommitOptions{Author: &object.Signature{Name: "T", Email: "t@example.org", When: time.Unix(1, 0)}})
	if err != nil {
		t.Fatal(err)
	}
	return hash.String()
}

// writeKubeconfig writes what ctrl.GetConfig finds.
func writeKubeconfig(t *testing.T, config *rest.Config) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"test": {Server: config.Host, CertificateAuthorityData: config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"test": {ClientCertificateData: config.CertData, ClientKeyData: config.KeyData}},
		Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test", AuthInfo: "test"}},
		CurrentContext: "test",
	}, file)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", file)
}

// freeAddr is an address of this machine that nobody listens at.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// request gives the status code, and the answer's text.
func request(ctx context.Context, method, address string) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+address, nil)
	if err != nil {
		return 0, "", err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), errors.Join(err, answer.Body.Close())
}

// TestRun runs the whole manager against a real kube-apiserver and a real Git
// repository. AWS and workload clusters are tested end to end.
func TestRun(t *testing.T) {
	env := testenv.Start(t)
	writeKubeconfig(t, env.Config)
	t.Setenv("AWS_ENDPOINT_URL", "http://"+freeAddr(t)) // no AWS
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	opts, u := good(), newUpstream(t)
	opts.FleetURL, opts.DataDir, opts.LeaderElect = u.dir, t.TempDir(), true
	opts.FleetInterval = time.Hour // so that only the hook makes it look
	opts.HookAddr, opts.HealthAddr, opts.MetricsAddr = freeAddr(t), freeAddr(t), freeAddr(t)
	first := u.commit(t, "one")
	if err := env.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: opts.Namespace}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, opts) }()
	testenv.Eventually(t, time.Minute, func() error {
		select {
		case err := <-done:
			t.Fatal("Run:", err)
		default:
		}
		code, _, err := request(ctx, http.MethodGet, opts.HealthAddr+"/readyz")
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("/readyz answers %d", code)
		}
		return err
	})
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error("Run:", err)
		}
	}()
	t.Run("Alive", func(t *testing.T) { answers(t, http.MethodGet, opts.HealthAddr+"/healthz", http.StatusOK, "") })
	t.Run("Catalogue", func(t *testing.T) { publishes(t, env.Client, first) })
	t.Run("Hook", func(t *testing.T) {
		answers(t, http.MethodGet, opts.HookAddr+"/hooks/fleet", http.StatusMethodNotAllowed, "")
		second := u.commit(t, "two")
		answers(t, http.MethodPost, opts.HookAddr+"/hooks/fleet", http.StatusAccepted, "")
		publishes(t, env.Client, second)
	})
	t.Run("Metrics", func(t *testing.T) {
		answers(t, http.MethodGet, opts.MetricsAddr+"/metrics", http.StatusOK, "kargo_fleet_last_fetch_timestamp_seconds 1.")
	})
	t.Run("Controllers", func(t *testing.T) { reconciles(t, env.Client) })
}

// answers waits until the address answers so.
func answers(t *testing.T, method, address string, want int, text string) {
	t.Helper()
	testenv.Eventually(t, time.Minute, func() error {
		code, body, err := request(t.Context(), method, address)
		if err != nil {
			return err
		}
		if code != want || !strings.Contains(body, text) {
			return fmt.Errorf("%s %s: %d, want %d and %q in:\n%s", method, address, code, want, text, body)
		}
		return nil
	})
}

// publishes waits until the catalogue is that of a commit.
func publishes(t *testing.T, c client.Client, commit string) {
	t.Helper()
	testenv.Eventually(t, time.Minute, func() error {
		cm := &corev1.ConfigMap{}
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: "kargo-system", Name: fleet.CatalogName}, cm); err != nil {
			return err
		}
		if got := cm.Data[fleet.CommitKey]; got != commit {
			return fmt.Errorf("the catalogue is that of commit %s, want %s", got, commit)
		}
		if !strings.Contains(cm.Data[fleet.CatalogKey], `"standard"`) {
			return fmt.Errorf("the catalogue lacks the flavor standard: %s", cm.Data[fleet.CatalogKey])
		}
		return nil
	})
}

// reconciles: each controller takes up its objects, and one's work wakes the next.
func reconciles(t *testing.T, c client.Client) {
	t.Helper()
	meta := func(namespace, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name}
	}
	team := &v1alpha1.Team{ObjectMeta: meta("", "shop"), Spec: v1alpha1.TeamSpec{Owners: []v1alpha1.Subject{{Kind: "Group", Name: "shop"}}}}
	account := &v1alpha1.Account{ObjectMeta: meta("shop", "shop-prod"), Spec: v1alpha1.AccountSpec{
		ID: "111111111111", Environment: "prod", Region: "eu-central-1", Network: v1alpha1.AccountNetwork{CIDR: "10.0.0.0/16"},
	}}
	cluster := &v1alpha1.WorkloadCluster{ObjectMeta: meta("shop", "shop-prod"), Spec: v1alpha1.WorkloadClusterSpec{
		AccountRef: v1alpha1.AccountReference{Name: account.Name}, Branch: "main",
	}}
	for _, step := range []struct {
		object    conditions.Getter
		condition string
		status    metav1.ConditionStatus
	}{
		{team, v1alpha1.ConditionReady, metav1.ConditionTrue},
		{account, v1alpha1.ConditionReady, metav1.ConditionFalse}, // no AWS
		{cluster, v1alpha1.ConditionResolved, metav1.ConditionFalse},
	} {
		if err := c.Create(t.Context(), step.object); err != nil {
			t.Fatal(err)
		}
		testenv.Eventually(t, time.Minute, func() error {
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(step.object), step.object); err != nil {
				return err
			}
			got := conditions.Get(step.object, step.condition)
			if got == nil || got.Status != step.status {
				return fmt.Errorf("%s of %T: %v, want %s", step.condition, step.object, got, step.status)
			}
			return nil
		})
	}
	if diff := cmp.Diff(v1alpha1.ReasonAccountNotReady, conditions.GetReason(cluster, v1alpha1.ConditionResolved)); diff != "" {
		t.Errorf("the cluster did not find its account: -want, +got:\n%s", diff)
	}
}
