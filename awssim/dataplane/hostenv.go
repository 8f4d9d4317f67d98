package dataplane

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// podEnv is a container's environment in order, as a kubelet makes it, without
// what would need Secrets or ConfigMaps.
func podEnv(pod *corev1.Pod, c *corev1.Container) ([]corev1.EnvVar, error) {
	var res []corev1.EnvVar
	for _, e := range c.Env {
		value, err := envValue(pod, c, e, res)
		if err != nil {
			return nil, err
		}
		res = append(res, corev1.EnvVar{Name: e.Name, Value: value})
	}
	return res, nil
}

func envValue(pod *corev1.Pod, c *corev1.Container, e corev1.EnvVar, before []corev1.EnvVar) (string, error) {
	switch {
	case e.ValueFrom == nil:
		return expander(before)(e.Value), nil
	case e.ValueFrom.FieldRef != nil:
		return podField(pod, e.ValueFrom.FieldRef.FieldPath)
	case e.ValueFrom.ResourceFieldRef != nil:
		return resourceField(c, e.ValueFrom.ResourceFieldRef)
	default:
		return "", &configError{fmt.Sprintf("environment variable %s: this platform knows value, fieldRef and resourceFieldRef only", e.Name)}
	}
}

// podField is a field of the downward API.
func podField(pod *corev1.Pod, path string) (string, error) {
	fields := map[string]string{
		"metadata.name": pod.Name, "metadata.namespace": pod.Namespace, "metadata.uid": string(pod.UID),
		"spec.nodeName": pod.Spec.NodeName, "spec.serviceAccountName": pod.Spec.ServiceAccountName,
		"status.podIP": pod.Status.PodIP, "status.hostIP": pod.Status.HostIP,
	}
	if value, ok := fields[path]; ok {
		return value, nil
	}
	for prefix, values := range map[string]map[string]string{"metadata.labels['": pod.Labels, "metadata.annotations['": pod.Annotations} {
		if key, ok := strings.CutPrefix(path, prefix); ok {
			return values[strings.TrimSuffix(key, "']")], nil
		}
	}
	return "", &configError{fmt.Sprintf("unknown fieldRef %s", path)}
}

// resourceField is a limit or request of CPU (cores, rounded up) or memory (bytes).
func resourceField(c *corev1.Container, ref *corev1.ResourceFieldSelector) (string, error) {
	kind, name, _ := strings.Cut(ref.Resource, ".")
	lists := map[string]corev1.ResourceList{"limits": c.Resources.Limits, "requests": c.Resources.Requests}
	quantity, ok := lists[kind][corev1.ResourceName(name)]
	if !ok {
		return "", &configError{fmt.Sprintf("resourceFieldRef %s: the container has none", ref.Resource)}
	}
	value := quantity.Value()
	if divisor := ref.Divisor.Value(); divisor > 1 {
		value = (value + divisor - 1) / divisor
	}
	return strconv.FormatInt(value, 10), nil
}

// expander replaces $(NAME) by the value of a variable; $$ escapes a dollar,
// and unknown names stay as they are. See the field "args" of a container.
func expander(env []corev1.EnvVar) func(string) string {
	values := map[string]string{}
	for _, e := range env {
		values[e.Name] = e.Value
	}
	return func(s string) string {
		var b strings.Builder
		for i := 0; i < len(s); i++ {
			switch {
			case strings.HasPrefix(s[i:], "$$"):
				b.WriteByte('$')
				i++
			case strings.HasPrefix(s[i:], "$("):
				end := strings.IndexByte(s[i:], ')')
				value, ok := "", false
				if end > 0 {
					value, ok = values[s[i+2:i+end]]
				}
				if !ok {
					b.WriteByte('$')
					continue
				}
				b.WriteString(value)
				i += end
			default:
				b.WriteByte(s[i])
			}
		}
		return b.String()
	}
}
