package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"kargo.dev/kargo/hack/internal/upstream"
	"kargo.dev/kargo/internal/engine"
)

// manifest says what of a module's kustomization goes into a file.
type manifest struct {
	file   string
	module string
	folder string // of the kustomization, in the module
	kinds  []string
}

func manifests() []manifest {
	crds := []string{"CustomResourceDefinition"}
	webhooks := []string{"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}
	rbac := []string{"Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}
	stages := []string{"Stage"}
	return []manifest{
		{engine.ManifestClusterAPICRDs, engine.ModuleClusterAPI, "config/default", crds},
		{engine.ManifestClusterAPIWebhooks, engine.ModuleClusterAPI, "config/default", webhooks},
		{engine.ManifestClusterAPIRBAC, engine.ModuleClusterAPI, "config/default", rbac},
		{engine.ManifestClusterAPIAWSCRDs, engine.ModuleClusterAPIAWS, "config/default", crds},
		{engine.ManifestClusterAPIAWSWebhooks, engine.ModuleClusterAPIAWS, "config/default", webhooks},
		{engine.ManifestClusterAPIAWSRBAC, engine.ModuleClusterAPIAWS, "config/default", rbac},
		{engine.ManifestKWOKNodeFast, engine.ModuleKWOK, "kustomize/stage/node/fast", stages},
		{engine.ManifestKWOKNodeHeartbeat, engine.ModuleKWOK, "kustomize/stage/node/heartbeat-with-lease", stages},
		{engine.ManifestKWOKPodFast, engine.ModuleKWOK, "kustomize/stage/pod/fast", stages},
	}
}

// manifestWriter returns a Builder's WriteManifests.
func manifestWriter(source string) func(context.Context, string) error {
	return func(ctx context.Context, dir string) error {
		built := map[string]resmap.ResMap{}
		for _, m := range manifests() {
			module, err := upstream.Get(ctx, source, m.module)
			if err != nil {
				return err
			}
			folder := filepath.Join(module.Dir, m.folder)
			if built[folder] == nil {
				if built[folder], err = upstream.Kustomize(filesys.MakeFsOnDisk(), folder); err != nil {
					return err
				}
			}
			b, err := upstream.Select(built[folder], m.kinds...)
			if err != nil {
				return err
			}
			if len(b) == 0 {
				return fmt.Errorf("%s of %s holds no %v", m.folder, m.module, m.kinds)
			}
			file := filepath.Join(dir, m.file)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(file, b, 0o644); err != nil {
				return err
			}
		}
		return nil
	}
}
