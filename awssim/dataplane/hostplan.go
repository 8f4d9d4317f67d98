package dataplane

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"kargo.dev/kargo/internal/process"
)

// longestGrace bounds terminationGracePeriodSeconds (helm-controller asks for
// ten minutes), or stopping the platform could take as long.
const longestGrace = 15 * time.Second

// configError is why a container cannot be created: CreateContainerConfigError.
type configError struct{ message string }

func (e *configError) Error() string { return e.message }

// hostPlan is a pod's container as a process of this machine.
type hostPlan struct {
	Spec process.Spec
	Dirs []string // made before it starts: HOME, TMPDIR and the pod's volumes
}

// podPlace is where a pod's process lives.
type podPlace struct {
	Name string                               // of the process
	Dir  string                               // the pod's own directory
	Port func(containerPort int) (int, error) // on the host, the pod's own
	// ServicePort is the host port that stands for a Service's address: it is the
	// same for every pod behind the Service, one after the other.
	ServicePort func(containerPort int) (int, error)
	Images      map[string]Image // what may be run
	Env         []string         // settings of the Go runtime
}

// planPod says how a pod's container runs on this machine: the pod's arguments
// and environment, expanded as a kubelet does, with the image's rewrites.
func planPod(pod *corev1.Pod, at podPlace) (hostPlan, error) {
	container, err := onlyContainer(pod)
	if err != nil {
		return hostPlan{}, err
	}
	image, program, err := pull(at.Images, container.Image)
	if err != nil {
		return hostPlan{}, err
	}
	mounts, err := mountDirs(pod, container, at.Dir)
	if err != nil {
		return hostPlan{}, err
	}
	env, err := podEnv(pod, container)
	if err != nil {
		return hostPlan{}, err
	}
	port := func(containerPort int) (int, error) {
		if containerPort == program.Service {
			return at.ServicePort(containerPort)
		}
		return at.Port(containerPort)
	}
	listen, err := listenFlags(program, port)
	if err != nil {
		return hostPlan{}, err
	}
	values := expander(env)
	args := make([]string, len(container.Args))
	for i, arg := range container.Args {
		args[i] = rehome(values(arg), mounts)
	}
	args = setFlags(args, listen, program.Set)
	home, tmp := filepath.Join(at.Dir, "home"), filepath.Join(at.Dir, "tmp")
	plan := hostPlan{
		Dirs: append(slices.Sorted(maps.Values(mounts)), home, tmp),
		Spec: process.Spec{Name: at.Name, Path: image.Binary, Args: args, Dir: at.Dir, StopGrace: grace(pod)},
	}
	overridden := append([]string{"KUBECONFIG=" + filepath.Join(at.Dir, "kubeconfig"), "HOME=" + home, "TMPDIR=" + tmp}, at.Env...)
	for _, e := range env {
		if !slices.ContainsFunc(overridden, func(o string) bool { return strings.HasPrefix(o, e.Name+"=") }) {
			plan.Spec.Env = append(plan.Spec.Env, e.Name+"="+rehome(e.Value, mounts))
		}
	}
	plan.Spec.Env = append(plan.Spec.Env, overridden...)
	plan.Spec.ReadyURL, err = readyURL(container, port)
	return plan, err
}

func onlyContainer(pod *corev1.Pod) (*corev1.Container, error) {
	if len(pod.Spec.Containers) != 1 || len(pod.Spec.InitContainers) != 0 {
		return nil, &configError{"this platform runs pods of one container without init containers"}
	}
	c := &pod.Spec.Containers[0]
	if len(c.Command) > 0 || len(c.EnvFrom) > 0 {
		return nil, &configError{"this platform runs containers without command and envFrom"}
	}
	return c, nil
}

