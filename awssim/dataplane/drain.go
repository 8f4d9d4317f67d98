package dataplane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// drainAnnotation says since when a node is drained (RFC 3339), so that a
// restart of the simulator does not begin to wait anew.
const drainAnnotation = "awssim.kargo.dev/drain-since"

// retireNode does the next step of a node's end: cordon, evict what runs there
// as long as disruption budgets allow, and delete the node when it is empty.
// What resists for longer than the drain timeout is deleted without asking the
// budgets, where EKS would fail the update with PodEvictionFailure unless it is
// forced. Nobody waits if no other node is there to move to.
func (c *cluster) retireNode(ctx context.Context, n *corev1.Node, all []corev1.Node) error {
	client := c.clients.quick
	since, err := time.Parse(time.RFC3339, n.Annotations[drainAnnotation])
	if err != nil || !n.Spec.Unschedulable {
		return cordon(ctx, client, n, c.plane.opts.Clock.Now())
	}
	list, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + n.Name})
	if err != nil {
		return fmt.Errorf("list the pods of node %s: %w", n.Name, err)
	}
	force := c.plane.opts.Clock.Now().Sub(since) >= c.plane.opts.DrainTimeout || !hasRefuge(n, all)
	var errs []error
	empty := true
	for i := range list.Items {
		p := &list.Items[i]
		if ofDaemonSet(p) || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
			continue
		}
		empty = false
		if p.DeletionTimestamp == nil {
			errs = append(errs, removePod(ctx, client, p, force))
		}
	}
	if err := errors.Join(errs...); err != nil || !empty {
		return err
	}
	err = client.CoreV1().Nodes().Delete(ctx, n.Name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete node %s: %w", n.Name, err)
	}
	// Pods left on a node that is gone (DaemonSets') are nobody's but the garbage collector's, which takes a minute.
	for _, p := range list.Items {
		err := client.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, *metav1.NewDeleteOptions(0))
		if err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("delete pod %s/%s of the deleted node: %w", p.Namespace, p.Name, err))
		}
	}
	return errors.Join(errs...)
}

func cordon(ctx context.Context, client kubernetes.Interface, n *corev1.Node, now time.Time) error {
	cordoned := n.DeepCopy()
	cordoned.Spec.Unschedulable = true
	if cordoned.Annotations == nil {
		cordoned.Annotations = map[string]string{}
	}
	cordoned.Annotations[drainAnnotation] = now.UTC().Format(time.RFC3339)
	if _, err := client.CoreV1().Nodes().Update(ctx, cordoned, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
		return ignoreConflict(fmt.Errorf("cordon node %s: %w", n.Name, err))
	}
	return nil
}

// hasRefuge tells whether a drained node's pods may go elsewhere.
func hasRefuge(n *corev1.Node, all []corev1.Node) bool {
	return slices.ContainsFunc(all, func(o corev1.Node) bool {
		return o.Name != n.Name && !o.Spec.Unschedulable && o.DeletionTimestamp == nil
	})
}

func ofDaemonSet(p *corev1.Pod) bool {
	owner := metav1.GetControllerOf(p)
	return owner != nil && owner.Kind == "DaemonSet"
}

// removePod evicts a pod; a disruption budget that does not allow it now (429)
// is asked again in the next pass.
func removePod(ctx context.Context, client kubernetes.Interface, p *corev1.Pod, force bool) error {
	uid := metav1.NewUIDPreconditions(string(p.UID))
	var err error
	if force {
		err = client.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{Preconditions: uid})
	} else {
		err = client.PolicyV1().Evictions(p.Namespace).Evict(ctx, &policyv1.Eviction{
			ObjectMeta:    metav1.ObjectMeta{Name: p.Name, Namespace: p.Namespace},
			DeleteOptions: &metav1.DeleteOptions{Preconditions: uid},
		})
	}
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsTooManyRequests(err) || apierrors.IsConflict(err) {
		return nil
	}
	return fmt.Errorf("evict pod %s/%s: %w", p.Namespace, p.Name, err)
}
