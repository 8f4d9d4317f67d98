package dataplane

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"kargo.dev/kargo/internal/process"
)

const fluxPods = "eks/111111111111/shop-prod/pods/flux-system/"

// fluxPod runs the real source-controller as a pod: right image, kill -9,
// wrong tag, right image again, and scaled to none.
func (p *platform) fluxPod() {
	p.t.Helper()
	c := p.client("")
	p.sourceCRDs(c)
	p.create("namespace", func(o metav1.CreateOptions) error {
		_, err := c.CoreV1().Namespaces().Create(p.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "flux-system"}}, o)
		return err
	})
	p.create("service account", func(o metav1.CreateOptions) error {
		_, err := c.CoreV1().ServiceAccounts("flux-system").Create(p.t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "source-controller"}}, o)
		return err
	})
	p.create("binding", func(o metav1.CreateOptions) error {
		_, err := c.RbacV1().ClusterRoleBindings().Create(p.t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "flux"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
			Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: "source-controller", Namespace: "flux-system"}},
		}, o)
		return err
	})
	version := p.options.Binaries.Images["fluxcd/source-controller"].Version
	good := "registry.example.com/fluxcd/source-controller:" + version
	p.create("deployment", func(o metav1.CreateOptions) error {
		_, err := c.AppsV1().Deployments("flux-system").Create(p.t.Context(), sourceController(good), o)
		return err
	})
	oneReady := func(pods []corev1.Pod) string {
		if len(pods) != 1 || len(pods[0].Status.ContainerStatuses) != 1 || !pods[0].Status.ContainerStatuses[0].Ready {
			return fmt.Sprintf("%d pods: %s", len(pods), describe(pods))
		}
		return ""
	}
	p.awaitSource("ready with the engine's version", oneReady)
	p.checkSourceProcess()
	p.setImage("registry.example.com/fluxcd/source-controller:v0.0.1")
	p.awaitSource("a wrong tag is not pulled, and nothing runs", func(pods []corev1.Pod) string {
		if len(p.processes(fluxPods)) != 0 || !strings.Contains(describe(pods), "ImagePull") {
			return describe(pods)
		}
		return ""
	})
	p.setImage(good)
	p.awaitSource("ready again", oneReady)
}

func (p *platform) create(what string, do func(metav1.CreateOptions) error) {
	p.t.Helper()
	if err := do(metav1.CreateOptions{}); err != nil {
		p.t.Fatalf("create %s: %v", what, err)
	}
}

func (p *platform) setImage(image string) {
	p.t.Helper()
	patch := fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":[{"name":"manager","image":%q}]}}}}`, image)
	_, err := p.client("").AppsV1().Deployments("flux-system").Patch(p.t.Context(), "source-controller",
		"application/strategic-merge-patch+json", []byte(patch), metav1.PatchOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *platform) awaitSource(what string, ok func([]corev1.Pod) string) {
	p.t.Helper()
	p.eventually("source-controller: "+what, func(ctx context.Context) string {
		pods, err := podsWith(ctx, p.client(""), "flux-system", "app=source-controller")
		if err != nil {
			return err.Error()
		}
		return ok(pods)
	})
}

func describe(pods []corev1.Pod) string {
	var res []string
	for _, pod := range pods {
		line := pod.Name + " " + string(pod.Status.Phase) + " on " + pod.Spec.NodeName
		for _, c := range pod.Status.ContainerStatuses {
			if c.Ready {
				line += " ready"
			}
			if c.State.Waiting != nil {
				line += " " + c.State.Waiting.Reason + ": " + c.State.Waiting.Message
			}
		}
		res = append(res, line)
	}
	return strings.Join(res, "; ")
}

// checkSourceProcess looks at the process behind the pod.
func (p *platform) checkSourceProcess() {
	p.t.Helper()
	running := p.processes(fluxPods)
	if len(running) != 1 {
		p.t.Fatalf("processes of pods: got %v, want one", running)
	}
	for name, s := range running {
		if s.State != process.StateRunning {
			p.t.Errorf("process: got %+v", s)
		}
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.PID))
		if err != nil {
			p.t.Fatal(err)
		}
		args := strings.Split(string(line), "\x00")
		for _, arg := range args {
			if strings.HasPrefix(arg, "--storage-adv-addr=") && !strings.HasPrefix(arg, "--storage-adv-addr=127.0.0.1:") {
				p.t.Errorf("artifacts would not be reachable: %s", arg)
			}
		}
		dir := filepath.Join(p.stateDir, "clusters", "111111111111", "shop-prod", "pods", "flux-system", filepath.Base(name))
		token, err := os.ReadFile(filepath.Join(dir, "token"))
		if err != nil {
			p.t.Fatal(err)
		}
		config := p.client(string(token))
		me, err := config.AuthenticationV1().SelfSubjectReviews().Create(p.t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		if err != nil || me.Status.UserInfo.Username != "system:serviceaccount:flux-system:source-controller" {
			p.t.Errorf("the pod's token: got %v, %v", me, err)
		}
	}
	resp, err := http.Get("http://127.0.0.1:" + p.storagePort() + "/")
	if err != nil || resp.StatusCode != http.StatusOK {
		p.t.Errorf("artifact server: got %v, %v", resp, err)
		return
	}
	_ = resp.Body.Close()
}

