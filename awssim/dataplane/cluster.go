package dataplane

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"

	"kargo.dev/kargo/awssim/eks"
	"kargo.dev/kargo/internal/process"
)

// How often a worker looks: quickly while something is to be done, slower when
// it fails again and again, and now and then when all is as wanted.
const (
	lookSoon    = 250 * time.Millisecond
	lookFailing = 5 * time.Second
	lookSettled = 3 * time.Second
	passTimeout = 30 * time.Second
)

// cluster is one EKS cluster: what is wanted of it, and the worker that makes it so.
type cluster struct {
	plane *DataPlane
	key   string // ACCOUNT/NAME
	arn   string
	dir   string
	log   *slog.Logger
	wake  chan struct{}

	mu         sync.Mutex
	want       eks.ControlPlane
	nodegroups map[string][]eks.Node
	deleting   bool
	status     eks.ControlPlaneStatus
	ready      map[string][]string // kubelet versions of the Ready nodes by node group

	// Of the worker alone.
	files        *clusterFiles
	clients      *clients
	bootstrapped bool
	hostPods     *hostPods
}

func newCluster(d *DataPlane, key, arn string) *cluster {
	return &cluster{
		plane: d, key: key, arn: arn,
		dir: filepath.Join(d.opts.StateDir, "clusters", filepath.FromSlash(key)),
		log: d.opts.Logger.With("cluster", key), wake: make(chan struct{}, 1),
		nodegroups: map[string][]eks.Node{},
	}
}

// processName of a part of the cluster: eks/ACCOUNT/NAME/PART.
func (c *cluster) processName(part string) string { return "eks/" + c.key + "/" + part }

// etcdPrefix is where the cluster's objects lie in etcd.
func (c *cluster) etcdPrefix() string { return "/eks/" + c.key }

func (c *cluster) ensure(want eks.ControlPlane) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.arn != want.ARN {
		return fmt.Errorf("cluster %s exists in another region (%s); one account's clusters need different names here", c.key, c.arn)
	}
	if c.deleting {
		return fmt.Errorf("cluster %s is being deleted; wait until it is gone", c.arn)
	}
	if want != c.want {
		c.want = want
		c.status.Ready = false
		c.poke()
	}
	return nil
}

func (c *cluster) ensureNodegroup(name string, nodes []eks.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodegroups[name] = slices.Clone(nodes)
	c.poke()
}

func (c *cluster) delete() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.deleting {
		c.deleting = true
		c.status.Ready, c.status.Message = false, "being deleted"
		c.poke()
	}
}

func (c *cluster) currentStatus() eks.ControlPlaneStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

func (c *cluster) nodesReady(nodegroup, version string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, kubelet := range c.ready[nodegroup] {
		if minorOf(kubelet) == minorOf(version) {
			n++
		}
	}
	return n
}

func (c *cluster) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// work makes passes until the cluster is deleted or ctx ends.
func (c *cluster) work(ctx context.Context) {
	defer c.stopHostPods()
	for wait := lookSoon; ; {
		passCtx, cancel := context.WithTimeout(ctx, passTimeout)
		settled, gone, err := c.pass(passCtx)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case gone:
			c.log.Info("cluster deleted")
			c.plane.forget(c)
			return
		case err != nil:
			c.log.Warn("cluster is not as wanted", "error", err)
			c.notReady(err.Error())
			wait = min(2*wait, lookFailing)
		case settled:
			wait = lookSettled
		default:
			wait = lookSoon
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-c.wake:
			wait = lookSoon
		case <-timer.C:
		}
		timer.Stop()
	}
}

// pass brings the cluster nearer to what is wanted. It waits for nothing:
// what takes time is looked at again in the next pass.
func (c *cluster) pass(ctx context.Context) (settled, gone bool, err error) {
	c.mu.Lock()
	want, deleting := c.want, c.deleting
	c.mu.Unlock()
	if deleting {
		gone, err = c.tearDown(ctx)
		return false, gone, err
	}
	serving, err := c.ensureControlPlane(ctx, want)
	if err != nil || !serving {
		return false, false, err
	}
	if err := c.bootstrap(ctx, want); err != nil {
		return false, false, fmt.Errorf("bootstrap: %w", err)
	}
	if c.hostPods == nil {
		c.hostPods = startHostPods(c.plane.ctx, c)
	}
	c.mu.Lock()
	if !c.deleting && c.want == want {
		c.status.Ready, c.status.Message = true, ""
	}
	c.mu.Unlock()
	settled, err = c.ensureNodes(ctx)
	if err != nil {
		return false, false, fmt.Errorf("nodes: %w", err)
	}
	return settled, false, nil
}

func (c *cluster) notReady(message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status.Ready, c.status.Message, c.ready = false, message, nil
}

func (c *cluster) stopHostPods() {
	if c.hostPods != nil {
		c.hostPods.stop()
		c.hostPods = nil
	}
}

// tearDown stops the processes, clients before servers, and removes what the
// cluster left in etcd, on disk and in the port book.
func (c *cluster) tearDown(ctx context.Context) (gone bool, err error) {
	c.stopHostPods()
	c.mu.Lock()
	c.clients = nil
	c.mu.Unlock()
	if err := c.removeProcesses(ctx); err != nil {
		return false, err
	}
	_, err = os.Stat(c.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, c.plane.ports.release(c.key + "/")
	}
	if err != nil {
		return false, fmt.Errorf("look for the cluster's directory: %w", err)
	}
	ready, err := c.plane.etcd.ensure(ctx)
	if err != nil || !ready {
		return false, err
	}
	if err := c.plane.etcd.deletePrefix(ctx, c.etcdPrefix()); err != nil {
		return false, err
	}
	if err := c.plane.ports.release(c.key + "/"); err != nil {
		return false, err
	}
	// The directory goes last: as long as it is there, there is something to delete.
	if err := os.RemoveAll(c.dir); err != nil {
		return false, fmt.Errorf("remove the cluster's directory: %w", err)
	}
	_ = os.Remove(filepath.Dir(c.dir)) // the account's, if this was its last cluster
	return true, nil
}

func (c *cluster) removeProcesses(ctx context.Context) error {
	list, err := c.plane.opts.Runner.List(ctx, c.processName(""))
	if err != nil {
		return err
	}
	rank := func(s process.Status) int {
		switch {
		case strings.HasPrefix(s.Name, c.processName(podsPart)):
			return 0
		case s.Name != c.processName(apiserverPart):
			return 1
		default:
			return 2
		}
	}
	for stage := range 3 {
		var stopping sync.WaitGroup
		errs := make([]error, len(list))
		for i, s := range list {
			if rank(s) == stage {
				stopping.Go(func() { errs[i] = c.plane.opts.Runner.Remove(ctx, s.Name) })
			}
		}
		stopping.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}

// client is the admin client of the cluster while its worker has one.
func (c *cluster) client() (kubernetes.Interface, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clients == nil {
		return nil, false
	}
	return c.clients.quick, true
}
