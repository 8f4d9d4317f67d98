package components

import (
	"kargo.dev/kargo/internal/process"
)

func (l Layout) awssim() process.Spec {
	args := []string{
		"--listen=" + l.Addr(PortAWSSim),
		"--config=" + l.Profile.Path("awssim", "config.json"),
		"--state-dir=" + l.Profile.Path("awssim", "state"),
		"--runner-socket=" + l.Profile.Socket(),
	}
	if l.Search.Dir != "" {
		args = append(args, "--engine-dir="+l.Search.Dir)
	}
	var vars []string
	for name, value := range map[string]string{"KUBEBUILDER_ASSETS": l.Search.Assets, "KARGO_CACHE": l.Search.Cache} {
		if value != "" {
			vars = append(vars, name+"="+value)
		}
	}
	return process.Spec{
		Name: AWSSim, Path: l.Programs.AWSSim, Args: args,
		Env:      env(50, vars...),
		ReadyURL: l.URL(PortAWSSim, "/_awssim/healthz"),
	}
}
