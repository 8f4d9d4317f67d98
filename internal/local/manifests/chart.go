package manifests

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	helmengine "helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Chart is what `helm install` would send.
type Chart struct {
	CRDs    []*unstructured.Unstructured
	Objects []*unstructured.Unstructured
}

// RenderChart renders a chart for a namespace. Namespaced objects that name no
// namespace are not given one.
func RenderChart(fsys fs.FS, release, namespace string, values map[string]any) (*Chart, error) {
	var files []*archive.BufferedFile
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		files = append(files, &archive.BufferedFile{Name: name, Data: data})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the chart %s: %w", release, err)
	}
	chart, err := loader.LoadFiles(files)
	if err != nil {
		return nil, fmt.Errorf("load the chart %s: %w", release, err)
	}
	all, err := util.ToRenderValues(chart, values, common.ReleaseOptions{
		Name: release, Namespace: namespace, Revision: 1, IsInstall: true,
	}, common.DefaultCapabilities.Copy())
	if err != nil {
		return nil, fmt.Errorf("values of the chart %s: %w", release, err)
	}
	rendered, err := helmengine.Render(chart, all)
	if err != nil {
		return nil, fmt.Errorf("render the chart %s: %w", release, err)
	}
	res := &Chart{}
	for _, crd := range chart.CRDObjects() {
		objs, err := Parse(crd.File.Data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", crd.Filename, err)
		}
		res.CRDs = append(res.CRDs, objs...)
	}
	for name, content := range rendered {
		if ext := path.Ext(name); ext != ".yaml" || len(bytes.TrimSpace([]byte(content))) == 0 {
			continue
		}
		objs, err := Parse([]byte(content))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		res.Objects = append(res.Objects, objs...)
	}
	return res, nil
}
