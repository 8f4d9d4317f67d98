// Package cluster holds kargoctl's commands about clusters, one file per verb.
package cluster
