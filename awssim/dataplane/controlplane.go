package dataplane

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"kargo.dev/kargo/awssim/eks"
	"kargo.dev/kargo/internal/process"
)

// Parts of a cluster, which name its processes.
const (
	apiserverPart         = "kube-apiserver"
	controllerManagerPart = "kube-controller-manager"
	schedulerPart         = "kube-scheduler"
	kwokPart              = "kwok"
	podsPart              = "pods/"
)

// defaultServiceCIDR is one of the two networks EKS chooses from.
const defaultServiceCIDR = "172.20.0.0/16"

// clients of a cluster's API as its administrator.
type clients struct {
	quick kubernetes.Interface // requests end after a few seconds
	watch kubernetes.Interface // for watches
}

// ensureControlPlane makes the processes run at the wanted version and tells
// whether the API is served at it. The API server goes first: the others must
// never be newer, https://kubernetes.io/releases/version-skew-policy/.
func (c *cluster) ensureControlPlane(ctx context.Context, want eks.ControlPlane) (serving bool, err error) {
	ready, err := c.plane.etcd.ensure(ctx)
	if err != nil {
		return false, fmt.Errorf("etcd: %w", err)
	}
	if !ready {
		c.notReady("etcd starts")
		return false, nil
	}
	if c.files == nil {
		if c.files, err = c.writeFiles(want); err != nil {
			return false, err
		}
		c.mu.Lock()
		c.status.Endpoint, c.status.Issuer, c.status.CA = c.files.endpoint, c.files.endpoint, c.files.ca
		c.mu.Unlock()
	}
	spec, err := c.apiserver(want)
	if err != nil {
		return false, err
	}
	if err := c.plane.opts.Runner.Ensure(ctx, spec); err != nil {
		return false, err
	}
	if running, why, err := c.running(ctx, apiserverPart); err != nil || !running {
		c.notReady(why)
		return false, err
	}
	version, err := c.servedVersion()
	if err != nil {
		return false, err
	}
	c.mu.Lock()
	c.status.Version = version
	c.mu.Unlock()
	if version != want.Version {
		c.notReady(fmt.Sprintf("serves %s, %s is wanted", version, want.Version))
		return false, nil
	}
	for _, spec := range []process.Spec{c.controllerManager(want), c.scheduler(want), c.kwok(want)} {
		if err := c.plane.opts.Runner.Ensure(ctx, spec); err != nil {
			return false, err
		}
	}
	return true, nil
}

// running tells whether a part serves, and if not, why.
func (c *cluster) running(ctx context.Context, part string) (ok bool, why string, err error) {
	list, err := c.plane.opts.Runner.List(ctx, c.processName(part))
	if err != nil {
		return false, err.Error(), err
	}
	if len(list) == 0 {
		return false, part + " is not started", nil
	}
	s := list[0]
	switch {
	case s.State == process.StateRunning:
		return true, "", nil
	case s.LastExit != "":
		return false, fmt.Sprintf("%s is %s after %s; see %s", part, s.State, s.LastExit, s.LogFile), nil
	default:
		return false, fmt.Sprintf("%s is %s", part, s.State), nil
	}
}

// servedVersion is the minor version the API server plays: 1.34.
func (c *cluster) servedVersion() (string, error) {
	if c.clients == nil {
		made, err := c.files.clients()
		if err != nil {
			return "", err
		}
		c.mu.Lock()
		c.clients = made
		c.mu.Unlock()
	}
	info, err := c.clients.quick.Discovery().ServerVersion()
	if err != nil {
		return "", fmt.Errorf("ask for the version: %w", err)
	}
	if info.EmulationMajor != "" && info.EmulationMinor != "" {
		return info.EmulationMajor + "." + info.EmulationMinor, nil
	}
	return info.Major + "." + strings.TrimRight(info.Minor, "+"), nil
}

