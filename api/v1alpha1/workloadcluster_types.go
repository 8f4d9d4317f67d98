package v1alpha1

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WorkloadClusterSpec is all that is a cluster's own: where it runs, and the
// triple (flavor, release, settings).
//
// +kubebuilder:validation:XValidation:rule="has(self.release) != has(self.branch)",message="set exactly one of release and branch"
type WorkloadClusterSpec struct {
	// AccountRef names the Account, in the same namespace, that the cluster runs in.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a cluster keeps its account: create another cluster"
	AccountRef AccountReference `json:"accountRef"`

	// Flavor is the kind of cluster: a folder under flavors/ of the fleet repository.
	// +kubebuilder:validation:Pattern=`^[a-z][a-z0-9-]{0,29}$`
	// +kubebuilder:default=standard
	// +optional
	Flavor string `json:"flavor,omitempty"`

	// Release is the tag of the fleet repository the cluster is made of.
	// +kubebuilder:validation:Pattern=`^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Release string `json:"release,omitempty"`

	// Branch of the fleet repository the cluster follows: every push reaches it.
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$`
	// +optional
	Branch string `json:"branch,omitempty"`

	// KubernetesVersion is the EKS minor version, "1.34". Empty at creation means
	// the flavor's default, which is then kept here by the CLI or in status by
	// the manager. It goes up one minor at a time and never down.
	// +kubebuilder:validation:Pattern=`^1\.[1-9][0-9]$`
	// +kubebuilder:validation:MaxLength=4
	// +kubebuilder:validation:XValidation:rule="int(self.substring(2)) >= int(oldSelf.substring(2))",message="a control plane cannot go back to an earlier Kubernetes version"
	// +kubebuilder:validation:XValidation:rule="int(self.substring(2)) <= int(oldSelf.substring(2)) + 1",message="Kubernetes versions go up one minor at a time"
	// +optional
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`

	// DeletionProtection refuses the deletion of this object and all behind it.
	// +kubebuilder:default=true
	// +optional
	DeletionProtection *bool `json:"deletionProtection,omitempty"`

	// Settings are the cluster's own values, over those of its release, flavor,
	// environment, team and account. charts/cluster/values.schema.json of the
	// release says which exist.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +optional
	Settings *apiextensionsv1.JSON `json:"settings,omitempty"`
}

// AccountReference names an Account in the same namespace.
type AccountReference struct {
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
}

// WorkloadClusterStatus is what was found out about a cluster.
type WorkloadClusterStatus struct {
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// AccountID of the AWS account the cluster runs in.
	// +optional
	AccountID string `json:"accountID,omitempty"`
	// Environment and Region are the account's.
	// +optional
	Environment string `json:"environment,omitempty"`
	// +optional
	Region string `json:"region,omitempty"`
	// FactoryNamespace holds the Cluster API objects behind this cluster.
	// +optional
	FactoryNamespace string `json:"factoryNamespace,omitempty"`

	// Network of the cluster, once reserved and made.
	// +optional
	Network NetworkStatus `json:"network,omitempty"`
	// ControlPlane as Cluster API reports it.
	// +optional
	ControlPlane ControlPlaneStatus `json:"controlPlane,omitempty"`
	// NodePools as Cluster API reports them, sorted by name.
	// +listType=map
	// +listMapKey=name
	// +optional
	NodePools []NodePoolStatus `json:"nodePools,omitempty"`
	// Nodes counts the nodes of all pools.
	// +optional
	Nodes Count `json:"nodes,omitempty"`
	// Addons counts the HelmReleases in the cluster that come from the fleet repository.
	// +optional
	Addons Count `json:"addons,omitempty"`

	// Commit of the fleet repository the cluster should be made of.
	// +optional
	Commit string `json:"commit,omitempty"`
	// AppliedRevision is the last revision Flux applied in the cluster
	// completely, in Flux's form: main@sha1:0123..., as it reports it.
	// +optional
	AppliedRevision string `json:"appliedRevision,omitempty"`
	// SettingsChecksum is the SHA-256 of the settings that the cluster was last rendered with.
	// +optional
	SettingsChecksum string `json:"settingsChecksum,omitempty"`
}

// NetworkStatus describes a cluster's VPC.
type NetworkStatus struct {
	// CIDR reserved for the cluster out of the account's range.
	// +optional
	CIDR string `json:"cidr,omitempty"`
	// VPCID is AWS's id of the VPC.
	// +optional
	VPCID string `json:"vpcID,omitempty"`
}

// ControlPlaneStatus describes a cluster's EKS control plane.
type ControlPlaneStatus struct {
	// Version that EKS runs, "1.34".
	// +optional
	Version string `json:"version,omitempty"`
	// Endpoint is the URL of the Kubernetes API.
	// +optional
	Endpoint string `json:"endpoint,omitempty"`
	// CertificateAuthority is the PEM bundle that the endpoint's certificate is
	// verified with. It is public; with it and Endpoint a team makes its own kubeconfig.
	// +optional
	CertificateAuthority []byte `json:"certificateAuthority,omitempty"`
}

// NodePoolStatus describes a managed node group.
type NodePoolStatus struct {
	Name string `json:"name"`
	// Version of the pool's kubelets, "1.34".
	// +optional
	Version string `json:"version,omitempty"`
	Count   `json:",inline"`
}

// Count says how many of a number of things are ready.
type Count struct {
	// +optional
	Ready int32 `json:"ready"`
	// +optional
	Total int32 `json:"total"`
}

// WorkloadCluster is one EKS cluster in one Account. Nothing is its own but
// what stands in its spec.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=wc
// +kubebuilder:printcolumn:name="Account",type=string,JSONPath=`.status.accountID`
// +kubebuilder:printcolumn:name="Flavor",type=string,JSONPath=`.spec.flavor`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.controlPlane.version`
// +kubebuilder:printcolumn:name="Nodes",type=string,JSONPath=`.status.nodes.ready`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z][a-z0-9-]{0,38}[a-z0-9]$')",message="a cluster's name is 2 to 40 lower-case letters, digits and hyphens, first a letter"
type WorkloadCluster struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   WorkloadClusterSpec   `json:"spec"`
	Status WorkloadClusterStatus `json:"status,omitempty"`
}

// WorkloadClusterList is a list of clusters.
//
// +kubebuilder:object:root=true
type WorkloadClusterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []WorkloadCluster `json:"items"`
}

// GetConditions returns the status conditions.
func (w *WorkloadCluster) GetConditions() []metav1.Condition { return w.Status.Conditions }

// SetConditions replaces the status conditions.
func (w *WorkloadCluster) SetConditions(c []metav1.Condition) { w.Status.Conditions = c }

// Protected says whether the deletion of the cluster is refused; unset means yes.
func (w *WorkloadCluster) Protected() bool {
	return w.Spec.DeletionProtection == nil || *w.Spec.DeletionProtection
}
