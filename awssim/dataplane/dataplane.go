// Package dataplane runs the Kubernetes side of simulated EKS clusters: what AWS
// runs in its own accounts (control planes) and on instances (nodes). The
// control planes are real: kube-apiserver, kube-controller-manager and
// kube-scheduler as processes, one set per cluster, on one shared etcd. Nodes
// and most pods are KWOK's; the pods of the Flux controllers run as processes
// of this machine. docs/awssim.md says how that differs from EKS.
//
// Each cluster has one worker that compares what is wanted with what is there,
// again and again; nothing else changes a cluster. Processes belong to a
// process.Runner, so they live on while the simulator restarts.
package dataplane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/eks"
	"kargo.dev/kargo/internal/process"
)

// Options of a DataPlane.
type Options struct {
	Runner   process.Runner
	Binaries Binaries
	// StateDir is an absolute path; certificates, ports and etcd's data lie below it.
	StateDir string
	// TokenReviewURL is where TokenReviewHandler is served; API servers ask
	// TokenReviewURL/ACCOUNT/CLUSTER who a bearer token belongs to.
	TokenReviewURL string
	// Ports are handed out to API servers and host pods; 24000 to 32767 if zero.
	Ports PortRange
	Clock api.Clock
	// DrainTimeout is how long pods of a node that goes may resist eviction.
	// EKS gives up after 15 minutes; here it is as much of that as the clock's
	// factor makes, and at least 30 s.
	DrainTimeout time.Duration
	Logger       *slog.Logger // silent if nil
}

// eksDrainTimeout is after how long EKS fails an update with PodEvictionFailure,
// https://docs.aws.amazon.com/eks/latest/userguide/managed-node-update-behavior.html.
const eksDrainTimeout = 15 * time.Minute

// DataPlane implements eks.DataPlane.
type DataPlane struct {
	opts  Options
	ports *portBook
	etcd  *etcd
	root  *authority // signs the authority of every cluster

	ctx     context.Context // of the workers; ends with Close
	cancel  context.CancelFunc
	workers sync.WaitGroup

	mu       sync.Mutex
	clusters map[string]*cluster // by ACCOUNT/NAME
}

var _ eks.DataPlane = (*DataPlane)(nil)

// New makes a data plane that knows no cluster yet: what ran before goes on
// running, and is taken up again by EnsureCluster.
func New(o Options) (*DataPlane, error) {
	if o.Runner == nil || !filepath.IsAbs(o.StateDir) || o.TokenReviewURL == "" {
		return nil, errors.New("dataplane: want a Runner, an absolute StateDir and a TokenReviewURL")
	}
	if o.Clock.Now == nil {
		o.Clock.Now = time.Now
	}
	o.DrainTimeout = cmp.Or(o.DrainTimeout, max(30*time.Second, o.Clock.Takes(eksDrainTimeout)))
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	root, err := openAuthority(filepath.Join(o.StateDir, "pki"), "awssim-eks", nil, o.Clock.Now)
	if err != nil {
		return nil, err
	}
	ports, err := openPortBook(filepath.Join(o.StateDir, "ports.json"), o.Ports)
	if err != nil {
		return nil, err
	}
	d := &DataPlane{
		opts: o, ports: ports, root: root, clusters: map[string]*cluster{},
		etcd: &etcd{
			binary: o.Binaries.Etcd, dir: filepath.Join(o.StateDir, "etcd"),
			ports: ports, runner: o.Runner, env: goRuntime(etcdMemory()), now: o.Clock.Now,
		},
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d, nil
}

// Close ends the workers. Processes run on.
func (d *DataPlane) Close() {
	d.cancel()
	d.workers.Wait()
}

// RootCAFile is the certificate of the authority above all clusters' own:
// whoever trusts it (SSL_CERT_FILE) can read every cluster's OIDC issuer.
func (d *DataPlane) RootCAFile() string { return d.root.certFile() }

// EnsureCluster implements eks.DataPlane.
func (d *DataPlane) EnsureCluster(_ context.Context, want eks.ControlPlane) error {
	key, err := clusterKey(want.ARN)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.clusters[key]
	if !ok {
		c = d.addLocked(key, want.ARN)
	}
	return c.ensure(want)
}

// Status implements eks.DataPlane.
func (d *DataPlane) Status(clusterARN string) (eks.ControlPlaneStatus, bool) {
	c, ok := d.find(clusterARN)
	if !ok {
		return eks.ControlPlaneStatus{}, false
	}
	return c.currentStatus(), true
}

// EnsureNodes implements eks.DataPlane.
func (d *DataPlane) EnsureNodes(_ context.Context, clusterARN, nodegroup string, nodes []eks.Node) error {
	c, ok := d.find(clusterARN)
	if !ok {
		return fmt.Errorf("no control plane of cluster %s; call EnsureCluster first", clusterARN)
	}
	c.ensureNodegroup(nodegroup, nodes)
	return nil
}

// NodesReady implements eks.DataPlane.
func (d *DataPlane) NodesReady(clusterARN, nodegroup, version string) int {
	c, ok := d.find(clusterARN)
	if !ok {
		return 0
	}
	return c.nodesReady(nodegroup, version)
}

// DeleteCluster implements eks.DataPlane. The cluster is gone when Status no
// longer knows it. A deletion that a dead simulator left undone is taken up by
// calling it again.
func (d *DataPlane) DeleteCluster(_ context.Context, clusterARN string) error {
	key, err := clusterKey(clusterARN)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.clusters[key]
	if ok && c.arn != clusterARN {
		return nil // its name is a cluster's of another region
	}
	if !ok {
		c = d.addLocked(key, clusterARN)
	}
	c.delete()
	return nil
}

func (d *DataPlane) find(clusterARN string) (*cluster, bool) {
	key, err := clusterKey(clusterARN)
	if err != nil {
		return nil, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.clusters[key]
	return c, ok && c.arn == clusterARN
}

func (d *DataPlane) addLocked(key, arn string) *cluster {
	c := newCluster(d, key, arn)
	d.clusters[key] = c
	d.workers.Go(func() { c.work(d.ctx) })
	return c
}

func (d *DataPlane) forget(c *cluster) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.clusters[c.key] == c {
		delete(d.clusters, c.key)
	}
}

// clusterKey is ACCOUNT/NAME of arn:aws:eks:REGION:ACCOUNT:cluster/NAME. It
// names processes and directories.
func clusterKey(arn string) (string, error) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[2] != "eks" || parts[4] == "" {
		return "", fmt.Errorf("%q is not the ARN of an EKS cluster", arn)
	}
	name, ok := strings.CutPrefix(parts[5], "cluster/")
	if !ok || name == "" || strings.ContainsAny(name, "/. ") || strings.ContainsAny(parts[4], "/. ") {
		return "", fmt.Errorf("%q is not the ARN of an EKS cluster", arn)
	}
	return parts[4] + "/" + name, nil
}