// mountDirs maps the container's mount paths to directories of the pod.
func mountDirs(pod *corev1.Pod, c *corev1.Container, dir string) (map[string]string, error) {
	res := map[string]string{}
	for _, m := range c.VolumeMounts {
		i := slices.IndexFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
		switch {
		case i >= 0 && pod.Spec.Volumes[i].EmptyDir != nil:
			res[strings.TrimSuffix(m.MountPath, "/")] = filepath.Join(dir, "volumes", m.Name, m.SubPath)
		case i >= 0 && pod.Spec.Volumes[i].Projected != nil:
			// The service account's: the kubeconfig takes its place.
		default:
			return nil, &configError{fmt.Sprintf("volume %s: this platform has emptyDir volumes only", m.Name)}
		}
	}
	return res, nil
}

// rehome replaces a mount path in PATH or --flag=PATH by the directory on the host.
func rehome(value string, mounts map[string]string) string {
	prefix, path := "", value
	if strings.HasPrefix(value, "-") {
		flag, v, ok := strings.Cut(value, "=")
		if !ok {
			return value
		}
		prefix, path = flag+"=", v
	}
	longestFirst := slices.SortedFunc(maps.Keys(mounts), func(a, b string) int { return len(b) - len(a) })
	for _, mount := range longestFirst {
		if path == mount || strings.HasPrefix(path, mount+"/") {
			return prefix + mounts[mount] + strings.TrimPrefix(path, mount)
		}
	}
	return value
}

func listenFlags(program hostProgram, port func(int) (int, error)) (map[string]string, error) {
	res := map[string]string{}
	for flag, containerPort := range program.Listen {
		p, err := port(containerPort)
		if err != nil {
			return nil, err
		}
		res[flag] = "127.0.0.1:" + strconv.Itoa(p)
	}
	return res, nil
}

// setFlags drops flags from the arguments and appends them with their new values.
func setFlags(args []string, sets ...map[string]string) []string {
	values := map[string]string{}
	for _, s := range sets {
		maps.Copy(values, s)
	}
	var res []string
	for _, arg := range args {
		flag, _, _ := strings.Cut(arg, "=")
		if _, replaced := values[flag]; !replaced {
			res = append(res, arg)
		}
	}
	for _, flag := range slices.Sorted(maps.Keys(values)) {
		res = append(res, flag+"="+values[flag])
	}
	return res
}

// readyURL is the readiness probe's, on the host. Without a probe a container
// is ready when it is started.
func readyURL(c *corev1.Container, port func(int) (int, error)) (string, error) {
	if c.ReadinessProbe == nil {
		return "", nil
	}
	get := c.ReadinessProbe.HTTPGet
	if get == nil {
		return "", &configError{"this platform knows readiness probes by httpGet only"}
	}
	containerPort := get.Port.IntValue()
	if get.Port.Type == intstr.String {
		i := slices.IndexFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == get.Port.StrVal })
		if i < 0 {
			return "", &configError{fmt.Sprintf("readiness probe: no port is called %s", get.Port.StrVal)}
		}
		containerPort = int(c.Ports[i].ContainerPort)
	}
	p, err := port(containerPort)
	if err != nil {
		return "", err
	}
	return "http://127.0.0.1:" + strconv.Itoa(p) + "/" + strings.TrimPrefix(get.Path, "/"), nil
}

func grace(pod *corev1.Pod) time.Duration {
	if s := pod.Spec.TerminationGracePeriodSeconds; s != nil {
		return max(time.Second, min(time.Duration(*s)*time.Second, longestGrace))
	}
	return longestGrace
}

// waitingReason is the reason a kubelet gives for a container it cannot start.
func waitingReason(err error, before string) (reason string, known bool) {
	var pulling *pullError
	var config *configError
	switch {
	case errors.As(err, &pulling) && (before == "ErrImagePull" || before == "ImagePullBackOff"):
		return "ImagePullBackOff", true
	case errors.As(err, &pulling):
		return "ErrImagePull", true
	case errors.As(err, &config):
		return "CreateContainerConfigError", true
	default:
		return "", false
	}
}
