// Package charts holds KARGO's own Helm charts, built into its programs.
package charts

import (
	"embed"
	"io/fs"
)

//go:generate go run ../hack/chartdocs ../docs/reference/cluster-chart.md

//go:embed all:cluster all:kargo
var files embed.FS

// Cluster is the chart that renders the Cluster API objects of one cluster.
// `kargoctl init fleet` copies it into a fleet repository, where a release pins it.
func Cluster() fs.FS { return chart("cluster") }

// Kargo is the chart that installs KARGO in a management cluster.
func Kargo() fs.FS { return chart("kargo") }

func chart(name string) fs.FS {
	sub, err := fs.Sub(files, name)
	if err != nil {
		panic(err) // the name is a constant and valid
	}
	return sub
}
