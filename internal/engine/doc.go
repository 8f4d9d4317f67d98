// Package engine knows the programs KARGO is built on: etcd, Kubernetes,
// Cluster API, its AWS provider, Flux and KWOK. It says how each is built from
// the Go modules that engine/go.mod pins, where the result lies, and finds it.
// Building is hack/engine's part; running is that of the local platform and
// of the simulator's data plane.
package engine
