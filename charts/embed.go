// Package charts holds KARGO's own Helm charts, built into its programs.
package charts

import (
	"embed"
	"io/fs"
)

//go:embed all:cluster
var files embed.FS

// Cluster is the chart that renders the Cluster API objects of one cluster.
// `kargoctl init fleet` copies it into a fleet repository, where a release pins it.
func Cluster() fs.FS {
	sub, err := fs.Sub(files, "cluster")
	if err != nil {
		panic(err) // the name is a constant and valid
	}
	return sub
}