// apiserver is set up for little memory: no audit, no profiling, no priority
// and fairness (nobody competes here), no second copy of admission data.
func (c *cluster) apiserver(want eks.ControlPlane) (process.Spec, error) {
	binary, err := c.plane.opts.Binaries.APIServer(want.Version)
	if err != nil {
		return process.Spec{}, err
	}
	f := c.files
	args := append(c.plane.etcd.apiserverFlags(c.etcdPrefix()),
		"--emulated-version="+want.Version,
		"--bind-address=127.0.0.1", "--secure-port="+strconv.Itoa(f.port), "--permit-address-sharing=true",
		"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
		"--tls-cert-file="+f.path("apiserver.crt"), "--tls-private-key-file="+f.path("apiserver.key"),
		"--client-ca-file="+f.path("ca.crt"),
		"--service-cluster-ip-range="+serviceCIDR(want),
		"--service-account-issuer="+f.endpoint, "--service-account-jwks-uri="+f.endpoint+"/openid/v1/jwks",
		"--api-audiences="+f.endpoint+",https://kubernetes.default.svc,sts.amazonaws.com",
		"--service-account-key-file="+f.path("sa.key"), "--service-account-signing-key-file="+f.path("sa.key"),
		"--authentication-token-webhook-config-file="+f.path("tokenreview.kubeconfig"),
		"--authentication-token-webhook-version=v1", "--authentication-token-webhook-cache-ttl=5s",
		"--authorization-mode=RBAC", "--allow-privileged=true",
		"--enable-priority-and-fairness=false", "--profiling=false",
		"--etcd-compaction-interval=0", "--etcd-count-metric-poll-period=0", "--etcd-db-metric-poll-interval=0",
	)
	return process.Spec{
		Name: c.processName(apiserverPart), Path: binary, Args: args, Dir: c.dir,
		// The last one is for nobody but the supervisor: the file is only read at the start.
		Env:      append(goRuntime(apiserverMemory()), "TOKEN_REVIEW_URL="+c.plane.opts.TokenReviewURL),
		ReadyURL: f.endpoint + "/readyz", ReadyCAFile: f.path("ca.crt"),
		StopGrace: 2 * time.Second, // it would wait for watches to end; what was answered is in etcd
	}, nil
}

// controllers are those of kube-controller-manager that something here needs.
// Each other one would watch kinds nobody uses: volumes and their attachments
// (KWOK mounts nothing), load balancers and routes (AWS's), certificates of
// kubelets, autoscaling (no metrics), replication controllers, resource claims.
func controllers() []string {
	return []string{
		"namespace-controller", "garbage-collector-controller", // or nothing is ever deleted
		"serviceaccount-controller", "serviceaccount-token-controller", "root-ca-certificate-publisher-controller", // pods and Flux log in
		"deployment-controller", "replicaset-controller", "daemonset-controller", "statefulset-controller", "job-controller", "cronjob-controller", "ttl-after-finished-controller",
		"node-lifecycle-controller", "taint-eviction-controller", "pod-garbage-collector-controller", // nodes become Ready, and go
		"disruption-controller",              // PodDisruptionBudgets hold up a drain
		"endpointslice-controller",           // Services of add-ons
		"clusterrole-aggregation-controller", // admin, edit and view are made of parts
		"resourcequota-controller",           // teams may set quotas
	}
}

func (c *cluster) controllerManager(want eks.ControlPlane) process.Spec {
	f := c.files
	return process.Spec{
		Name: c.processName(controllerManagerPart), Path: c.plane.opts.Binaries.KubeControllerManager,
		Args: []string{
			"--kubeconfig=" + f.path(controllerManagerPart+".kubeconfig"),
			"--emulated-version=" + want.Version,
			"--controllers=" + strings.Join(controllers(), ","),
			"--service-account-private-key-file=" + f.path("sa.key"), "--root-ca-file=" + f.path("ca.crt"),
			"--leader-elect=false", "--secure-port=0", "--profiling=false", // one instance, asked by nobody
			"--use-service-account-credentials=false",
			"--concurrent-gc-syncs=5", "--node-monitor-grace-period=50s",
		},
		Env: goRuntime(controllerManagerMemory()), Dir: c.dir,
	}
}

func (c *cluster) scheduler(want eks.ControlPlane) process.Spec {
	return process.Spec{
		Name: c.processName(schedulerPart), Path: c.plane.opts.Binaries.KubeScheduler,
		Args: []string{
			"--kubeconfig=" + c.files.path(schedulerPart+".kubeconfig"),
			"--emulated-version=" + want.Version,
			"--leader-elect=false", "--secure-port=0", "--profiling=false",
		},
		Env: goRuntime(schedulerMemory()), Dir: c.dir,
	}
}

