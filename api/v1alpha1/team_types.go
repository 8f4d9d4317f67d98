package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// TeamSpec says who a team is.
type TeamSpec struct {
	// Owners administer the team's objects in the management cluster.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	Owners []Subject `json:"owners"`

	// Viewers see the team's objects in the management cluster.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Viewers []Subject `json:"viewers,omitempty"`

	// Roles are the IAM roles in each of the team's accounts that reach its clusters.
	// +kubebuilder:default={}
	// +optional
	Roles TeamRoles `json:"roles,omitempty"`

	// CostCentre the team's costs are booked on.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	CostCentre string `json:"costCentre,omitempty"`

	// Products the team builds; costs are split by them.
	// +kubebuilder:validation:MaxItems=64
	// +listType=set
	// +optional
	Products []string `json:"products,omitempty"`
}

// Subject is a person or a group as the management cluster's identity provider names it.
type Subject struct {
	// +kubebuilder:validation:Enum=Group;User
	Kind string `json:"kind"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// TeamRoles are names of IAM roles (without a path) that exist in every account
// of the team. EKS access entries take IAM principals, not groups of an identity
// provider: https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html.
type TeamRoles struct {
	// Administrator gets AmazonEKSClusterAdminPolicy in the team's clusters.
	// +kubebuilder:default=team-admin
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9+=,.@_-]{1,64}$`
	// +optional
	Administrator string `json:"administrator,omitempty"`
	// Viewer sees everything but Secrets in the team's clusters.
	// +kubebuilder:default=team-viewer
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9+=,.@_-]{1,64}$`
	// +optional
	Viewer string `json:"viewer,omitempty"`
}

// TeamStatus is what was found out about a team.
type TeamStatus struct {
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Namespace holds the team's objects; it bears the team's name.
	// +optional
	Namespace string `json:"namespace,omitempty"`
}

// Team owns accounts and clusters. Its objects live in the namespace of its name.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z][a-z0-9]{1,29}$')",message="a team's name is 2 to 30 lower-case letters and digits, first a letter, without a hyphen"
// +kubebuilder:validation:XValidation:rule="!self.metadata.name.matches('^(default|kube.*|kargo.*|a[0-9]{12})$')",message="this name is reserved: default, kube*, kargo* and a + 12 digits are no team names"
type Team struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   TeamSpec   `json:"spec"`
	Status TeamStatus `json:"status,omitempty"`
}

// TeamList is a list of teams.
//
// +kubebuilder:object:root=true
type TeamList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Team `json:"items"`
}

// GetConditions returns the status conditions.
func (t *Team) GetConditions() []metav1.Condition { return t.Status.Conditions }

// SetConditions replaces the status conditions.
func (t *Team) SetConditions(c []metav1.Condition) { t.Status.Conditions = c }
