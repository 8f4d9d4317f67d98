package dataplane

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kargo.dev/kargo/awssim/eks"
	"kargo.dev/kargo/internal/process"
)

// TestCluster follows one real cluster through its life.
func TestCluster(t *testing.T) {
	p := newPlatform(t)
	one, two := testNode("ip-10-0-1-11.eu-central-1.compute.internal", "i-0001"), testNode("ip-10-0-2-22.eu-central-1.compute.internal", "i-0002")
	one.Taints = []eks.Taint{{Key: "soft", Value: "yes", Effect: "PREFER_NO_SCHEDULE"}}

	p.ensure("1.34")
	p.awaitReady("1.34")
	p.nodes(one, two)
	p.awaitNodes(2)
	p.awaitPods("coredns", 2)
	p.awaitPods("aws-node", 2)
	p.checkVersion("v1.34.")
	p.checkNode(one)
	p.checkLogins()
	p.checkKill()
	p.fluxPod()
	p.checkRestartOfSimulator()
	p.ensure("1.35")
	p.awaitReady("1.35")
	p.checkVersion("v1.35.")
	p.checkScaleIn(one)
	p.checkDeleted()
}

func (p *platform) nodes(nodes ...eks.Node) {
	p.t.Helper()
	if err := p.plane.EnsureNodes(p.t.Context(), testARN, "pool", nodes); err != nil {
		p.t.Fatal(err)
	}
}

func (p *platform) awaitNodes(n int) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("%d nodes ready", n), func(context.Context) string {
		if got := p.plane.NodesReady(testARN, "pool", "1.34"); got != n {
			s, _ := p.plane.Status(testARN)
			return fmt.Sprintf("%d are ready; %s", got, s.Message)
		}
		return ""
	})
}

func (p *platform) awaitPods(app string, n int) {
	p.t.Helper()
	selector := map[string]string{"coredns": "k8s-app=kube-dns", "aws-node": "k8s-app=aws-node"}[app]
	p.eventually(app+" running", func(ctx context.Context) string {
		pods, err := podsWith(ctx, p.client(""), "kube-system", selector)
		if err != nil {
			return err.Error()
		}
		running := 0
		for _, pod := range pods {
			if pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil {
				running++
			}
		}
		if running != n {
			return fmt.Sprintf("%d of %d running", running, n)
		}
		return ""
	})
}

func (p *platform) checkVersion(prefix string) {
	p.t.Helper()
	info, err := p.client("").Discovery().ServerVersion()
	if err != nil || !strings.HasPrefix(info.GitVersion, prefix) {
		p.t.Errorf("/version: got %v, %v, want %s...", info, err, prefix)
	}
}

