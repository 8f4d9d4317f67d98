package dataplane

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kargo.dev/kargo/internal/process"
)

const sourceImage = "ghcr.io/fluxcd/source-controller:v1.9.6"

// testPod is a pod of source-controller's Deployment, changed.
func testPod(change func(*corev1.Pod)) *corev1.Pod {
	template := sourceController(sourceImage).Spec.Template
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "source-1", Namespace: "flux-system", UID: "u1", Labels: template.Labels}, Spec: template.Spec}
	pod.Spec.NodeName = "ip-10-0-1-11.eu-central-1.compute.internal"
	if change != nil {
		change(pod)
	}
	return pod
}

func testPlace() podPlace {
	return podPlace{
		Name: "eks/1/c/pods/flux-system/source-1", Dir: "/state/source-1", Env: []string{"GOGC=30"},
		Port:        func(p int) (int, error) { return 20000 + p, nil },
		ServicePort: func(p int) (int, error) { return 20000 + p, nil },
		Images:      map[string]Image{"fluxcd/source-controller": {Binary: "/engine/source-controller", Version: "v1.9.6"}},
	}
}

func TestPlanPod(t *testing.T) {
	got, err := planPod(testPod(func(p *corev1.Pod) {
		c := &p.Spec.Containers[0]
		c.Args = append(c.Args, "--events-addr=http://notification-controller.$(RUNTIME_NAMESPACE).svc.cluster.local.", "--default=$(UNKNOWN) $$(RUNTIME_NAMESPACE)")
		c.Env = append(c.Env,
			corev1.EnvVar{Name: "GOGC", Value: "100"},
			corev1.EnvVar{Name: "WHERE", Value: "$(RUNTIME_NAMESPACE)/here"},
			corev1.EnvVar{Name: "MEMORY", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.memory"}}})
		c.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}
	}), testPlace())
	if err != nil {
		t.Fatal(err)
	}
	want := hostPlan{
		Dirs: []string{"/state/source-1/volumes/data", "/state/source-1/volumes/tmp", "/state/source-1/home", "/state/source-1/tmp"},
		Spec: process.Spec{
			Name: "eks/1/c/pods/flux-system/source-1", Path: "/engine/source-controller", Dir: "/state/source-1",
			Args: []string{
				"--watch-all-namespaces", "--log-level=info", "--log-encoding=json",
				"--storage-path=/state/source-1/volumes/data", "--default=$(UNKNOWN) $(RUNTIME_NAMESPACE)",
				"--enable-leader-election=false", "--events-addr=", "--health-addr=127.0.0.1:29440", "--metrics-addr=0",
				"--storage-addr=127.0.0.1:29090", "--storage-adv-addr=127.0.0.1:29090",
			},
			Env: []string{
				"RUNTIME_NAMESPACE=flux-system", "TUF_ROOT=/state/source-1/volumes/tmp/.sigstore", "WHERE=flux-system/here", "MEMORY=1073741824",
				"KUBECONFIG=/state/source-1/kubeconfig", "HOME=/state/source-1/home", "TMPDIR=/state/source-1/tmp", "GOGC=30",
			},
			ReadyURL: "http://127.0.0.1:29090/", StopGrace: longestGrace,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plan: -want +got\n%s", diff)
	}
}

func TestPlanPodRefusals(t *testing.T) {
	for name, tc := range map[string]struct {
		reason     string
		change     func(*corev1.Pod)
		wantReason string
	}{
		"Unknown":   {reason: "nothing else is ever run", change: image("docker.io/library/nginx:1"), wantReason: "ErrImagePull"},
		"LookAlike": {reason: "a name that only ends alike", change: image("example.com/notfluxcd/source-controller:v1.9.6"), wantReason: "ErrImagePull"},
		"WrongTag":  {reason: "only the version there is", change: image("ghcr.io/fluxcd/source-controller:v1.9.5"), wantReason: "ErrImagePull"},
		"NoTag":     {reason: "latest is not a version", change: image("ghcr.io/fluxcd/source-controller"), wantReason: "ErrImagePull"},
		"NoBinary":  {reason: "an engine without it", change: image("ghcr.io/fluxcd/helm-controller:v1.6.2"), wantReason: "ErrImagePull"},
		"Command":   {reason: "would run another program", change: func(p *corev1.Pod) { p.Spec.Containers[0].Command = []string{"sh"} }, wantReason: "CreateContainerConfigError"},
		"Secret": {reason: "specs hold no secrets", change: func(p *corev1.Pod) {
			p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "X", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "x"}}}}
		}, wantReason: "CreateContainerConfigError"},
		"Sidecar": {reason: "one container is one process", change: func(p *corev1.Pod) {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "second"})
		}, wantReason: "CreateContainerConfigError"},
		"HostPath": {reason: "private directories only", change: func(p *corev1.Pod) {
			p.Spec.Volumes[0].VolumeSource = corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}
		}, wantReason: "CreateContainerConfigError"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := planPod(testPod(tc.change), testPlace())
			got, _ := waitingReason(err, "")
			if diff := cmp.Diff(tc.wantReason, got); diff != "" {
				t.Errorf("%s: %v -want +got\n%s", tc.reason, err, diff)
			}
		})
	}
}

