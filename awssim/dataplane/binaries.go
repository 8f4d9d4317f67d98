package dataplane

import (
	"debug/buildinfo"
	"fmt"

	"kargo.dev/kargo/internal/engine"
)

// Binaries are the programs the data plane starts.
type Binaries struct {
	Etcd                  string
	KubeControllerManager string
	KubeScheduler         string
	KWOK                  string
	// APIServer returns the kube-apiserver of a minor version: 1.34.
	APIServer func(minor string) (string, error)
	// Images are the container images that are run as host processes, by
	// repository without registry: fluxcd/source-controller.
	Images map[string]Image
}

// Image is the program of a container image.
type Image struct {
	Binary  string
	Version string // the tag that is this binary: v1.9.6
}

// FromEngine takes the engine's binaries. The versions of images are read from
// the binaries themselves.
func FromEngine(b *engine.Binaries) (Binaries, error) {
	res := Binaries{
		Etcd: b.Etcd, KubeControllerManager: b.KubeControllerManager, KubeScheduler: b.KubeScheduler,
		KWOK: b.KWOK, APIServer: b.APIServer, Images: map[string]Image{},
	}
	for repository, binary := range map[string]string{
		"fluxcd/source-controller":    b.SourceController,
		"fluxcd/kustomize-controller": b.KustomizeController,
		"fluxcd/helm-controller":      b.HelmController,
	} {
		image, err := ReadImage(binary)
		if err != nil {
			return Binaries{}, err
		}
		res.Images[repository] = image
	}
	return res, nil
}

// ReadImage reads of which module version a Go binary was built.
func ReadImage(binary string) (Image, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return Image{}, fmt.Errorf("read the version of %s: %w", binary, err)
	}
	return Image{Binary: binary, Version: info.Main.Version}, nil
}
