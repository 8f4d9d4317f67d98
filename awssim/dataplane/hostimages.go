package dataplane

import (
	"fmt"
	"strings"
)

// hostProgram is how a known image's flags differ on this machine, where all
// pods share 127.0.0.1.
type hostProgram struct {
	// Listen are flags that get 127.0.0.1 and the host port of a container port.
	Listen map[string]int
	// Service is the container port that other pods reach through a Service: its
	// host port outlives the pod, as the Service's address does.
	Service int
	// Set are flags that get a fixed value.
	Set map[string]string
}

// hostPrograms are the images that are run as host processes. Each rewrite of
// an argument is listed here; docs/awssim.md explains them.
func hostPrograms() map[string]hostProgram {
	listen := map[string]int{"--health-addr": 9440}
	set := map[string]string{
		"--metrics-addr": "0", // off: nobody scrapes, and each would want a port
		"--events-addr":  "",  // there is no notification-controller
		// The lease's namespace is read from a file that only containers have.
		// A Deployment's one replica is alone anyway: its process ends before the next starts.
		"--enable-leader-election": "false",
	}
	return map[string]hostProgram{
		"fluxcd/source-controller": {
			// The address in artifacts' URLs is one that the other controllers reach.
			Listen: map[string]int{"--health-addr": 9440, "--storage-addr": 9090, "--storage-adv-addr": 9090}, Service: 9090, Set: set,
		},
		"fluxcd/kustomize-controller": {Listen: listen, Set: set},
		"fluxcd/helm-controller":      {Listen: listen, Set: set},
	}
}

// pullError is why an image cannot be run here: the reason of a waiting container.
type pullError struct{ message string }

func (e *pullError) Error() string { return e.message }

// pull finds the program of an image. The tag must be the version of the
// program there is; a digest cannot be checked, as there is no image.
func pull(images map[string]Image, ref string) (Image, hostProgram, error) {
	name, tag := splitImage(ref)
	for repository, program := range hostPrograms() {
		if name != repository && !strings.HasSuffix(name, "/"+repository) {
			continue
		}
		image, ok := images[repository]
		if !ok {
			break
		}
		if image.Version != tag {
			return Image{}, hostProgram{}, &pullError{fmt.Sprintf("manifest for %s not found: this platform has %s", ref, image.Version)}
		}
		return image, program, nil
	}
	return Image{}, hostProgram{}, &pullError{fmt.Sprintf("pull access denied for %s: this platform runs the Flux controllers only", ref)}
}

// splitImage separates REGISTRY:PORT/NAME:TAG@DIGEST.
func splitImage(ref string) (name, tag string) {
	ref, _, _ = strings.Cut(ref, "@")
	slash := strings.LastIndex(ref, "/")
	if colon := strings.LastIndex(ref, ":"); colon > slash {
		return ref[:colon], ref[colon+1:]
	}
	return ref, "latest"
}
