package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

type completion = func(t tree, module func(file string) ([]byte, error)) ([]string, error)

func all(steps ...completion) completion {
	return func(t tree, module func(file string) ([]byte, error)) ([]string, error) {
		var changes []string
		for _, step := range steps {
			done, err := step(t, module)
			if err != nil {
				return nil, err
			}
			changes = append(changes, done...)
		}
		return changes, nil
	}
}

// setVersion writes the versions that the project's release tool writes when it
// packages the chart; in the source there is a placeholder or the version before.
func setVersion(version, appVersion string) completion {
	return func(t tree, _ func(string) ([]byte, error)) ([]string, error) {
		err := t.editYAML("Chart.yaml", func(root *yaml.Node) error {
			return errors.Join(set(root, version, "version"), set(root, appVersion, "appVersion"))
		})
		return []string{fmt.Sprintf("version set to %s and appVersion to %s", version, appVersion)}, err
	}
}

// setKarpenterImage names the release's image. Its digest is known only to who
// can reach the registry, so the image is pinned by its tag.
func setKarpenterImage(tag string) completion {
	return func(t tree, _ func(string) ([]byte, error)) ([]string, error) {
		err := t.editYAML("values.yaml", func(root *yaml.Node) error {
			return errors.Join(
				set(root, tag, "controller", "image", "tag"),
				set(root, "", "controller", "image", "digest"),
			)
		})
		return []string{"controller.image.tag set to " + tag + ", controller.image.digest emptied"}, err
	}
}

// addExternalSecretsCRDs makes the templates of the CRDs that external-secrets
// generates when it packages the chart (its hack/helm.generate.sh): the source
// has them as one bundle.
func addExternalSecretsCRDs(t tree, module func(file string) ([]byte, error)) ([]string, error) {
	const file = "deploy/crds/bundle.yaml"
	bundle, err := module(file)
	if err != nil {
		return nil, err
	}
	if bytes.Contains(bundle, []byte("{{")) {
		return nil, fmt.Errorf("%s holds {{: it cannot be made a template", file)
	}
	count := 0
	for document := range strings.SplitSeq(strings.TrimPrefix(string(bundle), "---\n"), "\n---\n") {
		var crd struct {
			Kind string `yaml:"kind"`
			Spec struct {
				Names struct {
					Kind     string `yaml:"kind"`
					Singular string `yaml:"singular"`
				} `yaml:"names"`
			} `yaml:"spec"`
		}
		if err := yaml.Unmarshal([]byte(document), &crd); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if crd.Kind != "CustomResourceDefinition" || crd.Spec.Names.Singular == "" {
			return nil, fmt.Errorf("%s holds a %s, not only CRDs", file, crd.Kind)
		}
		t["templates/crds/"+crd.Spec.Names.Singular+".yaml"] = crdTemplate(crd.Spec.Names.Kind, document)
		count++
	}
	return []string{fmt.Sprintf("templates of %d CRDs made from %s", count, file)}, nil
}

func crdTemplate(kind, crd string) []byte {
	condition := ".Values.installCRDs"
	if strings.Contains(kind, "Cluster") || strings.Contains(kind, "PushSecret") {
		condition = fmt.Sprintf("and .Values.installCRDs .Values.crds.create%s", kind)
	}
	crd = strings.ReplaceAll(crd, "served: false", "served: {{ .Values.crds.unsafeServeV1Beta1 }}")
	crd = strings.Replace(crd, "  annotations:\n", "  annotations:\n    {{- with .Values.crds.annotations }}\n    {{- toYaml . | nindent 4 }}\n    {{- end }}\n", 1)
	return []byte("{{- if " + condition + " }}\n" + strings.TrimRight(crd, "\n") + "\n{{- end }}\n")
}
