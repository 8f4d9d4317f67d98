// Package upgrade decides the order of Kubernetes versions: the control plane
// first, one minor at a time, then the node pools. It is pure.
package upgrade

import (
	"fmt"
	"strconv"
	"strings"
)

// Minor is the minor of a Kubernetes 1.x version: 34 for "1.34".
type Minor int

// Parse reads "1.34", "v1.34" or "v1.34.2-eks-...".
func Parse(version string) (Minor, error) {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) < 2 || parts[0] != "1" {
		return 0, fmt.Errorf("%q is no Kubernetes version such as 1.34", version)
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is no Kubernetes version such as 1.34", version)
	}
	return Minor(n), nil
}

// String is "1.34".
func (m Minor) String() string { return "1." + strconv.Itoa(int(m)) }

// State is what runs now. Zero means: does not exist yet.
type State struct {
	ControlPlane Minor
	// Pools holds the version of each node pool that exists.
	Pools map[string]Minor
}

// Step is the versions to ask for next.
type Step struct {
	ControlPlane Minor
	Pools        Minor
}

// Next is the step from what runs to what is wanted. A new cluster gets the
// wanted version at once. An existing control plane moves by one minor, and
// only when all pools run the version it has; pools follow the control plane
// and never lead it (https://kubernetes.io/releases/version-skew-policy/,
// https://docs.aws.amazon.com/eks/latest/userguide/update-cluster.html).
func Next(now State, wanted Minor) Step {
	if now.ControlPlane == 0 {
		return Step{ControlPlane: wanted, Pools: wanted}
	}
	for _, pool := range now.Pools {
		if pool != 0 && pool < now.ControlPlane {
			return Step{ControlPlane: now.ControlPlane, Pools: now.ControlPlane}
		}
	}
	return Step{ControlPlane: max(now.ControlPlane, min(wanted, now.ControlPlane+1)), Pools: now.ControlPlane}
}
