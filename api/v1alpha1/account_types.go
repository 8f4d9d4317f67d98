package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AccountSpec describes one AWS account of a team.
type AccountSpec struct {
	// ID is the AWS account's 12-digit id.
	// +kubebuilder:validation:Pattern=`^[0-9]{12}$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="an account keeps its id: create another Account"
	ID string `json:"id"`

	// Environment the account belongs to: prod, nonprod, ... The fleet
	// repository holds the environment's settings under environments/.
	// +kubebuilder:validation:Pattern=`^[a-z][a-z0-9-]{0,29}$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="an account keeps its environment: create another Account"
	Environment string `json:"environment"`

	// Region the account's clusters run in, eu-central-1.
	// +kubebuilder:validation:Pattern=`^[a-z]{2}(-[a-z]+)+-[0-9]$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="an account keeps its region: create another Account"
	Region string `json:"region"`

	// FactoryRole is the name of the IAM role in the account that the factory
	// assumes. It is a name and no ARN, so that it cannot point to another account.
	// +kubebuilder:default=kargo-factory
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9+=,.@_-]{1,64}$`
	// +optional
	FactoryRole string `json:"factoryRole,omitempty"`

	// Network is the range the account's clusters take their VPCs from.
	Network AccountNetwork `json:"network"`
}

// AccountNetwork is an account's part of the company's address space.
type AccountNetwork struct {
	// CIDR is the account's IPv4 range; no two accounts' ranges overlap.
	// +kubebuilder:validation:Format=cidr
	// +kubebuilder:validation:XValidation:rule="isCIDR(self) && cidr(self).ip().family() == 4 && cidr(self).masked() == cidr(self) && cidr(self).prefixLength() >= 8 && cidr(self).prefixLength() <= 24",message="an IPv4 range of /8 to /24 with no host bits set, such as 10.16.0.0/16"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="an account keeps its network range"
	// +kubebuilder:validation:MaxLength=18
	CIDR string `json:"cidr"`

	// ClusterPrefixLength is the size of the VPC each cluster gets out of CIDR.
	// AWS allows /16 to /28: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html.
	// +kubebuilder:default=18
	// +kubebuilder:validation:Minimum=16
	// +kubebuilder:validation:Maximum=24
	// +optional
	ClusterPrefixLength int32 `json:"clusterPrefixLength,omitempty"`
}

// AccountStatus is what was found out about an account.
type AccountStatus struct {
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// FactoryNamespace holds Cluster API's objects of this account: a + ID.
	// +optional
	FactoryNamespace string `json:"factoryNamespace,omitempty"`
	// RoleARN is the role the factory assumes in the account.
	// +optional
	RoleARN string `json:"roleARN,omitempty"`
	// Checked is the value of the annotation kargo.dev/check that the conditions answer.
	// +optional
	Checked string `json:"checked,omitempty"`
	// ExternalID must be demanded by the trust policy of that role:
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html.
	// +optional
	ExternalID string `json:"externalID,omitempty"`
	// FactoryPrincipal is the ARN of the factory's own IAM role or user, the only
	// one that the trust policy of that role should let in.
	// +optional
	FactoryPrincipal string `json:"factoryPrincipal,omitempty"`
}

// Account is one AWS account of the team whose namespace it is in.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="ID",type=string,JSONPath=`.spec.id`
// +kubebuilder:printcolumn:name="Environment",type=string,JSONPath=`.spec.environment`
// +kubebuilder:printcolumn:name="Region",type=string,JSONPath=`.spec.region`
// +kubebuilder:printcolumn:name="Network",type=string,JSONPath=`.spec.network.cidr`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z][a-z0-9-]{0,38}[a-z0-9]$')",message="an account's name is 2 to 40 lower-case letters, digits and hyphens, first a letter"
type Account struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   AccountSpec   `json:"spec"`
	Status AccountStatus `json:"status,omitempty"`
}

// AccountList is a list of accounts.
//
// +kubebuilder:object:root=true
type AccountList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Account `json:"items"`
}

// GetConditions returns the status conditions.
func (a *Account) GetConditions() []metav1.Condition { return a.Status.Conditions }

// SetConditions replaces the status conditions.
func (a *Account) SetConditions(c []metav1.Condition) { a.Status.Conditions = c }

// FactoryNamespace is the namespace of Cluster API's objects for an AWS
// account. It holds no hyphen and belongs to one account for ever, which keeps
// CAPA's session cache keys apart.
func FactoryNamespace(accountID string) string { return "a" + accountID }
