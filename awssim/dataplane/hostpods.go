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

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"kargo.dev/kargo/internal/process"
)

// hostPodSelector finds the pods that are run as host processes. KWOK's stages
// leave the same ones alone.
const hostPodSelector = "app.kubernetes.io/part-of=flux"

const (
	podsSettled = 3 * time.Second
	podsBusy    = 300 * time.Millisecond
)

// hostPods is the kubelet of a cluster's Flux pods: it runs their containers
// as processes of this machine and reports their status.
type hostPods struct {
	cluster *cluster
	clients *clients
	files   *clusterFiles
	runner  process.Runner
	log     *slog.Logger
	changed chan struct{}
	cancel  context.CancelFunc
	done    chan struct{}
}

// startHostPods watches the cluster's Flux pods until stop is called or ctx ends.
func startHostPods(ctx context.Context, c *cluster) *hostPods {
	ctx, cancel := context.WithCancel(ctx)
	h := &hostPods{
		cluster: c, clients: c.clients, files: c.files, runner: c.plane.opts.Runner, log: c.log,
		changed: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{}),
	}
	go func() {
		defer close(h.done)
		h.run(ctx)
	}()
	return h
}

func (h *hostPods) stop() {
	h.cancel()
	<-h.done
}

func (h *hostPods) run(ctx context.Context) {
	factory := informers.NewSharedInformerFactoryWithOptions(h.clients.watch, 0,
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = hostPodSelector }))
	pods := factory.Core().V1().Pods()
	informer := pods.Informer()
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { h.poke() }, UpdateFunc: func(any, any) { h.poke() }, DeleteFunc: func(any) { h.poke() },
	}); err != nil {
		h.log.Warn("pods of Flux are not run", "error", err)
		return
	}
	factory.StartWithContext(ctx)
	defer factory.Shutdown()
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return
	}
	for wait := podsBusy; ctx.Err() == nil; {
		list, err := pods.Lister().List(labels.Everything())
		settled := false
		if err == nil {
			passCtx, cancel := context.WithTimeout(ctx, passTimeout)
			settled, err = h.sync(passCtx, list)
			cancel()
		}
		switch {
		case err != nil && ctx.Err() == nil:
			h.log.Warn("pods of Flux are not as wanted", "error", err)
			wait = min(2*wait, lookFailing)
		case settled:
			wait = podsSettled
		default:
			wait = podsBusy
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-h.changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (h *hostPods) poke() {
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// sync runs what should run, and stops what no pod asks for any more.
func (h *hostPods) sync(ctx context.Context, pods []*corev1.Pod) (settled bool, err error) {
	prefix := h.cluster.processName(podsPart)
	list, err := h.runner.List(ctx, prefix)
	if err != nil {
		return false, err
	}
	var mu sync.Mutex
	var errs []error
	settled = true
	var syncing sync.WaitGroup
	each := func(work func() (bool, error)) {
		syncing.Go(func() {
			ok, err := work()
			mu.Lock()
			defer mu.Unlock()
			settled = settled && ok
			errs = append(errs, err)
		})
	}
	wanted := map[string]bool{}
	for _, pod := range pods {
		key := pod.Namespace + "/" + pod.Name
		wanted[key] = true
		var status process.Status
		if i := slices.IndexFunc(list, func(s process.Status) bool { return s.Name == prefix+key }); i >= 0 {
			status = list[i]
		}
		each(func() (bool, error) { return h.syncPod(ctx, pod, status) })
	}
	for _, key := range h.known(list, prefix) {
		if !wanted[key] {
			each(func() (bool, error) { return true, h.discard(ctx, key) })
		}
	}
	syncing.Wait()
	return settled, errors.Join(errs...)
}

// known are the pods, as NAMESPACE/NAME, that have a process or a directory.
func (h *hostPods) known(list []process.Status, prefix string) []string {
	var res []string
	for _, s := range list {
		res = append(res, strings.TrimPrefix(s.Name, prefix))
	}
	dirs, _ := filepath.Glob(filepath.Join(h.dir("*"), "*"))
	for _, dir := range dirs {
		key := filepath.Base(filepath.Dir(dir)) + "/" + filepath.Base(dir)
		if !slices.Contains(res, key) {
			res = append(res, key)
		}
	}
	return res
}

// dir of a pod, or of a namespace's pods.
func (h *hostPods) dir(key string) string {
	return filepath.Join(h.cluster.dir, "pods", filepath.FromSlash(key))
}

// discard stops a pod's process and removes what it left.
func (h *hostPods) discard(ctx context.Context, key string) error {
	if err := h.runner.Remove(ctx, h.cluster.processName(podsPart)+key); err != nil {
		return fmt.Errorf("stop pod %s: %w", key, err)
	}
	if err := os.RemoveAll(h.dir(key)); err != nil {
		return fmt.Errorf("remove the directory of pod %s: %w", key, err)
	}
	return h.cluster.plane.ports.release(h.portOwner(key, ""))
}

func (h *hostPods) portOwner(key, port string) string {
	return h.cluster.key + "/" + podsPart + key + ":" + port
}

// syncPod does what a kubelet does for one pod. It tells whether the pod is as it should be.
func (h *hostPods) syncPod(ctx context.Context, pod *corev1.Pod, status process.Status) (settled bool, err error) {
	key := pod.Namespace + "/" + pod.Name
	switch {
	case pod.DeletionTimestamp != nil && pod.Spec.NodeName != "":
		if err := h.discard(ctx, key); err != nil {
			return false, err
		}
		err := h.clients.quick.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
			GracePeriodSeconds: new(int64), Preconditions: metav1.NewUIDPreconditions(string(pod.UID)),
		})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return false, fmt.Errorf("delete the stopped pod %s: %w", key, err)
		}
		return false, nil
	case pod.Spec.NodeName == "" || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed:
		return true, nil
	}
	plan, err := planPod(pod, podPlace{
		Name: h.cluster.processName(podsPart) + key, Dir: h.dir(key), Images: h.cluster.plane.opts.Binaries.Images,
		Env:  goRuntime(hostPodMemory()),
		Port: func(port int) (int, error) { return h.cluster.plane.ports.port(h.portOwner(key, fmt.Sprint(port))) },
		ServicePort: func(port int) (int, error) {
			return h.cluster.plane.ports.port(h.cluster.key + "/services/" + pod.Namespace + "/" + pod.Labels["app"] + ":" + fmt.Sprint(port))
		},
	})
	if err == nil {
		if invalid := plan.Spec.Validate(); invalid != nil {
			err = &configError{invalid.Error()}
		}
	}
	if err == nil {
		err = h.start(ctx, pod, plan)
	}
	if _, known := waitingReason(err, ""); err != nil && !known {
		return false, fmt.Errorf("run pod %s: %w", key, err)
	}
	if err != nil && status.Name != "" { // it ran, and may no longer
		if err := h.discard(ctx, key); err != nil {
			return false, err
		}
	}
	want := podStatus(pod, status, err, h.cluster.plane.opts.Clock.Now())
	return err != nil || status.State == process.StateRunning, writePodStatus(ctx, h.clients.quick, pod, want)
}

// start makes the pod's process run, with its directories, its kubeconfig and a fresh token.
func (h *hostPods) start(ctx context.Context, pod *corev1.Pod, plan hostPlan) error {
	key := pod.Namespace + "/" + pod.Name
	dir := h.dir(key)
	owner := filepath.Join(dir, "uid")
	switch uid, err := os.ReadFile(owner); {
	case err == nil && string(uid) != string(pod.UID): // a former pod of this name
		if err := h.discard(ctx, key); err != nil {
			return err
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("read %s: %w", owner, err)
	}
	for _, d := range plan.Dirs {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return fmt.Errorf("make a directory of the pod: %w", err)
		}
	}
	if err := writeFile(owner, []byte(pod.UID)); err != nil {
		return err
	}
	token := filepath.Join(dir, "token")
	if err := refreshToken(ctx, h.clients.quick, pod, token, h.cluster.plane.opts.Clock.Now()); err != nil {
		return err
	}
	config := kubeconfig(h.files.endpoint, h.files.path("ca.crt"), fmt.Sprintf("{tokenFile: %q}", token))
	if err := writeFile(filepath.Join(dir, "kubeconfig"), config); err != nil {
		return err
	}
	return h.runner.Ensure(ctx, plan.Spec)
}
