package eks

// The shapes of this file are EKS's, with AWS's names of the fields. See
// https://docs.aws.amazon.com/eks/latest/APIReference/API_Types.html.

// Cluster is EKS's description of a cluster.
type Cluster struct {
	Name                    string             `json:"name"`
	ARN                     string             `json:"arn"`
	CreatedAt               Time               `json:"createdAt"`
	Version                 string             `json:"version"`
	Endpoint                string             `json:"endpoint,omitempty"`
	RoleARN                 string             `json:"roleArn"`
	ResourcesVPCConfig      VPCConfig          `json:"resourcesVpcConfig"`
	KubernetesNetworkConfig NetworkConfig      `json:"kubernetesNetworkConfig"`
	Logging                 Logging            `json:"logging"`
	Identity                *Identity          `json:"identity,omitempty"`
	Status                  string             `json:"status"`
	CertificateAuthority    Certificate        `json:"certificateAuthority"`
	ClientRequestToken      string             `json:"clientRequestToken,omitempty"`
	PlatformVersion         string             `json:"platformVersion"`
	Tags                    map[string]string  `json:"tags"`
	EncryptionConfig        []EncryptionConfig `json:"encryptionConfig,omitempty"`
	Health                  ClusterHealth      `json:"health"`
	AccessConfig            AccessConfig       `json:"accessConfig"`
	UpgradePolicy           UpgradePolicy      `json:"upgradePolicy"`
	DeletionProtection      bool               `json:"deletionProtection"`
}

// Statuses of a cluster and, but for FAILED, of what belongs to it.
const (
	statusCreating = "CREATING"
	statusActive   = "ACTIVE"
	statusUpdating = "UPDATING"
	statusDeleting = "DELETING"
	statusFailed   = "FAILED"
)

// VPCConfig tells where a cluster's control plane is reached.
type VPCConfig struct {
	SubnetIDs              []string `json:"subnetIds"`
	SecurityGroupIDs       []string `json:"securityGroupIds"`
	ClusterSecurityGroupID string   `json:"clusterSecurityGroupId,omitempty"`
	VPCID                  string   `json:"vpcId"`
	EndpointPublicAccess   bool     `json:"endpointPublicAccess"`
	EndpointPrivateAccess  bool     `json:"endpointPrivateAccess"`
	PublicAccessCIDRs      []string `json:"publicAccessCidrs"`
}

// NetworkConfig is the network of a cluster's Services.
type NetworkConfig struct {
	ServiceIPv4CIDR string `json:"serviceIpv4Cidr"`
	IPFamily        string `json:"ipFamily"`
}

// Logging tells which logs of the control plane go to CloudWatch.
type Logging struct {
	ClusterLogging []LogSetup `json:"clusterLogging"`
}

// LogSetup switches kinds of logs on or off.
type LogSetup struct {
	Types   []string `json:"types"`
	Enabled bool     `json:"enabled"`
}

// Identity holds the issuer of the cluster's service account tokens.
type Identity struct {
	OIDC OIDC `json:"oidc"`
}

// OIDC is an OpenID Connect issuer.
type OIDC struct {
	Issuer string `json:"issuer"`
}

// Certificate is the cluster's CA: PEM in base64.
type Certificate struct {
	Data string `json:"data,omitempty"`
}

// EncryptionConfig names the key that wraps the keys of Secrets.
type EncryptionConfig struct {
	Resources []string `json:"resources"`
	Provider  Provider `json:"provider"`
}

// Provider is a KMS key.
type Provider struct {
	KeyARN string `json:"keyArn"`
}

// ClusterHealth lists what is wrong with a cluster.
type ClusterHealth struct {
	Issues []Issue `json:"issues"`
}

// Issue is something wrong with a cluster, a node group or an add-on.
type Issue struct {
	Code        string   `json:"code"`
	Message     string   `json:"message"`
	ResourceIDs []string `json:"resourceIds"`
}

// AccessConfig tells where a cluster looks its users up.
type AccessConfig struct {
	BootstrapClusterCreatorAdminPermissions bool   `json:"bootstrapClusterCreatorAdminPermissions"`
	AuthenticationMode                      string `json:"authenticationMode"`
}

