package eks

import "context"

// DataPlane runs the Kubernetes side of clusters: what AWS runs in its own
// accounts (control planes) and on instances (nodes). All methods are
// idempotent and return at once; progress is read from Status. Keys are the
// cluster's ARN.
type DataPlane interface {
	// EnsureCluster makes a control plane run at the version asked for.
	EnsureCluster(ctx context.Context, c ControlPlane) error
	// Status of a control plane; false if the data plane does not know it.
	Status(clusterARN string) (ControlPlaneStatus, bool)
	// EnsureNodes makes exactly these nodes exist in a node group of the cluster.
	EnsureNodes(ctx context.Context, clusterARN, nodegroup string, nodes []Node) error
	// NodesReady counts the node group's Nodes that are Ready at a kubelet version.
	NodesReady(clusterARN, nodegroup, version string) int
	// DeleteCluster stops the control plane and forgets its data.
	DeleteCluster(ctx context.Context, clusterARN string) error
}

// ControlPlane is what EnsureCluster needs to know of a cluster.
type ControlPlane struct {
	ARN       string
	Name      string
	AccountID string
	Region    string
	Version   string // "1.34"
	// ServiceCIDR is the cluster's service network, "" for the default.
	ServiceCIDR string
}

// ControlPlaneStatus is how far a control plane has come.
type ControlPlaneStatus struct {
	Ready    bool   // serving at Version
	Version  string // the version it serves, "" before the first start
	Endpoint string // https://127.0.0.1:PORT, fixed for the cluster's life
	CA       []byte // PEM
	Issuer   string // OIDC issuer of its service account tokens
	Message  string // why it is not ready
}

// Node is one instance of a node group.
type Node struct {
	Name         string // ip-10-0-1-23.REGION.compute.internal
	InstanceID   string // i-...
	Zone         string
	InstanceType string
	Version      string // of the kubelet, "1.34"
	Labels       map[string]string
	Taints       []Taint
}

// Taint as EKS spells it.
type Taint struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Effect string `json:"effect"` // NO_SCHEDULE, NO_EXECUTE, PREFER_NO_SCHEDULE
}