func (p *platform) storagePort() string {
	p.t.Helper()
	content, err := os.ReadFile(filepath.Join(p.stateDir, "ports.json"))
	if err != nil {
		p.t.Fatal(err)
	}
	var ports map[string]int
	if err := json.Unmarshal(content, &ports); err != nil {
		p.t.Fatal(err)
	}
	for owner, port := range ports {
		if strings.HasSuffix(owner, ":9090") {
			return fmt.Sprint(port)
		}
	}
	p.t.Fatalf("no port for 9090 in %s", content)
	return ""
}

// sourceController as in its config/manager/deployment.yaml.
func sourceController(image string) *appsv1.Deployment {
	labels := map[string]string{"app": "source-controller", "app.kubernetes.io/part-of": "flux"}
	replicas := int32(1)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "source-controller", Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "source-controller"}},
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
				ServiceAccountName: "source-controller",
				Containers: []corev1.Container{{
					Name: "manager", Image: image,
					Ports: []corev1.ContainerPort{{ContainerPort: 9090, Name: "http"}, {ContainerPort: 8080, Name: "http-prom"}, {ContainerPort: 9440, Name: "healthz"}},
					Env: []corev1.EnvVar{
						{Name: "RUNTIME_NAMESPACE", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.namespace"}}},
						{Name: "TUF_ROOT", Value: "/tmp/.sigstore"},
					},
					Args: []string{
						"--watch-all-namespaces", "--log-level=info", "--log-encoding=json", "--enable-leader-election",
						"--storage-path=/data", "--storage-adv-addr=source-controller.$(RUNTIME_NAMESPACE).svc.cluster.local.",
					},
					ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromString("http"), Path: "/"}}},
					VolumeMounts:   []corev1.VolumeMount{{Name: "data", MountPath: "/data"}, {Name: "tmp", MountPath: "/tmp"}},
				}},
				Volumes: []corev1.Volume{
					{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
					{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
				},
			}},
		},
	}
}

// sourceCRDs makes the kinds that source-controller watches, without their schemas.
func (p *platform) sourceCRDs(c kubernetes.Interface) {
	p.t.Helper()
	for plural, kind := range map[string]string{
		"gitrepositories": "GitRepository", "helmrepositories": "HelmRepository", "helmcharts": "HelmChart",
		"buckets": "Bucket", "ocirepositories": "OCIRepository", "externalartifacts": "ExternalArtifact",
	} {
		crd := fmt.Sprintf(`{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
			"metadata": {"name": "%[1]s.source.toolkit.fluxcd.io"},
			"spec": {"group": "source.toolkit.fluxcd.io", "scope": "Namespaced", "names": {"plural": "%[1]s", "kind": "%[2]s"},
				"versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
					"schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}}`, plural, kind)
		err := c.CoreV1().RESTClient().Post().AbsPath("/apis/apiextensions.k8s.io/v1/customresourcedefinitions").
			SetHeader("Content-Type", "application/json").Body([]byte(crd)).Do(p.t.Context()).Error()
		if err != nil {
			p.t.Fatalf("create CRD %s: %v", plural, err)
		}
	}
}