func image(ref string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.Containers[0].Image = ref }
}

func TestSplitImage(t *testing.T) {
	for ref, want := range map[string][2]string{
		"ghcr.io/fluxcd/helm-controller:v1.6.2":                {"ghcr.io/fluxcd/helm-controller", "v1.6.2"},
		"localhost:5000/fluxcd/helm-controller":                {"localhost:5000/fluxcd/helm-controller", "latest"},
		"localhost:5000/fluxcd/helm-controller:v1@sha256:0abc": {"localhost:5000/fluxcd/helm-controller", "v1"},
	} {
		name, tag := splitImage(ref)
		if diff := cmp.Diff(want, [2]string{name, tag}); diff != "" {
			t.Errorf("%s: -want +got\n%s", ref, diff)
		}
	}
}

func TestPodStatus(t *testing.T) {
	now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	pullErr := &pullError{"no such tag"}
	waiting := func(reason string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}}}
		}
	}
	type summary struct {
		Phase    corev1.PodPhase
		Ready    bool
		Waiting  string
		Restarts int32
		PodIP    string
	}
	for name, tc := range map[string]struct {
		reason  string
		change  func(*corev1.Pod)
		process process.Status
		err     error
		want    summary
	}{
		"Ready": {
			reason: "readiness is the probe's", process: process.Status{State: process.StateRunning, PID: 7, StartedAt: now},
			want: summary{Phase: corev1.PodRunning, Ready: true, PodIP: "10.0.1.11"},
		},
		"Starting": {
			reason: "a process that does not answer yet runs all the same", process: process.Status{State: process.StateStarting, PID: 7, StartedAt: now},
			want: summary{Phase: corev1.PodRunning, PodIP: "10.0.1.11"},
		},
		"Crashing": {
			reason: "as a kubelet says it", process: process.Status{State: process.StateBackOff, Restarts: 3, LastExit: "exit status 2"},
			want: summary{Phase: corev1.PodRunning, Waiting: "CrashLoopBackOff", Restarts: 3, PodIP: "10.0.1.11"},
		},
		"Created": {
			reason: "no process yet",
			want:   summary{Phase: corev1.PodPending, Waiting: "ContainerCreating", PodIP: "10.0.1.11"},
		},
		"Pull": {
			reason: "first the error", err: pullErr,
			want: summary{Phase: corev1.PodPending, Waiting: "ErrImagePull", PodIP: "10.0.1.11"},
		},
		"PullAgain": {
			reason: "then the back-off", err: pullErr, change: waiting("ErrImagePull"),
			want: summary{Phase: corev1.PodPending, Waiting: "ImagePullBackOff", PodIP: "10.0.1.11"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			pod := testPod(tc.change)
			status := podStatus(pod, tc.process, tc.err, now)
			c := status.ContainerStatuses[0]
			got := summary{Phase: status.Phase, Ready: c.Ready, Restarts: c.RestartCount, PodIP: status.PodIP}
			if c.State.Waiting != nil {
				got.Waiting = c.State.Waiting.Reason
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
			pod.Status = status
			if diff := cmp.Diff(status.Conditions, podStatus(pod, tc.process, tc.err, now.Add(time.Hour)).Conditions); diff != "" {
				t.Errorf("nothing changed, so no condition may: -first +second\n%s", diff)
			}
		})
	}
	if _, known := waitingReason(errors.New("connection refused"), ""); known {
		t.Error("a passing error became a reason of the pod")
	}
}