// kwok has no version of its own. It is restarted with a new one all the same:
// its watches, broken off by the API server's restart, would take up to half a
// minute to come back.
func (c *cluster) kwok(want eks.ControlPlane) process.Spec {
	return process.Spec{
		Name: c.processName(kwokPart), Path: c.plane.opts.Binaries.KWOK,
		Args: []string{
			"--kubeconfig=" + c.files.path(kwokPart+".kubeconfig"),
			"--config=" + c.files.path("stages.yaml"),
			"--manage-all-nodes=true", "--node-lease-duration-seconds=40",
		},
		Env: append(goRuntime(kwokMemory()), "HOME="+c.dir /* it would read ~/.kwok */, "EKS_VERSION="+want.Version,
			fmt.Sprintf("STAGES_SHA256=%x", sha256.Sum256(stages))), Dir: c.dir,
	}
}

// clusterFiles are the files a cluster's processes read.
type clusterFiles struct {
	dir      string
	port     int
	endpoint string // https://127.0.0.1:PORT
	ca       []byte
}

func (f *clusterFiles) path(name string) string { return filepath.Join(f.dir, name) }

// writeFiles makes the cluster's certificates, keys and configurations, or finds them.
func (c *cluster) writeFiles(want eks.ControlPlane) (*clusterFiles, error) {
	port, err := c.plane.ports.port(c.key + "/" + apiserverPart)
	if err != nil {
		return nil, err
	}
	f := &clusterFiles{dir: filepath.Join(c.dir, "files"), port: port, endpoint: "https://127.0.0.1:" + strconv.Itoa(port)}
	ca, err := openAuthority(f.dir, "eks-"+strings.ReplaceAll(c.key, "/", "-"), c.plane.root, c.plane.opts.Clock.Now)
	if err != nil {
		return nil, err
	}
	first, err := firstServiceIP(serviceCIDR(want))
	if err != nil {
		return nil, err
	}
	if err := ca.server("apiserver", []net.IP{first}, "kubernetes", "kubernetes.default", "kubernetes.default.svc"); err != nil {
		return nil, err
	}
	if err := serviceAccountKey(f.path("sa.key")); err != nil {
		return nil, err
	}
	for _, u := range []struct {
		name, user string
		groups     []string
	}{
		{name: "admin", user: "awssim", groups: []string{"system:masters"}},
		{name: controllerManagerPart, user: "system:kube-controller-manager", groups: []string{"system:masters"}},
		{name: schedulerPart, user: "system:kube-scheduler"},
		{name: kwokPart, user: "kwok", groups: []string{"system:masters"}},
	} {
		if err := ca.client(u.name, u.user, u.groups...); err != nil {
			return nil, err
		}
		config := kubeconfig(f.endpoint, f.path("ca.crt"), fmt.Sprintf(`{client-certificate: %q, client-key: %q}`, f.path(u.name+".crt"), f.path(u.name+".key")))
		if err := writeFile(f.path(u.name+".kubeconfig"), config); err != nil {
			return nil, err
		}
	}
	review := kubeconfig(strings.TrimSuffix(c.plane.opts.TokenReviewURL, "/")+"/"+c.key, "", "{}")
	if err := writeFile(f.path("tokenreview.kubeconfig"), review); err != nil {
		return nil, err
	}
	if err := writeFile(f.path("stages.yaml"), stages); err != nil {
		return nil, err
	}
	f.ca, err = os.ReadFile(ca.certFile())
	return f, err
}

// kubeconfig of one user (in YAML's flow style) of one cluster.
func kubeconfig(server, caFile, user string) []byte {
	cluster := fmt.Sprintf("{server: %q}", server)
	if caFile != "" {
		cluster = fmt.Sprintf("{server: %q, certificate-authority: %q}", server, caFile)
	}
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: cluster, cluster: %s}]
users: [{name: user, user: %s}]
contexts: [{name: context, context: {cluster: cluster, user: user}}]
current-context: context
`, cluster, user)
}

func (f *clusterFiles) clients() (*clients, error) {
	config := &rest.Config{
		Host: f.endpoint, QPS: 50, Burst: 100, UserAgent: "awssim",
		TLSClientConfig: rest.TLSClientConfig{CAData: f.ca, CertFile: f.path("admin.crt"), KeyFile: f.path("admin.key")},
	}
	watch, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client of %s: %w", f.endpoint, err)
	}
	config.Timeout = 10 * time.Second
	quick, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client of %s: %w", f.endpoint, err)
	}
	return &clients{quick: quick, watch: watch}, nil
}