// UpgradePolicy tells what happens at the end of standard support.
type UpgradePolicy struct {
	SupportType string `json:"supportType"`
}

// Nodegroup is EKS's description of a managed node group.
type Nodegroup struct {
	NodegroupName    string              `json:"nodegroupName"`
	NodegroupARN     string              `json:"nodegroupArn"`
	ClusterName      string              `json:"clusterName"`
	Version          string              `json:"version"`
	ReleaseVersion   string              `json:"releaseVersion"`
	CreatedAt        Time                `json:"createdAt"`
	ModifiedAt       Time                `json:"modifiedAt"`
	Status           string              `json:"status"`
	CapacityType     string              `json:"capacityType"`
	ScalingConfig    ScalingConfig       `json:"scalingConfig"`
	InstanceTypes    []string            `json:"instanceTypes"`
	Subnets          []string            `json:"subnets"`
	RemoteAccess     *RemoteAccess       `json:"remoteAccess,omitempty"`
	AMIType          string              `json:"amiType"`
	NodeRole         string              `json:"nodeRole"`
	Labels           map[string]string   `json:"labels,omitempty"`
	Taints           []Taint             `json:"taints,omitempty"`
	Resources        *NodegroupResources `json:"resources,omitempty"`
	DiskSize         int                 `json:"diskSize,omitempty"`
	Health           NodegroupHealth     `json:"health"`
	UpdateConfig     UpdateConfig        `json:"updateConfig"`
	NodeRepairConfig NodeRepairConfig    `json:"nodeRepairConfig"`
	LaunchTemplate   *LaunchTemplate     `json:"launchTemplate,omitempty"`
	Tags             map[string]string   `json:"tags"`
}

// ScalingConfig is how many nodes a node group has and may have.
type ScalingConfig struct {
	MinSize     int `json:"minSize"`
	MaxSize     int `json:"maxSize"`
	DesiredSize int `json:"desiredSize"`
}

// RemoteAccess is who may log in to the nodes.
type RemoteAccess struct {
	EC2SSHKey            string   `json:"ec2SshKey,omitempty"`
	SourceSecurityGroups []string `json:"sourceSecurityGroups,omitempty"`
}

// NodegroupResources are the AWS resources behind a node group.
type NodegroupResources struct {
	AutoScalingGroups []AutoScalingGroup `json:"autoScalingGroups"`
}

// AutoScalingGroup names one.
type AutoScalingGroup struct {
	Name string `json:"name"`
}

// NodegroupHealth lists what is wrong with a node group.
type NodegroupHealth struct {
	Issues []Issue `json:"issues"`
}

// UpdateConfig is how many nodes are replaced at a time: exactly one of both.
type UpdateConfig struct {
	MaxUnavailable           int    `json:"maxUnavailable,omitempty"`
	MaxUnavailablePercentage int    `json:"maxUnavailablePercentage,omitempty"`
	UpdateStrategy           string `json:"updateStrategy,omitempty"` // DEFAULT or MINIMAL
}

// NodeRepairConfig tells whether EKS replaces unhealthy nodes. It is always
// answered, also when it is off: CAPA would else update the node group at
// every reconcile.
type NodeRepairConfig struct {
	Enabled bool `json:"enabled"`
}

// LaunchTemplate names the launch template of a node group.
type LaunchTemplate struct {
	ID      string `json:"id,omitempty"`
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
}

// Update is EKS's record of a change to a cluster, a node group or an add-on.
type Update struct {
	ID        string        `json:"id"`
	Status    string        `json:"status"` // InProgress, Successful, Failed
	Type      string        `json:"type"`
	Params    []UpdateParam `json:"params"`
	CreatedAt Time          `json:"createdAt"`
	Errors    []UpdateError `json:"errors"`
}

// UpdateError is why an update failed.
type UpdateError struct {
	Code        string   `json:"errorCode"`
	Message     string   `json:"errorMessage"`
	ResourceIDs []string `json:"resourceIds"`
}

// UpdateParam is one thing that an update changes.
type UpdateParam struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}