func (p *platform) checkNode(want eks.Node) {
	p.t.Helper()
	n, err := p.client("").CoreV1().Nodes().Get(p.t.Context(), want.Name, metav1.GetOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	if n.Spec.ProviderID != "aws:///eu-central-1a/i-0001" || n.Labels["team"] != "shop" || n.Labels[nodegroupLabel] != "pool" ||
		!strings.HasPrefix(n.Status.NodeInfo.KubeletVersion, "v1.34.") || n.Status.Capacity.Cpu().Value() != 2 {
		p.t.Errorf("node: got %+v", n)
	}
	if !hasTaints(n, []corev1.Taint{{Key: "soft", Value: "yes", Effect: corev1.TaintEffectPreferNoSchedule}}) {
		p.t.Errorf("taints: got %v", n.Spec.Taints)
	}
}

func (p *platform) checkLogins() {
	p.t.Helper()
	list := func(token, namespace string) error {
		_, err := p.client(token).CoreV1().Pods(namespace).List(p.t.Context(), metav1.ListOptions{Limit: 1})
		return err
	}
	for name, tc := range map[string]struct {
		reason, token, namespace string
		want                     func(error) bool
	}{
		"Admin":         {reason: "an access policy for the cluster", token: "k8s-aws-v1.shop-prod.admin", namespace: "kube-system", want: func(err error) bool { return err == nil }},
		"Viewer":        {reason: "an access policy for a namespace", token: "k8s-aws-v1.shop-prod.viewer", namespace: "default", want: func(err error) bool { return err == nil }},
		"ViewerOutside": {reason: "but for no other", token: "k8s-aws-v1.shop-prod.viewer", namespace: "kube-system", want: apierrors.IsForbidden},
		"NoEntry":       {reason: "an AWS identity without an access entry", token: "k8s-aws-v1.shop-prod.nobody", namespace: "default", want: apierrors.IsUnauthorized},
		"OtherCluster":  {reason: "a token of another cluster", token: "k8s-aws-v1.pay-prod.admin", namespace: "default", want: apierrors.IsUnauthorized},
	} {
		if err := list(tc.token, tc.namespace); !tc.want(err) {
			p.t.Errorf("login %s (%s): got %v", name, tc.reason, err)
		}
	}
}

// checkKill kills every process of the cluster at once; it must come back by itself.
func (p *platform) checkKill() {
	p.t.Helper()
	before := p.processes("eks/")
	for _, s := range before {
		if err := syscall.Kill(s.PID, syscall.SIGKILL); err != nil {
			p.t.Errorf("kill %s: %v", s.Name, err)
		}
	}
	p.eventually("all processes back", func(context.Context) string {
		for name, s := range p.processes("eks/") {
			if s.State != process.StateRunning || s.PID == before[name].PID {
				return fmt.Sprintf("%s: %+v", name, s)
			}
		}
		return ""
	})
	p.awaitReady("1.34")
	p.awaitNodes(2)
	p.awaitPods("coredns", 2)
}

func (p *platform) checkRestartOfSimulator() {
	p.t.Helper()
	before := p.processes("eks/")
	p.plane.Close()
	p.start()
	p.ensure("1.34")
	p.awaitReady("1.34")
	p.eventually("a settled pass", func(context.Context) string {
		c, _ := p.plane.find(testARN)
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.ready == nil {
			return "no pass yet"
		}
		return ""
	})
	for name, s := range p.processes("eks/") {
		if s.PID != before[name].PID {
			p.t.Errorf("%s was restarted with the simulator: pid %d, then %d", name, before[name].PID, s.PID)
		}
	}
	if got := p.plane.NodesReady(testARN, "pool", "1.34"); got != 2 {
		p.t.Errorf("nodes of a group nobody has asked for yet: got %d ready, want them left alone", got)
	}
}

func (p *platform) checkScaleIn(one eks.Node) {
	p.t.Helper()
	one.Taints, one.Labels = nil, map[string]string{"team": "pay"}
	p.nodes(one)
	p.eventually("one node left", func(ctx context.Context) string {
		list, err := p.client("").CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return err.Error()
		}
		if len(list.Items) != 1 || list.Items[0].Name != one.Name {
			return fmt.Sprintf("%d nodes", len(list.Items))
		}
		if n := list.Items[0]; n.Labels["team"] != "pay" || len(n.Spec.Taints) != 0 {
			return fmt.Sprintf("labels %v, taints %v", n.Labels, n.Spec.Taints)
		}
		return ""
	})
	p.awaitPods("coredns", 2)
}

func (p *platform) checkDeleted() {
	p.t.Helper()
	if err := p.plane.DeleteCluster(p.t.Context(), testARN); err != nil {
		p.t.Fatal(err)
	}
	p.eventually("cluster gone", func(context.Context) string {
		s, ok := p.plane.Status(testARN)
		if ok {
			return s.Message
		}
		return ""
	})
	if left := p.processes("eks/111111111111/"); len(left) != 0 {
		p.t.Errorf("processes left: %v", left)
	}
	if _, err := os.Stat(filepath.Join(p.stateDir, "clusters", "111111111111")); !os.IsNotExist(err) {
		p.t.Errorf("directory left: %v", err)
	}
	ports, err := os.ReadFile(filepath.Join(p.stateDir, "ports.json"))
	if err != nil || strings.Contains(string(ports), "shop-prod") {
		p.t.Errorf("ports left: %s, %v", ports, err)
	}
	if err := p.plane.DeleteCluster(p.t.Context(), testARN); err != nil {
		p.t.Errorf("deleting again: %v", err)
	}
	p.eventually("gone again", func(context.Context) string {
		if _, ok := p.plane.Status(testARN); ok {
			return "still known"
		}
		return ""
	})
}
