package dataplane

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"kargo.dev/kargo/internal/process"
)

// podStatus is what a kubelet would report of a pod: from its process, or from
// the error that keeps it from being started.
func podStatus(pod *corev1.Pod, p process.Status, startErr error, now time.Time) corev1.PodStatus {
	status := *pod.Status.DeepCopy()
	var before corev1.ContainerStatus
	if len(status.ContainerStatuses) == 1 {
		before = status.ContainerStatuses[0]
	}
	container := containerStatus(pod, before, p, startErr)
	status.Phase = corev1.PodPending
	if container.State.Running != nil || container.State.Waiting != nil && container.State.Waiting.Reason == "CrashLoopBackOff" {
		status.Phase = corev1.PodRunning
	}
	if status.StartTime == nil {
		status.StartTime = &metav1.Time{Time: now.Truncate(time.Second)}
	}
	// A process of the host is in the host's network, as a pod with
	// hostNetwork is: it has the node's address. (127.0.0.1, where it really
	// listens, is refused in EndpointSlices.)
	if ip, ok := privateIP(pod.Spec.NodeName); ok {
		status.HostIP, status.HostIPs = ip, []corev1.HostIP{{IP: ip}}
		status.PodIP, status.PodIPs = ip, []corev1.PodIP{{IP: ip}}
	}
	status.ContainerStatuses = []corev1.ContainerStatus{container}
	setPodCondition(&status, corev1.PodInitialized, true, "", now)
	reason := ""
	if !container.Ready {
		reason = "ContainersNotReady"
	}
	setPodCondition(&status, corev1.ContainersReady, container.Ready, reason, now)
	setPodCondition(&status, corev1.PodReady, container.Ready, reason, now)
	return status
}

func containerStatus(pod *corev1.Pod, before corev1.ContainerStatus, p process.Status, startErr error) corev1.ContainerStatus {
	c := corev1.ContainerStatus{RestartCount: int32(p.Restarts)}
	if len(pod.Spec.Containers) > 0 {
		c.Name, c.Image = pod.Spec.Containers[0].Name, pod.Spec.Containers[0].Image
	}
	wait := func(reason, message string) {
		c.State.Waiting = &corev1.ContainerStateWaiting{Reason: reason, Message: message}
	}
	if p.Restarts > 0 && p.LastExit != "" {
		c.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: exitCode(p.LastExit), Reason: "Error", Message: p.LastExit}
	}
	started := p.State == process.StateStarting || p.State == process.StateRunning
	c.Started = new(bool)
	switch {
	case startErr != nil:
		former := ""
		if before.State.Waiting != nil {
			former = before.State.Waiting.Reason
		}
		reason, _ := waitingReason(startErr, former)
		wait(reason, startErr.Error())
		c.RestartCount, c.LastTerminationState = before.RestartCount, before.LastTerminationState
	case started && p.PID != 0:
		c.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.Time{Time: p.StartedAt.Truncate(time.Second)}}
		*c.Started = true
		c.Ready = p.State == process.StateRunning
	case p.State == process.StateBackOff:
		wait("CrashLoopBackOff", "restarting failed container: "+p.LastExit)
	default:
		wait("ContainerCreating", "")
	}
	return c
}

// exitCode of "exit status 1" or "signal: killed", as a container runtime gives it.
func exitCode(lastExit string) int32 {
	var code int32
	if _, err := fmt.Sscanf(lastExit, "exit status %d", &code); err == nil {
		return code
	}
	return 137
}

func setPodCondition(status *corev1.PodStatus, kind corev1.PodConditionType, ok bool, reason string, now time.Time) {
	value := corev1.ConditionFalse
	if ok {
		value = corev1.ConditionTrue
	}
	c := corev1.PodCondition{Type: kind, Status: value, Reason: reason, LastTransitionTime: metav1.Time{Time: now.Truncate(time.Second)}}
	i := slices.IndexFunc(status.Conditions, func(c corev1.PodCondition) bool { return c.Type == kind })
	if i < 0 {
		status.Conditions = append(status.Conditions, c)
		return
	}
	if status.Conditions[i].Status == value {
		c.LastTransitionTime = status.Conditions[i].LastTransitionTime
	}
	status.Conditions[i] = c
}

// writePodStatus reports a status that differs from the one there is.
func writePodStatus(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod, status corev1.PodStatus) error {
	if equality.Semantic.DeepEqual(pod.Status, status) {
		return nil
	}
	updated := pod.DeepCopy()
	updated.Status = status
	_, err := client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, updated, metav1.UpdateOptions{FieldManager: fieldManager})
	if err != nil && !apierrors.IsNotFound(err) {
		return ignoreConflict(fmt.Errorf("report the status of pod %s/%s: %w", pod.Namespace, pod.Name, err))
	}
	return nil
}
